"""Reads MiBs of a session against its block map: straight on first, then round what failed, in smaller steps.

A drive tries hard at a bad spot before it gives up, for a minute maybe, so all that reads well is read first.
Behind MiBs that fail in a row ever more are left for later. Then each that failed is asked for in pieces of
64 KiB, and what still does not come block by block: first what no drive ever brought, last what is kept
already. Times are limits for trying, a reading that has begun comes to its end.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator

from cedarchest.errors import DamagedDisc
from cedarchest.model.damage import Damage
from cedarchest.model.disc import BlockRange
from cedarchest.model.image.volume import Read
from cedarchest.model.mapfile import BlockState, DiscMap
from cedarchest.model.media import BLOCK
from cedarchest.model.sweep import CHUNK
from cedarchest.model.turns import mibs_of

STEP = 32
"""Blocks of the larger pieces: what a drive is asked for in one command."""

LONGEST_SKIP = 64
"""MiBs that are left for later at once, at most."""

ROUNDING_S = 60.0
"""How long one MiB is tried in smaller steps."""

FAILING_S = 600.0
"""How long readings may take that fail, all together, until what was left for later is left for good; and how
long all MiBs together are tried in smaller steps."""

KEPT_DIFFERING = 64
"""MiBs that are not what they were and are kept, to name the files that are concerned."""

DIGEST = 32


class MibReader:
    """Reads a session of a disc; `found` is what became of its blocks.

    `good` are MiBs that are as they were proven, `differing` others with what they hold now (of very many
    with nothing), `failed` those that did not come at once and were not had in smaller steps either.
    `before` is what the drive made of the disc earlier, `kept` what was read of it and is kept.
    """

    def __init__(
        self,
        read: Read,
        start: int,
        blocks: int,
        block_map: bytes,
        *,
        stopwatch: Callable[[], float],
        before: DiscMap | None = None,
        kept: DiscMap | None = None,
    ) -> None:
        self._read = read
        self._start = start
        self._end = start + blocks
        self._map = block_map
        self._stopwatch = stopwatch
        self._before = before or DiscMap(0, 0)
        self._kept = kept or DiscMap(0, 0)
        self._failing_s = 0.0
        self.found = DiscMap(start, self._end)
        self.good: set[int] = set()
        self.differing: dict[int, bytes] = {}
        self.failed: set[int] = set()
        self.in_a_row = 0  # how many failed just now, one behind the other
        self.retries = 0
        self.blocks = 0  # that were read
        self.data = b""  # of the MiB that was read last

    @property
    def tried(self) -> set[int]:
        """All MiBs of which something is known now."""
        return {*self.good, *self.differing, *self.failed}

    def damage(self) -> Damage:
        """What is damaged of that which was tried."""
        unreadable = [
            BlockRange(*each)
            for mib in sorted(self.failed)
            for first, count in [self.place(mib)]
            for each in self.found.missing(first, first + count - 1)
        ]
        changed = {mib: self.place(mib) for mib in sorted(self.differing)}
        return Damage(
            tuple(unreadable),
            tuple(BlockRange(first, first + count - 1) for first, count in changed.values()),
            {first: self.differing[mib] for mib, (first, _) in changed.items()},
        )

    def place(self, mib: int) -> tuple[int, int]:
        """The first block of a MiB, and how many it has."""
        first = self._start + mib * CHUNK
        return first, min(CHUNK, self._end - first)

    def sweep(self, mibs: Iterable[int], goes_on: Callable[[], bool]) -> Iterator[int]:
        """Read MiBs in the order in which they are given, but for what is left for later; gives each.

        It ends before the next one when it is not to go on; one is read in any case.
        """
        wanted = deque(mib for mib in mibs if 0 <= mib < mibs_of(self._end - self._start))
        later: deque[int] = deque()
        while wanted and (goes_on() or not self.tried):
            yield self._read_mib(wanted.popleft())
            for _ in range(min(1 << self.in_a_row >> 2, LONGEST_SKIP, len(wanted))):
                later.append(wanted.popleft())
        while later and goes_on() and self._failing_s < FAILING_S:
            yield self._read_mib(later.popleft())

    def _read_mib(self, mib: int) -> int:
        first, count = self.place(mib)
        began = self._stopwatch()
        try:
            data = self._read(first, count)
        except DamagedDisc:
            data = b""
        if len(data) == count * BLOCK:
            self.in_a_row = 0
            self._judge(mib, data)
        else:
            self.in_a_row += 1
            self._failing_s += self._stopwatch() - began
            self.found.mark(first, count, BlockState.UNTRIMMED)
            for known in self._before.within(first, first + count - 1):
                if known.state in _SMALL:
                    self.found.mark(*known)
            self.failed.add(mib)
        return mib

    def _judge(self, mib: int, data: bytes) -> None:
        first, count = self.place(mib)
        self.data = data
        self.blocks += count
        self.found.mark(first, count, BlockState.READ)
        self.failed.discard(mib)
        if self.is_proven(mib, data):
            self.good.add(mib)
        else:
            self.differing[mib] = data if len(self.differing) < KEPT_DIFFERING else b""

    def is_proven(self, mib: int, data: bytes) -> bool:
        """Whether these are the data that a MiB had when it was proven."""
        return hashlib.sha256(data).digest() == self._map[mib * DIGEST : (mib + 1) * DIGEST]

    def round(self, mib: int, goes_on: Callable[[], bool]) -> Iterator[tuple[int, bytes]]:
        """Read in smaller steps what comes of a MiB that failed; gives the pieces as they come."""
        first, count = self.place(mib)
        until = self._stopwatch() + ROUNDING_S
        got: dict[int, bytes] = {}
        for at, size in self._steps(first, count):
            if not goes_on() or self._stopwatch() > until:
                break
            self.retries += 1
            data = self._piece(at, size)
            if data:
                self.found.mark(at, size, BlockState.READ)
                got[at] = data
                yield at, data
            else:
                self.found.mark(at, size, BlockState.UNSCRAPED if size > 1 else BlockState.BAD)
        if not self.found.missing(first, first + count - 1):
            self._judge(mib, b"".join(data for _, data in sorted(got.items())))

    def _piece(self, first: int, count: int) -> bytes:
        """Some blocks; nothing where they do not all come."""
        try:
            data = self._read(first, count)
        except DamagedDisc:
            return b""
        return data if len(data) == count * BLOCK else b""

    def _steps(self, first: int, count: int) -> Iterator[tuple[int, int]]:
        """The pieces of a MiB in the order in which they are tried, each said when it is its turn."""
        fresh: list[int] = []
        small: list[int] = []
        bad: list[int] = []
        have: list[int] = []
        known = {BlockState.UNSCRAPED: small, BlockState.BAD: bad}
        for block in range(first, first + count):
            is_kept = self._kept.state(block) is BlockState.READ
            (have if is_kept else known.get(self._before.state(block), fresh)).append(block)
        yield from _pieces(fresh, STEP)
        yield from _pieces(self._torn(fresh, small), 1)
        yield from _pieces(bad, 1)
        yield from _pieces(have, STEP)
        yield from _pieces(self._torn(have), 1)

    def _torn(self, *groups: list[int]) -> list[int]:
        """The blocks that did not come with others."""
        blocks = sorted(block for group in groups for block in group)
        return [block for block in blocks if self.found.state(block) is BlockState.UNSCRAPED]


_SMALL = (BlockState.BAD, BlockState.UNSCRAPED)


def _pieces(blocks: Iterable[int], step: int) -> Iterator[tuple[int, int]]:
    """Rising blocks as first block and count, of so many at most that follow one another."""
    first, count = -1, 0
    for block in blocks:
        if count and block == first + count and count < step:
            count += 1
            continue
        if count:
            yield first, count
        first, count = block, 1
    if count:
        yield first, count
