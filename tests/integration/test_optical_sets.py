"""Sets of discs and copies on an emulated burner: from cron, and with somebody who changes discs."""

from __future__ import annotations

import hashlib

import pytest
from tests.burner.burner import Burner
from tests.burner.faults import Fault
from tests.burner.preload import require
from tests.cli.program import error_of, told
from tests.conftest import Project, Ran
from tests.terminal import Terminal

pytestmark = pytest.mark.long

DAY, NEXT = "2026/11/22", "2026/11/23"
FIRST = "CC_20261123_001"
DISC = 2500
"""Blocks of the discs here."""


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
    """A day of files of 1 MB each."""
    names = [f"f{number}" for number in range(files)]
    project.stage(day, {name: hashlib.shake_256((day + name).encode()).digest(1_000_000) for name in names})


def labels(project: Project, drive: Burner) -> list[str]:
    return list(told(run(project, drive, "discs"))["discs"])


def test_a_set_of_five_goes_on_night_by_night_past_a_wrong_disc_and_a_bad_one(project: Project) -> None:
    stage_large(project, 17)
    with Burner(profile="dvd+r", blocks=DISC) as drive:
        ran = run(project, drive, "store")
        assert ran.status == 8
        assert "Insert a blank disc" in error_of(ran)["advice"]
        first = drive.exchange("dvd+r", blocks=DISC)
        drive.exchange("dvd+r", directory=first)  # the one that is full is put in again
        again = run(project, drive, "store")
        assert (again.status, told(again)["discs"]) == (8, [])
        drive.exchange("dvd+r", blocks=DISC)
        assert len(told(run(project, drive, "store"))["discs"]) == 1
        drive.exchange("dvd+r", blocks=DISC)
        drive.faults([Fault("read", lba=1500, times=-1)])  # it burns well and cannot be read
        assert run(project, drive, "store").status in (7, 8)
        drive.faults([])
        for _ in range(3):
            assert not project.is_marked(DAY)
            drive.exchange("dvd+r", blocks=DISC)
            last = run(project, drive, "store")
        assert last.status == 0
        assert drive.state().refused_overwrites == 0
        details = told(run(project, drive, "discs"))["details"]
    assert project.is_marked(DAY)
    status = [session["status"] for disc in details for session in disc["sessions"]]
    assert (status.count("verified"), status.count("bad")) == (5, 1)


def test_a_volume_that_is_done_is_ejected_where_that_is_wished(project: Project) -> None:
    """So that whoever comes with the next disc finds which one is to be taken out."""
    project.configure(device="/dev/sr0", eject=True)
    stage_large(project, 7)
    with Burner(profile="dvd+r", blocks=DISC) as drive:
        ran = project.run("store", environ=drive.env())
        (disc,) = told(run(project, drive, "discs"))["discs"]
        assert (ran.status, drive.tray_open) == (8, True)
        assert f"wrote {disc} and read it back; no day is whole on disc yet" in ran.out


def test_somebody_at_the_terminal_is_asked_for_the_next_disc(project: Project) -> None:
    stage_large(project, 7)
    with Burner(profile="dvd+r", blocks=DISC) as drive:
        asked = Terminal(project, drive)
        text = asked.until("Press Enter")
        assert "Insert a blank disc" in text
        assert drive.tray_open
        drive.exchange("dvd+r", blocks=DISC)
        asked.answer("\n")
        asked.until("no problems found: every")
        assert asked.status() == 0
    assert project.is_marked(DAY)


def test_who_has_no_other_disc_ends_the_run_and_keeps_what_is_proven(project: Project) -> None:
    stage_large(project, 7)
    with Burner(profile="dvd+r", blocks=DISC) as drive:
        asked = Terminal(project, drive)
        asked.until("Press Enter")
        asked.answer("q\n")
        assert asked.status() == 8
        drive.exchange("dvd+r", blocks=DISC)
        ran = run(project, drive, "store")
        assert (ran.status, told(ran)["days"], len(labels(project, drive))) == (0, [DAY], 2)


def test_two_copies_take_turns_in_one_drive(project: Project) -> None:
    """Each night writes the copy whose disc is in the drive, and says which disc the other one wants."""
    project.configure(device="/dev/sr0", copies=2)
    project.stage(DAY)
    with Burner(profile="dvd+r") as drive:
        ran = run(project, drive, "store")
        assert (ran.status, told(ran)["discs"]) == (8, ["CC_20261123_001"])
        assert not project.is_marked(DAY)
        first = drive.exchange("dvd+r")
        ran = run(project, drive, "store")
        assert (ran.status, told(ran)["discs"], told(ran)["days"]) == (0, ["CC_20261123_B001"], [DAY])
        project.stage(NEXT)
        ran = run(project, drive, "store")
        assert (ran.status, told(ran)["discs"]) == (8, ["CC_20261123_B001"])
        assert "CC_20261123_001" in error_of(ran)["advice"]
        drive.exchange("dvd+r", directory=first)
        ran = run(project, drive, "store")
        assert (ran.status, told(ran)["discs"], told(ran)["days"]) == (0, ["CC_20261123_001"], [NEXT])
    assert project.is_marked(NEXT)


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
