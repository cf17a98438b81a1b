"""How long staging takes, beside `rsync -a` of the same collect dir and beside Cedar Backup.

Whole processes on the same trees in one run, medians of several; each ends with its output on stable
storage. `bench/stage.py --help`; it asserts nothing, the exit status says only that it ran.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # it is run as a file

from bench.compare import Medians, Prepared, compare
from bench.report import Goal
from bench.subjects import cedar_version, program

STAGE = "stage"
RSYNC = "rsync -a and sync"
CEDAR = "Cedar Backup stage"

_OURS = """[options]
state_dir = "state"
[stage]
dir = "staging"
[[peer]]
name = "peer"
collect_dir = "{place}/tree"
"""
_CEDAR = """<?xml version="1.0"?>
<cb_config>
<reference><author/><revision/><description/></reference>
<options><starting_day>monday</starting_day><working_dir>{place}/run</working_dir>
<backup_user>root</backup_user><backup_group>root</backup_group><rcp_command>scp</rcp_command></options>
<stage><staging_dir>{place}/copy</staging_dir>
<peer><name>peer</name><type>local</type><collect_dir>{place}/tree</collect_dir></peer></stage>
</cb_config>
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
        subjects: dict[str, Prepared] = {
            RSYNC: (self._fresh, [["rsync", "-a", f"{self.place}/tree/", copy], sync]),
            STAGE: (self._fresh, [ours]),
        }
        if cedar_version():
            cedar = ["cback3", "--quiet", "--config", str(self.place / "run/cedar.xml")]
            subjects[CEDAR] = (
                self._fresh,
                [[*cedar, "--logfile", str(self.place / "run/cedar.log"), "stage"], sync],
            )
        return subjects

    def _fresh(self) -> None:
        for name in ("run", "copy"):
            shutil.rmtree(self.place / name, ignore_errors=True)
            (self.place / name).mkdir()
        for name, text in (("cedarchest.toml", _OURS), ("cedar.xml", _CEDAR)):
            (self.place / "run" / name).write_text(text.format(place=self.place), encoding="utf-8")
        (self.place / "tree" / "cback.stage").unlink(missing_ok=True)
        (self.place / "tree" / "cback.collect").touch()


def goals(found: Medians) -> Iterator[Goal]:
    """What the program is to reach, with what was measured."""
    for name, rows in found.items():
        yield Goal(f"{name}: stage x rsync -a", rows[STAGE].seconds / rows[RSYNC].seconds, 1.3)


if __name__ == "__main__":
    compare(__doc__, Subjects, RSYNC, goals)
