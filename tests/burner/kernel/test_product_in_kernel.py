"""The program with a device of a real kernel: days to disc, proven, mounted; and what desktops do to it."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.burner.kernel.kernel_burner import KernelBurner
from tests.burner.kernel.node import BY_ID, NODE, believed_blocks, mounted
from tests.conftest import NOBODY, Project, Ran

FIRST, SECOND = "2026/11/21", "2026/11/22"
SEQUENTIAL = ["cd-r", "dvd+r", "bd-r"]
OVERWRITABLE = ["dvd+rw", "bd-re"]
FIRST_EMULATED = 32
"""Where the first session of an overwritable disc begins: before it stands what describes the newest one."""


def new_project(root: Path, **store: object) -> Project:
    project = Project(root / "project")
    project.staging.mkdir(parents=True)
    project.configure(device="/dev/sr0", **store)
    return project


def stage(project: Project, day: str) -> None:
    files = {"a.txt": day.encode(), "sub/noise": os.urandom(700_000)}
    project.stage(day, files)


def differences(staged: Path, on_disc: Path) -> str:
    """What `diff` says, but for the mark that comes after the burn."""
    argv = ["diff", "-r", "--exclude=cback.store", str(staged), str(on_disc)]
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout


@dataclass
class Story:
    """Two days on one disc, in a drive that says nothing of the new sessions."""

    profile: str
    project: Project
    drive: KernelBurner
    stored: list[Ran]
    verified: Ran
    believed: list[int]  # blocks, after each burn

    @property
    def first_start(self) -> int:
        return FIRST_EMULATED if self.profile in OVERWRITABLE else 0


@pytest.fixture(scope="class", params=SEQUENTIAL + OVERWRITABLE)
def story(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    project = new_project(tmp_path_factory.mktemp("story"))
    with KernelBurner(request.param) as drive:
        stored, believed = [], []
        for day in (FIRST, SECOND):
            stage(project, day)
            stored.append(project.run("store"))
            believed.append(believed_blocks())
        verified = project.run("verify")
        drive.reinsert()
        yield Story(request.param, project, drive, stored, verified, believed)


class TestTwoDaysOnADisc:
    def test_both_are_stored_and_proven(self, story: Story) -> None:
        assert [ran.status for ran in story.stored] == [0, 0], story.stored
        assert story.project.is_marked(FIRST)
        assert story.project.is_marked(SECOND)

    def test_the_disc_is_verified_again(self, story: Story) -> None:
        assert story.verified.status == 0, story.verified
        assert "2 sessions" in story.verified.out

    def test_the_kernel_did_not_know_that_the_disc_had_grown(self, story: Story) -> None:
        """Without this the tests above say nothing of a drive that keeps quiet."""
        if story.profile in SEQUENTIAL:
            assert max(story.believed) < believed_blocks()
        assert len(set(story.believed)) == 1

    def test_no_block_was_written_twice(self, story: Story) -> None:
        state = story.drive.state()
        assert (state.refused_overwrites, state.refused_addresses) == (0, 0)

    def test_a_mount_shows_both_days_as_they_were_staged(self, story: Story, tmp_path: Path) -> None:
        with mounted(tmp_path / "disc") as disc:
            assert differences(story.project.staging / "2026", disc / "2026") == ""

    def test_a_mount_of_the_first_session_shows_the_first_day(self, story: Story, tmp_path: Path) -> None:
        with mounted(tmp_path / "disc", f"sbsector={story.first_start}") as disc:
            assert differences(story.project.staging / FIRST, disc / FIRST) == ""
            assert not (disc / SECOND).exists()

    def test_the_sums_on_the_disc_hold(self, story: Story, tmp_path: Path) -> None:
        with mounted(tmp_path / "disc") as disc:
            sums = sorted(disc.glob("CEDARCHEST/sessions/*/SHA256SUMS"))
            assert len(sums) == 2
            for each in sums:
                subprocess.run(["sha256sum", "--quiet", "-c", str(each)], cwd=disc, check=True)


@pytest.fixture(scope="class")
def one_day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Project, KernelBurner]]:
    """A day on a disc that the kernel knows, and another one that is due."""
    project = new_project(tmp_path_factory.mktemp("one"))
    stage(project, FIRST)
    with KernelBurner("bd-r") as drive:
        assert project.run("store").status == 0
        stage(project, SECOND)
        drive.reinsert()
        yield project, drive


@pytest.mark.parametrize("name", [NODE, Path("/dev/cdrom"), BY_ID], ids=str)
class TestAMountedDrive:
    def test_is_refused_by_any_of_its_names(
        self, one_day: tuple[Project, KernelBurner], name: Path, tmp_path: Path
    ) -> None:
        project, drive = one_day
        project.configure(device=str(name))
        with mounted(tmp_path / "my disc"):
            drive.reset_counts()
            ran = project.run("store")
        assert ran.status == 8
        assert f"{name} is mounted at {tmp_path}/my disc" in ran.err
        assert "umount" in ran.err
        assert "2A" not in drive.counts()
        assert not project.is_marked(SECOND)


def test_an_automounter_is_met_with_a_sentence_and_costs_no_second_burn(tmp_path: Path) -> None:
    project = new_project(tmp_path)
    stage(project, FIRST)
    with KernelBurner("dvd+r", announces_sessions=True) as drive:
        desktop = threading.Thread(target=mount_what_was_burnt, args=(drive, tmp_path / "media"))
        desktop.start()
        ran = project.run("store")
        desktop.join()
        assert ran.status in (8, 9), ran
        assert f"is mounted at {tmp_path}/media" in ran.err or "Another program uses the drive" in ran.err
        assert not project.is_marked(FIRST)
        subprocess.run(["umount", str(tmp_path / "media")], check=True)

        assert project.run("store").status == 0
        assert project.is_marked(FIRST)
        assert drive.state().closed_sessions == 1


def mount_what_was_burnt(drive: KernelBurner, point: Path) -> None:
    """Mount the disc as soon as a session is closed and the burning program lets go of the drive."""
    point.mkdir()
    while not drive.state().closed_sessions:
        time.sleep(0.05)
    argv = ["mount", "-t", "iso9660", "-o", "ro", str(NODE), str(point)]
    while subprocess.run(argv, capture_output=True, check=False).returncode:
        time.sleep(0.02)


def test_the_tray_opens_after_a_store_where_that_is_wished(tmp_path: Path) -> None:
    project = new_project(tmp_path, eject=True)
    stage(project, FIRST)
    with KernelBurner("dvd+r") as drive:
        ran = project.run("store")
        assert ran.status == 0, ran
        assert "was not ejected" not in ran.err
        assert drive.tray_open


def test_a_tray_that_comes_in_again_lets_the_kernel_see_the_disc_anew(tmp_path: Path) -> None:
    project = new_project(tmp_path)
    stage(project, FIRST)
    with KernelBurner("dvd+r") as drive:
        drive.pulls_in(True, says=True)
        ran = project.run("store")
        assert ran.status == 0, ran
        assert project.is_marked(FIRST)
        assert believed_blocks() == drive.state().tracks[-1].end


def run_in_group(project: Project, group: str) -> Ran:
    """Store as nobody, who is in this one group."""
    subprocess.run(["chown", "-R", str(NOBODY), str(project.root)], check=True)
    done = subprocess.run(
        ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", f"--groups={group}",
         ".venv/bin/python", "-m", "cedarchest", "-c", str(project.config), "store"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return Ran(done.returncode, done.stdout, done.stderr)


def test_the_group_of_the_drive_is_all_that_a_user_needs(tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("user")
    for folder in (root, *root.parents[:3]):
        folder.chmod(0o755)
    project = new_project(root)
    stage(project, FIRST)
    with KernelBurner("bd-r") as drive:
        assert (NODE.group(), NODE.stat().st_mode & 0o777) == ("cdrom", 0o660)
        refused = run_in_group(project, "nogroup")
        assert refused.status == 9
        assert "Run as a user of the device's group" in refused.err
        assert "2A" not in drive.counts()

        stored = run_in_group(project, "cdrom")
        assert stored.status == 0, stored
        assert project.is_marked(FIRST)
