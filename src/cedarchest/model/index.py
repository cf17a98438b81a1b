"""The index: every entry of a day or session, with what a disc must show of it.

JSON lines, gzip. The first line says what the file is; then one record for each entry, in byte
order of the paths. Only what travels with the data is in it: inode and change time stay in
`state_dir` (see `Fingerprint`). The digest of an index is the SHA-256 of its sorted records.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO, NamedTuple

from cedarchest.model.names import from_text, to_text

FORMAT = "cedarchest-index"
VERSION = 1


class Kind(StrEnum):
    """What an entry is."""

    FILE = "file"
    DIR = "dir"
    LINK = "link"
    FIFO = "fifo"
    SOCKET = "socket"
    CHAR = "char"
    BLOCK = "block"


@dataclass(frozen=True, slots=True)
class Entry:
    """One path with its attributes.

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


class Fingerprint(NamedTuple):
    """What tells that a staged entry is still the one that was digested, without reading it."""

    inode: int
    ctime_ns: int


def format_record(entry: Entry) -> bytes:
    """The entry as a line of the index, newline included."""
    record: dict[str, object] = {
        "path": to_text(entry.path),
        "type": entry.kind.value,
        "mode": f"{entry.mode:04o}",
        "uid": entry.uid,
        "gid": entry.gid,
        "mtime_ns": entry.mtime_ns,
    }
    if entry.user:
        record["user"] = entry.user
    if entry.group:
        record["group"] = entry.group
    if entry.kind is Kind.FILE:
        record["size"] = entry.size
        record["sha256"] = entry.sha256.hex()
    if entry.kind is Kind.LINK:
        record["target"] = to_text(entry.target)
    if entry.hardlink:
        record["hardlink"] = to_text(entry.hardlink)
    if entry.xattrs:
        record["xattrs"] = {
            to_text(name): base64.b64encode(value).decode("ascii") for name, value in entry.xattrs
        }
    if entry.kind in (Kind.CHAR, Kind.BLOCK):
        record["rdev"] = entry.rdev
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def parse_record(line: bytes, prefix: bytes = b"") -> Entry:
    """The entry of a line, its paths put below `prefix`.

    Raises:
        ValueError: the line is no record of this format.
    """
    try:
        record = json.loads(line)
        kind = _KINDS[record["type"]]
        hardlink = record.get("hardlink")
        entry = Entry(
            path=prefix + from_text(record["path"]),
            kind=kind,
            size=_natural(record["size"]) if kind is Kind.FILE else 0,
            mode=int(record["mode"], 8),
            uid=_natural(record["uid"]),
            gid=_natural(record["gid"]),
            mtime_ns=int(record["mtime_ns"]),
            user=str(record.get("user", "")),
            group=str(record.get("group", "")),
            sha256=bytes.fromhex(record["sha256"]) if kind is Kind.FILE else b"",
            target=from_text(record["target"]) if kind is Kind.LINK else b"",
            hardlink=prefix + from_text(hardlink) if hardlink else b"",
            xattrs=_parse_xattrs(record["xattrs"]) if "xattrs" in record else (),
            rdev=_natural(record.get("rdev", 0)),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not an index record: {error!r}") from error
    if (kind is Kind.FILE and len(entry.sha256) != 32) or not is_plain_path(entry.path):
        raise ValueError(f"not an index record: {to_text(line.rstrip())}")
    return entry


_KINDS = {kind.value: kind for kind in Kind}


def is_plain_path(path: bytes) -> bool:
    """Whether a path is relative and stays where it is: no empty, `.` or `..` component, no NUL."""
    if b"\0" in path:
        return False
    if b"//" in path or path[:1] == b"/" or path[-1:] in (b"/", b""):
        return False
    return b"." not in path or not {b".", b".."} & set(path.split(b"/"))


def _natural(value: object) -> int:
    if not isinstance(value, int) or value < 0:
        raise TypeError(f"{value!r} is no natural number")
    return value


def _parse_xattrs(record: dict[str, str]) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((from_text(name), base64.b64decode(value, validate=True)) for name, value in record.items())


def write_index(stream: BinaryIO, header: dict[str, object], entries: Iterable[Entry]) -> bytes:
    """Write entries, which come in order of path, as a compressed index; returns their digest.

    The bytes written depend on header and entries alone.
    """
    digest = hashlib.sha256()
    first = {"format": FORMAT, "version": VERSION, **header}
    with gzip.GzipFile(filename="", mode="wb", fileobj=stream, compresslevel=1, mtime=0) as packed:
        packed.write(json.dumps(first, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
        for batch in _batches(format_record(entry) for entry in entries):
            digest.update(batch)
            packed.write(batch)
    return digest.digest()


def _batches(lines: Iterable[bytes], size: int = 256) -> Iterator[bytes]:
    batch: list[bytes] = []
    for line in lines:
        batch.append(line)
        if len(batch) == size:
            yield b"".join(batch)
            batch = []
    yield b"".join(batch)


@dataclass(frozen=True, slots=True)
class Index:
    """An index in memory: what it says of itself, its entries in order of path, their digest."""

    header: dict[str, object]
    entries: tuple[Entry, ...]
    digest: bytes

    @property
    def data_bytes(self) -> int:
        """Bytes of all files, each hard link group counted once."""
        return sum(entry.size for entry in self.entries if not entry.hardlink)


LONGEST_RECORD = 4 << 20
"""A record is a path (4 KiB at most) and xattrs (64 KiB each): more than this is no record."""


def read_index(stream: BinaryIO, prefix: bytes = b"") -> Index:
    """Read an index, its paths put below `prefix`; the digest is that of the records as they stand.

    Raises:
        ValueError: this is no index, one of a later version, or one whose records are not in order.
        OSError, EOFError, zlib.error: the compressed file is damaged.
    """
    digest = hashlib.sha256()
    entries: list[Entry] = []
    with gzip.GzipFile(fileobj=stream, mode="rb") as packed:
        header = json.loads(packed.readline(LONGEST_RECORD) or b"null")
        if not isinstance(header, dict) or header.get("format") != FORMAT:
            raise ValueError("this is no cedarchest index")
        if header.get("version") != VERSION:
            raise ValueError(f"this index has version {header.get('version')}; this program reads {VERSION}")
        while line := packed.readline(LONGEST_RECORD):
            digest.update(line)
            entry = parse_record(line, prefix)
            if entries and entry.path <= entries[-1].path:
                raise ValueError(f"records out of order at {to_text(entry.path)}")
            entries.append(entry)
    return Index(header, tuple(entries), digest.digest())
