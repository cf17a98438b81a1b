"""The files that a session brought of us, read from the disc itself: what it says that it wrote.

They are foreign data: read within limits, and held against each other. An index is believed because it agrees
with the sums file beside it, line for line.
"""

from __future__ import annotations

import hashlib
import io
import zlib
from dataclasses import dataclass

from cedarchest.model.disc import TocEntry
from cedarchest.model.image.identity import find_nodes, read_node
from cedarchest.model.image.iso9660 import Node
from cedarchest.model.image.volume import Read
from cedarchest.model.index import Entry, Kind, read_index
from cedarchest.model.session import INDEX_NAME, SUMS_NAME, session_folder, session_sums

LARGEST_INDEX = 1 << 30
LARGEST_NOTE = 16 << 20
"""Bytes of a JSON file of ours: it names each MiB of the largest disc, or every path Joliet lost."""

NO_FILE_OF_OURS = (ValueError, KeyError, TypeError, RecursionError, OSError, EOFError, zlib.error)
"""What reading something foreign that should be a file of ours may raise, besides `DamagedDisc`."""


@dataclass(frozen=True, slots=True)
class OwnFiles:
    """What a session says of itself: `session.json`, what its index lists, and index and sums as found."""

    about: bytes
    listed: tuple[Entry, ...]
    index: Entry
    sums: Entry
    sums_agree: bool

    @property
    def expected(self) -> tuple[Entry, ...]:
        """All that it put on the disc."""
        return (*self.listed, self.index, self.sums)


def read_own_files(read: Read, entry: TocEntry, *, at_most: int) -> OwnFiles:
    """The files of a session in its folder; its index may list so many entries: those that its tree shows.

    Whatever an index lists stands in the tree: a small archive cannot grow beyond what is there.

    Raises:
        DamagedDisc: the drive could not read them.
        NO_FILE_OF_OURS: they are not there, or not what this program writes.
    """
    folder = session_folder(entry.number)
    names = [f"{folder}/{name}".encode() for name in ("session.json", INDEX_NAME, SUMS_NAME)]
    nodes = find_nodes(read, entry.start, names)
    about, index, sums = (
        _content(read, nodes, name, limit)
        for name, limit in zip(names, (LARGEST_NOTE, LARGEST_INDEX, LARGEST_INDEX), strict=True)
    )
    listed = tuple(read_index(io.BytesIO(index), at_most=at_most).entries)
    own_index, own_sums = _as_found(nodes[names[1]], index), _as_found(nodes[names[2]], sums)
    return OwnFiles(about, listed, own_index, own_sums, b"".join(session_sums([*listed, own_index])) == sums)


def _content(read: Read, nodes: dict[bytes, Node], name: bytes, limit: int) -> bytes:
    content = read_node(read, nodes[name], limit) if name in nodes else None
    if content is None:
        raise ValueError(f"/{name.decode()} is not there in full")
    return content


def _as_found(node: Node, content: bytes) -> Entry:
    """One of the two files that no index can list, as the disc shows it."""
    return Entry(
        path=node.path,
        kind=Kind.FILE,
        size=node.size,
        mode=node.mode,
        uid=node.uid,
        gid=node.gid,
        mtime_ns=node.mtime * 10**9,
        sha256=hashlib.sha256(content).digest(),
        xattrs=node.xattrs,
    )
