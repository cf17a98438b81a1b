"""Collect dirs of peers, on this machine or by OpenSSH on others, through rsync.

A peer may be hostile: what it names is data. rsync gets the paths that were chosen from a file, escapes
what it prints, refuses names that lead out, makes no devices and takes off setuid bits; it brings things
to a folder that is ours alone, where they are looked at before they come into a day.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cedarchest.adapters.process import Completed, Running, running
from cedarchest.adapters.ssh import CANNOT_LOG_IN, PASSED_ON, Login, remote
from cedarchest.errors import DiskFull, PeerError
from cedarchest.model.handover import COLLECTED_LIST, COLLECTED_MARK
from cedarchest.model.index import Kind
from cedarchest.model.names import readable
from cedarchest.ports import Handover, PeerItem, PeerLook, PeerRun

PARTIAL = b".rsync-partial"
"""Where rsync keeps what it has of a file that is not whole."""

_SILENT_S = 7 * 86_400.0
"""rsync itself notices a silent peer; what it does without a word, such as reading, takes its time."""

_CONTROL_SIZE = "256m"
_INCOMPLETE = (23, 24)
"""Exit statuses of rsync(1): some things could not be transferred, or vanished on the way."""

_KINDS = {
    "-": Kind.FILE,
    "d": Kind.DIR,
    "l": Kind.LINK,
    "p": Kind.FIFO,
    "s": Kind.SOCKET,
    "c": Kind.CHAR,
    "b": Kind.BLOCK,
}
_LISTED = re.compile(
    r"(?P<kind>[-dlpscbS])(?P<mode>[-rwxsStT]{9})\S? +(?P<size>[\d,]+) +(?P<time>\S+ \S+) (?P<path>.+)"
)
_LIKE_LISTED = re.compile(r"[-dlpscbS][-rwxsStT]{9}.*")
_ESCAPED = re.compile(rb"\\#([0-3][0-7]{2})")
_ARRIVED = re.compile(r"arrived ([\d,]+) (.+)")
_WHO_SAYS = re.compile(r"^rsync: (?:\[\w+\] )?")
_CONSEQUENCE = re.compile(r"rsync error: |rsync: .*(?:connection unexpectedly closed|Broken pipe)")
_NO_FOLDER = re.compile(r"rsync: (?:\[\w+\] )?change_dir .* failed: .*")
_PLAIN = re.compile(r"[\w/.,:=@%+-]+")
_WILDCARD = re.compile(r"[*?[]")
_SPECIAL_BESIDE_WILDCARDS = re.compile(r"[*?\[\\]")
_NO_ROOM = re.compile(
    r"rsync: (?!\[sender\]).*: (?:No space left on device|Disk quota exceeded|File too large) \(\d+\)"
)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a peer leaves what it collected: a folder of this machine or, with a login, of another."""

    collect_dir: Path
    login: Login | None = None

    def __str__(self) -> str:
        folder = readable(self.collect_dir)
        return f"{self.login.target}:{folder}" if self.login else folder

    @property
    def place(self) -> str:
        """The folder as rsync takes it: all that is in it, or where things go."""
        folder = f"{self.collect_dir}/"
        if self.login is None:
            return folder
        if _WILDCARD.search(folder):  # which the other rsync expands; it takes backslashes for it only then
            folder = _SPECIAL_BESIDE_WILDCARDS.sub(r"\\\g<0>", folder)
        return f"{self.login.target}:{folder}"

    @property
    def options(self) -> list[str]:
        """What rsync has to be told of the way there.

        A path that a shell might not leave alone is kept from it (`--protect-args`, known as `-s` to all
        since 3.0). Any other needs no such care, and must have none where a key may run nothing but
        `rrsync`, which refuses `-s`.
        """
        if self.login is None:
            return []
        words = [] if _PLAIN.fullmatch(str(self.collect_dir)) else ["-s"]
        words += [
            "-e",
            " ".join(map(_word, self.login.ssh)),
            f"--timeout={max(1, round(self.login.timeout_s))}",
        ]
        if self.login.bytes_a_second:
            words.append(f"--bwlimit={max(1, self.login.bytes_a_second // 1024)}")
        return words


def _word(text: str) -> str:
    """A word of `rsync -e`: quotes hold spaces together, a doubled quote is one."""
    return "'" + text.replace("'", "''") + "'"


class RsyncPeers:
    """The configured peers.

    `scratch` is a folder for small files that live as long as a transfer; where it is not there, so that
    only looking makes none, they are in that of the system.
    """

    def __init__(self, addresses: Mapping[str, Address], scratch: Path) -> None:
        self._addresses = addresses
        self._scratch = scratch
        self._running: set[Running] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def named(self, name: str) -> RsyncFolder:
        """The collect dir of a configured peer."""
        return RsyncFolder(name, self._addresses[name], self._run, self._scratch)

    def act(self, name: str, argv: Sequence[str]) -> PeerRun:
        """Run a program on a remote peer to its end."""
        login = self._addresses[name].login
        if login is None:
            raise PeerError(f"{name} is a local peer; nothing can be run there", peer=name)
        variables = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        done = self._run(remote(login, argv), lambda _: None, **variables)
        if done.returncode == CANNOT_LOG_IN:
            said = next((line.strip() for line in reversed(done.lines) if line.strip()), "ssh said nothing")
            raise PeerError(
                f"{name} cannot be logged in to ({login.account}), or the line broke: {readable(said)}",
                advice=login.advice,
                peer=name,
                transcript=done.tail,
            )
        return PeerRun(done.returncode, done.lines)

    def stop(self) -> None:
        """End what is on its way."""
        with self._lock:
            self._stopped = True
            for child in self._running:
                child.ask_to_end()

    def _run(self, argv: Sequence[str], heard: Callable[[str], None], **variables: str) -> Completed:
        with (
            running(argv, stall_s=_SILENT_S, variables={"TZ": "UTC", **variables}) as child,
            self._stoppable(child),
        ):
            for line in child.lines():
                heard(line)
            return child.finish()

    @contextlib.contextmanager
    def _stoppable(self, child: Running) -> Iterator[None]:
        with self._lock:
            self._running.add(child)
            if self._stopped:
                child.ask_to_end()
        try:
            yield
        finally:
            with self._lock:
                self._running.discard(child)


class RsyncFolder:
    """One peer's collect dir."""

    def __init__(
        self,
        name: str,
        address: Address,
        run: Callable[[Sequence[str], Callable[[str], None]], Completed],
        scratch: Path,
    ) -> None:
        self._name = name
        self._address = address
        self._run = run
        self._scratch = scratch

    def handover(self) -> Handover | None:
        """Whether the peer's collect has ended."""
        with self._scratch_folder() as folder:
            names = [f"--include=/{name}" for name in (COLLECTED_MARK, COLLECTED_LIST)]
            limits = [f"--max-size={_CONTROL_SIZE}", "--chmod=u+r"]
            done = self._copy(["-r", "--times", *names, "--exclude=*", *limits], folder)
            if done.returncode:
                raise self._failure(done)
            mark, listed = folder / COLLECTED_MARK, folder / COLLECTED_LIST
            if not mark.is_file():
                return None
            at = datetime.fromtimestamp(mark.stat().st_mtime, UTC)
            return Handover(at, listed.read_bytes() if listed.is_file() else b"")

    def look(self) -> PeerLook:
        """All that is in it."""
        items: list[PeerItem] = []
        unclear: list[str] = []

        def heard(line: str) -> None:
            if (listed := _LISTED.fullmatch(line)) and (item := _item(listed)):
                items.append(item)
            elif _LIKE_LISTED.fullmatch(line):
                unclear.append(f"cannot be told apart: {line}")

        done = self._rsync(["-r", "--links", "--list-only"], [self._address.place], "", heard)
        if any(map(_NO_FOLDER.fullmatch, done.lines)):
            raise self._failure(done)
        mode = next((item.mode for item in items if item.path == b"."), 0o700)
        inside = tuple(item for item in items if item.path != b".")
        return PeerLook(mode, inside, (*unclear, *_problems(done)))

    def fetch(
        self,
        paths: Iterable[bytes],
        into: Path,
        arrived: Callable[[bytes, int], None],
        *,
        resumable: bool = True,
    ) -> tuple[str, ...]:
        """Copy these paths below `into`; gives a line for each that could not be had in full."""

        def heard(line: str) -> None:
            if came := _ARRIVED.fullmatch(line):
                arrived(_raw(came[2]), int(came[1].replace(",", "")))

        with self._scratch_folder() as folder:
            wanted = folder / "wanted"
            wanted.write_bytes(b"".join(b"./" + path + b"\0" for path in paths))
            marks = "--exclude=/cback.*"  # those of the collect dir are no data, whatever comes whole
            chosen = [f"--files-from={wanted}", "--from0", "-r", marks]
            kept = ["--links", "--times", "--perms", "--hard-links", "--chmod=ug-s,o-t,u+r,Du+wx"]
            parts = [f"--partial-dir={PARTIAL.decode()}"] if resumable else []
            how = ["--force", *parts, "--out-format=arrived %l %n"]
            return _problems(self._copy([*chosen, *kept, *how], into, heard))

    def put(self, folder: Path) -> None:
        """Copy all below a folder of ours into the collect dir, in the place of what has their names."""
        # One that is not there is not made, as rsync would: its disk may not be mounted.
        done = self._rsync(["--list-only", "--dirs"], [self._address.place], "", lambda _: None)
        if done.returncode:
            raise self._failure(done)
        done = self._rsync(["-rt", "--omit-dir-times"], [f"{folder}/"], self._address.place, lambda _: None)
        if done.returncode:
            raise self._failure(done)

    @contextlib.contextmanager
    def _scratch_folder(self) -> Iterator[Path]:
        place = self._scratch if self._scratch.is_dir() else None
        with tempfile.TemporaryDirectory(prefix="cedarchest-", dir=place) as folder:
            yield Path(folder)

    def _copy(
        self, options: Sequence[str], into: Path, heard: Callable[[str], None] = lambda _: None
    ) -> Completed:
        return self._rsync(options, [self._address.place], f"{into}/", heard)

    def _rsync(
        self, options: Sequence[str], sources: Sequence[str], target: str, heard: Callable[[str], None]
    ) -> Completed:
        argv = ["rsync", "--no-motd", "--outbuf=L", *options, *self._address.options]
        done = self._run([*argv, "--", *sources, *([target] if target else [])], heard)
        if done.returncode and done.returncode not in _INCOMPLETE:
            raise self._failure(done)
        return done

    def _failure(self, done: Completed) -> PeerError | DiskFull:
        why = _problems(done)[-1]
        if any(map(_NO_ROOM.fullmatch, done.lines)):
            return DiskFull(f"there is no room for what comes from {self._name}: {why}", peer=self._name)
        advice = "See that its collect_dir is there and that you may read it."
        if login := self._address.login:
            advice = login.advice
        return PeerError(
            f"{self._name} cannot be read ({self._address}): {why}",
            advice=advice,
            peer=self._name,
            transcript=done.tail,
        )


def _item(listed: re.Match[str]) -> PeerItem | None:
    """What a line of the list says; None for a link whose name cannot be told from where it leads."""
    kind = _KINDS[listed["kind"]]
    path, target = listed["path"], ""
    if kind is Kind.LINK:
        path, arrow, target = listed["path"].partition(" -> ")
        if not arrow or " -> " in target:
            return None
    size = int(listed["size"].replace(",", "")) if kind is Kind.FILE else 0
    return PeerItem(_raw(path), kind, size, _mode(listed["mode"]), _second(listed["time"]), _raw(target))


@functools.lru_cache
def _mode(letters: str) -> int:
    return sum(0o400 >> place for place, letter in enumerate(letters) if letter not in "-ST")


def _raw(text: str) -> bytes:
    raw = text.encode("utf-8", "surrogateescape")
    return _ESCAPED.sub(lambda octal: bytes([int(octal[1], 8)]), raw) if b"\\" in raw else raw


@functools.lru_cache
def _second(time: str) -> int | None:
    """A time of the list; None for one that it has no room for (years before 1 and after 9999)."""
    try:
        return int(datetime.strptime(time, "%Y/%m/%d %H:%M:%S").replace(tzinfo=UTC).timestamp())
    except ValueError:
        return None


def _problems(done: Completed) -> tuple[str, ...]:
    """What rsync said of things that it could not look at or copy; something when it failed at all."""
    if not done.returncode:
        return ()
    found = [
        _WHO_SAYS.sub("", line.rstrip("\r"))  # ssh ends its lines with both
        for line in done.lines
        if line.strip() and not any(kind.match(line) for kind in (_CONSEQUENCE, _ARRIVED, _LIKE_LISTED))
    ]
    return tuple(found) or (f"rsync ended with {done.returncode}",)
