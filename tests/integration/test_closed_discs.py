"""Discs that are closed: with each session, with the one that fills them, or by hand with `seal`."""

from __future__ import annotations

import os
from typing import Any

import pytest
from tests.burner.burner import Burner, Effect, Fault
from tests.burner.preload import require
from tests.conftest import Project

FIRST, SECOND, THIRD = "2026/11/21", "2026/11/22", "2026/11/23"
SEQUENTIAL = ["dvd+r", *(pytest.param(name, marks=pytest.mark.slow) for name in ("bd-r", "cd-r", "dvd-r"))]


@pytest.fixture(autouse=True)
def _drive(project: Project) -> None:
    require()
    project.configure(device="/dev/sr0")


def store(project: Project, drive: Burner, *days: str) -> int:
    for day in days:
        project.stage(day)
    ran = project.run("store", environ=drive.env())
    print(ran.err)  # noqa: T201 - seen when a test fails
    return ran.status


def discs(project: Project) -> list[dict[str, Any]]:
    details = project.run("--json", "discs").json["details"]
    assert isinstance(details, list)
    return details


@pytest.mark.long
@pytest.mark.parametrize("medium", SEQUENTIAL)
def test_a_disc_is_closed_with_its_session_when_that_is_always_wished(project: Project, medium: str) -> None:
    project.configure(device="/dev/sr0", close="always")
    with Burner(profile=medium) as drive:
        assert store(project, drive, FIRST) == 0
        assert drive.state().final
        (disc,) = discs(project)
        assert (disc["accepts_sessions"], disc["reason"]) == (False, "it is closed")
        assert "takes no more sessions: it is closed" in project.run("discs").out
        assert project.run("verify", environ=drive.env()).status == 0
        project.stage(SECOND)
        ran = project.run("store", environ=drive.env())
        assert ran.status == 8
        assert "a blank disc" in ran.err
        assert "it is closed" in ran.err
        drive.exchange(medium)
        assert store(project, drive) == 0
        assert drive.state().final
    assert project.is_marked(SECOND)


def test_a_disc_is_closed_with_the_session_that_fills_it(project: Project) -> None:
    project.configure(device="/dev/sr0", close="when-full", margin="0 B")
    with Burner(profile="dvd+r", blocks=10_000) as drive:
        assert store(project, drive, FIRST) == 0
        assert not drive.state().final
        project.stage(SECOND, {"large": os.urandom(14_500_000)})
        ran = project.run("store", environ=drive.env())
        assert ran.status == 0, ran.err
        assert drive.state().final
    assert not discs(project)[0]["accepts_sessions"]


def test_what_cannot_be_closed_takes_further_sessions_though_closing_is_wished(project: Project) -> None:
    project.configure(device="/dev/sr0", close="always")
    with Burner(profile="dvd+rw") as drive:
        assert store(project, drive, FIRST) == 0
        assert store(project, drive, SECOND) == 0
        assert [len(disc["sessions"]) for disc in discs(project)] == [2]
    project.configure(device="shelf:shelf", close="always")
    project.stage(THIRD)
    assert project.run("store").status == 0
    assert discs(project)[1]["accepts_sessions"]


def test_a_closed_disc_whose_session_is_bad_makes_its_day_due_on_another(project: Project) -> None:
    project.configure(device="/dev/sr0", close="always")
    with Burner(profile="dvd+r") as drive:
        project.stage(FIRST, {"letter": os.urandom(400_000)})
        drive.faults([Fault("read", lba=100, times=1000)])
        assert project.run("store", environ=drive.env()).status == 8
        assert not project.is_marked(FIRST)
        drive.exchange("dvd+r")
        drive.faults([])
        assert store(project, drive) == 0
    assert project.is_marked(FIRST)
    assert [disc["sessions"][0]["status"] for disc in discs(project)] == ["bad", "verified"]


@pytest.mark.long
@pytest.mark.parametrize("medium", SEQUENTIAL)
def test_a_sealed_disc_is_closed_and_read_and_shows_what_it_showed(project: Project, medium: str) -> None:
    with Burner(profile=medium) as drive:
        assert store(project, drive, FIRST) == 0
        assert store(project, drive, SECOND) == 0
        label = discs(project)[0]["label"]
        ran = project.run("--json", "seal", label, environ=drive.env())
        assert ran.status == 0, ran.err
        assert (ran.json["closed"], ran.json["session"], ran.json["discs"]) == (True, 3, [label])
        assert drive.state().final
        assert drive.state().closed_sessions == 3
        assert project.run("verify", "/dev/sr0", environ=drive.env()).status == 0
        (disc,) = discs(project)
        assert (disc["accepts_sessions"], disc["reason"]) == (False, "it is sealed")
        assert [(each["status"], each["days"]) for each in disc["sessions"]] == [
            ("verified", [FIRST]),
            ("verified", [SECOND]),
            ("verified", []),
        ]
        assert "verified  seal" in project.run("discs", label).out
        again = project.run("seal", label, environ=drive.env())
        assert again.status == 0, again.err
        assert drive.state().closed_sessions == 3  # nothing is left to be written
        assert store(project, drive, THIRD) == 8
        drive.exchange(medium)
        assert store(project, drive) == 0


def test_a_sealed_disc_that_cannot_be_closed_takes_nothing_more_all_the_same(project: Project) -> None:
    with Burner(profile="dvd+rw") as drive:
        assert store(project, drive, FIRST) == 0
        label = discs(project)[0]["label"]
        ran = project.run("--json", "seal", label, environ=drive.env())
        assert ran.status == 0, ran.err
        assert (ran.json["closed"], ran.json["session"]) == (False, None)
        assert len(ran.json["verdicts"]) == 1  # type: ignore[arg-type]
        assert "cannot be" in project.run("seal", label, environ=drive.env()).out
        assert store(project, drive, SECOND) == 8
        assert project.run("verify", environ=drive.env()).status == 0
        assert store(project, drive) == 8
    assert not project.is_marked(SECOND)


def test_a_sealed_image_is_followed_by_another(project: Project) -> None:
    project.configure()
    project.stage(FIRST)
    assert project.run("store").status == 0
    label = discs(project)[0]["label"]
    before = project.images()[0].read_bytes()
    ran = project.run("seal", label)
    assert ran.status == 0, ran.err
    assert project.images()[0].read_bytes() == before
    project.stage(SECOND)
    assert project.run("store").status == 0
    assert len(project.images()) == 2


def test_a_seal_that_has_no_room_leaves_the_disc_as_it_is(project: Project) -> None:
    project.configure(device="/dev/sr0", margin="0 B")
    with Burner(profile="dvd+r", blocks=2_150) as drive:
        assert store(project, drive, FIRST) == 0
        before = drive.state()
        ran = project.run("seal", discs(project)[0]["label"], environ=drive.env())
        assert ran.status == 8
        assert "can be read as it is" in ran.err
        assert drive.state() == before
        assert project.run("verify", environ=drive.env()).status == 0


def test_only_the_disc_that_is_named_is_sealed(project: Project) -> None:
    with Burner(profile="dvd+r") as drive:
        assert store(project, drive, FIRST) == 0
        label = discs(project)[0]["label"]
        unknown = project.run("seal", "CC_19990101_001", environ=drive.env())
        assert unknown.status == 8
        assert "knows no disc" in unknown.err
        drive.exchange("dvd+r")
        ran = project.run("seal", label, environ=drive.env())
        assert ran.status == 8
        assert f"{label} is needed" in ran.err
        assert drive.state().tracks == []


@pytest.mark.slow
def test_a_seal_that_lost_its_power_is_made_again(project: Project) -> None:
    with Burner(profile="dvd+r") as drive:
        assert store(project, drive, FIRST) == 0
        label = discs(project)[0]["label"]
        lba = drive.state().tracks[-1].end + 2048 + 40
        drive.faults([Fault("write", lba=lba, effect=Effect.POWER_LOSS)])
        assert project.run("seal", label, environ=drive.env()).status == 9
        assert drive.has_lost_power()
        drive.start()
        ran = project.run("seal", label, environ=drive.env())
        assert ran.status == 0, ran.err
        assert drive.state().final
        assert project.run("verify", environ=drive.env()).status == 0
