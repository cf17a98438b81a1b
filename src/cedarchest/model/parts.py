"""Files cut in parts, because no disc takes them whole or not every system reads them: `cat` joins them.

The parts of `NAME` are `NAME.part-001-of-003` and so on, all of the same size but the last one.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from cedarchest.model.index import Entry
from cedarchest.model.media import BLOCK, MIB

PORTABLE_BYTES = (1 << 32) - 1
"""Readers that know one extent a file see no more of it (ECMA-119 9.1.4: a data length of 32 bits)."""

PORTABLE_PART_BYTES = 4095 * MIB
PARTS_A_DISC = 16
"""A file that is larger than a disc is cut in parts of a sixteenth of one, so that discs fill up."""

_MARK = b".part-"
_PART = re.compile(rb"(.*)\.part-(\d{3,9})-of-(\d{3,9})", re.DOTALL)
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


def part_bytes_for(room: int) -> int:
    """Bytes of the parts of a file that is larger than the blocks that an empty disc has for data."""
    wanted = room // PARTS_A_DISC * BLOCK
    return wanted // MIB * MIB or wanted


def parts_of(entry: Entry, split: Split, taken: Container[bytes] = ()) -> Iterator[Part]:
    """The parts of a file, in order; no name of them is one of those taken.

    What a disc shows of a part has the file's attributes but its extended ones, which live in the index,
    and the digest where it is known. Each name of a file with several gets data of its own.
    """
    count = max(1, -(-entry.size // split.part_bytes))
    width = next(
        width
        for width in range(3, LONGEST_NAME // 2)
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
    """Where a part stands. A name that is too long for what is added ends in a digest of itself instead."""
    added = _MARK + b"%0*d-of-%0*d" % (width, number, width, count)
    folder, slash, name = path.rpartition(b"/")
    if len(name) + len(added) > LONGEST_NAME:
        mark = b"~" + hashlib.sha256(name).hexdigest()[:8].encode()
        name = _cut(name, LONGEST_NAME - len(added) - len(mark)) + mark
    return folder + slash + name + added


def part_paths(path: bytes, count: int) -> list[bytes]:
    """Where all parts of a file stand."""
    return [part_path(path, number, count) for number in range(1, count + 1)]


def whole_path(path: bytes) -> bytes:
    """The path of the file that a part is of, by its name; empty where it is none, or does not tell."""
    match = _PART.fullmatch(path)
    return match[1] if match else b""


def part_place(path: bytes) -> tuple[int, int]:
    """Which part a file is by its name, from 1, and of how many; zeros of what is none."""
    match = _PART.fullmatch(path)
    return (int(match[2]), int(match[3])) if match else (0, 0)


class PartSeries:
    """The parts among many paths, as far as all of a file are there."""

    def __init__(self, paths: Iterable[bytes]) -> None:
        counted = Counter(
            (found[1], int(found[3]), len(found[3])) for path in paths if (found := _PART.fullmatch(path))
        )
        self._counts = {
            (stem, width): count for (stem, count, width), there in counted.items() if there == count
        }
        self._widths = sorted({width for _, width in self._counts})

    def of(self, path: bytes) -> list[bytes]:
        """Where the parts of a file stand, in their order; none when they are not all there."""
        for width in self._widths:
            match = _PART.fullmatch(part_path(path, 1, 1, width))
            count = self._counts.get((match[1], width), 0) if match else 0
            if count:
                return [part_path(path, number, count, width) for number in range(1, count + 1)]
        return []


def _cut(name: bytes, size: int) -> bytes:
    """The beginning of a name, no character of it cut in two where it is text."""
    try:
        name.decode()
    except UnicodeDecodeError:
        return name[:size]
    return name[:size].decode("utf-8", "ignore").encode()


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
