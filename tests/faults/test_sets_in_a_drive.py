"""Sets and copies on an emulated burner where discs are exchanged in an order that nobody planned."""

from __future__ import annotations

import hashlib

import pytest
from tests.burner.burner import Burner
from tests.burner.preload import require
from tests.cli.program import told
from tests.conftest import Project, Ran

DAY, NEXT = "2026/11/22", "2026/11/23"
FIRST = "CC_20261123_001"
DISC = 2500


@pytest.fixture(autouse=True)
def _drive(project: Project) -> None:
    require()
    project.configure(device="/dev/sr0")


def run(project: Project, drive: Burner, *arguments: str) -> Ran:
    environ = {**drive.env(), "CEDARCHEST_NOW": "2026-11-23T23:00"}
    ran = project.run("--json", *arguments, environ=environ)
    print(ran.err)  # noqa: T201 - seen when a test fails
    return ran


def stage_large(project: Project, files: int, day: str = DAY) -> None:
    names = [f"f{number}" for number in range(files)]
    project.stage(day, {name: hashlib.shake_256((day + name).encode()).digest(1_000_000) for name in names})


def test_a_disc_that_grew_after_it_was_read_for_a_copy_is_read_anew(project: Project) -> None:
    with Burner("dvd+r") as drive:
        project.stage(DAY)
        assert run(project, drive, "store").status == 0
        assert run(project, drive, "copy", FIRST).status == 8
        project.stage(NEXT)
        assert run(project, drive, "store").status == 0
        run(project, drive, "copy", FIRST)
        drive.exchange("dvd+r")
        ran = run(project, drive, "copy", FIRST)
        assert (ran.status, told(ran)["days"]) == (0, [DAY, NEXT]), ran.err


def test_a_volume_is_not_erased_for_the_next_one_of_its_day(project: Project) -> None:
    project.configure(device="/dev/sr0", retention="0 days")
    stage_large(project, 7)
    with Burner(profile="dvd+rw", blocks=DISC) as drive:
        ran = run(project, drive, "store")
        discs = told(run(project, drive, "discs"))["details"]
        assert [disc["given_up"] for disc in discs] == [False], ran.err


def test_a_dry_run_shows_the_copy_that_would_be_written_now(project: Project) -> None:
    project.configure(device="/dev/sr0", copies=2)
    project.stage(DAY)
    with Burner("dvd+r") as drive:
        assert run(project, drive, "store").status == 8
        project.stage(NEXT)
        dry = run(project, drive, "store", "--dry-run")
        assert [each["days"] for each in told(dry).get("volumes", ())][:1] == [[NEXT]], dry.err
        ran = run(project, drive, "store")
        assert told(ran)["discs"] == [FIRST]


def test_status_plans_the_copy_that_is_due(project: Project) -> None:
    project.configure(device="/dev/sr0", copies=2)
    project.stage(DAY)
    with Burner("dvd+r") as drive:
        assert run(project, drive, "store").status == 8
        drive.exchange("dvd+r")
        planned = told(run(project, drive, "status"))["volumes"]
        assert [each["copy"] for each in planned] == [2]


def test_a_burnt_session_is_not_given_up_because_a_blank_disc_is_in_the_drive(project: Project) -> None:
    project.configure(device="/dev/sr0", check="deferred")
    stage_large(project, 7)
    with Burner(profile="dvd+r", blocks=DISC) as drive:
        assert run(project, drive, "store").status == 8
        drive.exchange("dvd+r", blocks=DISC)
        run(project, drive, "store")
        first = told(run(project, drive, "discs"))["details"][0]
        assert [session["status"] for session in first["sessions"]] == ["burnt"], first
