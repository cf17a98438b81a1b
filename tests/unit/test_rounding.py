"""Reading round bad places: in which order, in what steps, and for how long."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cedarchest.errors import DamagedDisc
from cedarchest.model.mapfile import BlockState, DiscMap
from cedarchest.model.media import BLOCK
from cedarchest.model.rounding import FAILING_S, ROUNDING_S, STEP, MibReader
from cedarchest.model.sweep import CHUNK

START = 32


@dataclass
class Disc:
    """A disc of some MiBs; a block that is bad takes so many seconds to fail."""

    mibs: int
    bad: set[int] = field(default_factory=set)
    failing_s: float = 0.0
    end: int = 1 << 40
    now: float = 0.0
    asked: list[tuple[int, int]] = field(default_factory=list)

    @property
    def blocks(self) -> int:
        return self.mibs * CHUNK - 7

    @property
    def block_map(self) -> bytes:
        ends = [min((mib + 1) * CHUNK, self.blocks) for mib in range(self.mibs)]
        places = [(START + mib * CHUNK, end - mib * CHUNK) for mib, end in enumerate(ends)]
        return b"".join(hashlib.sha256(content(*place)).digest() for place in places)

    def read(self, start: int, count: int) -> bytes:
        self.asked.append((start, count))
        self.now += 0.001
        if not self.bad.isdisjoint(range(start, start + count)):
            self.now += self.failing_s
            raise DamagedDisc("bad")
        return content(start, max(0, min(count, self.end - start)))

    def reader(self, before: DiscMap | None = None, kept: DiscMap | None = None) -> MibReader:
        return MibReader(
            self.read,
            START,
            self.blocks,
            self.block_map,
            stopwatch=lambda: self.now,
            before=before,
            kept=kept,
        )


def content(start: int, count: int) -> bytes:
    return b"".join(block.to_bytes(8) * (BLOCK // 8) for block in range(start, start + count))


def always() -> bool:
    return True


def read_all(
    reader: MibReader, mibs: Iterable[int], goes_on: Callable[[], bool] = always
) -> dict[int, bytes]:
    """Sweep, then round what failed; the pieces that came."""
    for _ in reader.sweep(mibs, goes_on):
        pass
    return dict(piece for mib in sorted(reader.failed) for piece in reader.round(mib, goes_on))


def test_a_good_disc_is_read_once_in_rising_order() -> None:
    disc = Disc(3)
    reader = disc.reader()
    assert read_all(reader, range(3)) == {}
    assert reader.good == {0, 1, 2}
    assert disc.asked == [(32, 512), (544, 512), (1056, 505)]
    assert (reader.retries, reader.blocks, reader.found.missing()) == (0, disc.blocks, [])


def test_what_is_not_what_it_was_is_told_with_what_it_is_now() -> None:
    disc = Disc(2)
    spoilt = bytes(disc.block_map[:32]) + bytes(32)
    reader = MibReader(disc.read, START, disc.blocks, spoilt, stopwatch=lambda: 0.0)
    read_all(reader, range(2))
    assert (reader.good, list(reader.differing)) == ({0}, [1])
    assert reader.differing[1] == content(544, 505)


def test_all_that_reads_well_is_read_before_anything_is_tried_again() -> None:
    disc = Disc(3, bad={40})
    reader = disc.reader()
    pieces = read_all(reader, range(3))
    assert disc.asked[:3] == [(32, 512), (544, 512), (1056, 505)]
    larger = [(at, STEP) for at in range(32, 544, STEP)]
    assert disc.asked[3:] == [*larger, *[(block, 1) for block in range(32, 64)]]
    assert reader.found.missing() == [(40, 40)]
    assert reader.found.state(40) is BlockState.BAD
    assert (reader.failed, reader.good, reader.retries) == ({0}, {1, 2}, 16 + 32)
    assert sum(len(data) for data in pieces.values()) == 511 * BLOCK
    assert all(data == content(at, len(data) // BLOCK) for at, data in pieces.items())


def test_a_mib_that_comes_in_smaller_steps_is_good_after_all() -> None:
    disc = Disc(1, bad={40})
    reader = disc.reader()
    assert list(reader.sweep([0], always)) == [0]
    disc.bad.clear()
    list(reader.round(0, always))
    assert (reader.good, reader.failed, reader.retries) == ({0}, set(), 16)


@given(st.sets(st.integers(START, START + 3 * CHUNK)), st.booleans())
def test_every_block_that_can_be_read_is_read_and_no_other(bad: set[int], cut: bool) -> None:
    disc = Disc(3, bad=bad, end=START + 2 * CHUNK + 3 if cut else 1 << 40)
    reader = disc.reader()
    read_all(reader, range(3))
    missing = {block for first, last in reader.found.missing() for block in range(first, last + 1)}
    there = range(START, START + disc.blocks)
    assert missing == {block for block in there if block in bad or block >= disc.end}
    assert reader.failed == {(block - START) // CHUNK for block in missing}
    assert reader.good == {0, 1, 2} - reader.failed


def test_behind_mibs_that_fail_in_a_row_more_are_left_for_later() -> None:
    disc = Disc(40, bad=set(range(START, START + 20 * CHUNK)))
    reader = disc.reader()
    order = list(reader.sweep(range(40), always))
    assert sorted(order) == list(range(40))
    assert order[:7] == [0, 1, 3, 6, 11, 20, 21]


def test_what_was_left_for_later_is_left_for_good_when_failing_took_too_long() -> None:
    disc = Disc(400, bad=set(range(START, START + 400 * CHUNK)), failing_s=60)
    reader = disc.reader()
    tried = list(reader.sweep(range(400), always))
    assert disc.now < 2 * FAILING_S
    assert len(tried) < 20
    assert reader.tried == set(tried)


def test_a_mib_is_tried_for_so_long_and_gone_on_with_where_that_stopped() -> None:
    disc = Disc(1, bad=set(range(START, START + 100)), failing_s=7)
    first = disc.reader()
    read_all(first, [0])
    assert disc.now < ROUNDING_S + 30
    assert first.found.state(500) is BlockState.READ  # what reads well comes first
    kept = DiscMap(START, START + disc.blocks)
    for each in first.found:
        if each.state is BlockState.READ:
            kept.mark(*each)
    disc.asked.clear()
    again = disc.reader(first.found, kept)
    read_all(again, [0])
    done = {block for block in range(START, START + 100) if first.found.state(block) is BlockState.BAD}
    assert done
    tried = {start for start, count in disc.asked[1:] if count == 1}
    assert tried
    assert tried.isdisjoint(done)


def test_what_is_kept_is_tried_last() -> None:
    disc = Disc(1, bad={40, 200})
    kept = DiscMap(START, START + disc.blocks)
    kept.mark(START, 100, BlockState.READ)
    reader = disc.reader(kept=kept)
    read_all(reader, [0])
    order = [start for start, _ in disc.asked[1:]]
    assert min(order[: order.index(START)]) >= START + 100
    assert reader.found.missing() == [(40, 40), (200, 200)]


@pytest.mark.parametrize("before", [BlockState.BAD, BlockState.UNSCRAPED])
def test_what_is_known_of_blocks_is_kept_when_there_is_no_time_to_try_them(before: BlockState) -> None:
    disc = Disc(1, bad={40})
    known = DiscMap(START, START + disc.blocks)
    known.mark(40, 1, before)
    reader = disc.reader(known)
    assert list(reader.sweep([0], always)) == [0]
    assert list(reader.round(0, lambda: False)) == []
    assert reader.found.state(40) is before
    assert reader.found.state(41) is BlockState.UNTRIMMED


def test_one_mib_is_read_though_the_time_is_over() -> None:
    assert list(Disc(3).reader().sweep([2, 1], lambda: False)) == [2]


def test_mibs_that_there_are_not_are_not_read() -> None:
    assert list(Disc(2).reader().sweep([-1, 1, 2, 99], always)) == [1]
