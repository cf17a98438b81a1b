"""The index: every entry of a day or session, with what a disc must show of it.

JSON lines, gzip. The first line says what the file is; then one record for each entry, in byte
order of the paths. Only what travels with the data is in it: inode and change time stay in
`state_dir` (see `Fingerprint`). The digest of an index is the SHA-256 of its sorted records.
"""

from __future__ import annotations

import base64
import functools
import gzip
import hashlib
import json
import re
import stat
import sys
from array import array
from binascii import unhexlify
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any, BinaryIO, NamedTuple, overload

from cedarchest.model.names import from_text, to_text

FORMAT = "cedarchest-index"
VERSION = 1
_NEW = tuple.__new__  # past the Python that a named tuple's own is: a day may have a million entries


class Kind(StrEnum):
    """What an entry is."""

    FILE = "file"
    DIR = "dir"
    LINK = "link"
    FIFO = "fifo"
    SOCKET = "socket"
    CHAR = "char"
    BLOCK = "block"


KIND_BY_FORMAT = {
    stat.S_IFREG: Kind.FILE,
    stat.S_IFDIR: Kind.DIR,
    stat.S_IFLNK: Kind.LINK,
    stat.S_IFIFO: Kind.FIFO,
    stat.S_IFSOCK: Kind.SOCKET,
    stat.S_IFCHR: Kind.CHAR,
    stat.S_IFBLK: Kind.BLOCK,
}
"""What an entry is by the format bits of its mode: those of inode(7), of which Rock Ridge has the same."""


class Entry(NamedTuple):
    """One path with its attributes; a tuple, since a disc may have a million.

    `path` is raw bytes, relative, without leading slash or dot components. `size` is bytes and
    counts for files only. `mode` holds the permission bits (07777). `sha256` is 32 raw bytes and
    stands for files only. `hardlink` is the path of the first entry that is the same file, empty
    otherwise. `xattrs` are (name, value) pairs in order of name, ACLs among them in the kernel's
    form (`system.posix_acl_access`). `rdev` is the device number of device nodes.
    """

    path: bytes
    kind: Kind
    size: int
    mode: int
    uid: int
    gid: int
    mtime_ns: int
    user: str = ""
    group: str = ""
    sha256: bytes = b""
    target: bytes = b""
    hardlink: bytes = b""
    xattrs: tuple[tuple[bytes, bytes], ...] = ()
    rdev: int = 0


def with_content(entry: Entry, size: int, sha256: bytes) -> Entry:
    """The entry with other content: `_replace` in a fraction of its time, which is worth it for each file."""
    return _NEW(Entry, (*entry[:2], size, *entry[3:9], sha256, *entry[10:]))


def put_below(prefix: bytes, entry: Entry) -> Entry:
    """The entry with this before its paths."""
    hardlink = entry.hardlink and prefix + entry.hardlink
    return _NEW(Entry, (prefix + entry.path, *entry[1:11], hardlink, *entry[12:]))


class Fingerprint(NamedTuple):
    """What tells that a staged entry is still the one that was digested, without reading it."""

    inode: int
    ctime_ns: int


Known = Mapping[bytes, tuple[Entry, Fingerprint]]
"""Entries of which the digests are known, and what each was when it was digested, by path."""


class Fingerprints(Sequence[Fingerprint]):
    """Fingerprints of many entries in a fraction of the memory."""

    __slots__ = ("_ctimes", "_inodes")

    def __init__(self, fingerprints: Iterable[Fingerprint] = ()) -> None:
        self._inodes = array("Q")
        self._ctimes = array("q")
        for inode, ctime_ns in fingerprints:
            self._inodes.append(inode)
            self._ctimes.append(ctime_ns)

    def is_at(self, position: int, inode: int, ctime_ns: int) -> bool:
        """Whether this one stands at a position: asked of every entry of a day, and more than once."""
        return self._inodes[position] == inode and self._ctimes[position] == ctime_ns

    @property
    def newest_ns(self) -> int:
        """The last change time among them; 0 where there are none."""
        return max(self._ctimes, default=0)

    def __len__(self) -> int:
        return len(self._inodes)

    @overload
    def __getitem__(self, index: int) -> Fingerprint: ...
    @overload
    def __getitem__(self, index: slice) -> Fingerprints: ...
    def __getitem__(self, index: int | slice) -> Fingerprint | Fingerprints:
        if isinstance(index, slice):
            return Fingerprints(map(Fingerprint, self._inodes[index], self._ctimes[index]))
        return _NEW(Fingerprint, (self._inodes[index], self._ctimes[index]))


def format_record(entry: Entry, prefix: int = 0, further: str = "") -> bytes:
    """The entry as a line of the index, newline included; its paths without so many bytes before them.

    `further` is what else the line says, from a comma on.
    """
    path, kind, size, mode, uid, gid, mtime_ns, user, group, sha256, target, hardlink, xattrs, rdev = entry
    told = (
        f'{{"path":{quoted(path[prefix:])}{_attributes(kind, mode, uid, gid)}{mtime_ns}{_owner(user, group)}'
    )
    more = ""
    if kind is Kind.FILE:
        more = f',"size":{size},"sha256":"{sha256.hex()}"'
    elif kind is Kind.LINK:
        more = f',"target":{quoted(target)}'
    elif kind in _DEVICES:
        more = f',"rdev":{rdev}'
    if hardlink:
        more += f',"hardlink":{quoted(hardlink[prefix:])}'
    if xattrs:
        values = {to_text(name): base64.b64encode(value).decode("ascii") for name, value in xattrs}
        more += f',"xattrs":{_dump(values)}'
    return f"{told}{more}{further}}}\n".encode()


_DEVICES = (Kind.CHAR, Kind.BLOCK)
_NEEDS_NO_QUOTING = re.compile(rb"[\x20\x21\x23-\x5b\x5d-\x7e]*")
_dump = functools.partial(json.dumps, ensure_ascii=False, separators=(",", ":"))


@functools.lru_cache(maxsize=256)
def _attributes(kind: Kind, mode: int, uid: int, gid: int) -> str:
    return f',"type":"{kind.value}","mode":"{mode:04o}","uid":{uid},"gid":{gid},"mtime_ns":'


@functools.lru_cache(maxsize=256)
def _owner(user: str, group: str) -> str:
    names = [("user", user), ("group", group)]
    return "".join(f',"{key}":{_dump(name)}' for key, name in names if name)


def quoted(name: bytes) -> str:
    """The readable form of a name or path as a JSON string, in a fraction of an encoder's time."""
    if _NEEDS_NO_QUOTING.fullmatch(name):
        return f'"{name.decode("ascii")}"'
    return _dump(to_text(name))


def parse_record(line: bytes, prefix: bytes = b"") -> Entry:
    """The entry of a line, its paths put below `prefix`.

    Raises:
        ValueError: the line is no record of this format.
    """
    usual = _USUAL.fullmatch(line)
    return usual_entry(usual.groups(), prefix) if usual else _entry_of(json.loads(line), prefix)


def _entry_of(record: Any, prefix: bytes = b"") -> Entry:
    """The entry of a record; fields that are not an entry's are passed over.

    Raises:
        ValueError: it is no record of this format.
    """
    try:
        kind = _KINDS[record["type"]]
        is_file = kind is Kind.FILE
        path = from_text(record["path"])
        size = record["size"] if is_file else 0
        sha256 = bytes.fromhex(record["sha256"]) if is_file else b""
        uid, gid, mtime_ns = record["uid"], record["gid"], record["mtime_ns"]
        user, group = record.get("user", ""), record.get("group", "")
        rdev = record.get("rdev", 0)
        hardlink = from_text(record["hardlink"]) if "hardlink" in record else b""
        xattrs = _parse_xattrs(record["xattrs"]) if "xattrs" in record else ()
        if not (
            type(size) is type(uid) is type(gid) is type(mtime_ns) is type(rdev) is int
            and type(user) is type(group) is str
            and min(size, uid, gid, rdev) >= 0
            and (not is_file or len(sha256) == SHA256_SIZE)
            and is_plain_path(path)
            and (not hardlink or is_plain_path(hardlink))
        ):
            raise ValueError(f"not an index record: {record['path']!r}")
        return Entry(
            prefix + path,
            kind,
            size,
            int(record["mode"], 8),
            uid,
            gid,
            mtime_ns,
            user,
            group,
            sha256,
            from_text(record["target"]) if kind is Kind.LINK else b"",
            prefix + hardlink if hardlink else b"",
            xattrs,
            rdev,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not an index record: {error!r}") from error


SHA256_SIZE = 32
_KINDS = {kind.value: kind for kind in Kind}
_WITHOUT_DOTS = re.compile(rb"[^/.\0][^/\0]*(?:/[^/.\0][^/\0]*)*")  # nearly all are, and seen so far sooner
_LEADS_ELSEWHERE = re.compile(rb"(?:\A|/)\.{0,2}(?:/|\Z)|\0")


def is_plain_path(path: bytes) -> bool:
    """Whether a path is relative and stays where it is: no empty, `.` or `..` component, no NUL."""
    return _WITHOUT_DOTS.fullmatch(path) is not None or _LEADS_ELSEWHERE.search(path) is None


_CHARACTER = rb"[\x20\x21\x23-\x2e\x30-\x5b\x5d-\x7e]"
_NO_DOT = rb"[\x20\x21\x23-\x2d\x30-\x5b\x5d-\x7e]"
_NAME = rb"(?:\.?" + _NO_DOT + _CHARACTER + rb"*|\.\." + _CHARACTER + rb"+)"
_USUAL_FIELDS = (
    rb'\{"path":"(' + _NAME + rb"(?:/" + _NAME + rb')*)","type":"file","mode":"([0-7]{4})"'
    rb',"uid":(\d{1,10}),"gid":(\d{1,10}),"mtime_ns":(-?\d{1,20})'
    rb'(?:,"user":"(\w*)")?(?:,"group":"(\w*)")?,"size":(\d{1,19}),"sha256":"([0-9a-f]{64})"'
)
"""A regular file with a plain path, as `format_record` writes it: nearly every line, worth a short cut."""

_USUAL = re.compile(_USUAL_FIELDS + rb"\}")


def usual_or_other(more: bytes = b"") -> re.Pattern[bytes]:
    """Finds lines, with their ends: the groups of usual ones are the `USUAL` fields and those of `more`.

    The last group is the whole line where it is another; its first is empty then.
    """
    return re.compile(rb"(?:" + _USUAL_FIELDS + more + rb"\}|([^\n]*))\n")


USUAL = 9
"""How many fields a usual line has."""

_USUAL_OR_OTHER = usual_or_other()


def usual_entry(fields: Sequence[bytes], prefix: bytes = b"") -> Entry:
    """The entry of the `USUAL` fields of a line."""
    path, mode, uid, gid, mtime_ns, user, group, size, sha256 = fields
    owned = _owned(mode, uid, gid, user, group)
    return _NEW(
        Entry,
        (
            prefix + path,
            Kind.FILE,
            int(size),
            owned[0],
            owned[1],
            owned[2],
            int(mtime_ns),
            owned[3],
            owned[4],
            unhexlify(sha256),
            b"",
            b"",
            (),
            0,
        ),
    )


@functools.lru_cache(maxsize=256)
def _owned(
    mode: bytes, uid: bytes, gid: bytes, user: bytes | None, group: bytes | None
) -> tuple[int, int, int, str, str]:
    """Mode and owners as they stand in a record: of a few kinds in any index."""
    names = (sys.intern((name or b"").decode()) for name in (user, group))
    return (int(mode, 8), int(uid), int(gid), *names)  # type: ignore[return-value]


def _parse_xattrs(record: dict[str, str]) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((from_text(name), base64.b64decode(value, validate=True)) for name, value in record.items())


def write_index(
    stream: BinaryIO, header: dict[str, object], entries: Iterable[Entry], prefix: int = 0
) -> bytes:
    """Write entries, which come in order of path, as a compressed index; returns their digest.

    Their paths are written without so many bytes before them. The bytes written depend on what is given
    alone.
    """
    digest = hashlib.sha256()
    first = {"format": FORMAT, "version": VERSION, **header}
    write_lines(stream, first, (format_record(entry, prefix) for entry in entries), digest.update)
    return digest.digest()


def write_lines(
    stream: BinaryIO,
    first: Mapping[str, object],
    lines: Iterable[bytes],
    seen: Callable[[bytes], object] = len,
) -> None:
    """Write a first line and others, compressed; `seen` gets the bytes of the others.

    Many at a time go to a thread that compresses them while more are made.
    """
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=stream, compresslevel=1, mtime=0) as packed,
        ThreadPoolExecutor(1) as thread,
    ):
        packed.write(json.dumps(first, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
        done: Future[int] | None = None
        left = iter(lines)
        while batch := b"".join(islice(left, _BATCH)):
            if done:
                done.result()
            done = thread.submit(packed.write, batch)
            seen(batch)
        if done:
            done.result()


_BATCH = 1024
"""Lines that are compressed at once: each of its own would take longer."""


@dataclass(frozen=True, slots=True)
class Index:
    """An index in memory: what it says of itself, its entries in order of path, their digest."""

    header: dict[str, object]
    entries: Sequence[Entry]
    digest: bytes

    @property
    def data_bytes(self) -> int:
        """Bytes of all files, each hard link group counted once."""
        return sum(entry.size for entry in self.entries if not entry.hardlink)


USUAL_RECORD = 2000
"""Bytes of a record on an average, generously: what a foreign index is allowed for each entry."""

LONGEST_RECORD = 4 << 20
"""A record is a path (4 KiB at most) and xattrs (64 KiB each): more than this is no record."""


def read_index(stream: BinaryIO, prefix: bytes = b"", *, at_most: int = sys.maxsize) -> Index:
    """Read an index, its paths put below `prefix`; the digest is that of the records as they stand.

    `at_most` is how many entries a foreign one may have to be believed.

    Raises:
        ValueError: this is no index, one of a later version, one whose records are not in order, or one
            of more entries or bytes than may be.
        OSError, EOFError, zlib.error: the compressed file is damaged.
    """
    digest = hashlib.sha256()
    with gzip.GzipFile(fileobj=stream, mode="rb") as packed:
        header = _header(packed)
        entries = tuple(_records(packed, prefix, at_most, digest.update))
    return Index(header, entries, digest.digest())


def index_entries(
    stream: BinaryIO, seen: Callable[[bytes], object], prefix: bytes = b"", *, at_most: int = sys.maxsize
) -> Iterator[Entry]:
    """The entries of an index as `read_index` gives them, one by one; `seen` gets the bytes of all records.

    Raises:
        As `read_index`.
    """
    with gzip.GzipFile(fileobj=stream, mode="rb") as packed:
        _header(packed)
        yield from _records(packed, prefix, at_most, seen)


def _header(packed: gzip.GzipFile) -> dict[str, object]:
    header = json.loads(packed.readline(LONGEST_RECORD) or b"null")
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ValueError("this is no cedarchest index")
    if header.get("version") != VERSION:
        raise ValueError(f"this index has version {header.get('version')}; this program reads {VERSION}")
    return header


def _records(
    packed: gzip.GzipFile, prefix: bytes, at_most: int, seen: Callable[[bytes], object]
) -> Iterator[Entry]:
    last = b""
    left = at_most
    for piece in whole_lines(packed, seen, at_most * USUAL_RECORD + LONGEST_RECORD):
        for *fields, other in _USUAL_OR_OTHER.findall(piece):
            left -= 1
            if left < 0:
                raise ValueError(f"it has more than {at_most} entries")
            entry = usual_entry(fields, prefix) if fields[0] else _entry_of(json.loads(other), prefix)
            if entry.path <= last:
                raise ValueError(f"records out of order at {to_text(entry.path)}")
            last = entry.path
            yield entry


def index_lines(stream: BinaryIO, *, at_most: int) -> Iterator[bytes]:
    """The first line of a foreign index, and its records, as they come.

    Raises:
        ValueError: it has more records or bytes than may be.
        OSError, EOFError, zlib.error: the compressed file is damaged.
    """
    with gzip.GzipFile(fileobj=stream, mode="rb") as packed:
        yield packed.readline(LONGEST_RECORD)
        left = at_most
        for piece in whole_lines(packed, len, at_most * USUAL_RECORD + LONGEST_RECORD):
            lines = piece[:-1].split(b"\n")
            left -= len(lines)
            if left < 0:
                raise ValueError(f"it has more than {at_most} records")
            yield from lines


_PIECE = 1 << 17


def whole_lines(
    packed: gzip.GzipFile, seen: Callable[[bytes], object] = len, bytes_at_most: int = sys.maxsize
) -> Iterator[bytes]:
    """Many lines at a time, with their ends; `seen` gets all bytes as they come.

    Raises:
        ValueError: there is more than may be, or a line is longer than a record can be.
    """
    rest, left = b"", bytes_at_most
    while piece := packed.read(_PIECE):
        seen(piece)
        left -= len(piece)
        if left < 0:
            raise ValueError(f"it is larger than {bytes_at_most} bytes")
        end = piece.rfind(b"\n") + 1
        if end:
            yield rest + piece[:end]
            rest = b""
        rest += piece[end:]
        if len(rest) > LONGEST_RECORD:
            raise ValueError("a record is too long")
    if rest:
        yield rest + b"\n"
