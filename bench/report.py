"""What came of a measurement: the table, and which goals are reached."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bench.processes import Sample
from bench.subjects import (
    ALONE,
    BARE,
    BARE_DISK,
    BARE_MD5,
    CEDAR,
    CEDAR_CHECK,
    CEDAR_CHECK_DISK,
    CEDAR_DISK,
    FLOOR,
    FLOOR_DISK,
    INDEXED,
    UNINDEXED,
    VERIFY,
)

ROWS = (
    *(INDEXED, UNINDEXED, VERIFY),
    *(FLOOR, FLOOR_DISK, BARE, BARE_DISK, BARE_MD5, ALONE),
    *(CEDAR, CEDAR_DISK, CEDAR_CHECK, CEDAR_CHECK_DISK),
)
OWN_FLOOR = {
    INDEXED: FLOOR_DISK,
    UNINDEXED: BARE_DISK,
    BARE_MD5: BARE,
    ALONE: BARE,
    CEDAR: BARE,
    CEDAR_DISK: BARE_DISK,
}
OWN_PEER = {INDEXED: CEDAR_DISK, UNINDEXED: CEDAR_DISK, VERIFY: CEDAR_CHECK_DISK}
IN_MEMORY = {FLOOR_DISK: FLOOR, BARE_DISK: BARE, CEDAR_DISK: CEDAR, CEDAR_CHECK_DISK: CEDAR_CHECK}
"""Beside what reads from disk, as a proof has to, the same that reads what is still in memory."""

SHORT = {
    FLOOR_DISK: "a floor",
    BARE_DISK: "a bare floor",
    CEDAR_DISK: "Cedar Backup",
    CEDAR_CHECK_DISK: "Cedar Backup",
}
"""What a goal calls that which it is held against."""

Medians = Mapping[str, Mapping[str, Sample]]


@dataclass(frozen=True, slots=True)
class Goal:
    """What is to be reached: a measured figure and its bound; `figure` is None when it was not measured."""

    what: str
    figure: float | None
    bound: float

    @property
    def reached(self) -> bool | None:
        return None if self.figure is None else self.figure <= self.bound

    def line(self) -> str:
        if self.figure is None:
            return f"  not measured  {self.what} (goal {self.bound:g})"
        verdict = "reached    " if self.reached else "NOT reached"
        return f"  {verdict}   {self.what}: {self.figure:.2f} (goal {self.bound:g})"


def goals(found: Medians, version_s: float | None, million: Sample | None) -> Iterator[Goal]:
    """What the program is to reach, with what was measured."""

    def beside(name: str, what: str, other: str, bound: float) -> Iterator[Goal]:
        rows = found.get(name, {})
        day = f"{name}: {what.removeprefix('store, ')}"
        for each, source in ((other, "disk"), (IN_MEMORY[other], "memory")):
            figure = rows[what].seconds / rows[each].seconds if what in rows and each in rows else None
            yield Goal(f"{day} x {SHORT[other]} that reads from {source}", figure, bound)

    for name, bound in (("big", 1.3), ("small", 2.0)):
        yield from beside(name, INDEXED, FLOOR_DISK, bound)
    for name, bound in (("big", 1.5), ("small", 2.2)):
        yield from beside(name, UNINDEXED, BARE_DISK, bound)
    for name, bound in (("small", 1.0), ("mix", 1.0), ("big", 1.1)):
        yield from beside(name, INDEXED, CEDAR_DISK, bound)
        yield from beside(name, UNINDEXED, CEDAR_DISK, bound)
    yield from beside("small", VERIFY, CEDAR_CHECK_DISK, 0.5)
    small = found.get("small", {})
    peaks = [small[what].own_mb for what in (INDEXED, UNINDEXED, VERIFY) if what in small]
    yield Goal("small: peak memory, MB", max(peaks, default=None), 200)
    yield Goal("--version, s", version_s, 0.3)
    if million:
        yield Goal("a million files: peak memory, MB", million.own_mb, 1000)


def table(found: Medians) -> Iterator[str]:
    """A line for each set and subject."""
    line = "{:<6} {:<34} {:>8} {:>8} {:>8} {:>8} {:>8} {:>9}".format
    yield line("set", "what", "seconds", "cpu s", "x floor", "x Cedar", "peak MB", "children")
    for name, rows in found.items():
        for what in ROWS:
            if what not in rows:
                yield line(name, what, "not installed", "", "", "", "", "").rstrip()
                continue
            own = rows[what]
            floor, peer = rows.get(OWN_FLOOR.get(what, "")), rows.get(OWN_PEER.get(what, ""))
            yield line(
                name,
                what,
                f"{own.seconds:.2f}",
                f"{own.cpu_s:.2f}",
                f"{own.seconds / floor.seconds:.2f}" if floor else "",
                f"{own.seconds / peer.seconds:.2f}" if peer else "",
                f"{own.own_mb:.0f}",
                f"{own.children_mb:.0f}" if own.children_mb else "",
            ).rstrip()
