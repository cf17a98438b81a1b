"""What a session's tree shows, within limits: for those who have to know where data stand, and read none.

A tree of another's making may be a trap: loops and extents outside the session end their branch (see
`model.image.directories`), and long names in great number end all of it here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from cedarchest.model.disc import TocEntry
from cedarchest.model.findings import Finding
from cedarchest.model.image.iso9660 import RockRidgeReader
from cedarchest.model.image.volume import Read, read_volume, structure
from cedarchest.model.index import Kind

PATHS_AT_MOST = 1 << 30
"""Bytes that the paths of a tree may have together: a hundred for each of the most entries there may be."""

KEPT_FINDINGS = 100


class Shown(NamedTuple):
    """An entry of a tree: what it is, its bytes, when it changed, where its data begin (-1: nowhere)."""

    kind: Kind
    size: int
    mtime: int
    start: int


@dataclass(slots=True)
class ShownTree:
    """What a tree shows by path, and what is wrong with it, as far as that is kept."""

    entries: dict[bytes, Shown] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def add(self, finding: Finding) -> None:
        """Keep a finding, unless there are many already."""
        if len(self.findings) < KEPT_FINDINGS:
            self.findings.append(finding)


def count_shown(read: Read, entry: TocEntry) -> int:
    """How many entries the tree of a session has, whatever is wrong with it.

    Raises:
        DamagedDisc: the drive could not read it.
    """
    ignored: list[Finding] = []
    volume = read_volume(read, entry.start, ignored.append)
    if volume is None:
        return 0
    reader = RockRidgeReader(read, volume.tree, entry.start, entry.end, lambda _finding: None)
    return sum(1 for _ in reader)


def read_shown(read: Read, entry: TocEntry, *, paths_at_most: int = PATHS_AT_MOST) -> ShownTree:
    """The tree of a session of the disc; nothing in it is without some finding where it is damaged.

    Raises:
        DamagedDisc: the drive could not read it.
    """
    tree = ShownTree()
    volume = read_volume(read, entry.start, tree.add)
    if volume is None:
        return tree
    if volume.blocks > entry.blocks:
        tree.add(structure("", "its descriptor says that it is larger than it is", entry.start))
    reader = RockRidgeReader(read, volume.tree, entry.start, entry.end, tree.add)
    left = paths_at_most
    for node in reader:
        left -= len(node.path)
        if left < 0:
            tree.add(structure("", "its names are longer than can be believed", node.block))
            break
        if node.path in tree.entries:
            tree.add(structure("", "a path stands in it twice", node.block))
            continue
        start = node.extents[0][0] if node.extents else -1
        tree.entries[node.path] = Shown(node.kind, node.size, node.mtime, start)
    return tree
