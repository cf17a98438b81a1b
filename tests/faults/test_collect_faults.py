"""A collect that is killed, interrupted or starved: nothing false, nothing lost, the next run completes."""

from __future__ import annotations

import contextlib
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.cli.test_collect_cli import archive_of, collected, proven, sources
from tests.conftest import Project

PROGRAM = """
import sys
import cedarchest.wiring, cedarchest.actions.collect, cedarchest.report.text, cedarchest.config.load
from cedarchest.cli import run
print("ready", flush=True)
sys.exit(run(sys.argv[1:]))
"""


def started(project: Project) -> subprocess.Popen[bytes]:
    """A collect at work, in a process group of its own, once the program is loaded."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "-c", str(project.config), "collect"],
        env={**os.environ, **project.environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        cwd=project.root,
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


def ended(process: subprocess.Popen[bytes]) -> int:
    process.communicate()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    return process.returncode


def change(home: Path, dice: random.Random) -> None:
    """Some files come, some go, some change, some get another name."""
    there = sorted(path for path in home.rglob("*") if path.is_file())
    dice.shuffle(there)
    for path in there[:3]:
        path.unlink()
    for path in there[3:6]:
        path.write_bytes(dice.randbytes(dice.randrange(200_000)))
    for path in there[6:8]:
        path.rename(path.with_name(f"r{dice.randrange(10**9)}"))
    for _ in range(5):
        path = home / f"d{dice.randrange(4)}" / f"f{dice.randrange(10**9)}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(dice.randbytes(dice.randrange(200_000)))


def restored(archives: list[Path], into: Path) -> None:
    """By hand, as the documentation says: what is deleted goes, then the archive comes over it."""
    into.mkdir()
    for archive in archives:
        if Path(f"{archive}.deleted").exists():
            subprocess.run(["sh", "-c", f"xargs -0r rm -rf -- < '{archive}.deleted'"], cwd=into, check=True)
        subprocess.run(["tar", "-xf", str(archive)], cwd=into, check=True)


def contents(top: Path) -> dict[str, bytes]:
    return {str(path.relative_to(top)): path.read_bytes() for path in top.rglob("*") if path.is_file()}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_a_collect_killed_at_any_moment_loses_nothing(project: Project, seed: int) -> None:
    """Each day a collect is killed, and let run; what is staged then, day by day, gives the tree back."""
    dice = random.Random(seed)
    home = project.root / "home"
    home.mkdir()
    sources(project, {"path": str(home)}, mode="incr")
    staged: list[Path] = []
    for day in range(23, 29):
        project.environ["CEDARCHEST_NOW"] = f"2026-11-{day}T03:00"
        change(home, dice)
        process = started(project)
        time.sleep(dice.random() * 0.25)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        ended(process)
        if (project.root / "collect/cback.collect").exists():
            collected(project)  # what is said to be there is there
        ran = project.run("collect")
        assert ran.status == 0, ran.err
        left = collected(project)
        assert not list((project.root / "collect").glob(".*"))
        if dice.random() < 0.6:  # on other days the master is away
            proven(project)
            staged += keep(left, project.root / f"kept{day}")
    project.environ["CEDARCHEST_NOW"] = "2026-11-29T03:00"
    assert project.run("collect").status == 0
    staged += keep(collected(project), project.root / "at-last")
    restored(staged, project.root / "back")
    assert contents(project.root / "back" / str(home)[1:]) == contents(home)


def keep(left: dict[str, Path], into: Path) -> list[Path]:
    """A copy of what was collected; gives the archives in it."""
    into.mkdir()
    for name, path in left.items():
        shutil.copyfile(path, into / name)
    return [into / name for name in left if name.endswith(".tar.zst")]


@pytest.mark.slow
@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
def test_a_collect_that_is_asked_to_end_ends_and_leaves_what_was_there(
    project: Project, asked: signal.Signals
) -> None:
    home = project.root / "home"
    home.mkdir()
    (home / "large").write_bytes(os.urandom(64 << 20))
    sources(project, {"path": str(home)}, archive="tar.xz")
    (project.root / "collect").mkdir()
    old = project.root / "collect" / archive_of(home, ".xz")
    old.write_bytes(b"old")
    process = started(project)
    while not list((project.root / "collect").glob(".*unfinished")):
        time.sleep(0.01)
    process.send_signal(asked)
    began = time.monotonic()
    assert ended(process) == 5
    assert time.monotonic() - began < 15
    assert old.read_bytes() == b"old"
    assert {path.name for path in (project.root / "collect").iterdir()} == {old.name}


def test_a_full_disk_leaves_what_was_there_and_is_named(project: Project) -> None:
    home = project.root / "home"
    home.mkdir()
    (home / "large").write_bytes(os.urandom(4 << 20))
    sources(project, {"path": str(home)})
    assert project.run("collect").status == 0
    before = (project.root / "collect" / archive_of(home)).read_bytes()
    done = subprocess.run(
        [sys.executable, "-m", "cedarchest", "-c", str(project.config), "collect"],
        env={**os.environ, **project.environ},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20)),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 6
    assert f"{project.root}/collect cannot be used: File too large" in done.stderr.decode()
    assert (project.root / "collect" / archive_of(home)).read_bytes() == before
    assert not (project.root / "collect/cback.collect").exists()
    assert not list((project.root / "collect").glob(".*"))
