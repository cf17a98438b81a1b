"""How long staging takes, beside `rsync -a` of the same collect dir.

Whole processes on the same trees in one run, medians of several; each ends with its output on stable
storage. `bench/stage.py --help`; it asserts nothing, the exit status says only that it ran.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # it is run as a file

from bench.compare import Medians, Prepared, compare, set_aside
from bench.report import Goal
from bench.subjects import program

STAGE = "stage"
RSYNC = "rsync -a and sync"

_OURS = """[options]
state_dir = "state"
[stage]
dir = "staging"
[[peer]]
name = "peer"
collect_dir = "{place}/tree"
"""


@dataclass(frozen=True)
class Subjects:
    """One collect dir and all that copies it; nothing is there of the copy when one begins."""

    place: Path

    @cached_property
    def all(self) -> dict[str, Prepared]:
        """By name: what is done before the clock starts, and the commands."""
        ours = [*program(), "--config", str(self.place / "run/cedarchest.toml"), "--quiet", "stage"]
        copy = str(self.place / "copy")
        sync = ["sync", "-f", copy]
        return {
            RSYNC: (self._fresh, [["rsync", "-a", f"{self.place}/tree/", copy], sync]),
            STAGE: (self._fresh, [ours]),
        }

    def _fresh(self) -> None:
        for name in ("run", "copy"):
            set_aside(self.place / name)
        (self.place / "run/cedarchest.toml").write_text(_OURS.format(place=self.place), encoding="utf-8")
        (self.place / "tree" / "cback.collect").touch()


def goals(found: Medians) -> Iterator[Goal]:
    """What the program is to reach, with what was measured."""
    for name, rows in found.items():
        yield Goal(f"{name}: stage x rsync -a", rows[STAGE].seconds / rows[RSYNC].seconds, 1.3)


if __name__ == "__main__":
    compare(__doc__, Subjects, RSYNC, goals)
