"""A burner that fails, and runs that are killed while it burns; then one run brings everything right."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import time

import pytest
from tests.burner.burner import ALWAYS, Burner, Effect, Fault
from tests.burner.preload import require
from tests.burner.sense import Sense
from tests.conftest import Project

DAY = "2026/11/22"


@pytest.fixture(autouse=True)
def _drive(project: Project) -> None:
    require()
    project.configure(device="/dev/sr0")


@pytest.mark.parametrize("medium", ["dvd+r", "bd-r"])
@pytest.mark.parametrize("lba", [20, 60, 400])
def test_a_disc_whose_very_first_burn_was_cut_off_is_used_on(project: Project, medium: str, lba: int) -> None:
    project.stage(DAY, {"a": os.urandom(3_000_000)})
    with Burner(profile=medium) as drive:
        drive.faults([Fault("write", lba=lba, effect=Effect.POWER_LOSS)])
        assert project.run("store", environ=drive.env()).status in (8, 9)
        assert not project.is_marked(DAY)
        time.sleep(0.2)
        if not drive.running:
            drive.start()
        ran = project.run("store", environ=drive.env())
        assert ran.status == 0, ran.err
        assert project.is_marked(DAY)


@pytest.mark.parametrize(
    "sense", [Sense(3, 0x0C, 0), Sense(4, 0x09, 0), Sense(5, 0x21, 2)], ids=["medium", "hardware", "address"]
)
def test_a_write_error_marks_nothing_and_the_next_disc_does(project: Project, sense: Sense) -> None:
    project.stage(DAY, {"a": os.urandom(3_000_000)})
    with Burner(profile="dvd+r") as drive:
        drive.faults([Fault("write", lba=800, times=ALWAYS, sense=sense)])
        ran = project.run("store", environ=drive.env())
        assert ran.status in (8, 9), ran.err
        assert sum(drive.fired())
        assert not project.is_marked(DAY)
        drive.faults([])
        again = project.run("store", environ=drive.env())
        if again.status == 8:
            drive.exchange("dvd+r")
            again = project.run("store", "--full", "--day", DAY, environ=drive.env())
        assert again.status == 0, again.err
    assert project.is_marked(DAY)


def test_what_cannot_be_read_back_is_not_stored(project: Project) -> None:
    project.stage(DAY, {"a": os.urandom(3_000_000)})
    with Burner(profile="bd-r") as drive:
        drive.faults([Fault("read", lba=600, times=ALWAYS)])
        ran = project.run("store", environ=drive.env())
        assert ran.status == 8, ran.err
        assert "alpha/a" in ran.err
        assert not project.is_marked(DAY)


def test_passing_troubles_of_a_drive_are_waited_for(project: Project) -> None:
    project.stage(DAY)
    with Burner(profile="dvd+r") as drive:
        drive.faults([Fault("write", times=3, sense=Sense(2, 0x04, 0x08))])
        assert project.run("store", environ=drive.env()).status == 0
        assert sum(drive.fired())


def test_a_drive_that_goes_away_is_an_error_of_the_drive(project: Project) -> None:
    project.stage(DAY, {"a": os.urandom(3_000_000)})
    with Burner(profile="dvd+r") as drive:
        drive.faults([Fault("write", lba=800, effect=Effect.GONE)])
        assert project.run("store", environ=drive.env()).status == 9
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
    with Burner(profile="dvd+r") as drive:
        environ = {**drive.env(), "PATH": f"{tools}:{os.environ['PATH']}"}
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
        drive.exchange("dvd+r", directory=right)
        assert project.run("store", environ=drive.env()).status == 0
        assert project.is_marked(DAY)
        assert drive.state().closed_sessions == 1
