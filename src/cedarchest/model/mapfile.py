"""What could be read of a disc, block by block, and its text in the form of GNU ddrescue's mapfile.

A block is as good as the best that any drive made of it: maps of several drives are merged so that no block
that was read is lost. Positions in the text are bytes, here they are blocks; a block of which the text says
several things is what the worst of them is.

Source: GNU ddrescue manual, "Mapfile structure".
"""

from __future__ import annotations

import itertools
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

from cedarchest.model.media import BLOCK

LARGEST_POSITION = 1 << 62
MOST_LINES = 1_000_000

_NUMBER = re.compile(r"0[xX][0-9a-fA-F]{1,16}|[0-9]{1,19}")


class BlockState(StrEnum):
    """What is known of a block; the later ones are the better known."""

    UNTRIED = "?"
    UNTRIMMED = "*"  # it was asked for with others, and they did not come
    UNSCRAPED = "/"  # neither did fewer of them
    BAD = "-"  # it was asked for alone
    READ = "+"


_RANK = {state: rank for rank, state in enumerate(BlockState)}


class Stretch(NamedTuple):
    """Blocks in a row of which the same is known."""

    first: int
    blocks: int
    state: BlockState

    @property
    def last(self) -> int:
        """The last block, inclusive."""
        return self.first + self.blocks - 1


class DiscMap:
    """The state of each block from `first` up to `end`; nothing is known of those beyond."""

    def __init__(self, first: int, end: int) -> None:
        self.first = first
        self.end = max(first, end)
        self._starts = [first] if end > first else []
        self._states = [BlockState.UNTRIED] if end > first else []

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DiscMap) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        return f"DiscMap({', '.join(f'{each.first}+{each.blocks}{each.state}' for each in self)})"

    def __iter__(self) -> Iterator[Stretch]:
        """Stretches in rising order, without gaps; neighbours differ."""
        ends = [*self._starts, self.end][1:]
        for first, end, state in zip(self._starts, ends, self._states, strict=True):
            yield Stretch(first, end - first, state)

    def state(self, block: int) -> BlockState:
        """What is known of a block."""
        if not self.first <= block < self.end:
            return BlockState.UNTRIED
        return self._states[bisect_right(self._starts, block) - 1]

    def mark(self, first: int, blocks: int, state: BlockState) -> None:
        """Have this be known of some blocks, as far as they are in the map."""
        first, end = max(first, self.first), min(first + blocks, self.end)
        if first >= end:
            return
        begin, behind = self._cut(first), self._cut(end)
        self._starts[begin:behind] = [first]
        self._states[begin:behind] = [state]
        self._join(begin + 1)
        self._join(begin)

    def _cut(self, at: int) -> int:
        """The place of the stretch that begins at a block, made where there is none."""
        place = bisect_left(self._starts, at)
        if at < self.end and (place == len(self._starts) or self._starts[place] != at):
            self._starts.insert(place, at)
            self._states.insert(place, self._states[place - 1])
        return place

    def _join(self, place: int) -> None:
        if 0 < place < len(self._states) and self._states[place] == self._states[place - 1]:
            del self._starts[place], self._states[place]

    def within(self, first: int, last: int) -> Iterator[Stretch]:
        """The stretches between two blocks, cut to these."""
        place = max(0, bisect_right(self._starts, first) - 1)
        while place < len(self._starts) and self._starts[place] <= last:
            end = self._starts[place + 1] if place + 1 < len(self._starts) else self.end
            begin, behind = max(first, self._starts[place]), min(last + 1, end)
            if begin < behind:
                yield Stretch(begin, behind - begin, self._states[place])
            place += 1

    def missing(self, first: int = 0, last: int = LARGEST_POSITION) -> list[tuple[int, int]]:
        """First and last block of each range that is not read, between two blocks."""
        found: list[tuple[int, int]] = []
        for each in self.within(first, last):
            if each.state is BlockState.READ:
                continue
            if found and found[-1][1] + 1 == each.first:
                found[-1] = (found[-1][0], each.last)
            else:
                found.append((each.first, each.last))
        return found

    def is_read(self, first: int, count: int) -> bool:
        """Whether all of some blocks are known to be read."""
        there = self.within(first, first + count - 1)
        return sum(each.blocks for each in there if each.state is BlockState.READ) == count

    @property
    def failed_blocks(self) -> int:
        """Blocks that were asked for and did not come."""
        known = (BlockState.UNTRIED, BlockState.READ)
        return sum(each.blocks for each in self if each.state not in known)

    def copy(self) -> DiscMap:
        """The same, to be changed by itself."""
        return self._with(self, lambda mine, _theirs: mine)

    def merged(self, other: DiscMap) -> DiscMap:
        """What two drives together made of the blocks: of each the best."""
        return self._with(other, lambda mine, theirs: max(mine, theirs, key=_RANK.__getitem__))

    def renewed(self, later: DiscMap) -> DiscMap:
        """What one drive made of the blocks: what it tried later counts."""
        return self._with(later, lambda mine, new: mine if new is BlockState.UNTRIED else new)

    def _with(self, other: DiscMap, chosen: Callable[[BlockState, BlockState], BlockState]) -> DiscMap:
        maps = [each for each in (self, other) if each.end > each.first]
        if not maps:
            return DiscMap(self.first, self.first)
        made = DiscMap(min(each.first for each in maps), max(each.end for each in maps))
        cuts = sorted({*self._starts, *other._starts, *(each.end for each in maps)})
        for first, end in itertools.pairwise(cuts):
            made.mark(first, end - first, chosen(self.state(first), other.state(first)))
        return made


def format_mapfile(found: DiscMap, comments: Sequence[str] = ()) -> str:
    """A map as text; each comment is a line of its own, without what would begin another."""
    is_done = all(each.state is BlockState.READ for each in found)
    lines = [f"# {' '.join(each.split())}" for each in ("Mapfile of GNU ddrescue's form.", *comments)]
    lines += [
        "# current_pos  current_status  current_pass",
        f"0x00000000     {'+' if is_done else '?'}     1",
    ]
    lines.append("#      pos        size  status")
    lines += [f"0x{each.first * BLOCK:08X}  0x{each.blocks * BLOCK:08X}  {each.state}" for each in found]
    return "\n".join([*lines, ""])


def parse_mapfile(text: str) -> tuple[DiscMap, tuple[str, ...]]:
    """A map and the comments of its text.

    Raises:
        ValueError: it is no mapfile; says in which line.
    """
    comments: list[str] = []
    found: list[tuple[int, int, BlockState]] = []
    has_status = False
    for number, line in enumerate(text.splitlines(), 1):
        if number > MOST_LINES:
            raise ValueError(f"it has more than {MOST_LINES} lines")
        if line.startswith("#"):
            comments.append(line[1:].strip())
        elif line.strip():
            try:
                if has_status:
                    found.append(_parse_stretch(line, found[-1][1] if found else -1))
                else:
                    _parse_status(line)
                    has_status = True
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from None
    if not has_status:
        raise ValueError("it has no line of its status")
    return _in_blocks(found), tuple(comments)


def _parse_status(line: str) -> None:
    words = line.split()
    if len(words) not in (2, 3) or words[1] not in "?*/-FG+" or len(words[1]) != 1:
        raise ValueError("this is no status")
    for word in (words[0], *words[2:]):
        _number(word)


def _parse_stretch(line: str, behind: int) -> tuple[int, int, BlockState]:
    """First byte, the byte behind, and the state; it has to begin `behind` the one before it."""
    words = line.split()
    if len(words) != 3 or words[2] not in list(BlockState):
        raise ValueError("this is no position, size and state")
    position, size = _number(words[0]), _number(words[1])
    if not size or position + size > LARGEST_POSITION:
        raise ValueError("no disc has such a place")
    if behind not in (-1, position):
        raise ValueError("it does not begin where the one before it ends")
    return position, position + size, BlockState(words[2])


def _number(word: str) -> int:
    if not _NUMBER.fullmatch(word):
        raise ValueError(f"{word[:30]!r} is no number")
    if word[:2].lower() == "0x":
        return int(word, 16)
    return int(word, 8) if word.startswith("0") else int(word)  # as C reads them


def _in_blocks(found: Sequence[tuple[int, int, BlockState]]) -> DiscMap:
    if not found:
        return DiscMap(0, 0)
    made = DiscMap(found[0][0] // BLOCK, -(-found[-1][1] // BLOCK))
    torn: dict[int, BlockState] = {}
    for first, end, state in found:
        begin, behind = -(-first // BLOCK), end // BLOCK
        made.mark(begin, behind - begin, state)
        for edge in {first // BLOCK if first % BLOCK else -1, end // BLOCK if end % BLOCK else -1} - {-1}:
            torn[edge] = min(torn.get(edge, state), state, key=_RANK.__getitem__)
    for block, state in torn.items():
        made.mark(block, 1, state)
    return made
