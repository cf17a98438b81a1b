"""How long restoring takes, beside `xorriso -osirrox` and `tar x`; and making the catalog anew from a disc.

Whole processes on the same disc in one run, medians of several; each ends with its output on stable storage.
`bench/restore.py --help`; it asserts nothing, the exit status says only that it ran.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # it is run as a file

from bench.compare import Medians, Prepared, compare, set_aside
from bench.processes import environment
from bench.report import Goal
from bench.subjects import program

RESTORE = "restore and sync"
FLOOR = "xorriso -osirrox, tar x and sync"
REBUILD = "catalog rebuild"
LISTED = "xorriso -find, all paths"

_OURS = """[options]
state_dir = "state"
[collect]
dir = "collect"
mode = "daily"
[[collect.source]]
path = "{place}/tree"
[stage]
dir = "staging"
[[peer]]
name = "peer"
collect_dir = "collect"
[store]
device = "shelf:shelf"
capacity = "50 GiB"
"""


@dataclass(frozen=True)
class Subjects:
    """One disc with one tree in an archive, and all that brings it back."""

    place: Path

    @cached_property
    def all(self) -> dict[str, Prepared]:
        """By name: what is done before the clock starts, and the commands."""
        self._store()
        (image,) = (self.place / "run/shelf").glob("*.iso")
        (archive,) = (self.place / "run/staging").glob("*/*/*/peer/*.tar.zst")
        on_disc = "/" + str(archive.relative_to(self.place / "run/staging"))
        back, packed = str(self.place / "back"), str(self.place / "packed.tar.zst")
        sync = ["sync", "-f", back]
        xorriso = ["xorriso", "-no_rc", "-osirrox", "on", "-indev", f"stdio:{image}"]
        config = str(self.place / "run/cedarchest.toml")
        anew = str(self.place / "anew/cedarchest.toml")
        return {
            FLOOR: (
                self._fresh,
                [
                    [*xorriso, "-extract", on_disc, packed],
                    ["tar", "--zstd", "--xattrs", "--acls", "-C", back, "-xpf", packed],
                    sync,
                ],
            ),
            RESTORE: (self._fresh, [[*program(), "-c", config, "-q", "restore", "--to", back], sync]),
            LISTED: (self._fresh, [[*xorriso, "-find", "/", "-exec", "lsdl", "--"]]),
            REBUILD: (self._fresh, [[*program(), "-c", anew, "-q", "catalog", "rebuild", str(image)]]),
        }

    def _store(self) -> None:
        run = self.place / "run"
        run.mkdir()
        (run / "cedarchest.toml").write_text(_OURS.format(place=self.place), encoding="utf-8")
        argv = [*program(), "-c", str(run / "cedarchest.toml"), "-q", "all"]
        subprocess.run(argv, check=True, env=environment())

    def _fresh(self) -> None:
        for name in ("back", "anew"):
            set_aside(self.place / name)
        (self.place / "packed.tar.zst").unlink(missing_ok=True)
        text = _OURS.format(place=self.place)
        (self.place / "anew/cedarchest.toml").write_text(text, encoding="utf-8")
        os.sync()


def goals(found: Medians) -> Iterator[Goal]:
    """What the program is to reach, with what was measured."""
    for name, bound in (("big", 1.3), ("small", 2.0)):
        if rows := found.get(name):
            yield Goal(f"{name}: restore x floor", rows[RESTORE].seconds / rows[FLOOR].seconds, bound)


if __name__ == "__main__":
    compare(__doc__, Subjects, FLOOR, goals)
