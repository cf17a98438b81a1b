"""`catalog rebuild` with an emulated burner: discs are all that is left."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.burner.burner import Burner
from tests.burner.preload import require
from tests.cli.program import error_of, told
from tests.conftest import Project, Ran

FIRST, SECOND, THIRD = "2026/11/21", "2026/11/22", "2026/11/23"
NOW = "2026-11-23T23:00:00+00:00"
MEDIA = ["bd-r", *(pytest.param(name, marks=pytest.mark.slow) for name in ("cd-r", "dvd+rw"))]


@pytest.fixture(autouse=True)
def _drive(project: Project) -> None:
    require()
    project.configure(device="/dev/sr0")


def run(project: Project, drive: Burner, *arguments: str) -> Ran:
    return project.run("--json", *arguments, environ={**drive.env(), "CEDARCHEST_NOW": NOW})


def two_days(project: Project, drive: Burner) -> dict[str, object]:
    """Store two days, lose all but the disc; what the catalog had of it."""
    for day in (FIRST, SECOND):
        project.stage(day)
        assert run(project, drive, "store").status == 0
    (details,) = told(run(project, drive, "discs"))["details"]
    shutil.rmtree(project.root / "state")
    assert isinstance(details, dict)
    return details


@pytest.mark.long
@pytest.mark.parametrize("medium", MEDIA)
def test_a_disc_in_the_drive_is_entered_read_and_appended_to(project: Project, medium: str) -> None:
    with Burner(profile=medium) as drive:
        before = two_days(project, drive)
        ran = run(project, drive, "catalog", "rebuild")
        assert (ran.status, told(ran)["entered"][0]["sessions"]) == (0, [1, 2]), ran.err
        (entered,) = told(run(project, drive, "discs"))["details"]
        assert {each["status"] for each in entered["sessions"]} == {"claimed"}
        project.stage(THIRD)
        ran = run(project, drive, "store")
        assert (ran.status, told(ran)["days"]) == (0, [THIRD]), ran.err
        assert run(project, drive, "verify").status == 0
        (after,) = told(run(project, drive, "discs"))["details"]
        assert run(project, drive, "verify", "/dev/sr0").status == 0
    assert [each["status"] for each in after["sessions"]] == ["verified"] * 3
    assert isinstance(before["sessions"], list)
    for now, then in zip(after["sessions"], before["sessions"], strict=False):
        assert {**now, "speed_used": 0} == {**then, "speed_used": 0}
    for key in ("disc_id", "label", "medium", "copy", "capacity_blocks", "accepts_sessions", "reason"):
        assert after[key] == before[key], key


def test_an_image_of_a_burnt_disc_is_entered_as_the_disc_that_it_is_of(
    project: Project, tmp_path: Path
) -> None:
    image = tmp_path / "copied.iso"
    with Burner(profile="dvd+rw") as drive:
        before = two_days(project, drive)
        shutil.copy(drive.data_path, image)
        ran = run(project, drive, "catalog", "rebuild", str(image))
        assert ran.status == 0, ran.err
        (entered,) = told(run(project, drive, "discs"))["details"]
        assert (entered["medium"], entered["capacity_blocks"]) == (
            before["medium"],
            before["capacity_blocks"],
        )
        ran = run(project, drive, "verify")
        assert ran.status == 0, ran.err
        project.stage(THIRD)
        ran = run(project, drive, "store")
        assert (ran.status, told(ran)["volumes"][0]["new_disc"]) == (0, False), ran.err


def test_a_rewritable_disc_that_only_claims_what_it_holds_is_not_erased(project: Project) -> None:
    project.configure(device="/dev/sr0", retention="1 days")
    with Burner(profile="dvd+rw") as drive:
        project.stage("2026/10/01")
        assert run(project, drive, "store").status == 0
        (details,) = told(run(project, drive, "discs"))["details"]
        shutil.rmtree(project.root / "state")
        assert run(project, drive, "catalog", "rebuild").status == 0
        ran = run(project, drive, "initialize", "--yes")
        assert ran.status == 8
        assert f"was not read yet (cedarchest verify {details['label']})" in told(ran)["error"]["message"]
        assert run(project, drive, "verify").status == 0


def test_a_blank_disc_and_an_empty_drive_are_said_to_hold_nothing(project: Project) -> None:
    with Burner(profile="bd-r") as drive:
        ran = run(project, drive, "catalog", "rebuild")
        assert (ran.status, error_of(ran)["kind"]) == (8, "NoMedium")
        assert "/dev/sr0" in error_of(ran)["message"]
