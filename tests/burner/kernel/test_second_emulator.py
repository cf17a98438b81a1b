"""The same expectations of CDEmu, a drive that nobody here wrote: as much as a single session allows."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.burner.kernel.cdemu import BD_R, CD_R, DVD_PLUS_R, Cdemu
from tests.burner.kernel.node import NODE, lock_door, mounted
from tests.conftest import Project

DAY = "2026/11/21"


@pytest.fixture(scope="module")
def drive() -> Iterator[Cdemu]:
    with Cdemu() as made:
        yield made


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with a day on a disc image of its shelf."""
    project = Project(tmp_path_factory.mktemp("shelf") / "project")
    for folder in (project.staging, project.shelf):
        folder.mkdir(parents=True)
    project.configure()
    project.stage(DAY, {"a.txt": b"a", "noise": os.urandom(3_000_000)})
    ran = project.run("store")
    assert ran.status == 0, ran
    return project


def run(*argv: str | Path) -> None:
    done = subprocess.run(list(map(str, argv)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def assert_day_is_on_disc(shelf: Project, point: Path) -> None:
    with mounted(point) as disc:
        run("diff", "-r", "--exclude=cback.store", shelf.staging / DAY, disc / DAY)
        (sums,) = disc.glob("CEDARCHEST/sessions/*/SHA256SUMS")
        subprocess.run(["sha256sum", "--quiet", "-c", str(sums)], cwd=disc, check=True)


@pytest.mark.parametrize("medium", [DVD_PLUS_R, BD_R])
def test_a_tree_burnt_by_xorriso_is_what_the_kernel_mounts(
    medium: str, drive: Cdemu, shelf: Project, tmp_path: Path
) -> None:
    drive.insert_blank(medium)
    run(
        "xorriso", "-no_rc", "-outdev", NODE, "-close", "on",
        "-map", shelf.staging, "/", "-commit",
    )  # fmt: skip
    drive.reload()
    with mounted(tmp_path / "disc") as disc:
        run("diff", "-r", shelf.staging, disc)


@pytest.mark.parametrize("medium", [DVD_PLUS_R, BD_R])
def test_a_disc_of_ours_is_verified_and_mounted(
    medium: str, drive: Cdemu, shelf: Project, tmp_path: Path
) -> None:
    (image,) = shelf.images()
    drive.insert_blank(medium)
    run("xorriso", "-no_rc", "-as", "cdrecord", f"dev={NODE}", image)
    verified = shelf.run("verify", str(NODE))
    assert verified.status == 0, verified
    drive.reload()
    assert_day_is_on_disc(shelf, tmp_path / "disc")


def test_a_disc_of_ours_on_a_cd_by_wodim(drive: Cdemu, shelf: Project, tmp_path: Path) -> None:
    (image,) = shelf.images()
    drive.insert_blank(CD_R)
    run("wodim", f"dev={NODE}", "-tao", "-data", image)
    drive.reload()
    assert_day_is_on_disc(shelf, tmp_path / "disc")


def test_a_disc_of_ours_on_a_dvd_by_growisofs(drive: Cdemu, shelf: Project, tmp_path: Path) -> None:
    (image,) = shelf.images()
    drive.insert_blank(DVD_PLUS_R)
    run("growisofs", "-dvd-compat", "-Z", f"{NODE}={image}")
    drive.reload()
    assert_day_is_on_disc(shelf, tmp_path / "disc")


def test_the_emulator_itself_holds_what_was_burnt(drive: Cdemu, shelf: Project) -> None:
    """Read without the kernel and without the emulator's own reading."""
    (image,) = shelf.images()
    drive.insert_blank(DVD_PLUS_R)
    run("wodim", f"dev={NODE}", "-dao", image)
    burnt = image.read_bytes()
    assert drive.disc.read_bytes()[: len(burnt)] == burnt


def test_a_disc_is_taken_out_past_a_locked_door(drive: Cdemu) -> None:
    for _ in range(2):
        drive.insert_blank(DVD_PLUS_R)
        lock_door()
