"""What came of a measurement: the table, and which goals are reached."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bench.processes import Sample
from bench.subjects import (
    ALONE,
    BARE,
    BARE_MD5,
    CEDAR,
    CEDAR_CHECK,
    FLOOR,
    FLOOR_DISK,
    INDEXED,
    UNINDEXED,
    VERIFY,
)

ROWS = (INDEXED, UNINDEXED, VERIFY, FLOOR, FLOOR_DISK, BARE, BARE_MD5, ALONE, CEDAR, CEDAR_CHECK)
OWN_FLOOR = {INDEXED: FLOOR, FLOOR_DISK: FLOOR, UNINDEXED: BARE, BARE_MD5: BARE, ALONE: BARE, CEDAR: BARE}
OWN_PEER = {INDEXED: CEDAR, UNINDEXED: CEDAR, VERIFY: CEDAR_CHECK}

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

    def ratio(name: str, what: str, other: str) -> float | None:
        rows = found.get(name, {})
        return rows[what].seconds / rows[other].seconds if what in rows and other in rows else None

    for name, bound in (("big", 1.3), ("small", 2.0)):
        yield Goal(f"{name}: indexed day x floor", ratio(name, INDEXED, FLOOR), bound)
        yield Goal(f"{name}: the same, its image read from disk", ratio(name, INDEXED, FLOOR_DISK), bound)
    for name, bound in (("big", 1.5), ("small", 2.2)):
        yield Goal(f"{name}: unindexed day x bare floor", ratio(name, UNINDEXED, BARE), bound)
    for name, bound in (("small", 1.0), ("mix", 1.0), ("big", 1.1)):
        yield Goal(f"{name}: indexed day x Cedar Backup", ratio(name, INDEXED, CEDAR), bound)
        yield Goal(f"{name}: unindexed day x Cedar Backup", ratio(name, UNINDEXED, CEDAR), bound)
    yield Goal("small: check alone x Cedar Backup", ratio("small", VERIFY, CEDAR_CHECK), 0.5)
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
