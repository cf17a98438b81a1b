"""A week of stores on every kind of disc."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from tests.burner.burner import Burner
from tests.burner.preload import require
from tests.conftest import Project

from cedarchest.adapters.optical import OpticalDrive
from cedarchest.adapters.xorriso import Xorriso
from cedarchest.model.image.identity import find_nodes, read_node

pytestmark = pytest.mark.slow

WEEK = [f"2026/11/{day:02d}" for day in range(15, 22)]
FORMATTED_BD_R = "bd-r with spare areas"
APPENDABLE = [
    "cd-r", "cd-rw", "dvd-r", "dvd-rw", "dvd+r", "dvd+r-dl", "bd-r", FORMATTED_BD_R,
    "dvd-ram", "dvd-rw-overwrite", "dvd+rw", "bd-re",
]  # fmt: skip


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
