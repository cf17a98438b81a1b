"""A burner that fails, and runs that are killed while it burns; then one run brings everything right."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.burner.burner import ALWAYS, Burner, Effect, Fault
from tests.burner.preload import require
from tests.burner.sense import Sense
from tests.conftest import Project
from tests.running import started

from cedarchest.adapters.optical import OpticalDrive
from cedarchest.adapters.xorriso import Limits, Xorriso
from cedarchest.adapters.xorriso_words import BurnOptions
from cedarchest.errors import ToolFailed
from cedarchest.ports.drive import Graft, SessionSource

pytestmark = pytest.mark.long

ANOTHER, EARLIER, DAY = "2026/11/20", "2026/11/21", "2026/11/22"
MEDIA = ["cd-r", "dvd+r", "dvd+rw", "bd-r", "bd-re"]
FURTHER_MEDIA = ["dvd-r", "dvd-ram"]
DAYS = [f"2026/11/{day:02d}" for day in range(1, 29)]
STEPS = 6
"""Commands of a store at which the drive fails, spread over all of them."""


def on_media(*media: str) -> pytest.MarkDecorator:
    """A first session and an append on each; a CD whose first burn was cut off is replaced, as is tested."""
    return pytest.mark.parametrize(
        ("medium", "append"),
        [
            pytest.param(medium, append, id=f"{medium}-{'append' if append else 'first session'}")
            for medium in media
            for append in (False, True)
            if append or medium != "cd-r"
        ],
    )


@pytest.fixture(autouse=True)
def _drive(project: Project) -> None:
    require()
    project.configure(device="/dev/sr0")


@contextlib.contextmanager
def burner(profile: str) -> Iterator[Burner]:
    """A drive that this process sees."""
    with Burner(profile) as drive, drive.attached():
        yield drive


def large(project: Project, day: str = DAY) -> None:
    """Stage a day of 3 MB, so that there is something to fail in."""
    project.stage(day, {"a": os.urandom(3_000_000), "sub/b": b"b"})


def sessions(project: Project) -> list[tuple[str, list[str]]]:
    """Status and days of all sessions."""
    details = project.run("--json", "discs").json["details"]
    assert isinstance(details, list)
    return [(each["status"], each["days"]) for disc in details for each in disc["sessions"]]


def is_verified(project: Project, day: str) -> bool:
    return any(status == "verified" and day in days for status, days in sessions(project))


def next_address() -> int:
    """Where the drive would begin the next session."""
    drive = OpticalDrive(Path("/dev/sr0"), Xorriso(), speed="", progress=lambda _: None)
    address = drive.observe().next_address
    drive.close()
    return address


def prepared(project: Project, *, append: bool) -> int:
    """A large day to store, on a disc that holds another when it is to append; a block in its data."""
    if append:
        project.stage(EARLIER)
        assert project.run("store").status == 0
    large(project)
    return next_address() + 500


def assert_put_right(project: Project, drive: Burner, *days: str) -> None:
    """One run more, on the disc that is in the drive; then every day is proven and shows."""
    ran = project.run("store")
    assert ran.status == 0, ran.err
    for day in days:
        assert project.is_marked(day)
        assert is_verified(project, day)
    verified = project.run("verify")
    assert verified.status == 0, verified.err
    assert drive.state().refused_overwrites == 0


def power_up(drive: Burner) -> None:
    """Power on again."""
    assert drive.has_lost_power()
    drive.start()


# -- runs that are asked to end ------------------------------------------------------------------------


@pytest.mark.parametrize("medium", ["dvd+r", pytest.param("bd-r", marks=pytest.mark.slow)])
@pytest.mark.parametrize("whom", ["the program", "its process group"])
def test_an_interrupted_burn_is_finished_and_the_next_run_proves_it(
    project: Project, medium: str, whom: str
) -> None:
    with burner(medium) as drive:
        large(project)
        drive.faults([Fault("write", times=ALWAYS, effect=Effect.SLOW, seconds=0.02)])
        with started(project, "store") as process:
            while not sum(drive.fired()):
                assert process.poll() is None
                time.sleep(0.01)
            (os.kill if whom == "the program" else os.killpg)(process.pid, signal.SIGINT)
            assert process.wait() == 5
        assert not project.is_marked(DAY)
        end = next_address()
        assert_put_right(project, drive, DAY)
        assert next_address() == end  # nothing was burnt again


# -- runs that are killed -----------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("medium", MEDIA)
def test_a_store_killed_at_a_random_moment_is_put_right_by_one_run(
    project: Project, medium: str, seed: int
) -> None:
    """Five days on one disc, each killed once; the disc is never given up for it."""
    dice = random.Random(f"{medium} {seed}")
    with burner(medium) as drive:
        if medium == "cd-r":
            prepared(project, append=True)
            assert_put_right(project, drive, EARLIER, DAY)
        drive.faults([Fault("write", times=ALWAYS, effect=Effect.SLOW, seconds=0.01)])
        for count in range(1, 6):
            project.stage(DAYS[count], {"letter": os.urandom(400_000), "empty": b"", "sub/b": b"b"})
            with started(project, "store") as process:
                time.sleep(dice.uniform(0, 1.2))
                process.kill()
            time.sleep(0.1)  # the drive sees that nobody is there any more
            if project.is_marked(DAYS[count]):
                assert is_verified(project, DAYS[count])
            assert_put_right(project, drive, *DAYS[1 : count + 1])
        assert sum(drive.fired()) > 0


@pytest.mark.slow
@on_media(*MEDIA, *FURTHER_MEDIA)
def test_a_store_killed_while_it_burns_is_put_right_on_the_same_disc(
    project: Project, medium: str, append: bool
) -> None:
    with burner(medium) as drive:
        lba = prepared(project, append=append)
        drive.faults([Fault("write", lba=lba, effect=Effect.SLOW, seconds=1)])
        with started(project, "store") as process:
            while drive.fired() != [1]:
                assert process.poll() is None
                time.sleep(0.01)
            process.kill()
        time.sleep(1.2)  # the slow write ends; then the drive sees that nobody is there any more
        assert not project.is_marked(DAY)
        assert_put_right(project, drive, *([EARLIER] if append else []), DAY)


@pytest.mark.parametrize("medium", ["dvd+r", pytest.param("bd-r", marks=pytest.mark.slow)])
def test_a_disc_whose_very_first_write_was_its_last_is_used_on(project: Project, medium: str) -> None:
    """xorriso looks at the first 32 blocks of a disc, whichever session it loads; here half hold nothing."""
    with burner(medium) as drive:
        drive.faults([Fault("write", times=ALWAYS, effect=Effect.SLOW, seconds=0.3)])
        project.stage(DAYS[1], {"letter": os.urandom(400_000)})
        with started(project, "store") as process:
            while not sum(drive.fired()):
                assert process.poll() is None
                time.sleep(0.01)
            process.kill()
        time.sleep(0.5)  # the slow write ends; then the drive sees that nobody is there any more
        drive.faults([])
        if medium == "dvd+r":
            assert drive.state().tracks[0].size == 16
        assert_put_right(project, drive, DAYS[1])
        for count in (2, 3):
            project.stage(DAYS[count], {"letter": os.urandom(400_000)})
            assert_put_right(project, drive, *DAYS[1 : count + 1])


def test_a_cd_whose_very_first_burn_was_cut_off_is_replaced(project: Project) -> None:
    with burner("cd-r") as drive:
        lba = prepared(project, append=False)
        drive.faults([Fault("write", lba=lba, effect=Effect.POWER_LOSS)])
        assert project.run("store").status == 9
        power_up(drive)
        ran = project.run("store")
        assert ran.status == 8
        assert "blank one" in ran.err
        assert not project.is_marked(DAY)
        drive.exchange("cd-r")
        assert_put_right(project, drive, DAY)


@pytest.mark.slow
@on_media(*MEDIA, *FURTHER_MEDIA)
def test_a_burn_that_lost_its_power_is_put_right_on_the_same_disc(
    project: Project, medium: str, append: bool
) -> None:
    with burner(medium) as drive:
        lba = prepared(project, append=append)
        drive.faults([Fault("write", lba=lba, effect=Effect.POWER_LOSS)])
        assert project.run("store").status == 9
        assert not project.is_marked(DAY)
        power_up(drive)
        assert_put_right(project, drive, *([EARLIER] if append else []), DAY)


@pytest.mark.parametrize("lba", [20, 60, 400])
def test_a_disc_whose_very_first_burn_was_cut_off_early_is_used_on(project: Project, lba: int) -> None:
    with burner("dvd+r") as drive:
        large(project)
        drive.faults([Fault("write", lba=lba, effect=Effect.POWER_LOSS)])
        assert project.run("store").status == 9
        power_up(drive)
        assert_put_right(project, drive, DAY)


# -- writes that fail ---------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("append", [False, True], ids=["first session", "append"])
@pytest.mark.parametrize(
    ("sense", "code"),
    [
        (Sense(3, 0x0C, 0), 8),
        (Sense(4, 0x09, 0), 8),
        (Sense(5, 0x21, 2), 9),
        (Sense(7, 0x27, 0), 9),
        (Sense(0xB, 0, 0), 9),
    ],
    ids=str,
)
@pytest.mark.parametrize("medium", ["dvd+r", "bd-r"])
def test_a_write_error_marks_nothing_and_the_next_run_does(
    project: Project, medium: str, sense: Sense, code: int, append: bool
) -> None:
    with burner(medium) as drive:
        lba = prepared(project, append=append)
        drive.faults([Fault("write", lba=lba, sense=sense)])
        ran = project.run("store")
        assert drive.fired() == [1]
        assert ran.status == code, ran.err
        assert "could not write the session" in ran.err
        assert "Traceback" not in ran.err
        assert not project.is_marked(DAY)
        assert_put_right(project, drive, *([EARLIER] if append else []), DAY)


@pytest.mark.slow
@pytest.mark.parametrize("medium", ["cd-r", "dvd+rw", "bd-re", *FURTHER_MEDIA])
def test_a_write_error_on_other_media_is_put_right_as_well(project: Project, medium: str) -> None:
    with burner(medium) as drive:
        lba = prepared(project, append=True)
        drive.faults([Fault("write", lba=lba, sense=Sense(3, 0x0C, 0))])
        assert project.run("store").status == 8
        assert drive.fired() == [1]
        assert not project.is_marked(DAY)
        assert_put_right(project, drive, EARLIER, DAY)


@pytest.mark.slow
@pytest.mark.parametrize("sense", [Sense(2, 0x04, 0x01), Sense(2, 0x04, 0x08), Sense(6, 0x28, 0)], ids=str)
def test_passing_troubles_of_a_drive_are_waited_for(project: Project, sense: Sense) -> None:
    with burner("dvd+r") as drive:
        lba = prepared(project, append=False)
        drive.faults([Fault("write", lba=lba, times=3, sense=sense)])
        ran = project.run("store")
        assert ran.status == 0, ran.err
        assert drive.fired() == [3]
    assert project.is_marked(DAY)


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault",
    [Fault("any", sense=Sense(4, 0x44, 0)), Fault("any", effect=Effect.POWER_LOSS)],
    ids=lambda fault: str(fault.effect),
)
@pytest.mark.parametrize("medium", MEDIA)
def test_a_drive_that_fails_at_any_of_its_commands_leaves_nothing_false_and_is_put_right(
    project: Project, medium: str, fault: Fault
) -> None:
    """One store after the other, each at a later one of its commands; steps of a store lie close enough."""
    dice = random.Random(f"{medium} {fault.effect}")
    with burner(medium) as drive:
        for earlier in (EARLIER, ANOTHER):  # the first one formats the disc, too
            project.stage(earlier, {"letter": os.urandom(100_000)})
            drive.reset_counts()
            assert project.run("store").status == 0
        commands = sum(drive.counts().values())
        for count in range(STEPS):
            project.stage(DAYS[count], {"letter": os.urandom(100_000)})
            drive.faults([replace(fault, skip=int((count + dice.random()) / STEPS * commands))])
            ran = project.run("store")
            assert ran.status in (0, 8, 9), ran.err
            assert "Traceback" not in ran.err
            if fault.effect is Effect.POWER_LOSS:
                power_up(drive)
            else:
                assert drive.fired() == [1]
            drive.faults([])
            assert project.is_marked(DAYS[count]) <= is_verified(project, DAYS[count])
            replace_bad(project, drive, medium)
            assert_put_right(project, drive, DAYS[count])


def replace_bad(project: Project, drive: Burner, medium: str) -> None:
    """A disc with a session that was found bad takes no more."""
    if sessions(project) and "bad" in dict(sessions(project)[-1:]):
        drive.exchange(medium)


@pytest.mark.slow
@pytest.mark.parametrize("effect", [Effect.SENSE, Effect.LATE_SENSE], ids=["not done", "done"])
@pytest.mark.parametrize("medium", ["cd-r", "dvd+r", "bd-r"])
def test_a_close_that_failed_costs_no_second_burn(project: Project, medium: str, effect: Effect) -> None:
    """As drives report it of discs whose data are good: session fixation error, incomplete track."""
    with burner(medium) as drive:
        prepared(project, append=True)
        drive.faults([Fault("5b", effect=effect, sense=Sense(5, 0x72, 3), times=ALWAYS)])
        ran = project.run("store")
        assert sum(drive.fired())
        assert ran.status in (0, 9), ran.err
        assert project.is_marked(DAY) is (ran.status == 0)
        drive.faults([])
        drive.reset_counts()
        assert_put_right(project, drive, EARLIER, DAY)
        assert "2A" not in drive.counts()


@pytest.mark.slow
@pytest.mark.parametrize("medium", MEDIA)
def test_what_never_reached_the_disc_is_found_although_the_drive_said_that_it_did(
    project: Project, medium: str
) -> None:
    with burner(medium) as drive:
        lba = prepared(project, append=True)
        drive.faults([Fault("write", lba=lba, effect=Effect.LOST)])
        ran = project.run("store")
        assert ran.status == 7, ran.err
        assert drive.fired() == [1]
        assert "alpha/a" in ran.err
        assert not project.is_marked(DAY)
        assert project.is_marked(EARLIER)
        drive.exchange(medium)
        assert_put_right(project, drive, DAY)


@pytest.mark.slow
@pytest.mark.parametrize("append", [False, True], ids=["first session", "append"])
@pytest.mark.parametrize("medium", ["bd-r", "bd-re"])
def test_zeros_where_a_burn_was_cut_off_are_no_proof(project: Project, medium: str, append: bool) -> None:
    """From some drives what a BD never got reads as zeros, and not as an error."""
    with burner(medium) as drive:
        lba = prepared(project, append=append)
        drive.faults([Fault("write", lba=lba, effect=Effect.POWER_LOSS)])
        assert project.run("store").status == 9
        power_up(drive)
        drive.read_unwritten_as_zeros()
        assert_put_right(project, drive, *([EARLIER] if append else []), DAY)


@pytest.mark.slow
def test_an_area_that_reads_slowly_is_told_and_its_day_stored(project: Project) -> None:
    with burner("dvd+r") as drive:
        project.stage(DAY, {"large": bytes(130 << 20)})
        third, fourth = 2 * 64 << 20 >> 11, 3 * 64 << 20 >> 11
        slow = Fault("read", third, end=fourth, effect=Effect.SLOW, seconds=0.1, times=ALWAYS)
        drive.faults([slow])
        ran = project.run("store")
        assert ran.status == 0, ran.err
        assert sum(drive.fired()) > 10
        assert f"reads slowly at blocks {third} to {fourth - 1}" in ran.err
        assert project.is_marked(DAY)


@pytest.mark.slow
def test_a_drive_that_still_looks_at_its_disc_is_waited_for(project: Project) -> None:
    with Burner("none") as drive, drive.attached(max_sleep_us=None):
        project.stage(DAY)
        drive.start_slowly(2)
        drive.exchange("dvd+r")
        ran = project.run("store")
        assert ran.status == 0, ran.err
        assert any("-> 2/04/01" in line for line in drive.log())
        assert project.is_marked(DAY)


# -- drives that go away ------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["write", "read"])
def test_a_drive_that_goes_away_is_an_error_of_the_drive_and_of_no_disc(
    project: Project, command: str
) -> None:
    with burner("dvd+r") as drive:
        lba = prepared(project, append=False)
        drive.faults([Fault(command, lba=lba, effect=Effect.GONE)])
        ran = project.run("store")
        assert ran.status == 9, ran.err
        assert drive.fired() == [1]
        assert not project.is_marked(DAY)
        drive.plug()
        assert_put_right(project, drive, DAY)


def test_a_xorriso_that_never_ends_once_it_has_lost_its_drive_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    (tmp_path / "large").write_bytes(os.urandom(3_000_000))
    source = SessionSource("TEST", 0, (), (Graft(bytes(tmp_path), b"/day"),), (), 0)
    tool = Xorriso(Limits(lost_s=1))
    with burner("bd-r") as drive:
        drive.faults([Fault("write", lba=500, effect=Effect.POWER_LOSS)])
        monkeypatch.setenv("FAKEBURN_LINGER", "2000")
        with pytest.raises(ToolFailed, match="Lost connection to drive") as failed:
            tool.burn(source, BurnOptions("/dev/sr0", optical=True), lambda _: None, lambda _: None)
    assert "cable" in failed.value.advice
    assert f"xorriso ended with {-signal.SIGKILL}" in caplog.text


def test_a_check_that_lost_its_power_is_made_again_without_a_second_burn(project: Project) -> None:
    with burner("bd-r") as drive:
        lba = prepared(project, append=False)
        drive.faults([Fault("read", lba=lba, effect=Effect.POWER_LOSS)])
        assert project.run("store").status == 9
        assert not project.is_marked(DAY)
        assert "bad" not in dict(sessions(project))
        power_up(drive)
        assert_put_right(project, drive, DAY)
        assert drive.state().closed_sessions == 1


# -- discs that cannot be read, or are not there ------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("medium", ["bd-r", "dvd+r", "cd-r"])
def test_what_cannot_be_read_back_is_not_stored(project: Project, medium: str) -> None:
    with burner(medium) as drive:
        lba = prepared(project, append=False)
        drive.faults([Fault("read", lba=lba, times=ALWAYS)])
        ran = project.run("store")
        assert ran.status == 8, ran.err
        assert sum(drive.fired())
        assert "alpha/a" in ran.err
        assert not project.is_marked(DAY)
        assert next(status for status, _ in sessions(project)) == "bad"
        drive.faults([])
        assert project.run("store").status == 8  # nothing more is entrusted to this disc
        drive.exchange(medium)
        assert_put_right(project, drive, DAY)


def test_a_session_that_cannot_be_read_back_is_bypassed_by_the_tree_before_it(project: Project) -> None:
    with burner("dvd+r") as drive:
        lba = prepared(project, append=True)
        drive.faults([Fault("read", lba=lba, times=ALWAYS)])
        ran = project.run("store")
        assert ran.status == 8, ran.err
        assert sum(drive.fired())
        assert [status for status, _ in sessions(project)] == ["verified", "bad", "verified"]
        assert project.is_marked(EARLIER)
        assert not project.is_marked(DAY)


def test_a_disc_exchanged_before_the_check_is_asked_for_and_not_burnt_again(project: Project) -> None:
    project.stage(DAY)
    tools = project.root / "tools"
    tools.mkdir()
    wrapper = tools / "xorriso"
    real = shutil.which("xorriso")
    # After the burn, and before anybody looks again, another disc is put in.
    wrapper.write_text(
        f'#!/bin/sh\ncase "$*" in *options_from_file*) {real} "$@"; status=$?; '
        f'touch "{project.root}/burnt"; while [ -e "{project.root}/burnt" ]; do sleep 0.05; done;'
        " exit $status;; esac\n"
        f'exec {real} "$@"\n'
    )
    wrapper.chmod(wrapper.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    with burner("dvd+r") as drive:
        environ = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}
        process = subprocess.Popen(
            [sys.executable, "-m", "cedarchest", "-c", str(project.config), "store"],
            env=environ, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        while not (project.root / "burnt").exists():
            assert process.poll() is None
            time.sleep(0.02)
        right = drive.exchange("dvd+r")
        (project.root / "burnt").unlink()
        _, said = process.communicate(timeout=60)
        assert process.returncode in (8, 9), said
        assert not project.is_marked(DAY)
        assert "bad" not in dict(sessions(project))
        drive.exchange("dvd+r", directory=right)
        assert_put_right(project, drive, DAY)
        assert drive.state().closed_sessions == 1


def test_a_disc_exchanged_in_the_middle_of_its_check_is_not_judged(project: Project) -> None:
    with burner("dvd+r") as drive:
        lba = prepared(project, append=False)
        drive.faults([Fault("read", lba=lba, effect=Effect.SLOW, seconds=0.5)])
        taken_out: list[Path] = []

        def exchange() -> None:
            while drive.fired() != [1]:
                time.sleep(0.01)
            taken_out.append(drive.exchange("dvd+r"))

        hand = threading.Thread(target=exchange)
        hand.start()
        ran = project.run("store")
        hand.join()
        assert ran.status == 8, ran.err
        assert not project.is_marked(DAY)
        assert "bad" not in dict(sessions(project))
        drive.exchange("dvd+r", directory=taken_out[0])
        assert_put_right(project, drive, DAY)
        assert drive.state().closed_sessions == 1
