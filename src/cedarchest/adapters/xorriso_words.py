"""What is asked of xorriso, and how its answers are read: argument lists and scripts beside their parsers.

Every call begins with `-no_rc`, since start-up files change results, and ends in `-rollback_end`, since
xorriso commits at its end: only a script that says `-end` writes.

Source: man xorriso; seen with xorriso 1.5.4.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from cedarchest.adapters.process import COMMANDS_FD_MARK, tail_of
from cedarchest.errors import (
    NotAppendable,
    UnexpectedOutput,
)
from cedarchest.model.disc import DiscState, TocEntry
from cedarchest.model.names import readable, shell_word
from cedarchest.ports import Graft, SessionSource

TOOL = "xorriso"


@dataclass(frozen=True, slots=True)
class Toc:
    """What `-toc` says of the loaded medium; sizes in blocks."""

    state: DiscState
    profile: str
    model: str
    firmware: str
    readable: int
    writable: int
    next_address: int
    sessions: tuple[TocEntry, ...]
    single: bool = False  # it takes one session, whose size is told before, and is closed with it
    product: str = ""  # what the disc says of its manufacturer and type


@dataclass(frozen=True, slots=True)
class BurnOptions:
    """How a session is written, beside what is in it."""

    address: str  # /dev/sr0 or stdio:FILE
    newest: int = 0  # the session that is last on the disc now, 0 for a blank one
    first_blocks: int = 0  # the size of the disc's first session
    padding_blocks: int = 0
    md5: bool = False
    optical: bool = False
    single: bool = False  # the disc takes no session but this one
    doubtful: bool = False  # it may be such a disc, although the drive does not say so
    start: int = 0  # where the session begins
    speed: str = ""


def version_argv() -> tuple[str, ...]:
    """Ask for the version; touches no drive."""
    return (TOOL, "-no_rc", "-version", "-rollback_end")


def parse_version(lines: Sequence[str]) -> tuple[int, ...]:
    """The version in what `-version` says.

    Raises:
        UnexpectedOutput: there is none.
    """
    for line in lines:
        if match := re.match(r"xorriso version\s*:\s*(\d+)\.(\d+)\.(\d+)", line):
            return tuple(int(part) for part in match.groups())
    raise UnexpectedOutput("xorriso did not tell its version", transcript=tail_of(lines))


def toc_argv(address: str) -> tuple[str, ...]:
    """Ask what is loaded, without reading the tree and without writing."""
    return (TOOL, "-no_rc", "-pkt_output", "on", "-outdev", address, "-toc", "-rollback_end")


_RESULT = re.compile(r"R:\d+: (?P<key>[^:]+?)\s*: (?P<value>.*)", re.DOTALL)
_SESSION = re.compile(r"\s*(\d+) ,\s*(\d+) ,\s*(\d+)s ,(.*)", re.DOTALL)
_BLOCKS = re.compile(r"(\d+) readable , (-?\d+) writable , (\d+) overall")
_MODEL = re.compile(r"vendor '(.*)' product '(.*)' revision '(.*)'")
_NEEDS_CLOSE = re.compile(r' , but will need -close "?on"?$')
_STATES = {
    "is not present": DiscState.NONE,
    "is blank": DiscState.BLANK,
    "is written , is appendable": DiscState.APPENDABLE,
    "is written , is closed": DiscState.CLOSED,
}

_UNUSABLE = ("is unsuitable", "is not recognizable")
"""What is said of a disc of a kind that the drive was not made for, or that it cannot read at all."""


def parse_toc(lines: Sequence[str]) -> Toc:
    """The state of medium and drive in what `-toc` says.

    Raises:
        NotAppendable: the drive has a disc that it cannot use.
        UnexpectedOutput: something is missing or new; no state is assumed.
    """
    values: dict[str, str] = {}
    sessions = []
    for line in lines:
        match = _RESULT.match(line)
        if match is None:
            continue
        if match["key"] in ("ISO session", "Other session"):
            sessions.append(_parse_session(match["value"], lines))
        else:
            values.setdefault(match["key"], match["value"].strip())
    try:
        status, single = _NEEDS_CLOSE.subn("", values["Media status"])
        state = _parse_state(status)
        model = _MODEL.fullmatch(values["Drive type"])
        blocks = _BLOCKS.match(values.get("Media blocks", "0 readable , 0 writable , 0 overall"))
        if model is None or blocks is None:
            raise KeyError("Drive type or Media blocks")
    except KeyError as error:
        raise UnexpectedOutput(
            f"xorriso's table of contents is not understood ({error.args[0]});"
            " nothing is assumed of the disc",
            advice="Run the command again with -v and report the transcript.",
            transcript=tail_of(lines),
        ) from None
    next_address = re.match(r"(\d+)s", values.get("Media nwa", "0s"))
    return Toc(
        state=state,
        profile=values.get("Media current", ""),
        model=readable(" ".join(part.strip() for part in model.groups()[:2] if part.strip())),
        firmware=readable(model[3].strip()),
        readable=int(blocks[1]),
        writable=max(0, int(blocks[2])),  # where less is left than the gap before a session takes
        next_address=int(next_address[1]) if next_address else 0,
        sessions=tuple(sessions),
        single=bool(single),
        product=_parse_product(values.get("Media product", "")),
    )


def _parse_product(text: str) -> str:
    """Code and manufacturer in `CODE , MANUFACTURER`; one it has no name for stands in brackets there."""
    code, _, manufacturer = (part.strip() for part in text.partition(" , "))
    return readable(code if not manufacturer or manufacturer[0] == "(" else f"{code} ({manufacturer})")


def _parse_state(text: str) -> DiscState:
    if "damaged" in text:
        return DiscState.DAMAGED
    if text.strip() in _UNUSABLE:
        raise NotAppendable(
            f"the drive cannot use the disc in it: the disc {text.strip()}",
            advice="Insert one of a kind that this drive reads and writes, or use another drive.",
        )
    return _STATES[text.strip()]


def _parse_session(value: str, lines: Sequence[str]) -> TocEntry:
    match = _SESSION.match(value)
    if match is None:
        raise UnexpectedOutput(
            f"xorriso's session line is not understood: {value}", transcript=tail_of(lines)
        )
    return TocEntry(int(match[1]), int(match[2]), int(match[3]), readable(match[4].strip()))


@dataclass(frozen=True, slots=True)
class Formats:
    """What `-list_formats` says of a BD: whether it has spare blocks, and its size once it has; in blocks."""

    has_spares: bool
    size_with_spares: int


_FORMAT = re.compile(r"(\w+)h , +(\d+)s ,.*")
_DEFAULT_FORMAT = 0x00
"""MMC-6, FORMAT UNIT: a full format of BD-R and BD-RE with as many spare blocks as is usual."""


def parse_formats(lines: Sequence[str]) -> Formats:
    """Spare blocks of a BD in what `-list_formats` says.

    Raises:
        UnexpectedOutput: it says nothing of formats.
    """
    found = [(match["key"], match["value"].strip()) for line in lines if (match := _RESULT.match(line))]
    values = dict(found)
    if "Format status" not in values:
        raise UnexpectedOutput(
            "xorriso does not say how the disc is formatted",
            advice="Run the command again with -v and report the transcript.",
            transcript=tail_of(lines),
        )
    offers = [
        match for key, value in found if key.startswith("Format idx") if (match := _FORMAT.match(value))
    ]
    sizes = [int(each[2]) for each in offers if int(each[1], 16) == _DEFAULT_FORMAT]
    spare = re.search(r"(\d+) blocks available", values.get("BD Spare Area", ""))
    return Formats(
        has_spares=spare is not None and int(spare[1]) > 0, size_with_spares=sizes[0] if sizes else 0
    )


def format_argv(address: str) -> tuple[str, ...]:
    """Format a disc with spare blocks, whatever it was before; this one writes."""
    return (
        TOOL, "-no_rc", "-signal_handling", "sig_ign", "-pkt_output", "on",
        "-outdev", address, "-format", "fast", "-rollback_end",
    )  # fmt: skip


class Blanking(Enum):
    """How a disc is erased, as commands."""

    QUICK = ("-blank", "as_needed")
    WHOLE = ("-blank", "force:all")  # a blank one as well: it may have been blanked minimally
    FORMAT = ("-blank", "as_needed", "-format", "full")


def blank_argv(address: str, blanking: Blanking) -> tuple[str, ...]:
    """Erase a rewritable disc; this one writes."""
    return (
        TOOL, "-no_rc", "-signal_handling", "sig_ign", "-pkt_output", "on",
        "-outdev", address, *blanking.value, "-rollback_end",
    )  # fmt: skip


def burn_argv() -> tuple[str, ...]:
    """A burn that takes its script from a pipe and writes only when the script says so."""
    return (
        TOOL, "-no_rc", "-signal_handling", "sig_ign", "-abort_on", "FATAL", "-pkt_output", "on",
        "-options_from_file", f"/dev/fd/{COMMANDS_FD_MARK}", "-rollback_end",
    )  # fmt: skip


def burn_script(source: SessionSource, options: BurnOptions) -> Iterator[bytes]:
    """The commands of a session, line by line, up to the question for its size.

    What the disc keeps: `-hardlinks`, `-acl` and `-xattr` must stand before the drive is opened. Names
    are taken to the letter (`-iso_rr_pattern off`). Parents of a day are made explicitly, or they would
    get the attributes of the staging folder's parents. Access and change times are not kept: they are set
    to the time of the last modification, so that every time on the disc is known when it is read back.
    """
    tree = (source.made_dirs, source.grafts, source.excluded)
    address = shell_word(options.address.encode("utf-8", "surrogateescape"))
    if not options.newest and not source.tree:
        yield from new_tree(*tree)
        yield from _settings(source, options)
        yield b"-outdev " + address + b"\n"
    else:
        yield _KEPT
        yield from _settings(source, options)
        yield from _loading(source, options, address)
        yield from _filling(*tree)
    for graft in source.later:
        yield _grafting(graft)
    for path in source.made_dirs:
        word = shell_word(path) + b" --\n"
        yield b"-chown 0 " + word + b"-chgrp 0 " + word + b"-chmod 0755 " + word
        yield b"-alter_date b '=%d' " % source.made_at + word
    yield b"-print_size\n"


def new_tree(
    made_dirs: Iterable[bytes], grafts: Iterable[Graft], excluded: Iterable[bytes] = ()
) -> Iterator[bytes]:
    """How a session on an empty disc begins: what it holds, with no drive opened that could be written.

    The tree outlives the exchange of the output drive, as long as no other is loaded.
    """
    yield _KEPT
    yield b"-outdev stdio:/dev/null\n"
    yield from _filling(made_dirs, grafts, excluded)


def _loading(source: SessionSource, options: BurnOptions, address: bytes) -> Iterator[bytes]:
    if source.tree:
        yield b"-load lba %d\n" % source.tree.start
        yield b"-indev " + shell_word(b"stdio:" + bytes(source.tree.image)) + b"\n"
    if not options.newest:
        yield b"-outdev " + address + b"\n"
    elif source.base:
        yield b"-load session %d\n" % source.base + b"-dev " + address + b"\n"
    else:  # only torn sessions so far: their MD5 lists were never written, and their trees are not wanted
        yield b"-md5 off\n" + b"-load session %d\n" % options.newest + b"-dev " + address + b"\n"
        yield b"-find / -mindepth 1 -maxdepth 1 -exec rm_r --\n"
        yield b"-md5 on\n" if options.md5 else b""
    for path in source.removed:
        yield b"-rm_r " + shell_word(path) + b" --\n"


def _filling(
    made_dirs: Iterable[bytes], grafts: Iterable[Graft], excluded: Iterable[bytes]
) -> Iterator[bytes]:
    for path in made_dirs:
        yield b"-mkdir " + shell_word(path) + b" --\n"
    for path in excluded:
        yield b"-not_paths " + shell_word(path) + b" --\n"
    yield from map(_grafting, grafts)


def _grafting(graft: Graft) -> bytes:
    words = shell_word(graft.source), shell_word(graft.target)
    if graft.span:
        return b"-cut_out %b %d %d %b\n" % (words[0], *graft.span, words[1])
    return (b"-map_single " if graft.single else b"-map ") + b" ".join(words) + b"\n"


_KEPT = b"""\
-hardlinks on -acl on -xattr any
-local_charset UTF-8 -joliet on -compliance joliet_long_names
-volume_date all_file_dates set_to_mtime
-iso_rr_pattern off -disk_pattern off -follow mount
-pacifier interval=0.1
"""
"""What is kept of files, and how often it is asked whether the writing has ended: the same for each disc."""


def _settings(source: SessionSource, options: BurnOptions) -> Iterator[bytes]:
    yield b"-md5 on\n" if options.md5 else b"-md5 off\n"
    yield b"-padding %ds -stdio_sync end\n" % options.padding_blocks
    yield b"-close " + _closing(options) + b"\n"
    yield b"-volid " + shell_word(source.volume_id.encode()) + b"\n"
    if options.optical:
        yield b"-write_type auto\n" if options.single or options.doubtful else b"-write_type tao\n"
    else:
        yield b"-fs 1m\n"  # a file needs no store against an empty buffer, and a small one stays in the cache
    if options.optical and options.speed:
        yield b"-speed " + shell_word(options.speed.encode()) + b"\n"


def _closing(options: BurnOptions) -> bytes:
    """Whether the disc is closed; with `as_needed`, only when its first block is refused otherwise."""
    if options.single:
        return b"on"
    return b"as_needed" if options.doubtful else b"off"


IMAGE_SIZE = re.compile(r"R:\d+: Image size\s*: (\d+)s")
_SEVERE = re.compile(r"I:\d+: (.*?)(?: : |: )(SORRY|MISHAP|FAILURE|FATAL|ABORT) : (.*)", re.DOTALL)
WRITTEN = re.compile(r"I:\d+: Writing to .* completed successfully\.", re.DOTALL)


def parse_problems(lines: Sequence[str]) -> list[str]:
    """Messages from SORRY upwards, in the order they came; for reading by a person, never paths."""
    return [match[3].strip() for line in lines if (match := _SEVERE.match(line))]


HEAD_BLOCKS = 32
"""xorriso looks at the first blocks of a disc that has sessions, whichever it loads; overwritable media keep
the newest descriptors in them."""
_READ = re.compile(r"SCSI error on read_10\((\d+),\d+\)")


def is_harmless(problem: str, options: BurnOptions) -> bool:
    """Whether it failed to read what was never written: a torn first session can end within the head."""
    match = _READ.match(problem)
    return match is not None and 0 < options.first_blocks <= int(match[1]) < HEAD_BLOCKS


_WRITING = re.compile(r"I:\d+: xorriso : UPDATE : Writing: +(\d+)s ")


def parse_progress(line: str) -> int | None:
    """Blocks written so far, when the line is a pacifier's."""
    match = _WRITING.match(line)
    return int(match[1]) if match else None
