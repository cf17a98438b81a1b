"""Finds single files in a session's tree without reading the rest of it: `disc.json`, the indexes."""

from __future__ import annotations

import hashlib
import itertools
import re
import uuid
from collections.abc import Collection, Iterator, Sequence

from cedarchest.errors import DamagedDisc
from cedarchest.model.disc import DiscIdentity, TocEntry
from cedarchest.model.findings import Finding
from cedarchest.model.image.directories import Directory
from cedarchest.model.image.iso9660 import Node, RockRidgeReader
from cedarchest.model.image.other_tree import OtherTree
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


_NO_LABELS = ("", "CDROM")
_YEAR = re.compile(rb"(?:19|20)\d\d")
_MOVED = b"rr_moved"  # where Rock Ridge has what ISO 9660 finds too deep

CEDAR_DISCS = uuid.UUID("5c5d2d0e-3f5a-5b53-9d0b-7a1f4f1e6b1c")
"""The namespace of the ids of discs that Cedar Backup began, which have none themselves."""


def cedar_identity(read: Read, sessions: Sequence[TocEntry]) -> DiscIdentity | None:
    """Who a disc is that Cedar Backup began: known by the descriptor of its first session; None for others.

    That has the time to a hundredth of a second. Where a later session replaces it, on media that are written
    over, the disc is another one from then on. One of `cback-span` has no label: it is known by having days
    and nothing else.
    """
    labels = (each.volume_id or volume_id(read, each.start) for each in reversed(sessions))
    label = next(filter(None, labels), "")
    is_span = len(sessions) == 1 and label in _NO_LABELS and _has_but_days(read, sessions[0])
    raw = _descriptor(read, sessions[0].start) if is_span or is_cedar_label(label) else b""
    if not raw:
        return None
    disc_id = str(uuid.uuid5(CEDAR_DISCS, hashlib.sha256(raw).hexdigest()))
    return DiscIdentity(disc_id, f"CEDAR BACKUP SPAN {disc_id[:4].upper()}" if is_span else label)


def _has_but_days(read: Read, entry: TocEntry) -> bool:
    """Whether the root has folders of years, at least one, and nothing besides; deeper it is not looked."""
    try:
        volume = read_volume(read, entry.start, lambda _finding: None)
    except DamagedDisc:
        return False
    tree = OtherTree(read, volume, entry.end, lambda _finding: None) if volume else ()
    above = [node.entry for node in itertools.takewhile(lambda node: b"/" not in node.entry.path, tree)]
    names = {each.path for each in above if each.kind is Kind.DIR}
    years = {name for name in names if _YEAR.fullmatch(name)}
    return bool(years) and len(above) == len(names) and names - years <= {_MOVED}


def volume_id(read: Read, start: int) -> str:
    """The label of a session as its descriptor has it, which a tool may not tell of a damaged tree."""
    return _descriptor(read, start)[40:72].decode("ascii", "replace").rstrip(" ")


def _descriptor(read: Read, start: int) -> bytes:
    """The primary descriptor of a session; empty where it cannot be read."""
    try:
        raw = read(start + DESCRIPTORS, 1)
    except DamagedDisc:
        return b""
    return raw if raw[:6] == b"\1CD001" else b""
