"""The program on an emulated burner: what an administrator with a drive and a few discs does."""

from __future__ import annotations

import filecmp
import os
import subprocess
from pathlib import Path

import pytest
from tests.burner.burner import Burner
from tests.burner.preload import require
from tests.conftest import Project

FIRST, SECOND, THIRD = "2026/11/21", "2026/11/22", "2026/11/23"
MEDIA = ["dvd+r", "dvd+rw", "bd-r", "cd-r"]


@pytest.fixture(autouse=True)
def _drive(project: Project) -> None:
    require()
    project.configure(device="/dev/sr0")


def store(project: Project, drive: Burner, *arguments: str, now: str = "2026-11-23T23:00") -> int:
    ran = project.run("store", *arguments, environ={**drive.env(), "CEDARCHEST_NOW": now})
    print(ran.err)  # noqa: T201 - seen when a test fails
    return ran.status


@pytest.mark.parametrize("medium", MEDIA)
def test_days_are_appended_proven_and_read_back_by_others(
    project: Project, medium: str, tmp_path: Path
) -> None:
    with Burner(profile=medium) as drive:
        project.stage(FIRST)
        assert store(project, drive) == 0
        project.stage(SECOND)
        assert store(project, drive) == 0
        assert project.is_marked(FIRST)
        assert project.is_marked(SECOND)
        assert project.run("verify", environ=drive.env()).status == 0
        assert project.run("verify", "/dev/sr0", environ=drive.env()).status == 0
        assert drive.state().refused_overwrites == 0
        subprocess.run(
            ["xorriso", "-no_rc", "-osirrox", "on", "-indev", "/dev/sr0", "-extract", "/2026",
             str(tmp_path / "out")],
            env=drive.env(), check=True, capture_output=True,
        )  # fmt: skip
    compared = filecmp.dircmp(tmp_path / "out", project.staging / "2026", ignore=["cback.store"])
    assert (compared.left_only, compared.right_only, compared.diff_files) == ([], [], [])
    there, here = tmp_path / "out" / "11" / "22", project.staging / SECOND
    assert filecmp.cmp(there / "alpha" / "a.txt", here / "alpha" / "a.txt", shallow=False)


def test_a_full_write_once_disc_asks_for_a_blank_one_and_goes_on_with_it(project: Project) -> None:
    with Burner(profile="cd-r", blocks=14_000) as drive:
        project.stage(FIRST)
        assert store(project, drive) == 0
        project.stage(SECOND, {"large": os.urandom(6_000_000)})
        assert store(project, drive) == 8
        assert not project.is_marked(SECOND)
        drive.exchange("cd-r")
        assert store(project, drive) == 0
    assert project.is_marked(SECOND)


def test_another_disc_of_ours_is_the_wrong_one(project: Project) -> None:
    with Burner(profile="dvd+r") as drive:
        project.stage(FIRST)
        assert store(project, drive) == 0
        old = drive.exchange("dvd+r")
        project.stage(SECOND)
        assert store(project, drive) == 0
        drive.exchange("dvd+r", directory=old)
        project.stage(THIRD)
        ran = project.run("store", environ=drive.env())
        assert ran.status == 8
        assert "is in use" in ran.err


def test_an_empty_drive_says_what_to_insert(project: Project) -> None:
    with Burner(profile="none") as drive:
        project.stage(FIRST)
        ran = project.run("store", environ=drive.env())
    assert ran.status == 8
    assert "Insert a blank disc" in ran.err


def test_a_rewritable_disc_is_reused_only_after_the_retention(project: Project) -> None:
    project.configure(device="/dev/sr0", new_disc="weekly")
    with Burner(profile="dvd+rw") as drive:
        project.stage(FIRST)
        assert store(project, drive) == 0
        project.stage(THIRD)
        assert store(project, drive, now="2026-11-24T01:00") == 8
        assert store(project, drive, now="2026-12-24T01:00") == 0
    assert project.is_marked(THIRD)
    details = project.run("--json", "discs").json["details"]
    assert [disc["given_up"] for disc in details] == [True, False]  # type: ignore[attr-defined]


def test_a_foreign_rewritable_disc_is_erased_only_when_it_is_named(project: Project, tmp_path: Path) -> None:
    (tmp_path / "photo").write_bytes(b"family")
    with Burner(profile="dvd+rw") as drive:
        subprocess.run(
            ["xorriso", "-no_rc", "-volid", "PHOTOS", "-outdev", "/dev/sr0", "-map", str(tmp_path / "photo"),
             "/photo", "-end"],
            env=drive.env(), check=True, capture_output=True,
        )  # fmt: skip
        asked = ["initialize", "--yes", "--overwrite-foreign"]
        assert project.run(*asked, "OTHER", environ=drive.env()).status == 8
        assert project.run(*asked, "PHOTOS", environ=drive.env()).status == 0
        project.stage(FIRST)
        assert store(project, drive) == 0


@pytest.mark.parametrize("name", ["/dev/sr0", "link to\tthe drive"])
def test_a_mounted_device_is_refused_before_anything_else(project: Project, name: str) -> None:
    device = name if name.startswith("/") else str(project.root / name)
    if not name.startswith("/"):
        Path(device).symlink_to("/dev/sr0")
    project.configure(device=device)
    table = project.root / "mountinfo"
    table.write_text("30 1 11:0 / /media/My\\040Disc ro,nosuid - iso9660 /dev/sr0 ro\n")
    project.stage(FIRST)
    with Burner(profile="dvd+r") as drive:
        drive.reset_counts()
        ran = project.run("store", environ={**drive.env(), "FAKEBURN_MOUNTINFO": str(table)})
        assert ran.status == 8
        assert "/media/My Disc" in ran.err
        assert not drive.counts()


def test_a_missing_device_has_its_own_error(project: Project) -> None:
    project.configure(device="/dev/none-such")
    project.stage(FIRST)
    ran = project.run("--json", "store")
    assert (ran.status, ran.json["error"]["kind"]) == (9, "DriveMissing")  # type: ignore[index]


def test_a_file_is_no_drive(project: Project) -> None:
    project.configure(device=str(project.config))
    project.stage(FIRST)
    assert project.run("store").status == 9
