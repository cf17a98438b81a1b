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
from tests.running import started


def ended(process: subprocess.Popen[bytes]) -> int:
    process.communicate()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    return process.returncode


def change(home: Path, dice: random.Random) -> None:
    """Things come, go and change; some come back as they were, or as something else."""
    there = sorted(path for path in home.rglob("*") if path.is_file() and not path.is_symlink())
    dice.shuffle(there)
    for path in there[:3]:
        path.unlink()
    for path in there[3:6]:
        path.write_bytes(dice.choice([b"one", b"two", dice.randbytes(dice.randrange(200_000))]))
    for path in there[6:8]:
        path.rename(path.with_name(f"r{dice.randrange(10**9)}"))
    for _ in range(6):
        path = home / f"d{dice.randrange(4)}" / dice.choice(["", "deep"]) / f"f{dice.randrange(10**9)}"
        if not any(parent.is_symlink() or parent.is_file() for parent in path.parents):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(dice.randbytes(dice.randrange(200_000)))
    aside = home.parent / "aside"
    aside.mkdir(exist_ok=True)
    for number in range(4):
        folder, away = home / f"d{number}", aside / f"d{number}"
        if away.exists() and dice.random() < 0.7:
            if folder.is_symlink() or folder.is_file():
                folder.unlink()
            if not folder.exists():
                away.rename(folder)
        elif folder.is_dir() and not folder.is_symlink() and not away.exists() and dice.random() < 0.5:
            folder.rename(away)
            if dice.random() < 0.6:
                folder.symlink_to(home / "d0") if dice.random() < 0.7 else folder.write_bytes(b"file")


def restored(days: list[Path], into: Path) -> None:
    """By hand, as the documentation says, from the newest whole archives on."""
    into.mkdir()
    whole = [number for number, day in enumerate(days) if any(map(_is_whole, day.glob("*.tar.zst")))]
    script = """
        for list in "$0"/*.deleted; do [ ! -e "$list" ] || xargs -0r rm -rf -- < "$list"; done
        for archive in "$0"/*.tar.zst; do [ ! -e "$archive" ] || tar -xpf "$archive"; done
    """
    for day in days[whole[-1] :]:
        subprocess.run(["sh", "-ec", script, str(day)], cwd=into, check=True)


def _is_whole(archive: Path) -> bool:
    return not Path(f"{archive}.deleted").exists()


def contents(top: Path) -> dict[str, object]:
    return {
        str(path.relative_to(top)): path.readlink()
        if path.is_symlink()
        else path.is_dir() or path.read_bytes()
        for path in top.rglob("*")
    }


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_a_collect_killed_at_any_moment_loses_nothing(project: Project, seed: int) -> None:
    """Each day a collect is killed, and let run; whatever of it comes to be on disc gives the tree back.

    On some days the master does all its work; on others the archives come to be on disc, and no receipt
    comes back; on others they are lost.
    """
    dice = random.Random(seed)
    home = project.root / "home"
    home.mkdir()
    keys: dict[str, object] = {"recursion_level": 1} if seed % 2 else {}
    sources(project, {"path": str(home), **keys}, mode="incr")
    on_disc: list[Path] = []
    for day in range(23, 30):
        project.environ["CEDARCHEST_NOW"] = f"2026-11-{day}T03:00"
        change(home, dice)
        process = started(project, "collect")
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
        came_of_it = dice.choice(["proven", "on disc", "on disc", "lost"]) if day < 29 else "on disc"
        if came_of_it != "lost":
            on_disc.append(keep(left, project.root / f"kept{day}"))
            restored(on_disc, project.root / f"back{day}")
            assert contents(project.root / f"back{day}" / str(home)[1:]) == contents(home), (day, came_of_it)
        if came_of_it == "proven":
            proven(project)


@pytest.mark.parametrize("keys", [{}, {"recursion_level": 1}])
def test_what_comes_back_after_a_day_that_nobody_can_tell_of_is_archived_again(
    project: Project, keys: dict[str, object]
) -> None:
    """Folder and file are away on the second day, whose archive comes to be on disc without a receipt."""
    home = project.root / "home"
    (home / "d").mkdir(parents=True)
    for name in ("a", "b", "d/x"):
        (home / name).write_bytes(name.encode())
    sources(project, {"path": str(home), **keys}, mode="incr")
    on_disc = []
    for day in range(24, 28):
        project.environ["CEDARCHEST_NOW"] = f"2026-11-{day}T03:00"
        for name in ("a", "d"):
            if day == 25:
                (home / name).rename(project.root / name)
            elif day == 26:
                (project.root / name).rename(home / name)
        (home / "b").write_bytes(f"{day}".encode())
        assert project.run("collect").status == 0
        on_disc.append(keep(collected(project), project.root / f"kept{day}"))
        restored(on_disc, project.root / f"back{day}")
        assert contents(project.root / f"back{day}" / str(home)[1:]) == contents(home), day
        if day in (24, 26):
            proven(project)


def keep(left: dict[str, Path], into: Path) -> Path:
    """A copy of what was collected."""
    into.mkdir()
    for name, path in left.items():
        shutil.copyfile(path, into / name)
    return into


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
    process = started(project, "collect")
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
