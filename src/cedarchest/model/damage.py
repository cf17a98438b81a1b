"""What of a session stands where its disc cannot be read, or is not what it was."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from cedarchest.errors import DamagedDisc
from cedarchest.model.disc import BlockRange, StoredEntry
from cedarchest.model.findings import Finding, FindingKind, damaged_blocks
from cedarchest.model.image.volume import Read, structure
from cedarchest.model.media import BLOCK, MIB
from cedarchest.model.names import to_text
from cedarchest.model.sweep import CHUNK, BadBlocks

MOST_READ = 256 * MIB // BLOCK
"""Blocks of files that are read once more to judge them."""


@dataclass(frozen=True, slots=True)
class Damage:
    """Blocks of a session that cannot be read, and others that hold other data than they did.

    Both rise. `data` is what some of the latter hold now, by the first block of each piece.
    """

    unreadable: tuple[BlockRange, ...] = ()
    changed: tuple[BlockRange, ...] = ()
    data: Mapping[int, bytes] = field(default_factory=dict)


def damage_findings(
    entries: Iterable[StoredEntry], damage: Damage, read: Read, limit: int
) -> tuple[Finding, ...]:
    """Findings for damage, by the files that it concerns; what no file owns is named by its blocks.

    A file among whose blocks some changed is judged by its digest, and read for that where it is not too
    large. There are as many findings as the limit, and one more that says so.
    """
    if not damage.unreadable and not damage.changed:
        return ()
    judge = _Judge(damage, read)
    found: list[Finding] = []
    more = 0
    for entry in entries:
        for finding in judge.entry(entry):
            if len(found) < limit:
                found.append(finding)
            else:
                more += 1
    if more:
        return (*found, structure("", f"and {more} more findings"))
    return (*found, *islice(judge.nobody(damaged_blocks(found)), limit))


def _ranges(ranges: Iterable[BlockRange]) -> BadBlocks:
    made = BadBlocks()
    for each in ranges:
        made.add(*each)
    return made


class _Judge:
    """Says of each file in turn what damage it has."""

    def __init__(self, damage: Damage, read: Read) -> None:
        self._damage, self._read = damage, read
        self._unreadable, self._changed = _ranges(damage.unreadable), _ranges(damage.changed)
        self._budget = MOST_READ

    def entry(self, entry: StoredEntry) -> Iterator[Finding]:
        """The damage of a file."""
        if entry.start < 0 or entry.size <= 0:
            return
        path, last = "/" + to_text(entry.path), entry.start + (entry.size - 1) // BLOCK
        unreadable = self._unreadable.within(entry.start, last)
        for first, end in unreadable:
            yield Finding(FindingKind.UNREADABLE, path, "these blocks could not be read", first, end)
        changed = self._changed.within(entry.start, last)
        digest = self._digest(entry, last) if changed and not unreadable else b""
        detail = "its content is not what was written" if digest else "it stands among blocks that changed"
        for first, end in changed if digest != entry.sha256 else ():
            yield Finding(FindingKind.DIFFERENT, path, detail, first, end)

    def _digest(self, entry: StoredEntry, last: int) -> bytes:
        """The digest of a file as it is now; empty where it would take too long, or cannot be read."""
        held = _held(entry, self._damage.data)
        if len(held) == entry.size:
            return hashlib.sha256(held).digest()
        self._budget -= last + 1 - entry.start
        if self._budget < 0:
            return b""
        state, left = hashlib.sha256(), entry.size
        try:
            for block in range(entry.start, last + 1, CHUNK):
                data = self._read(block, min(CHUNK, last + 1 - block))[:left]
                state.update(data)
                left -= len(data)
        except DamagedDisc:
            return b""
        return b"" if left else state.digest()

    def nobody(self, owned: Iterable[BlockRange]) -> Iterator[Finding]:
        """The damage that no file has."""
        of_files = _ranges(owned)
        for first, last in self._damage.unreadable:
            if not of_files.within(first, last):
                yield Finding(FindingKind.UNREADABLE, "", "no file stands here", first, last)
        for first, last in self._damage.changed:
            if not of_files.within(first, last):
                yield structure("", "these blocks are not as they were proven", first, last)


def _held(entry: StoredEntry, data: Mapping[int, bytes]) -> bytes:
    """What is known of an entry's content, from its beginning."""
    parts = []
    at, left = entry.start, entry.size
    for first in sorted(data):
        end = first + len(data[first]) // BLOCK
        if first <= at < end and left > 0:
            begin = (at - first) * BLOCK
            parts.append(data[first][begin : begin + left])
            left -= len(parts[-1])
            at = end
    return b"".join(parts)
