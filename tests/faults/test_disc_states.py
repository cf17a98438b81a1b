"""Discs that are neither good nor bad: closed badly, unreadable in one drive, blank and refused."""

from __future__ import annotations

import os
from typing import Any

import pytest
from tests.burner.burner import ALWAYS, Burner, Effect, Fault
from tests.burner.preload import require
from tests.burner.sense import Sense
from tests.conftest import Project, Ran

from cedarchest.adapters.xorriso_words import parse_toc
from cedarchest.errors import NotAppendable

DAY, NEXT = "2026/11/21", "2026/11/22"
FIXATION = Sense(5, 0x72, 3)  # session fixation error, incomplete track in session
SEQUENTIAL = ["dvd+r", *(pytest.param(name, marks=pytest.mark.slow) for name in ("bd-r", "cd-r", "dvd-r"))]


@pytest.fixture(autouse=True)
def _drive(project: Project) -> None:
    require()
    project.configure(device="/dev/sr0")


def store(project: Project, drive: Burner) -> Ran:
    ran = project.run("store", environ=drive.env())
    print(ran.err)  # noqa: T201 - seen when a test fails
    return ran


def discs(project: Project) -> list[dict[str, Any]]:
    details = project.run("--json", "discs").json["details"]
    assert isinstance(details, list)
    return details


def statuses(project: Project) -> list[str]:
    return [session["status"] for disc in discs(project) for session in disc["sessions"]]


def notices(project: Project, drive: Burner) -> Any:
    return project.run("--json", "status", environ=drive.env()).json["notices"]


# -- closed badly --------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize("medium", SEQUENTIAL)
@pytest.mark.parametrize("effect", [Effect.LATE_SENSE, Effect.SENSE], ids=["closed", "not closed"])
def test_a_session_that_is_closed_badly_and_reads_well_is_stored(
    project: Project, medium: str, effect: Effect
) -> None:
    """In the second case the drive closes it when it is asked once more."""
    project.stage(DAY, {"letter": os.urandom(400_000)})
    with Burner(medium) as drive:
        drive.faults([Fault("5b", times=1 if medium == "cd-r" else 2, effect=effect, sense=FIXATION)])
        ran = store(project, drive)
        assert sum(drive.fired()) >= 1
        assert ran.status == 0, ran.err
        assert "the disc takes no more sessions" in ran.err
        assert "[5 72 03]" in ran.err
        assert project.is_marked(DAY)
        assert statuses(project) == ["verified"]
        (disc,) = discs(project)
        assert (disc["accepts_sessions"], disc["reason"]) == (False, "closing a session on it failed")
        (notice,) = notices(project, drive)
        assert notice == f"{disc['label']} takes no more sessions: closing a session on it failed"
        assert notice in project.run("status", environ=drive.env()).out
        assert project.run("verify", environ=drive.env()).status == 0
        assert not discs(project)[0]["accepts_sessions"]
        project.stage(NEXT)
        assert store(project, drive).status == 8
        drive.exchange(medium)
        assert store(project, drive).status == 0
    assert project.is_marked(NEXT)


def test_a_session_that_cannot_be_closed_at_all_is_due_on_another_disc(project: Project) -> None:
    project.stage(DAY, {"letter": os.urandom(400_000)})
    with Burner("dvd+r") as drive:
        drive.faults([Fault("5b", times=ALWAYS, sense=FIXATION)])
        assert store(project, drive).status == 9
        assert not project.is_marked(DAY)
        ran = store(project, drive)
        assert ran.status == 8
        assert "cannot be closed: it takes no more sessions" in ran.err
        assert "blank" in ran.err
        assert statuses(project) == ["abandoned"]
        drive.exchange("dvd+r")
        drive.faults([])
        assert store(project, drive).status == 0
    assert project.is_marked(DAY)


@pytest.mark.slow
def test_a_disc_whose_seal_is_closed_badly_is_sealed_all_the_same(project: Project) -> None:
    project.stage(DAY)
    with Burner("dvd+r") as drive:
        assert store(project, drive).status == 0
        label = discs(project)[0]["label"]
        drive.faults([Fault("5b", times=2, sense=FIXATION)])
        ran = project.run("seal", label, environ=drive.env())
        assert ran.status == 9
        assert "the drive did not close it" in ran.err
        assert statuses(project) == ["verified", "verified"]
        assert not discs(project)[0]["accepts_sessions"]
        again = project.run("seal", label, environ=drive.env())
        assert again.status == 0, again.err
        assert drive.state().final


# -- unreadable in one drive ---------------------------------------------------------------------------


def test_a_session_that_one_drive_cannot_read_is_taken_back_by_one_that_can(project: Project) -> None:
    project.stage(DAY, {"letter": os.urandom(400_000)})
    with Burner("dvd+r") as drive:
        drive.faults([Fault("read", lba=100, times=ALWAYS)])
        ran = store(project, drive)
        assert sum(drive.fired())
        assert ran.status == 8
        label = discs(project)[0]["label"]
        assert "cannot be read in full in EMULATED TEST BURNER 1.00" in ran.err
        assert f"put it into another drive: `cedarchest verify {label}`" in ran.err
        assert statuses(project) == ["bad"]
        reason = discs(project)[0]["sessions"][0]["reason"]
        assert reason.startswith("unreadable in EMULATED TEST BURNER 1.00: ")
        (notice,) = notices(project, drive)
        assert "session 1 was unreadable in EMULATED TEST BURNER 1.00; another drive may read it" in notice
        drive.faults([])  # as another drive reads it
        assert project.run("verify", environ=drive.env()).status == 0
        assert statuses(project) == ["verified"]
        assert project.is_marked(DAY)
        assert notices(project, drive) == []
        project.stage(NEXT)
        assert store(project, drive).status == 0
        assert len(discs(project)) == 1


def test_a_disc_that_differs_is_no_fault_of_the_drive(project: Project) -> None:
    project.stage(DAY, {"letter": b"needle in the stack " * 3000})
    with Burner("dvd+r") as drive:
        assert store(project, drive).status == 0
        raw = drive.data_path.read_bytes().replace(b"needle in the stack ", b"needle in tha stack ", 1)
        drive.data_path.write_bytes(raw)
        ran = project.run("verify", environ=drive.env())
        assert ran.status == 7
        assert "another drive" not in ran.err
        assert notices(project, drive) == []


# -- blank and refused ---------------------------------------------------------------------------------


@pytest.mark.parametrize("medium", ["dvd+r", "dvd+rw", pytest.param("bd-r", marks=pytest.mark.slow), "cd-r"])
@pytest.mark.parametrize("sense", [Sense(2, 0x30, 5), Sense(7, 0x27, 0)], ids=str)
def test_a_blank_disc_that_its_drive_refuses_is_not_counted(
    project: Project, medium: str, sense: Sense
) -> None:
    project.stage(DAY)
    with Burner(medium) as drive:
        drive.faults([Fault("write", times=ALWAYS, sense=sense)])
        ran = store(project, drive)
        assert sum(drive.fired())
        assert ran.status == 8
        assert "refuses to write its first block" in ran.err
        assert "Insert another disc" in ran.err
        assert statuses(project) == ["abandoned"]
        (disc,) = discs(project)
        assert (disc["given_up"], disc["reason"]) == (True, "its drive refused to write on it")
        drive.exchange(medium)
        drive.faults([])
        assert store(project, drive).status == 0
    assert project.is_marked(DAY)


@pytest.mark.parametrize("status", ["is unsuitable", "is not recognizable"])
def test_a_disc_that_the_drive_was_not_made_for_is_said_to_be_one(status: str) -> None:
    lines = [
        "R:1: Drive type   : vendor 'MAKER' product 'MODEL' revision '1.00'",
        "R:1: Media current: is not recognizable",
        f"R:1: Media status : {status}",
        "R:1: Media blocks : 0 readable , 0 writable , 0 overall",
    ]
    with pytest.raises(NotAppendable, match=f"cannot use the disc in it: the disc {status}"):
        parse_toc(lines)
