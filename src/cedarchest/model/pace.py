"""How fast a drive writes, and reads along a disc; slow areas are the first sign of a dying one."""

from __future__ import annotations

from collections.abc import Callable

from cedarchest.model.disc import Speed
from cedarchest.model.media import BLOCK, MIB

AREA = 64 * MIB // BLOCK
SLOW_FACTOR = 4.0
NOTICEABLE_S = 1.0


SMALLEST_AREA = AREA // 8
TOLD_SPEEDS = 64


def area_of(blocks: int) -> int:
    """Blocks of an area of a session of so many: fine enough to show where it is slow."""
    return min(AREA, max(SMALLEST_AREA, blocks // TOLD_SPEEDS // SMALLEST_AREA * SMALLEST_AREA))


class Pace:
    """Times reads by area, of 64 MiB unless it is said; the stopwatch comes from outside."""

    def __init__(self, stopwatch: Callable[[], float], area: int = AREA) -> None:
        self._stopwatch = stopwatch
        self._area = area
        self._areas: dict[int, tuple[int, float]] = {}

    def measured(self, read: Callable[[int, int], bytes]) -> Callable[[int, int], bytes]:
        """The same reader, timed."""

        def timed(start: int, count: int) -> bytes:
            began = self._stopwatch()
            try:
                return read(start, count)
            finally:
                blocks, seconds = self._areas.get(start // self._area, (0, 0.0))
                self._areas[start // self._area] = (blocks + count, seconds + self._stopwatch() - began)

        return timed

    def speeds(self) -> tuple[Speed, ...]:
        """How fast it was by position; neighbours together where there are very many."""
        areas = sorted(self._areas.items())
        step = -(-len(areas) // TOLD_SPEEDS) or 1
        parts = (areas[at : at + step] for at in range(0, len(areas), step))
        return tuple(
            Speed(
                part[0][0] * self._area,
                sum(blocks for _, (blocks, _) in part),
                round(1000 * sum(seconds for _, (_, seconds) in part)),
            )
            for part in parts
        )

    def slow(self) -> tuple[Speed, ...]:
        """Areas that took noticeably longer than the median one."""
        rates = {area: seconds / blocks for area, (blocks, seconds) in self._areas.items() if blocks}
        if len(rates) < 3:
            return ()
        median = sorted(rates.values())[len(rates) // 2]
        return tuple(
            Speed(area * self._area, self._areas[area][0], round(1000 * self._areas[area][1]))
            for area, rate in sorted(rates.items())
            if rate > SLOW_FACTOR * median and self._areas[area][1] > NOTICEABLE_S
        )

    def slow_areas(self) -> list[str]:
        """The same for a person."""
        return [
            f"blocks {each.first} to {each.first + self._area - 1} ({each.bytes_a_second / MIB:.1f} MiB/s)"
            for each in self.slow()
        ]


MEASURABLE_S = 1.0
"""What is written in less only shows how fast the drive's buffer was filled."""


class WritePace:
    """Times what a tool says of its progress; the stopwatch comes from outside."""

    def __init__(self, stopwatch: Callable[[], float]) -> None:
        self._stopwatch = stopwatch
        self._first = self._last = (0, 0.0)

    def reached(self, blocks: int) -> None:
        """So many blocks are written now."""
        if blocks <= self._last[0]:
            return
        self._last = (blocks, self._stopwatch())
        if not self._first[0]:
            self._first = self._last

    @property
    def kb_s(self) -> int:
        """The mean in units of 1000 bytes a second, as drives count; 0 where it was too short to measure."""
        blocks, seconds = (last - first for first, last in zip(self._first, self._last, strict=True))
        return round(blocks * BLOCK / 1000 / seconds) if seconds >= MEASURABLE_S else 0
