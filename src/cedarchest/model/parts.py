"""Files cut in parts, because no disc takes them whole or not every system reads them: `cat` joins them.

The parts of `NAME` are `NAME.part-001-of-003` and so on, all of the same size but the last one.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from cedarchest.model.index import Entry, Kind
from cedarchest.model.media import BLOCK, MIB

PORTABLE_BYTES = (1 << 32) - 1
"""Readers that know one extent a file see no more of it (ECMA-119 9.1.4: a data length of 32 bits)."""

PORTABLE_PART_BYTES = 4095 * MIB
PARTS_A_DISC = 16
"""A file that is larger than a disc is cut in parts of a sixteenth of one, so that discs fill up."""

_MARK = b".part-"
LONGEST_NAME = 255


@dataclass(frozen=True, slots=True)
class Split:
    """How a file is cut: bytes of each part but the last, and the SHA-256 of each once it is known."""

    part_bytes: int
    digests: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a file of a day: its place in the file, and the entry that a disc shows of it."""

    whole: Entry
    number: int  # from 1
    count: int
    offset: int
    entry: Entry


def part_bytes_for(usable_blocks: int, *, portable: bool) -> int:
    """Bytes of the parts of a file that is larger than the usable blocks of an empty disc."""
    wanted = max(1, usable_blocks // PARTS_A_DISC) * BLOCK
    rounded = wanted // MIB * MIB or wanted
    return min(rounded, PORTABLE_PART_BYTES) if portable else rounded


def is_to_be_cut(entry: Entry, usable_blocks: int, *, portable: bool) -> bool:
    """Whether a file has to be cut for discs with so many usable blocks."""
    if entry.kind is not Kind.FILE:
        return False
    return entry.size > usable_blocks * BLOCK or (portable and entry.size > PORTABLE_BYTES)


def parts_of(entry: Entry, split: Split, taken: Container[bytes] = ()) -> Iterator[Part]:
    """The parts of a file, in order; no name of them is one of those taken.

    What a disc shows of a part has the file's attributes but its extended ones, which live in the index,
    and the digest where it is known. Each name of a file with several gets data of its own.
    """
    count = max(1, -(-entry.size // split.part_bytes))
    width = next(
        width
        for width in range(3, LONGEST_NAME)
        if all(part_path(entry.path, number, count, width) not in taken for number in range(1, count + 1))
    )
    for number in range(1, count + 1):
        offset = (number - 1) * split.part_bytes
        shown = entry._replace(
            path=part_path(entry.path, number, count, width),
            size=min(split.part_bytes, entry.size - offset),
            sha256=split.digests[number - 1] if split.digests else b"",
            hardlink=b"",
            xattrs=(),
        )
        yield Part(entry, number, count, offset, shown)


def part_path(path: bytes, number: int, count: int, width: int = 3) -> bytes:
    """Where a part stands."""
    return path + _MARK + b"%0*d-of-%0*d" % (width, number, width, count)


def held_in_parts(
    held: Mapping[bytes, int], digests: Iterable[bytes], splits: Mapping[bytes, Sequence[Split]]
) -> Mapping[bytes, int]:
    """How often each of the digests is held, whole or in all its parts; without those that are not."""
    found = {
        digest: max(
            held.get(digest, 0),
            *(min(held.get(part, 0) for part in split.digests) for split in splits.get(digest, ())),
            0,
        )
        for digest in digests
    }
    return {digest: copies for digest, copies in found.items() if copies}
