"""Two runs at once, and a run that is asked to end: one works, the other says who; no burn is cut short."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.test_collect_cli import sources
from tests.conftest import Project

pytestmark = pytest.mark.slow

DAY, NEXT = "2026/11/22", "2026/11/23"
REAL = shutil.which("xorriso") or "xorriso"
IS_BURN = 'case "$*" in *-options_from_file*) ;; *) exec ' + REAL + ' "$@";; esac\n'


class Held:
    """xorriso's burns wait: they touch `begun` and go on once `go` is there.

    They do so at their start or, with `writing`, when they have been told to write. xorriso itself gets
    every signal; what stands before it gets none.
    """

    def __init__(self, folder: Path, *, writing: bool) -> None:
        folder.mkdir()
        self.begun, self.go = folder / "begun", folder / "go"
        wait = f"touch {self.begun}; until [ -e {self.go} ]; do sleep 0.02; done"
        real = f"env --default-signal=INT,TERM,HUP {REAL}"
        if writing:
            script = (
                'for each; do case "$each" in /dev/fd/*) commands=$each;; esac; done\n'
                f'sed -u "/^-end$/e {wait}" <"$commands" | {real} -no_rc -signal_handling sig_ign'
                " -abort_on FATAL -pkt_output on -options_from_file - -rollback_end\n"
            )
        else:
            script = f'{wait}\nexec {real} "$@"\n'
        (folder / "xorriso").write_text("#!/bin/sh\n" + IS_BURN + "trap '' INT TERM HUP\n" + script)
        (folder / "xorriso").chmod(0o755)
        self.path = f"{folder}:{os.environ['PATH']}"

    def wait(self) -> None:
        """Until a burn has begun."""
        for _ in range(1500):
            if self.begun.exists():
                return
            time.sleep(0.02)
        pytest.fail("no burn began")


@contextlib.contextmanager
def storing(project: Project, held: Held) -> Iterator[subprocess.Popen[bytes]]:
    """A store whose burn waits."""
    process = subprocess.Popen(
        [sys.executable, "-m", "cedarchest", "--json", "-c", str(project.config), "store"],
        env={**os.environ, "PATH": held.path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        cwd=project.root,
    )
    try:
        held.wait()
        yield process
    finally:
        held.go.touch()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=60)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def says(process: subprocess.Popen[bytes], sentence: bytes) -> bool:
    """Whether a process says something on its standard error, which is read up to there."""
    assert process.stderr is not None
    said = b""
    while sentence not in said:
        if not select.select([process.stderr], [], [], 60)[0]:
            return False
        piece = os.read(process.stderr.fileno(), 4096)
        if not piece:
            return False
        said += piece
    return True


def statuses(project: Project) -> list[str]:
    details = project.run("--json", "discs").json["details"]
    assert isinstance(details, list)
    return [session["status"] for disc in details for session in disc["sessions"]]


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if not path.name.startswith("catalog.sqlite")  # its shared memory is every reader's
        and path.name != "runs.jsonl"  # which tells of the run that was turned away as well
    }


@pytest.mark.parametrize("action", [["store"], ["verify"], ["rebuild"], ["initialize", "--yes"]])
def test_a_second_run_ends_at_once_and_says_who_is_at_work(
    project: Project, tmp_path: Path, action: list[str]
) -> None:
    project.stage(DAY)
    held = Held(tmp_path / "tools", writing=True)
    with storing(project, held) as first:
        before = snapshot(project.root)
        second = project.run("--json", *action)
        assert second.status == 10, second.err
        error = second.json["error"]
        assert isinstance(error, dict)
        assert error["kind"] == "LockedError"
        assert str(first.pid) in str(error)
        assert snapshot(project.root) == before
        held.go.touch()
        first.communicate(timeout=60)
    assert first.returncode == 0
    assert project.is_marked(DAY)
    assert statuses(project) == ["verified"]


def test_a_state_folder_of_its_own_does_not_open_a_shelf_in_use(project: Project, tmp_path: Path) -> None:
    project.stage(DAY)
    other = Project(tmp_path / "other")
    other.staging.mkdir(parents=True)
    other.configure(device=f"shelf:{project.shelf}")
    other.stage(NEXT)
    held = Held(tmp_path / "tools", writing=True)
    with storing(project, held) as first:
        second = other.run("store")
        assert second.status == 10, second.err
        assert str(project.shelf) in second.err
        assert not other.is_marked(NEXT)
        held.go.touch()
        first.communicate(timeout=60)
    assert first.returncode == 0
    assert other.run("store").status == 0
    assert other.is_marked(NEXT)
    assert len(project.images()) == 2
    assert project.run("verify").status == 0


@pytest.mark.parametrize("action", [["status"], ["discs"]])
def test_a_look_at_how_things_stand_works_beside_a_store(
    project: Project, tmp_path: Path, action: list[str]
) -> None:
    project.stage(DAY)
    held = Held(tmp_path / "tools", writing=True)
    with storing(project, held) as first:
        assert project.run(*action).status in (0, 10)
        held.go.touch()
        first.communicate(timeout=60)
    assert first.returncode == 0


def test_a_night_beside_another_run_says_so_once(project: Project, tmp_path: Path) -> None:
    home = project.root / "home"
    home.mkdir()
    sources(project, {"path": str(home)})
    project.stage(DAY)
    held = Held(tmp_path / "tools", writing=True)
    with storing(project, held) as first:
        ran = project.run("all")
        assert ran.status == 10
        assert ran.err.count("another run is at work") == 1
        held.go.touch()
        first.communicate(timeout=60)
    assert first.returncode == 0


def test_a_lock_whose_holder_is_dead_and_gone_holds_up_nobody(project: Project) -> None:
    (project.root / "state").mkdir()
    (project.root / "state" / "lock").write_text("1\n")
    project.stage(DAY)
    assert project.run("store").status == 0


# -- asked to end -----------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda each: each.name)
@pytest.mark.parametrize("whom", ["the program", "its process group"])
def test_a_signal_during_a_burn_lets_the_session_end(
    project: Project, tmp_path: Path, number: signal.Signals, whom: str
) -> None:
    """As Ctrl-C at a terminal does it, the signal goes to xorriso too, which has been told to ignore it."""
    project.stage(DAY)
    held = Held(tmp_path / "tools", writing=True)
    with storing(project, held) as first:
        if whom == "the program":
            os.kill(first.pid, number)
        else:
            os.killpg(first.pid, number)
        time.sleep(0.1)
        held.go.touch()
        out, err = first.communicate(timeout=60)
    assert first.returncode == 5, err
    assert json.loads(out)["error"]["kind"] == "Interrupted"
    assert not project.is_marked(DAY)
    assert statuses(project) in (["burnt"], ["intended"])
    size = project.images()[0].stat().st_size
    again = project.run("store")
    assert again.status == 0, again.err
    assert project.is_marked(DAY)
    assert statuses(project) == ["verified"]
    assert [image.stat().st_size for image in project.images()] == [size]
    assert project.run("verify").status == 0


@pytest.mark.parametrize("whom", ["the program", "its process group"])
def test_a_session_that_is_written_when_the_terminal_is_lost_is_proven(
    project: Project, tmp_path: Path, whom: str
) -> None:
    project.stage(DAY)
    held = Held(tmp_path / "tools", writing=True)
    with storing(project, held) as first:
        (os.kill if whom == "the program" else os.killpg)(first.pid, signal.SIGHUP)
        time.sleep(0.1)
        held.go.touch()
        _, err = first.communicate(timeout=60)
    assert first.returncode == 0, err
    assert project.is_marked(DAY)
    assert statuses(project) == ["verified"]


def test_no_further_session_is_begun_when_the_terminal_is_lost(project: Project, tmp_path: Path) -> None:
    project.configure(new_disc="daily")
    project.stage(DAY)
    project.stage(NEXT)
    held = Held(tmp_path / "tools", writing=True)
    with storing(project, held) as first:
        os.kill(first.pid, signal.SIGHUP)
        time.sleep(0.1)
        held.go.touch()
        _, err = first.communicate(timeout=60)
    assert first.returncode == 5, err
    assert (project.is_marked(DAY), project.is_marked(NEXT)) == (True, False)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda each: each.name)
def test_a_signal_before_the_writing_begins_writes_nothing(
    project: Project, tmp_path: Path, number: signal.Signals
) -> None:
    project.stage(DAY)
    held = Held(tmp_path / "tools", writing=False)
    with storing(project, held) as first:
        os.kill(first.pid, number)
        time.sleep(0.1)
        held.go.touch()
        _, err = first.communicate(timeout=60)
    assert first.returncode == 5, err
    assert b"Traceback" not in err
    assert project.images() == []
    assert not project.is_marked(DAY)
    assert project.run("store").status == 0
    assert project.is_marked(DAY)
    assert statuses(project).count("verified") == 1


def test_a_signal_while_files_are_indexed_ends_the_run(project: Project) -> None:
    """A file of holes takes long enough to read."""
    folder = project.stage(DAY)
    with (folder / "alpha" / "large").open("wb") as stream:
        stream.truncate(40 << 30)
    process = subprocess.Popen(
        [sys.executable, "-m", "cedarchest", "-c", str(project.config), "store"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    for _ in range(1500):
        if (project.root / "state" / "lock").exists():
            break
        time.sleep(0.02)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 5, err
    assert b"Traceback" not in err
    assert project.images() == []
    assert not (folder / "INDEX.jsonl.gz").exists()
    assert not list(folder.glob(".*"))


def test_a_third_signal_abandons_the_burn_and_the_next_run_goes_on(project: Project, tmp_path: Path) -> None:
    project.stage(DAY)
    held = Held(tmp_path / "tools", writing=True)
    with storing(project, held) as first:
        for answer in (
            b"the burner is not stopped",
            b"ending now spoils this session and, on write-once media, costs its room",
            b"the burner is told to stop",
        ):
            os.kill(first.pid, signal.SIGINT)
            assert says(first, answer)
        os.kill(first.pid, signal.SIGINT)  # of no effect: it is being ended already
        held.go.touch()
        _, err = first.communicate(timeout=90)
    assert first.returncode == 5, err
    assert b"Traceback" not in err
    assert not project.is_marked(DAY)
    assert project.run("store").status == 0
    assert project.is_marked(DAY)
    assert statuses(project).count("verified") == 1


@pytest.mark.parametrize("append", [False, True], ids=["first session", "append"])
def test_a_session_that_was_never_written_passes_no_verify(
    project: Project, tmp_path: Path, *, append: bool
) -> None:
    if append:
        project.stage(DAY)
        assert project.run("store").status == 0
    project.stage(NEXT)
    held = Held(tmp_path / "tools", writing=True)
    with storing(project, held) as first:
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
    assert statuses(project)[-1] == "intended"
    said = project.run("status").out
    assert f"{NEXT}  due, not proven on " in said
    assert "Put" not in said
    ran = project.run("--json", "verify")
    assert "was never completed; its days are due" in ran.err
    assert statuses(project)[-1] == "abandoned"
    verdicts = ran.json["verdicts"]
    assert isinstance(verdicts, list)
    figures = [(each["passed"], each["sessions"], each["blocks"] > 0) for each in verdicts]
    if append:
        assert (ran.status, figures) == (0, [(True, 1, True)])
    else:
        assert (ran.status, figures) == (8, [(False, 0, False)])
        assert project.run("verify").out == "there is nothing to verify\n"
        assert "given up" in project.run("discs").out
    assert project.run("store").status == 0
    assert project.is_marked(NEXT)
    assert statuses(project).count("verified") == 1 + append
