"""Archives: GNU tar or a program's output, digested and packed on the way into a file."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import itertools
import os
import re
import stat
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from typing import BinaryIO

from cedarchest.adapters.durable import begin_flush
from cedarchest.adapters.packers import Bytes, Packer, Plain, packer, packing_failed
from cedarchest.adapters.process import PIPED, piped
from cedarchest.adapters.scan import found_at
from cedarchest.adapters.tar_stream import Member, end_of_archive, read_members
from cedarchest.config.choices import ArchiveFormat
from cedarchest.errors import CollectError
from cedarchest.model.handover import Collected
from cedarchest.model.increments import Held, Seen
from cedarchest.model.index import Fingerprint, Kind, with_content
from cedarchest.model.names import readable, to_text

_TAR = (
    "tar",
    "--create",
    "--format=pax",
    "--pax-option=delete=atime,delete=ctime",
    "--sparse",
    "--no-recursion",
    "--quoting-style=escape",
    "--null",
    "--verbatim-files-from",
    "--directory=/",
    "--file=-",
    "--blocking-factor=64",
    "--checkpoint=320",  # it says something every 10 MiB: so it ends when there is nobody to hear it
)
_TAR_CHANGED = 1
_TAR_LEFT_OUT = 2

_FLUSHED = 16 << 20

_BEHIND = 15
"""How many pieces may wait to be packed: who packs takes some at once, and then none for a while."""

_TURN_S = 0.0005
"""How long a thread that packs waits for the interpreter, which it needs for a moment and often.

The usual 5 ms cost a twentieth of a collect of large files; nothing else was seen to gain by shorter turns.
"""

_READ_ERROR = re.compile(r"tar: (.*): Read error at byte \d+, while reading \d+ bytes?: (.*)")
_SAID_BY_US = re.compile(
    r"tar: .*: (?:file changed as we read it|Cannot (?:open|stat|readlink)\b.*|File shrank by .*"
    r"|File removed before we read it|socket ignored)|tar: Exiting with failure status.*"
    r"|tar: Write checkpoint \d+"
)
"""What tar says and we find out, and say, ourselves."""


_Take = Callable[[Bytes], object]


class Packing:
    """A file in the making: what is written is packed, and the file digested, while more is read."""

    def __init__(self, into: BinaryIO, read: Callable[[int], None]) -> None:
        self._into = into
        self._plain = Plain(into, self._keep)
        self._packer: Packer = self._plain
        self._read = read
        self._given: SimpleQueue[tuple[_Take, Bytes] | None] = SimpleQueue()
        self._taken: SimpleQueue[Exception | None] = SimpleQueue()
        self._waiting = 0  # pieces that are not known to be taken in
        self._is_over = False
        self._digest = hashlib.sha256()
        self._size = 0
        self._flushed = 0
        self._told = 0
        self.length = 0  # of what was written, before it was packed
        self._taker = threading.Thread(target=self._take_all, daemon=True)
        self._taker.start()
        self._to_flush: SimpleQueue[tuple[int, int] | None] = SimpleQueue()
        self._flusher = threading.Thread(target=self._flush_all, daemon=True)
        self._flusher.start()

    @contextlib.contextmanager
    def packed(self, form: ArchiveFormat) -> Iterator[None]:
        """Pack what is written from now on.

        Raises:
            ToolMissing, ToolFailed: of what packs.
        """
        with packer(form, self._plain) as self._packer:
            yield

    @contextlib.contextmanager
    def filled(self) -> Iterator[tuple[int | None, _Take]]:
        """The file that a program may write into by itself, and what takes in each piece of that.

        Where it has to be packed there is no such file. What was written there and not taken in is cut off at
        the end.
        """
        if self._packer is not self._plain:
            yield None, self.write
            return
        self._settle()
        self._into.flush()
        yield self._into.fileno(), self._found
        self._settle()
        self._into.truncate(self.length)
        self._into.seek(self.length)

    def write(self, data: Bytes) -> None:
        """Take bytes in, which stay as they are until `_BEHIND` more calls have returned.

        Raises:
            OSError: the file cannot be written.
            ToolFailed: what packs takes no more.
        """
        self._pass_on(self._packer.write, data)

    def _found(self, data: Bytes) -> None:
        self._pass_on(self._keep, data)

    def _pass_on(self, take: _Take, data: Bytes) -> None:
        self.length += len(data)
        if self.length - self._told > PIPED:
            self._told = self.length
            self._read(self.length)
        self._settle(_BEHIND - 1)
        self._waiting += 1
        self._given.put((take, data))

    def _settle(self, behind: int = 0) -> None:
        """Wait until all but so many of the pieces are taken in."""
        while self._waiting > behind:
            problem = self._taken.get()
            self._waiting -= 1
            if problem is not None:
                raise problem

    def close(self) -> None:
        """End the threads, which may still take one piece in, or have it written out."""
        self._is_over = True
        self._given.put(None)
        self._taker.join()
        self._to_flush.put(None)
        self._flusher.join()

    def _take_all(self) -> None:
        problem: Exception | None = None
        while (given := self._given.get()) is not None:
            take, data = given
            try:
                if problem is None and not self._is_over:
                    take(data)
            except Exception as error:  # noqa: BLE001 - whoever writes raises it
                problem = error
            self._taken.put(problem)

    def end(self) -> Collected:
        """No more comes; size and digest of the file.

        Raises:
            OSError, ToolFailed: as `write`.
        """
        self._settle()
        self._packer.end()
        self._read(self.length)
        return Collected(self._size, self._digest.digest())

    def _keep(self, data: Bytes) -> None:
        self._digest.update(data)
        self._size += len(data)
        if self._size - self._flushed >= _FLUSHED:
            self._to_flush.put((self._flushed, self._size))
            self._flushed = self._size

    def _flush_all(self) -> None:
        """Have written out what is there while more comes: a disk with enough to do holds up whoever asks."""
        while (span := self._to_flush.get()) is not None:
            begin_flush(self._into.fileno(), *span)


@contextlib.contextmanager
def packing(into: BinaryIO, form: ArchiveFormat, read: Callable[[int], None]) -> Iterator[Packing]:
    """Pack what is written into a file; `read` gets the bytes so far, before they are packed.

    Raises:
        ToolMissing, ToolFailed: of what packs.
    """
    usual = sys.getswitchinterval()
    sys.setswitchinterval(_TURN_S)
    packed = Packing(into, read)
    try:
        with packed.packed(form):
            yield packed
    finally:
        packed.close()
        sys.setswitchinterval(usual)


def pack_output(packed: Packing, argv: Sequence[str]) -> None:
    """Take in what a program of the administrator writes; it has the environment that we were started in.

    Raises:
        CollectError: it ended with another status than 0.
        ToolMissing, ToolFailed: it cannot be run.
    """
    buffers = itertools.cycle([memoryview(bytearray(PIPED)) for _ in range(1 + _BEHIND)])
    with piped(argv, environment=os.environ) as producer:
        while count := producer.read(buffer := next(buffers)):
            packed.write(buffer[:count])
        done = producer.finish()
    if done.returncode:
        said = " ".join([line.strip() for line in done.lines if line.strip()][-3:]) or "it said nothing"
        raise CollectError(
            f"`{readable(argv[0])}` ended with {done.returncode}: {said}",
            advice="Run it by hand as the same user; nothing of its output is kept.",
            transcript=done.tail,
        )


@dataclass(frozen=True, slots=True)
class Archived:
    """What of the members an archive holds, as `Packed` has it."""

    held: Sequence[Held]
    unread: Mapping[bytes, str]
    restless: Sequence[bytes]
    said: Sequence[str]


def pack_members(packed: Packing, name: bytes, members: Sequence[Seen]) -> Archived:
    """Archive members. What changed while it was read is read once more, and archived again.

    An archive is known by its SHA-256: one without files might be like another, and gets a comment.

    Raises:
        ToolMissing, ToolFailed, UnexpectedOutput: of tar.
    """
    began_ns = _time_of_change()
    comment = tarfile.TarInfo.create_pax_global_header({"comment": f"{to_text(name)} {began_ns}"})
    # Where it is the last thing in an archive, `tarfile` of Python calls that one damaged.
    comes_first = not any(one.entry.kind is Kind.FILE for one in members)
    if comes_first:
        packed.write(comment)
    archived, bad, said = _run_tar(packed, members)
    again = _with_all_names([_look_again(one) for one in members if _has_changed(one)], members)
    if again:
        afresh, bad_again, said_again = _run_tar(packed, again)
        archived, bad, said = {**archived, **afresh}, {**bad, **bad_again}, [*said, *said_again]
    if not comes_first and not any(member.is_file for member in archived.values()):
        packed.write(comment)
    packed.write(end_of_archive(packed.length))
    newest = {one.entry.path: one for one in (*members, *again)}
    held: list[Held] = []
    unread: dict[bytes, str] = {}
    for path, one in newest.items():
        kept = _held(one, archived, began_ns - _TICK_NS)
        if reason := bad.get(path) or ("" if kept else _missing(one, archived)):
            unread[path] = reason
        elif kept is not None:
            held.append(kept)
    restless = [one for one in again if _has_changed(one)]
    ours = _added_to_by_us() if restless else frozenset()
    return Archived(held, unread, [one.entry.path for one in restless if _inode(one) not in ours], said)


def _run_tar(
    packed: Packing, members: Sequence[Seen]
) -> tuple[dict[bytes, Member], dict[bytes, str], list[str]]:
    """Members by path, reasons why the content of some is bad, and what else tar has to say."""
    with os.fdopen(os.memfd_create("members"), "wb") as names:
        names.writelines(one.entry.path + b"\0" for one in members)
        names.flush()
        listed = (*_TAR, *_attributes(members), f"--files-from=/dev/fd/{names.fileno()}")
        with (
            packed.filled() as (into, take),
            piped(listed, into=into, pass_fds=(names.fileno(),), not_heard=_SAID_BY_US) as tar,
        ):
            try:
                found = {member.path: member for member in read_members(tar.read, take, behind=_BEHIND)}
            except EOFError as error:
                done = tar.finish()
                raise packing_failed(f"{error}, with {done.returncode}: {done.tail}", "tar") from error
            done = tar.finish()
    if done.returncode not in (0, _TAR_CHANGED, _TAR_LEFT_OUT):
        raise packing_failed(f"tar ended with {done.returncode}: {done.tail}", "tar")
    errors = [match for line in done.lines if (match := _READ_ERROR.fullmatch(line))]
    said = [line for line in done.lines if not _READ_ERROR.fullmatch(line)]
    return found, {_unescaped(match[1]): match[2] for match in errors}, said


def _attributes(members: Sequence[Seen]) -> Sequence[str]:
    """What has tar ask each member for more than its status, a third of its time, where any has more."""
    return ("--xattrs", "--acls") if any(map(_has_attributes, members)) else ()


def _has_attributes(one: Seen) -> bool:
    """Whether something has extended attributes or an ACL; those of a link were not looked at before."""
    if one.entry.xattrs or one.entry.kind is not Kind.LINK:
        return bool(one.entry.xattrs)
    try:
        return bool(os.listxattr(b"/" + one.entry.path, follow_symlinks=False))
    except OSError:
        return True


_ESCAPED = re.compile(rb"\\([0-7]{3}|.)", re.DOTALL)
_LETTERS = {b"a": b"\a", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}


def _unescaped(name: str) -> bytes:
    """A path as tar's quoting style `escape` shows it."""

    def character(match: re.Match[bytes]) -> bytes:
        code = match[1]
        return bytes([int(code, 8) & 0xFF]) if code.isdigit() else _LETTERS.get(code, code)

    return _ESCAPED.sub(character, os.fsencode(name))


def _has_changed(one: Seen) -> bool:
    """Whether a file is another than it was when it was looked at; one that is gone is not."""
    if one.entry.kind is not Kind.FILE:
        return False
    try:
        status = os.lstat(b"/" + one.entry.path)
    except OSError:
        return False
    now = (status.st_ino, status.st_ctime_ns, status.st_size, status.st_mtime_ns)
    return now != (*one.fingerprint, one.entry.size, one.entry.mtime_ns)


def _inode(one: Seen) -> tuple[int, int] | None:
    with contextlib.suppress(OSError):
        status = os.lstat(b"/" + one.entry.path)
        return status.st_dev, status.st_ino
    return None


def _added_to_by_us() -> frozenset[tuple[int, int]]:
    """The files that this run adds to, such as its log: they never hold still while it is at work."""
    found = set()
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - names
        with contextlib.suppress(OSError):  # it was closed in this moment
            if fcntl.fcntl(int(name), fcntl.F_GETFL) & os.O_APPEND:
                status = os.fstat(int(name))
                found.add((status.st_dev, status.st_ino))
    return frozenset(found)


def _look_again(one: Seen) -> Seen:
    path = b"/" + one.entry.path
    try:
        status = os.lstat(path)
        if not stat.S_ISREG(status.st_mode):
            return one
        entry, fingerprint = found_at(path, one.entry.path, status)
    except OSError:
        return one
    return Seen(entry._replace(hardlink=one.entry.hardlink), fingerprint)


def _with_all_names(again: Sequence[Seen], members: Sequence[Seen]) -> list[Seen]:
    """All names of the files that are read again, in order, so that they stay one file each."""
    if not again:
        return []
    fresh = {one.entry.path: one for one in again}
    groups = {one.entry.hardlink or one.entry.path for one in again}
    return [
        fresh.get(one.entry.path, one) for one in members if (one.entry.hardlink or one.entry.path) in groups
    ]


def _missing(one: Seen, archived: Mapping[bytes, Member]) -> str:
    """Why something is not in the archive as what it was; empty where it is gone."""
    if one.entry.path in archived:
        return "it became something else meanwhile"
    path = b"/" + one.entry.path
    try:
        os.lstat(path)
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC))
    except FileNotFoundError:
        return ""
    except OSError as error:
        return error.strerror or type(error).__name__
    return "tar left it out"


_TICK_NS = 1_000_000_000
"""Two changes of a file within this time may have the same time of change."""


def _time_of_change() -> int:
    """Now, as the kernel puts it on a file that changes; no clock that anybody may set is asked."""
    with os.fdopen(os.memfd_create("now"), "wb") as file:
        file.write(b" ")
        file.flush()
        return os.fstat(file.fileno()).st_mtime_ns


def _held(one: Seen, archived: Mapping[bytes, Member], settled_ns: int) -> Held | None:
    """What the archive has of a member; None when it has not what was looked at.

    Of a file that changed after the time given, the next run asks the digest.
    """
    entry = one.entry
    member = archived.get(entry.path)
    if member is not None and member.link:  # a further name of a file, or a further way to it
        member = archived.get(member.link)
    if member is None or member.is_file != (entry.kind is Kind.FILE):
        return None
    if entry.kind is not Kind.FILE:
        return Held(entry, one.fingerprint)
    fingerprint = one.fingerprint if one.fingerprint.ctime_ns < settled_ns else Fingerprint(0, 0)
    return Held(with_content(entry, member.size, member.sha256), fingerprint)
