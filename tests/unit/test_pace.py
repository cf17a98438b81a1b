"""How fast a disc reads, area by area."""

from __future__ import annotations

from cedarchest.model.pace import AREA, Pace, WritePace


class Drive:
    """Reads as many blocks a second as its area says; its clock shows when."""

    def __init__(self, rates: list[int]) -> None:
        self.now = 0.0
        self._rates = rates

    def stopwatch(self) -> float:
        return self.now

    def read(self, start: int, count: int) -> bytes:
        self.now += count / self._rates[start // AREA]
        return b""


def slow_areas(rates: list[int], step: int = 512) -> list[str]:
    drive = Drive(rates)
    pace = Pace(drive.stopwatch)
    read = pace.measured(drive.read)
    for start in range(0, len(rates) * AREA, step):
        read(start, step)
    return pace.slow_areas()


def test_an_area_that_reads_five_times_slower_than_most_is_named_with_its_rate() -> None:
    assert slow_areas([5120, 5120, 1024, 5120]) == [f"blocks {2 * AREA} to {3 * AREA - 1} (2.0 MiB/s)"]


def test_a_disc_that_is_slower_towards_its_inside_has_no_slow_areas() -> None:
    assert slow_areas([2000, 3000, 4000, 5000]) == []


def test_a_moment_is_no_slow_area() -> None:
    assert slow_areas([5_000_000, 5_000_000, 100_000, 5_000_000]) == []


def test_too_few_areas_say_nothing() -> None:
    assert slow_areas([5120, 100]) == []


def test_a_read_that_fails_counts_with_its_time() -> None:
    drive = Drive([5120] * 4)
    pace = Pace(drive.stopwatch)

    def failing(start: int, count: int) -> bytes:
        drive.read(start, count)
        if start == AREA:
            drive.now += 60
            raise OSError
        return b""

    read = pace.measured(failing)
    for area in range(4):
        try:
            read(area * AREA, 512)
        except OSError:
            assert area == 1
    assert [line.partition(" (")[0] for line in pace.slow_areas()] == [f"blocks {AREA} to {2 * AREA - 1}"]


def written(*moments: tuple[float, int]) -> int:
    now = 0.0
    pace = WritePace(lambda: now)
    for now, blocks in moments:  # noqa: B007 -- the stopwatch shows it
        pace.reached(blocks)
    return pace.kb_s


def test_the_pace_of_a_write_is_its_mean_from_the_first_block_to_the_last() -> None:
    assert written((5, 0), (10, 1000), (11, 3000), (20, 11_000), (60, 11_000)) == 2048


def test_what_is_written_in_a_moment_has_no_pace() -> None:
    assert written((10, 1000), (10.9, 11_000)) == 0
    assert written() == 0
