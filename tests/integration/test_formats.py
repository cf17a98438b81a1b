"""Discs that get spare blocks, by which the drive replaces bad ones, and discs that do not."""

from __future__ import annotations

import os
import subprocess

import pytest
from tests.burner.burner import ALWAYS, Burner, Fault
from tests.burner.preload import require
from tests.burner.sense import Sense
from tests.conftest import Project

FIRST, SECOND = "2026/11/21", "2026/11/22"


@pytest.fixture(autouse=True)
def _drive(project: Project) -> None:
    require()
    project.configure(device="/dev/sr0", defect_management=True)


def store(project: Project, drive: Burner, *days: str) -> int:
    for day in days:
        project.stage(day)
    ran = project.run("store", environ=drive.env())
    print(ran.err)  # noqa: T201 - seen when a test fails
    return ran.status


def capacity(project: Project) -> int:
    details = project.run("--json", "discs").json["details"]
    assert isinstance(details, list)
    found: int = details[0]["capacity_blocks"]
    return found


@pytest.mark.parametrize("medium", ["bd-r", pytest.param("bd-re", marks=pytest.mark.slow)])
def test_a_bd_gets_spare_blocks_before_its_first_session(project: Project, medium: str) -> None:
    with Burner(profile=medium) as drive:
        assert store(project, drive, FIRST) == 0
        assert drive.state().spare == 393_216
        assert drive.counts()["04"] == 1
        assert store(project, drive, SECOND) == 0
        assert drive.counts()["04"] == 1
        assert drive.state().refused_overwrites == 0
        assert project.run("verify", environ=drive.env()).status == 0
    assert capacity(project) == 12_219_392 - 393_216


def test_a_bd_r_is_left_without_spare_blocks_where_nothing_is_said_of_them(project: Project) -> None:
    project.configure(device="/dev/sr0")
    with Burner(profile="bd-r") as drive:
        assert store(project, drive, FIRST) == 0
        assert not drive.state().formatted
        assert "04" not in drive.counts()
    assert capacity(project) == 12_219_392


def test_a_bd_re_that_has_no_spare_blocks_gets_them(project: Project) -> None:
    with Burner(profile="bd-re") as drive:
        subprocess.run(
            ["xorriso", "-no_rc", "-outdev", "/dev/sr0", "-format", "without_spare", "-rollback_end"],
            env=drive.env(), check=True, capture_output=True,
        )  # fmt: skip
        assert drive.state().spare == 0
        assert store(project, drive, FIRST) == 0
        assert drive.state().spare == 393_216


@pytest.mark.slow
@pytest.mark.parametrize("medium", ["bd-re", "dvd-ram"])
@pytest.mark.parametrize("managed", [True, False])
def test_rewritable_discs_are_written_as_they_come(project: Project, medium: str, managed: bool) -> None:
    project.configure(device="/dev/sr0", defect_management=managed)
    with Burner(profile=medium) as drive:
        assert store(project, drive, FIRST) == 0
        assert store(project, drive, SECOND) == 0
        assert project.run("verify", environ=drive.env()).status == 0
        assert drive.state().spare > 0


def test_a_plan_counts_spare_blocks_that_a_blank_disc_is_yet_to_get(project: Project) -> None:
    project.stage(FIRST, {"one": os.urandom(6_200 * 2048), "two": os.urandom(6_200 * 2048)})
    planned = []
    with Burner(profile="bd-r", blocks=12_800) as drive:
        for managed in (True, False):
            project.configure(device="/dev/sr0", defect_management=managed, margin="0 B")
            volumes = project.run("--json", "store", "--dry-run", environ=drive.env()).json["volumes"]
            assert isinstance(volumes, list)
            planned.append(len(volumes))
        assert not drive.state().formatted
    assert planned == [2, 1]


def test_a_disc_that_cannot_be_formatted_takes_nothing(project: Project) -> None:
    with Burner(profile="bd-r") as drive:
        drive.faults([Fault("04", times=ALWAYS, sense=Sense(3, 0x31, 1))])
        project.stage(FIRST)
        ran = project.run("store", environ=drive.env())
        assert sum(drive.fired())
        assert ran.status == 8, ran.err
        assert "could not be formatted" in ran.err
        assert "2A" not in drive.counts()
