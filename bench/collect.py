"""How long collecting takes, beside `tar --zstd` and beside Cedar Backup.

Whole processes on the same trees in one run, medians of several; each ends with its output on stable
storage. `bench/collect.py --help`; it asserts nothing, the exit status says only that it ran.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # it is run as a file

from bench.compare import Medians, Prepared, compare
from bench.processes import environment, measure
from bench.report import Goal
from bench.subjects import cedar_version, program

from cedarchest.model.handover import Received, read_collected, write_receipt
from cedarchest.model.index import Kind

WHOLE = "collect, whole"
PLAIN = "collect, whole, tar"
UNCHANGED = "collect, incremental, unchanged"
TAR = "tar --zstd and sync"
CEDAR = "Cedar Backup collect, tar"
CEDAR_PACKED = "Cedar Backup collect, tar.gz"
CEDAR_UNCHANGED = "Cedar Backup collect, incr, unchanged"

_CEDAR = """<?xml version="1.0"?>
<cb_config>
<reference><author/><revision/><description/></reference>
<options><starting_day>{starting_day}</starting_day><working_dir>{place}/work</working_dir>
<backup_user>root</backup_user><backup_group>root</backup_group><rcp_command>scp</rcp_command></options>
<collect><collect_dir>{place}/cedar</collect_dir><collect_mode>{mode}</collect_mode>
<archive_mode>{archive}</archive_mode><ignore_file>.cbignore</ignore_file>
<dir><abs_path>{place}/tree</abs_path></dir></collect>
</cb_config>
"""
_OURS = """[options]
starting_day = "{starting_day}"
state_dir = "state"
[collect]
dir = "collect"
mode = "incr"
archive = "{archive}"
[[collect.source]]
path = "{place}/tree"
"""


@dataclass(frozen=True)
class Subjects:
    """One tree and all that collects it; each preparation leaves the same state, whatever ran before."""

    place: Path

    @cached_property
    def all(self) -> dict[str, Prepared]:
        """By name: what is done before the clock starts, and the commands."""
        ours = [*program(), "--config", str(self.place / "run/cedarchest.toml"), "--quiet", "collect"]
        archive = str(self.place / "tree.tar.zst")
        tar = ["tar", "--create", "--zstd", f"--file={archive}", f"--directory={self.place}", "tree"]
        subjects: dict[str, Prepared] = {
            TAR: (lambda: Path(archive).unlink(missing_ok=True), [tar, ["sync", archive]]),
            WHOLE: (self._fresh, [[*ours, "--full"]]),
            PLAIN: (lambda: self._fresh("tar"), [[*ours, "--full"]]),
            UNCHANGED: (self._proven, [ours]),
        }
        if cedar_version():
            cedar = ["cback3", "--quiet", "--config", str(self.place / "cedar.xml")]
            cedar += ["--logfile", str(self.place / "cedar.log"), "collect"]
            sync = ["sync", "-f", str(self.place / "cedar")]
            subjects[CEDAR] = (lambda: self._cedar("daily"), [cedar, sync])
            subjects[CEDAR_PACKED] = (lambda: self._cedar("daily", archive="targz"), [cedar, sync])
            subjects[CEDAR_UNCHANGED] = (lambda: self._cedar("incr", before=cedar), [cedar, sync])
        return subjects

    def _fresh(self, archive: str = "tar.zst") -> None:
        run = self.place / "run"
        shutil.rmtree(run, ignore_errors=True)
        run.mkdir()
        text = _OURS.format(place=self.place, starting_day=_not_today(), archive=archive)
        (run / "cedarchest.toml").write_text(text, encoding="utf-8")

    def _proven(self) -> None:
        """After a whole collect of yesterday that a receipt proves: nothing rests on one of the same day."""
        self._fresh()
        yesterday = datetime.now(UTC).astimezone() - timedelta(days=1)
        for command in self.all[WHOLE][1]:
            clock = {"CEDARCHEST_NOW": yesterday.isoformat()}
            subprocess.run(command, env={**environment(), **clock}, check=True)
        folder = self.place / "run/collect"
        files = read_collected((folder / "cback.collect.jsonl").read_bytes())
        received = [
            Received(path, Kind.FILE, file.size, 0, file.sha256, copies=1) for path, file in files.items()
        ]
        (folder / "cback.receipts").mkdir()
        receipt = write_receipt("bench", "2026/11/21", (), received)
        (folder / "cback.receipts/2026-11-21.jsonl").write_bytes(receipt)

    def _cedar(self, mode: str, *, archive: str = "tar", before: list[str] | None = None) -> None:
        for name in ("cedar", "work"):
            shutil.rmtree(self.place / name, ignore_errors=True)
            (self.place / name).mkdir()
        text = _CEDAR.format(place=self.place, mode=mode, archive=archive, starting_day=_not_today())
        (self.place / "cedar.xml").write_text(text, encoding="utf-8")
        if before:
            measure([before])


def _not_today() -> str:
    """A starting day on which nothing is whole by itself today."""
    return f"{datetime.now(UTC).astimezone() + timedelta(days=3):%A}".lower()


def goals(found: Medians) -> Iterator[Goal]:
    """What the program is to reach, with what was measured."""

    def ratio(name: str, what: str, other: str) -> float | None:
        rows = found.get(name, {})
        return rows[what].seconds / rows[other].seconds if what in rows and other in rows else None

    for name, bound in (("big", 1.5), ("small", 4.0)):
        yield Goal(f"{name}: whole x tar --zstd", ratio(name, WHOLE, TAR), bound)
        yield Goal(f"{name}: whole x Cedar Backup, tar", ratio(name, WHOLE, CEDAR), 1.0)
        yield Goal(f"{name}: whole, tar x Cedar Backup, tar", ratio(name, PLAIN, CEDAR), 1.0)
        yield Goal(f"{name}: whole x Cedar Backup, tar.gz", ratio(name, WHOLE, CEDAR_PACKED), 1.0)
    yield Goal("small: unchanged x Cedar Backup", ratio("small", UNCHANGED, CEDAR_UNCHANGED), 0.5)


if __name__ == "__main__":
    compare(__doc__, Subjects, TAR, goals)
