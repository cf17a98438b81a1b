"""Two emulated burners at once, with real xorriso: copies and sets, and a burner that fails."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.burner.burner import Burner
from tests.burner.faults import Fault
from tests.burner.preload import require
from tests.cli.program import told
from tests.conftest import Project, Ran

pytestmark = pytest.mark.slow

DAY, NEXT = "2026/11/22", "2026/11/23"
DISC = 2500
"""Blocks of the discs of a set."""

REAL = shutil.which("xorriso") or "xorriso"


@dataclass
class Two:
    """Two burners for one project."""

    project: Project
    first: Burner
    second: Burner

    def run(self, *arguments: str, path: str = "") -> Ran:
        environ = {**self.first.env_with(self.second), "CEDARCHEST_NOW": "2026-11-23T23:00"}
        ran = self.project.run("--json", *arguments, environ={**environ, "PATH": path or environ["PATH"]})
        print(ran.err)  # noqa: T201 - seen when a test fails
        return ran

    def statuses(self) -> list[str]:
        details = told(self.run("discs"))["details"]
        return sorted(session["status"] for disc in details for session in disc["sessions"])

    def refusals(self) -> list[int]:
        return [drive.state().refused_overwrites for drive in (self.first, self.second)]


@pytest.fixture
def two(project: Project) -> Iterator[Two]:
    """A project with two burners, each with a small blank DVD+R."""
    require()
    project.configure(device=["/dev/sr0", "/dev/sr1"])
    with Burner("dvd+r", blocks=DISC) as first, Burner("dvd+r", blocks=DISC) as second:
        yield Two(project, first, second)


def together(folder: Path) -> str:
    """A path on which xorriso, told to write, waits until another one is told so as well; alone it fails."""
    folder.mkdir()
    wait = (
        f"touch {folder}/told.$$; n=0; until [ $(ls {folder} | grep -c told) -ge 2 ];"
        " do sleep 0.02; n=$((n+1)); [ $n -lt 1500 ] || exit 1; done"
    )
    burn = f"{REAL} -no_rc -signal_handling sig_ign -abort_on FATAL -pkt_output on"
    (folder / "xorriso").write_text(
        "#!/bin/sh\n"
        f'case "$*" in *-options_from_file*) ;; *) exec {REAL} "$@";; esac\n'
        'for each; do case "$each" in /dev/fd/*) commands=$each;; esac; done\n'
        f'{{ sed -u "/^-end$/Q" <"$commands"; ({wait}) && echo -end; }} |'
        f" {burn} -options_from_file - -rollback_end\n"
    )
    (folder / "xorriso").chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def stage_large(project: Project, files: int) -> None:
    """A day of files of 1 MB each."""
    project.stage(DAY, {f"f{n}": hashlib.shake_256(bytes([n])).digest(1_000_000) for n in range(files)})


def test_two_copies_are_burnt_at_once_and_each_goes_on_where_its_disc_is(two: Two, tmp_path: Path) -> None:
    two.project.configure(device=["/dev/sr0", "/dev/sr1"], copies=2)
    for drive in (two.first, two.second):
        drive.exchange("dvd+r")
    two.project.stage(DAY)
    ran = two.run("store", path=together(tmp_path / "tools"))
    assert (ran.status, told(ran)["days"]) == (0, [DAY])
    assert sorted(told(ran)["discs"]) == ["CC_20261123_001", "CC_20261123_B001"]
    before = two.first.exchange("none"), two.second.exchange("none")
    two.first.exchange("dvd+r", directory=before[1])
    two.second.exchange("dvd+r", directory=before[0])
    two.project.stage(NEXT)
    ran = two.run("store", path=together(tmp_path / "again"))
    assert (ran.status, told(ran)["days"]) == (0, [NEXT])
    assert two.statuses() == ["verified"] * 4
    assert [drive.state().closed_sessions for drive in (two.first, two.second)] == [2, 2]
    assert two.refusals() == [0, 0]
    assert two.run("verify").status == 0
    for label in ("CC_20261123_001", "CC_20261123_B001"):
        assert two.run("verify", label).status == 0


def test_a_set_goes_over_two_burners_at_once(two: Two, tmp_path: Path) -> None:
    stage_large(two.project, 7)
    ran = two.run("store", path=together(tmp_path / "tools"))
    assert (ran.status, told(ran)["days"]) == (0, [DAY])
    assert (two.statuses(), two.refusals()) == (["verified"] * 2, [0, 0])
    assert two.project.is_marked(DAY)


def test_a_burner_that_fails_leaves_the_volume_of_the_other_proven(two: Two) -> None:
    stage_large(two.project, 7)
    two.second.faults([Fault("write", lba=800, times=-1)])
    ran = two.run("store")
    assert ran.status != 0
    assert two.second.fired() != [0]
    assert "verified" in two.statuses()
    assert not two.project.is_marked(DAY)
    assert two.first.state().closed_sessions == 1
    two.second.faults([])
    two.run("store")  # looks at what came of the burn that failed
    two.second.exchange("dvd+r", blocks=DISC)
    ran = two.run("store")
    assert (ran.status, told(ran)["days"]) == (0, [DAY])
    assert (two.first.state().closed_sessions, two.refusals()) == (1, [0, 0])
