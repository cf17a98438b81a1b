"""What of a session stands where its disc cannot be read, or is not what it was."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from cedarchest.model.disc import BlockRange, StoredEntry
from cedarchest.model.findings import Finding, FindingKind, damaged_blocks
from cedarchest.model.image.volume import structure
from cedarchest.model.media import BLOCK
from cedarchest.model.names import to_text
from cedarchest.model.sweep import BadBlocks


@dataclass(frozen=True, slots=True)
class Damage:
    """Blocks of a session that cannot be read, and others that hold other data than they did.

    Both rise. `data` is what some of the latter hold now, by the first block of each piece.
    """

    unreadable: tuple[BlockRange, ...] = ()
    changed: tuple[BlockRange, ...] = ()
    data: Mapping[int, bytes] = field(default_factory=dict)


def damage_findings(entries: Iterable[StoredEntry], damage: Damage, limit: int) -> tuple[Finding, ...]:
    """Findings for damage, by the files that it concerns; what no file owns is named by its blocks.

    A file whose blocks all changed and are known is judged by its digest. There are as many findings as the
    limit, and one more that says so.
    """
    if not damage.unreadable and not damage.changed:
        return ()
    unreadable, changed = _ranges(damage.unreadable), _ranges(damage.changed)
    found: list[Finding] = []
    more = 0
    for entry in entries:
        for finding in _of_entry(entry, unreadable, changed, damage.data):
            if len(found) < limit:
                found.append(finding)
            else:
                more += 1
    if more:
        return (*found, structure("", f"and {more} more findings"))
    return (*found, *islice(_of_nobody(_ranges(damaged_blocks(found)), unreadable, damage.changed), limit))


def _ranges(ranges: Iterable[BlockRange]) -> BadBlocks:
    made = BadBlocks()
    for each in ranges:
        made.add(*each)
    return made


def _of_entry(
    entry: StoredEntry, unreadable: BadBlocks, changed: BadBlocks, data: Mapping[int, bytes]
) -> Iterator[Finding]:
    if entry.start < 0 or entry.size <= 0:
        return
    path, last = "/" + to_text(entry.path), entry.start + (entry.size - 1) // BLOCK
    for first, end in unreadable.within(entry.start, last):
        yield Finding(FindingKind.UNREADABLE, path, "these blocks could not be read", first, end)
    for first, end in changed.within(entry.start, last):
        held = _held(entry, data) if (first, end) == (entry.start, last) else b""
        if len(held) < entry.size:
            detail = "these blocks of it are not as they were proven"
            yield Finding(FindingKind.DIFFERENT, path, detail, first, end)
        elif hashlib.sha256(held).digest() != entry.sha256:
            yield Finding(FindingKind.DIFFERENT, path, "its content is not what was written", first, end)


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


def _of_nobody(owned: BadBlocks, unreadable: BadBlocks, changed: Sequence[BlockRange]) -> Iterator[Finding]:
    for first, last in unreadable.ranges:
        if not owned.within(first, last):
            yield Finding(FindingKind.UNREADABLE, "", "no file stands here", first, last)
    for first, last in changed:
        if not owned.within(first, last):
            yield structure("", "these blocks are not as they were proven", first, last)
