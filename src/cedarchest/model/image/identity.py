"""Finds single files in a session's tree without reading the rest of it: `disc.json`, the indexes."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Collection, Iterator, Sequence

from cedarchest.errors import DamagedDisc
from cedarchest.model.disc import DiscIdentity, TocEntry
from cedarchest.model.findings import Finding
from cedarchest.model.image.directories import Directory
from cedarchest.model.image.iso9660 import Node, RockRidgeReader
from cedarchest.model.image.volume import DESCRIPTORS, Read, read_volume
from cedarchest.model.index import Kind
from cedarchest.model.media import BLOCK
from cedarchest.model.names import is_cedar_label
from cedarchest.model.session import DISC_FILE, parse_disc_json

SMALL_FILE = 64 << 10


class _NarrowReader(RockRidgeReader):
    """Reads only directories on the way to what is wanted."""

    on_the_way: Collection[bytes] = ()

    def admit(self, directory: Directory, parent: int, identifier: bytes) -> None:
        if not directory.path or directory.path in self.on_the_way:
            super().admit(directory, parent, identifier)


def find_nodes(read: Read, start: int, paths: Collection[bytes]) -> dict[bytes, Node]:
    """The nodes of these paths in a session's tree, as far as they are there and can be read.

    Raises:
        DamagedDisc: the descriptors or a directory on the way cannot be read.
    """
    ignored: list[Finding] = []
    volume = read_volume(read, start, ignored.append)
    if volume is None:
        return {}
    reader = _NarrowReader(read, volume.tree, start, start + volume.blocks, ignored.append)
    reader.on_the_way = {parent for path in paths for parent in _parents(path)}
    return {node.path: node for node in reader if node.path in paths}


def _parents(path: bytes) -> Iterator[bytes]:
    while b"/" in path:
        path = path.rpartition(b"/")[0]
        yield path


def read_node(read: Read, node: Node, limit: int) -> bytes | None:
    """A file's bytes; None when it is no file or larger than `limit`.

    Raises:
        DamagedDisc: the drive could not read them.
    """
    if node.kind is not Kind.FILE or node.size > limit:
        return None
    parts = [read(block, -(-size // BLOCK))[:size] for block, size in node.extents]
    content = b"".join(parts)
    return content if len(content) == node.size else None


def read_identity(read: Read, start: int) -> DiscIdentity | None:
    """Who the session's tree says that the disc is; None when it says nothing we know or is unreadable."""
    path = DISC_FILE.encode()
    try:
        node = find_nodes(read, start, [path]).get(path)
        raw = read_node(read, node, SMALL_FILE) if node else None
    except DamagedDisc:
        return None
    return parse_disc_json(raw) if raw else None


CEDAR_DISCS = uuid.UUID("5c5d2d0e-3f5a-5b53-9d0b-7a1f4f1e6b1c")
"""The namespace of the ids of discs that Cedar Backup began, which have none themselves."""


def cedar_identity(read: Read, sessions: Sequence[TocEntry]) -> DiscIdentity | None:
    """Who a disc is that Cedar Backup began: known by the descriptor of its first session; None for others.

    That has the time to a hundredth of a second. Where a later session replaces it, on media that are written
    over, the disc is another one from then on.
    """
    label = next((each.volume_id for each in reversed(sessions) if each.volume_id), "")
    if not is_cedar_label(label):
        return None
    try:
        raw = read(sessions[0].start + DESCRIPTORS, 1)
    except DamagedDisc:
        return None
    if raw[1:6] != b"CD001":
        return None
    return DiscIdentity(str(uuid.uuid5(CEDAR_DISCS, hashlib.sha256(raw).hexdigest())), label)
