"""Trays that are open, slow or stay out; kernels that see a new disc late, and automounters too early."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from shutil import which
from typing import Any

import pytest
from tests.burner.burner import ALWAYS, Burner, Effect, Fault
from tests.burner.preload import require
from tests.burner.sense import Sense
from tests.conftest import Project, Ran

from cedarchest.adapters.optical import OpticalDrive
from cedarchest.adapters.tray import Tray
from cedarchest.adapters.xorriso import Xorriso
from cedarchest.errors import ToolFailed

DAY, NEXT = "2026/11/22", "2026/11/23"
EJECT, LOAD = "1b 00 00 00 02 00", "1b 00 00 00 03 00"
TIMEOUT_S = 60


@pytest.fixture(autouse=True)
def _drive(project: Project) -> None:
    require()
    project.configure(device="/dev/sr0")


def store(project: Project, drive: Burner, **environ: str) -> Ran:
    ran = project.run("store", environ={**drive.env(), **environ})
    print(ran.err)  # noqa: T201 - seen when a test fails
    return ran


def statuses(project: Project) -> list[str]:
    details: Any = project.run("--json", "discs").json["details"]
    return [session["status"] for disc in details for session in disc["sessions"]]


def wrapped(project: Project, then: str) -> str:
    """A search path on which xorriso does its work, and then a shell what it is told, with its `$status`."""
    tools = project.root / "tools"
    tools.mkdir()
    wrapper = tools / "xorriso"
    wrapper.write_text(f'#!/bin/sh\n{which("xorriso")} "$@"\nstatus=$?\n{then}\nexit $status\n')
    wrapper.chmod(wrapper.stat().st_mode | stat.S_IXUSR)
    return f"{tools}:{os.environ['PATH']}"


def moves(drive: Burner) -> list[str]:
    """How the tray was told to move, in order."""
    told = [line.partition(" ->")[0] for line in drive.log()]
    return [command for command in told if command in (EJECT, LOAD)]


# -- before anything is done ---------------------------------------------------------------------------


def test_an_open_tray_is_pulled_in(project: Project) -> None:
    project.stage(DAY)
    with Burner(profile="dvd+r") as drive:
        drive.eject()
        assert store(project, drive).status == 0
        assert not drive.tray_open
    assert project.is_marked(DAY)


def test_a_tray_that_only_a_hand_pushes_in_is_asked_for(project: Project) -> None:
    project.stage(DAY)
    with Burner(profile="dvd+r") as drive:
        drive.pulls_in(False, says=False)
        drive.eject()
        ran = store(project, drive)
        assert ran.status == 8
        assert "Push it in" in ran.err
        drive.load()
        assert store(project, drive).status == 0


def test_a_drive_that_still_looks_at_its_disc_is_waited_for(project: Project) -> None:
    project.stage(DAY)
    with Burner(profile="none") as drive:
        drive.start_slowly(2)
        drive.exchange("bd-r")
        assert store(project, drive).status == 0


def test_a_drive_that_is_never_ready_is_given_up_with_a_sentence() -> None:
    with Burner(profile="none") as drive, drive.attached():
        drive.start_slowly(60)
        drive.exchange("bd-r")
        path = Path("/dev/sr0")
        waiting = OpticalDrive(
            path, Xorriso(), speed="", progress=lambda _: None, tray=Tray(path, ready_s=0.3)
        )
        with pytest.raises(ToolFailed, match=r"was not ready 0\.3 seconds after") as caught:
            waiting.observe()
    assert "load_delay" in caught.value.advice


# -- before the check ----------------------------------------------------------------------------------


def test_a_tray_known_to_come_in_is_opened_and_closed_before_the_check(project: Project) -> None:
    project.stage(DAY)
    with Burner(profile="dvd+r") as drive:
        drive.pulls_in(True, says=True)
        assert store(project, drive).status == 0
        commands = [line[:17] for line in drive.log()]
        written = max(number for number, line in enumerate(commands) if line.startswith("2a "))
        ejected = commands.index(EJECT)
        assert written < ejected < max(n for n, line in enumerate(commands) if line.startswith("28 "))
        assert not drive.tray_open
        drive.reset_counts()
        assert project.run("verify", environ=drive.env()).status == 0
        assert EJECT not in moves(drive)  # what was proven once is no more in its memory
    assert project.is_marked(DAY)


def test_a_tray_that_does_not_open_before_the_check_is_no_failure(project: Project) -> None:
    project.stage(DAY)
    with Burner(profile="dvd+r") as drive:
        drive.pulls_in(True, says=True)
        drive.faults([Fault("1b", times=ALWAYS, sense=Sense(5, 0x53, 2))])  # medium removal prevented
        assert store(project, drive).status == 0
        assert sum(drive.fired())
    assert project.is_marked(DAY)


def test_a_tool_that_does_not_eject_before_the_check_is_no_failure(project: Project) -> None:
    project.stage(DAY)
    path = wrapped(project, 'case "$*" in *"-eject all"*) status=5;; esac')
    with Burner(profile="dvd+r") as drive:
        drive.pulls_in(True, says=True)
        assert store(project, drive, PATH=path).status == 0
        assert not drive.tray_open
    assert project.is_marked(DAY)


def test_a_tray_that_might_stay_out_is_left_in(project: Project) -> None:
    project.stage(DAY)
    with Burner(profile="dvd+r") as drive:
        ran = project.run("-v", "store", environ=drive.env())
        assert ran.status == 0
        assert EJECT not in moves(drive)
        assert ran.err.count("may not come in again") == 1


def test_a_drive_that_does_not_get_its_disc_back_leaves_the_session_unproven(project: Project) -> None:
    project.stage(DAY)
    with Burner(profile="dvd+r") as drive:
        drive.pulls_in(False, says=True)
        ran = store(project, drive)
        assert ran.status == 8
        assert "Push it in" in ran.err
        assert statuses(project) == ["burnt"]
        drive.load()
        drive.pulls_in(True, says=True)
        assert store(project, drive).status == 0
        assert drive.state().closed_sessions == 1
    assert project.is_marked(DAY)


def test_a_kernel_that_takes_the_disc_for_shorter_makes_no_difference(
    project: Project, tmp_path: Path
) -> None:
    project.stage(DAY, {"letter": os.urandom(200_000)})
    length = tmp_path / "length"
    length.write_text("1\n")
    with Burner(profile="dvd+r") as drive:
        assert store(project, drive, FAKEBURN_LENGTH=str(length)).status == 0
        assert drive.state().closed_sessions == 1
    assert project.is_marked(DAY)


def test_a_disc_that_is_mounted_before_its_check_is_proven_by_the_next_run(project: Project) -> None:
    project.stage(DAY)
    mounts = project.root / "mountinfo"
    mounts.write_text("")
    mounted = "30 1 11:0 / /media/CC ro - iso9660 /dev/sr0 ro"
    path = wrapped(project, f'case "$*" in *options_from_file*) echo "{mounted}" >"{mounts}";; esac')
    with Burner(profile="dvd+r") as drive:
        ran = store(project, drive, PATH=path, FAKEBURN_MOUNTINFO=str(mounts))
        assert ran.status == 8
        assert "umount /media/CC" in ran.err
        assert set(statuses(project)) <= {"burnt", "intended"}
        mounts.write_text("")
        assert store(project, drive, FAKEBURN_MOUNTINFO=str(mounts)).status == 0
        assert drive.state().closed_sessions == 1
    assert project.is_marked(DAY)


# -- at the end ----------------------------------------------------------------------------------------


def test_a_tray_that_does_not_open_at_the_end_is_a_warning(project: Project) -> None:
    project.configure(device="/dev/sr0", eject=True)
    project.stage(DAY)
    with Burner(profile="dvd+r") as drive:
        drive.faults([Fault("1b", times=ALWAYS, sense=Sense(5, 0x53, 2))])  # medium removal prevented
        ran = store(project, drive)
        assert ran.status == 0
        assert "the disc was not ejected" in ran.err
        drive.faults([])
        project.stage(NEXT)
        assert store(project, drive).status == 0
        assert drive.tray_open
    assert project.is_marked(DAY)


# -- at a terminal -------------------------------------------------------------------------------------


@contextlib.contextmanager
def at_terminal(
    project: Project, environ: Mapping[str, str]
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A store that is run at a terminal of its own, and the other end of that."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "cedarchest", "-c", str(project.config), "store"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**environ, "TERM": "dumb"},
        start_new_session=True,
        preexec_fn=_take_terminal,  # noqa: PLW1509 -- nothing else runs in this child yet
        cwd=project.root,
    )
    os.close(theirs)
    try:
        yield process, ours
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        with contextlib.suppress(OSError):
            os.close(ours)


def _take_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def read_until(ours: int, wanted: Callable[[bytes], bool]) -> bytes:
    """What is said at the terminal until it is what is wanted, or nobody speaks any more."""
    said = b""
    until = time.monotonic() + TIMEOUT_S
    while not wanted(said) and time.monotonic() < until:
        if not select.select([ours], [], [], 0.1)[0]:
            continue
        try:
            said += os.read(ours, 4096)
        except OSError:  # the other side is closed
            break
    return said


def test_somebody_at_the_terminal_is_asked_to_push_the_tray_in(project: Project) -> None:
    project.stage(DAY)
    with Burner(profile="dvd+r") as drive:
        drive.pulls_in(False, says=False)
        with at_terminal(project, drive.env()) as (process, ours):
            said = read_until(ours, lambda said: b"Press Enter" in said)
            assert b"the tray of /dev/sr0 is open" in said
            assert b"Push it in." in said
            assert drive.tray_open
            drive.load()
            os.write(ours, b"\n")
            read_until(ours, lambda _: False)
            assert process.wait(TIMEOUT_S) == 0
    assert project.is_marked(DAY)


def test_a_terminal_that_is_closed_while_a_session_is_written_leaves_it_proven(project: Project) -> None:
    project.stage(DAY, {"large": os.urandom(3_000_000)})
    with Burner(profile="dvd+r") as drive:
        drive.faults([Fault("write", times=ALWAYS, effect=Effect.SLOW, seconds=0.02)])
        with at_terminal(project, drive.env()) as (process, ours):
            reader = threading.Thread(target=read_until, args=(ours, lambda _: bool(sum(drive.fired()))))
            reader.start()
            while not sum(drive.fired()):
                assert process.poll() is None
                time.sleep(0.02)
            reader.join()
            os.close(ours)
            process.wait(TIMEOUT_S)
        assert statuses(project) == ["verified"]
        assert project.run("verify", environ=drive.env()).status == 0
    assert project.is_marked(DAY)
