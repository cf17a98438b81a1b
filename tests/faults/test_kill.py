"""A store killed at any moment: nothing false is left, and one further run brings everything right."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import Project
from tests.running import started

pytestmark = pytest.mark.long

DAYS = [f"2026/11/{day:02d}" for day in range(1, 29)]
REAL = shutil.which("xorriso") or "xorriso"
KILLED = -signal.SIGKILL


def stage(project: Project, day: str) -> None:
    project.stage(day, {"letter": day.encode() * 4000, "empty": b"", "sub/zeros": bytes(200_000)})


def sessions(project: Project) -> list[tuple[str, list[str]]]:
    """Status and days of all sessions."""
    ran = project.run("--json", "discs")
    assert ran.status == 0, ran.out
    details = ran.json["details"]
    assert isinstance(details, list)
    return [(each["status"], each["days"]) for disc in details for each in disc["sessions"]]


def verified_copies(project: Project, day: str) -> int:
    return sum(status == "verified" and day in days for status, days in sessions(project))


def is_on_disc(project: Project, day: str) -> bool:
    """Whether xorriso finds the day's letter on an image, as it was staged."""
    wanted = (project.staging / day / "alpha" / "letter").read_bytes()
    for image in project.images():
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(
                [REAL, "-no_rc", "-osirrox", "on", "-indev", f"stdio:{image}",
                 "-extract", f"/{day}/alpha/letter", f"{folder}/x"],
                capture_output=True, check=False,
            )  # fmt: skip
            found = Path(folder, "x")
            if found.is_file() and found.read_bytes() == wanted:
                return True
    return False


def assert_nothing_false(project: Project, days: list[str]) -> None:
    for day in days:
        if project.is_marked(day):
            assert verified_copies(project, day) == 1
            assert is_on_disc(project, day)


def assert_all_right(project: Project, days: list[str]) -> None:
    ran = project.run("store")
    assert ran.status == 0, ran.err
    for day in days:
        assert project.is_marked(day)
        assert verified_copies(project, day) == 1
        assert is_on_disc(project, day)
    verified = project.run("verify")
    assert verified.status == 0, verified.err
    assert not list(project.staging.glob("*/*/*/.*"))  # no temporary file stays in a day


# -- at random moments ------------------------------------------------------------------------------


@pytest.fixture
def run_time(project: Project, tmp_path: Path) -> float:
    """How long a store takes here once the program is loaded."""
    trial = Project(tmp_path / "trial")
    for folder in (trial.staging, trial.shelf):
        folder.mkdir(parents=True)
    trial.configure()
    stage(trial, DAYS[0])
    with started(trial, "store") as process:
        began = time.monotonic()
        assert process.wait() == 0
        return time.monotonic() - began


@pytest.mark.parametrize("seed", range(5))
def test_a_store_killed_at_a_random_moment_is_put_right_by_one_run(
    project: Project, run_time: float, seed: int
) -> None:
    """Four days on one shelf; every second store is killed twice in a row."""
    dice = random.Random(seed)
    for count in range(1, 5):
        days = DAYS[:count]
        stage(project, days[-1])
        for _ in range(1 + count % 2):
            with started(project, "store") as process:
                time.sleep(dice.uniform(0, 1.1 * run_time))
                process.kill()
            assert_nothing_false(project, days)
        assert_all_right(project, days)


# -- at each call of xorriso ------------------------------------------------------------------------

Killing = Callable[[str], str]


@pytest.fixture
def killing(tmp_path: Path) -> Killing:
    """Puts a script before xorriso; `$call` counts its calls in a run, `$parent` is the store.

    Gives the PATH on which it is found.
    """

    def install(script: str) -> str:
        folder = tmp_path / "tools"
        folder.mkdir(exist_ok=True)
        (folder / "calls").write_text("")
        tool = folder / "xorriso"
        tool.write_text(
            "#!/bin/sh\n"
            f'echo >>"{folder}/calls"; call=$(wc -l <"{folder}/calls"); parent=$PPID\n'
            f'{script}\nexec {REAL} "$@"\n'
        )
        tool.chmod(0o755)
        return f"{folder}:{os.environ['PATH']}"

    return install


IS_BURN = 'case "$*" in *-options_from_file*) burn=yes;; *) burn=;; esac\n'


@pytest.mark.parametrize("earlier", [0, 1], ids=["first session", "append"])
def test_a_store_killed_before_any_of_its_steps_is_put_right_without_a_second_burn(
    tmp_path: Path, killing: Killing, earlier: int
) -> None:
    """Killed at the first call of xorriso, at the second and so on, until a run passes."""
    killed_after_burn = 0
    for step in range(1, 30):
        project = Project(tmp_path / f"project{step}")
        for folder in (project.staging, project.shelf):
            folder.mkdir(parents=True)
        project.configure()
        days = DAYS[: earlier + 1]
        for day in days[:earlier]:
            stage(project, day)
            assert project.run("store").status == 0
        before = sum(image.stat().st_size for image in project.images())
        stage(project, days[-1])
        time.sleep(0.2)  # what is as new as the run is looked at twice, by one call more
        path = killing(f"[ $call = {step} ] && kill -9 $parent && exit")
        with started(project, "store", path=path) as process:
            status = process.wait()
        if status == 0:
            break
        assert status == KILLED
        assert not project.is_marked(days[-1])
        burnt = sum(image.stat().st_size for image in project.images())
        assert_all_right(project, days)
        assert len(sessions(project)) <= len(days) + 1
        if burnt > before:
            killed_after_burn += 1
            assert [each for each, _ in sessions(project)] == ["verified"] * len(days)
            assert len(project.images()) == 1
            assert sum(image.stat().st_size for image in project.images()) == burnt
    else:
        pytest.fail("no run passed")
    assert killed_after_burn >= 2


@pytest.mark.parametrize("earlier", [0, 1], ids=["first session", "append"])
def test_a_store_killed_together_with_its_burner_while_that_writes_is_put_right(
    project: Project, killing: Killing, earlier: int
) -> None:
    days = DAYS[: earlier + 1]
    for day in days[:earlier]:
        stage(project, day)
        assert project.run("store").status == 0
    stage(project, days[-1])
    (project.staging / days[-1] / "alpha" / "large").write_bytes(os.urandom(1 << 20) * 32)
    size = sum(image.stat().st_size for image in project.images()) + 3_000_000
    path = killing(
        IS_BURN + '[ -z "$burn" ] && exec ' + REAL + ' "$@"\n'
        f'{REAL} "$@" &\n'
        f"until cat {project.shelf}/*.iso 2>/dev/null | tail -c +{size} | grep -qc .; do :; done\n"
        "kill -9 $! $parent; exit\n"
    )
    with started(project, "store", path=path) as process:
        assert process.wait() == KILLED
    assert_nothing_false(project, days)
    assert not project.is_marked(days[-1])
    assert_all_right(project, days)


# -- a burner that outlives the store ---------------------------------------------------------------


@pytest.mark.parametrize("earlier", [0, 1], ids=["first session", "append"])
def test_a_burner_that_outlives_its_store_is_waited_for_and_its_session_checked(
    project: Project, killing: Killing, earlier: int
) -> None:
    """The store dies when xorriso is told to write; nobody reads what it says any more."""
    days = DAYS[: earlier + 1]
    for day in days[:earlier]:
        stage(project, day)
        assert project.run("store").status == 0
    stage(project, days[-1])
    path = killing(
        IS_BURN + '[ -z "$burn" ] && exec ' + REAL + ' "$@"\n'
        'for each; do case "$each" in /dev/fd/*) commands=$each;; esac; done\n'
        'sed -u "/^-end$/e kill -9 $parent; sleep 1" <"$commands" |'
        f" {REAL} -no_rc -signal_handling sig_ign -abort_on FATAL -pkt_output on"
        " -options_from_file - -rollback_end\nexit\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "cedarchest", "-c", str(project.config), "store"],
        env={**os.environ, "PATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert process.wait(timeout=60) == KILLED
    ran = project.run("store")
    assert ran.status == 0, ran.err
    assert "waiting for its burner to end" in ran.err
    assert [each for each, _ in sessions(project)] == ["verified"] * len(days)
    assert_all_right(project, days)


def test_a_store_killed_before_it_says_write_leaves_the_shelf_as_it_was(
    project: Project, killing: Killing
) -> None:
    """Its commands end without the one to write; xorriso then forgets them."""
    stage(project, DAYS[0])
    assert project.run("store").status == 0
    before = project.images()[0].read_bytes()
    stage(project, DAYS[1])
    path = killing(
        IS_BURN + '[ -z "$burn" ] && exec ' + REAL + ' "$@"\n'
        f'{REAL} "$@" | sed -u "/Image size/e kill -9 $parent"\nexit\n'
    )
    with started(project, "store", path=path) as process:
        assert process.wait() == KILLED
        time.sleep(0.3)
    assert project.images()[0].read_bytes() == before
    assert_all_right(project, DAYS[:2])
    assert [each for each, _ in sessions(project)].count("verified") == 2


@pytest.mark.parametrize("name", [".INDEX.jsonl.gz", ".SHA256SUMS", ".cback.store"])
def test_what_a_killed_run_left_unfinished_in_a_day_is_taken_away_and_never_stored(
    project: Project, name: str
) -> None:
    stage(project, DAYS[0])
    (project.staging / DAYS[0] / f"{name}.0123abcd").write_bytes(b"half")
    assert_all_right(project, DAYS[:1])
    assert f"{name}.0123abcd".encode() not in project.images()[0].read_bytes()


def test_a_verify_killed_in_its_middle_changes_no_verdict(project: Project) -> None:
    stage(project, DAYS[0])
    assert project.run("store").status == 0
    with started(project, "store") as process:
        process.kill()
    with started(project, "verify"):
        time.sleep(0.1)
    assert project.is_marked(DAYS[0])
    assert_all_right(project, DAYS[:1])
