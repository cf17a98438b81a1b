"""A week of stores on every kind of disc, and discs that take one session."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from tests.burner.burner import Burner, Effect, Fault
from tests.burner.preload import require
from tests.conftest import Project

from cedarchest.adapters.optical import OpticalDrive
from cedarchest.adapters.xorriso import Xorriso
from cedarchest.model.disc import DiscState
from cedarchest.model.image.identity import find_nodes, read_node

pytestmark = pytest.mark.long

WEEK = [f"2026/11/{day:02d}" for day in range(15, 22)]
FORMATTED_BD_R = "bd-r with spare areas"
APPENDABLE = [
    "cd-r", "cd-rw", "dvd-r", "dvd-rw", "dvd+r", "dvd+r-dl", "bd-r", FORMATTED_BD_R,
    "dvd-ram", "dvd-rw-overwrite", "dvd+rw", "bd-re",
]  # fmt: skip
SINGLE = ["dvd-r-dl", "dvd-rw-minimal", "dvd-rw-minimal-unsaid"]


@pytest.fixture(autouse=True)
def _drive(project: Project) -> None:
    require()
    project.configure(device="/dev/sr0")


def put_in(medium: str) -> Burner:
    """A drive with a disc that is as it would be used."""
    return Burner("bd-r" if medium == FORMATTED_BD_R else medium)


def prepare(drive: Burner, medium: str) -> None:
    if medium == FORMATTED_BD_R:
        argv = ["xorriso", "-no_rc", "-outdev", "/dev/sr0", "-format", "as_needed"]
        subprocess.run(argv, env=drive.env(), check=True, capture_output=True)
        assert drive.state().spare


def letter(day: str) -> bytes:
    return f"of {day}\n".encode()


def store_day(project: Project, day: str) -> None:
    if not (project.staging / day).exists():
        project.stage(day, {"letter": letter(day)})
    ran = project.run("store")
    assert ran.status == 0, ran.err
    assert project.is_marked(day)


def assert_trees(days: list[str]) -> None:
    """Each session's own tree shows the days up to its own, and their letters."""
    drive = OpticalDrive(Path("/dev/sr0"), Xorriso(), speed="", progress=lambda _: None)
    sessions = drive.observe().sessions
    assert len(sessions) == len(days)
    paths = {f"{day}/alpha/letter".encode(): letter(day) for day in days}
    for entry in sessions:
        found = find_nodes(drive.read, entry.start, list(paths))
        assert list(found) == list(paths)[: entry.number]
        for path, node in found.items():
            assert read_node(drive.read, node, 100) == paths[path]
    drive.close()


@pytest.mark.parametrize("medium", APPENDABLE)
def test_a_week_of_stores_stands_on_one_disc_session_by_session(project: Project, medium: str) -> None:
    with put_in(medium) as drive, drive.attached():
        prepare(drive, medium)
        for day in WEEK:
            store_day(project, day)
        assert_trees(WEEK)
        verified = project.run("verify")
        assert verified.status == 0, verified.err
        assert (drive.state().refused_overwrites, drive.state().refused_addresses) == (0, 0)


@pytest.mark.parametrize("medium", SINGLE)
def test_a_disc_for_one_session_is_full_with_it_and_a_new_one_is_asked_for(
    project: Project, medium: str
) -> None:
    with put_in(medium) as drive, drive.attached():
        store_day(project, WEEK[0])
        assert drive.state().final
        project.stage(WEEK[1], {"letter": letter(WEEK[1])})
        ran = project.run("store")
        assert (ran.status, "Insert a blank disc" in ran.err) == (8, True), ran.err
        assert not project.is_marked(WEEK[1])
        assert project.run("verify").status == 0
        first = drive.exchange(medium)
        store_day(project, WEEK[1])
        assert_trees(WEEK[1:2])
        drive.exchange(medium, directory=first)
        assert_trees(WEEK[:1])


@pytest.mark.parametrize("medium", SINGLE[:2])
def test_a_disc_for_one_session_that_was_cut_off_is_replaced(project: Project, medium: str) -> None:
    with put_in(medium) as drive, drive.attached():
        project.stage(WEEK[0], {"letter": letter(WEEK[0]), "large": os.urandom(3_000_000)})
        drive.faults([Fault("write", lba=500, effect=Effect.POWER_LOSS)])
        assert project.run("store").status == 9
        assert drive.has_lost_power()
        drive.start()
        ran = project.run("store")
        assert (ran.status, "Insert a blank disc" in ran.err) == (8, True), ran.err
        drive.exchange(medium)
        assert project.run("store").status == 0
        assert project.is_marked(WEEK[0])
        assert drive.state().final


def test_a_dvd_rw_for_one_session_takes_several_once_it_was_initialized(project: Project) -> None:
    with put_in("dvd-rw-minimal") as drive, drive.attached():
        store_day(project, WEEK[0])
        later = {"CEDARCHEST_NOW": "2027-01-15T23:00"}
        erased = project.run("initialize", "--yes", environ=later)
        assert erased.status == 0, erased.err
        seen = OpticalDrive(Path("/dev/sr0"), Xorriso(), speed="", progress=lambda _: None).observe()
        assert (seen.state, seen.single) == (DiscState.BLANK, False)
