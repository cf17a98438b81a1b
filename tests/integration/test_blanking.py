"""Rewritable discs that are erased: what says what is on them, or all of them."""

from __future__ import annotations

import pytest
from tests.burner.burner import Burner
from tests.burner.preload import require
from tests.conftest import Project

FIRST, SECOND, THIRD, FOURTH = "2026/11/21", "2026/11/22", "2026/11/23", "2026/11/24"
LATE = "2027-01-15T23:00"
WHOLE, MINIMALLY = "a1 10", "a1 11"  # BLANK at once, of the whole disc or of what says what is on it
FORMAT = "04 11"


@pytest.fixture(autouse=True)
def _drive(project: Project) -> None:
    require()
    project.configure(device="/dev/sr0")


def store(project: Project, drive: Burner, day: str) -> int:
    project.stage(day)
    ran = project.run("store", environ=drive.env())
    print(ran.err)  # noqa: T201 - seen when a test fails
    return ran.status


def erased(project: Project, drive: Burner, *options: str) -> list[str]:
    """How a drive was told to erase its disc."""
    drive.reset_counts()
    ran = project.run("initialize", "--yes", *options, environ={**drive.env(), "CEDARCHEST_NOW": LATE})
    assert ran.status == 0, ran.err
    return [line[:5] for line in drive.log() if line.startswith(("a1 ", "04 "))]


@pytest.mark.long
@pytest.mark.parametrize(
    ("medium", "quick", "full"),
    [
        ("cd-rw", [MINIMALLY], [WHOLE]),
        pytest.param("dvd-rw", [WHOLE], [WHOLE], marks=pytest.mark.slow),
        pytest.param("dvd+rw", [], [FORMAT], marks=pytest.mark.slow),
        pytest.param("bd-re", [], [FORMAT], marks=pytest.mark.slow),
        pytest.param("dvd-ram", [], [FORMAT], marks=pytest.mark.slow),
        pytest.param("dvd-rw-overwrite", [], [FORMAT], marks=pytest.mark.slow),
    ],
)
def test_a_disc_is_erased_quickly_or_as_a_whole_and_takes_several_sessions_again(
    project: Project, medium: str, quick: list[str], full: list[str]
) -> None:
    with Burner(medium) as drive:
        assert store(project, drive, FIRST) == 0
        assert erased(project, drive) == quick
        assert store(project, drive, SECOND) == 0
        assert erased(project, drive, "--full-blank") == full
        assert store(project, drive, THIRD) == 0
        assert store(project, drive, FOURTH) == 0
        assert project.run("verify", environ=drive.env()).status == 0
        assert (drive.state().refused_overwrites, drive.state().refused_addresses) == (0, 0)
    details = project.run("--json", "discs").json["details"]
    assert isinstance(details, list)
    assert [len(disc["sessions"]) for disc in details] == [1, 1, 2]


def test_a_blank_dvd_rw_for_one_session_is_made_one_for_several(project: Project) -> None:
    with Burner("dvd-rw-minimal") as drive:
        assert erased(project, drive) == [WHOLE]
        assert store(project, drive, FIRST) == 0
        assert store(project, drive, SECOND) == 0
        assert drive.state().closed_sessions == 2


def test_a_blank_disc_is_left_as_it_is(project: Project) -> None:
    with Burner("cd-rw") as drive:
        assert erased(project, drive, "--full-blank") == []
