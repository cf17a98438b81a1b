"""How fast a drive writes, and reads along a disc; slow areas are the first sign of a dying one."""

from __future__ import annotations

from collections.abc import Callable

from cedarchest.model.media import BLOCK, MIB

AREA = 64 * MIB // BLOCK
SLOW_FACTOR = 4.0
NOTICEABLE_S = 1.0


class Pace:
    """Times reads by area of 64 MiB; the stopwatch comes from outside."""

    def __init__(self, stopwatch: Callable[[], float]) -> None:
        self._stopwatch = stopwatch
        self._areas: dict[int, tuple[int, float]] = {}

    def measured(self, read: Callable[[int, int], bytes]) -> Callable[[int, int], bytes]:
        """The same reader, timed."""

        def timed(start: int, count: int) -> bytes:
            began = self._stopwatch()
            try:
                return read(start, count)
            finally:
                blocks, seconds = self._areas.get(start // AREA, (0, 0.0))
                self._areas[start // AREA] = (blocks + count, seconds + self._stopwatch() - began)

        return timed

    def slow_areas(self) -> list[str]:
        """Areas that took noticeably longer than the median one, for a person."""
        rates = {area: seconds / blocks for area, (blocks, seconds) in self._areas.items() if blocks}
        if len(rates) < 3:
            return []
        median = sorted(rates.values())[len(rates) // 2]
        return [
            f"blocks {area * AREA} to {area * AREA + AREA - 1} ({BLOCK / rate / MIB:.1f} MiB/s)"
            for area, rate in sorted(rates.items())
            if rate > SLOW_FACTOR * median and self._areas[area][1] > NOTICEABLE_S
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
