"""A collect that is killed, interrupted or starved: nothing false, nothing lost, the next run completes."""

from __future__ import annotations

import contextlib
import gzip
import os
import random
import resource
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.cli.test_collect_cli import archive_of, collected, proven, sources
from tests.conftest import Project
from tests.forked import AtWork
from tests.running import started


def ended(process: AtWork) -> int:
    """Its exit status, once it came to its end by itself or by a signal."""
    status = process.wait()
    process.kill()
    return status


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


@pytest.mark.long
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
        process.kill()
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


def test_what_a_killed_collect_began_is_not_staged(project: Project) -> None:
    """Killed in the midst of an archive, while the mark and the archive of an earlier collect stand there."""
    home, tools, begun = (project.root / name for name in ("home", "tools", "begun"))
    home.mkdir()
    tools.mkdir()
    (home / "letter").write_bytes(b"one")
    sources(project, {"path": str(home)}, archive="tar.gz")
    assert project.run("collect").status == 0
    before = collected(project)[archive_of(home, ".gz")].read_bytes()
    (home / "letter").write_bytes(os.urandom(1 << 20))
    (tools / "gzip").write_text(f'#!/bin/sh\nhead -c 100000; touch "{begun}"; sleep 60\n')
    (tools / "gzip").chmod(0o755)
    project.environ["PATH"] = f"{tools}:{os.environ['PATH']}"
    process = started(project, "collect")
    while not begun.exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    assert list((project.root / "collect").glob(".*.unfinished"))
    ran = project.run("stage")
    assert (ran.status, list(project.staging.glob("2*"))) == (6, [])
    assert "here is not ready: there is no cback.collect" in ran.err
    assert (project.root / "collect" / archive_of(home, ".gz")).read_bytes() == before
    del project.environ["PATH"]
    for action in ("collect", "stage"):
        assert project.run(action).status == 0
    assert not list((project.root / "collect").glob(".*"))
    (archive,) = project.staging.rglob("*.tar.gz")
    assert archive.read_bytes() == collected(project)[archive_of(home, ".gz")].read_bytes() != before


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
    process.signal(asked)
    began = time.monotonic()
    assert ended(process) == 5, process.said()
    assert time.monotonic() - began < 15
    assert old.read_bytes() == b"old"
    assert {path.name for path in (project.root / "collect").iterdir()} == {old.name}


@pytest.mark.parametrize("packing", ["", ".zst"])
def test_a_full_disk_leaves_what_was_there_and_is_named(project: Project, packing: str) -> None:
    home = project.root / "home"
    home.mkdir()
    (home / "large").write_bytes(os.urandom(4 << 20))
    sources(project, {"path": str(home), "archive": f"tar{packing}"})
    assert project.run("collect").status == 0
    before = (project.root / "collect" / archive_of(home, packing)).read_bytes()
    done = subprocess.run(
        [sys.executable, "-m", "cedarchest", "-c", str(project.config), "collect"],
        env={**os.environ, **project.environ},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20)),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 6
    assert f"{project.root}/collect cannot be used: File too large" in done.stderr.decode()
    assert (project.root / "collect" / archive_of(home, packing)).read_bytes() == before
    assert not (project.root / "collect/cback.collect").exists()
    assert not list((project.root / "collect").glob(".*"))


def test_a_killed_collect_leaves_no_tar_that_goes_on(project: Project) -> None:
    """Into a file no pipe breaks: it ends because nobody hears it any more."""
    home = project.root / "home"
    home.mkdir()
    with (home / "large").open("wb") as large:
        for _ in range(200):
            large.write(os.urandom(1 << 20))
    sources(project, {"path": str(home), "archive": "tar"})
    process = started(project, "collect")
    tar = _child_that_runs(process.pid, "tar")
    os.kill(tar, signal.SIGSTOP)
    process.signal(signal.SIGKILL)
    assert ended(process) == -signal.SIGKILL
    os.kill(tar, signal.SIGCONT)
    while Path(f"/proc/{tar}").exists():
        time.sleep(0.01)
    (left,) = (project.root / "collect").glob(".*unfinished")
    assert left.stat().st_size < 200 << 20
    assert project.run("collect").status == 0
    assert not list((project.root / "collect").glob(".*"))


def _child_that_runs(pid: int, name: str) -> int:
    """The number of a child, as soon as it runs a program."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # one that just ended
                if Path(f"/proc/{child}/comm").read_text().strip() == name:
                    return int(child)
        time.sleep(0.0005)
    raise AssertionError(f"{pid} runs no {name}")


# -- what others left there -------------------------------------------------------------------------


def test_a_link_in_the_collect_dir_is_replaced_and_never_followed(project: Project) -> None:
    """Whoever may write there, such as the user whom the master logs in as, gets no other file by it."""
    home, secret, folder = (project.root / name for name in ("home", "secret", "collect"))
    home.mkdir()
    folder.mkdir()
    secret.write_bytes(b"secret")
    secret.chmod(0o600)
    owner = secret.stat().st_uid
    sources(
        project, {"path": str(home)}, commands=[{"name": "dump", "argv": ["echo", "x"], "archive": "tar"}]
    )
    text = project.config.read_text()
    project.config.write_text(text.replace("[options]\n", '[options]\nuser = "nobody"\n'))
    archive = archive_of(home)
    names = {archive, f"{archive}.index.jsonl.gz", "dump", "cback.collect", "cback.collect.jsonl"}
    for name in (*names, f"{archive}.deleted"):
        (folder / name).symlink_to(secret)
    assert project.run("collect").status == 0
    status = secret.stat()
    assert (secret.read_bytes(), stat.S_IMODE(status.st_mode), status.st_uid) == (b"secret", 0o600, owner)
    assert {path.name for path in folder.iterdir()} == names
    assert not any(path.is_symlink() for path in folder.iterdir())


def test_a_state_is_never_run(project: Project) -> None:
    """What an earlier collect found, and what receipts tell, is data; a pickle in its place is of no use."""
    home = project.root / "home"
    home.mkdir()
    (home / "letter").write_bytes(b"one")
    sources(project, {"path": str(home)}, mode="incr")
    project.environ["CEDARCHEST_NOW"] = "2026-11-24T03:00"
    assert project.run("collect").status == 0
    proven(project)
    code = b"cos\nsystem\n(S'touch %s'\ntR." % os.fsencode(project.root / "ran")
    states = [path for path in (project.root / "state/collect").rglob("*") if path.is_file()]
    receipts = list((project.root / "collect/cback.receipts").iterdir())
    assert states
    assert receipts
    for path in (*states, *receipts):
        path.write_bytes(gzip.compress(code) if path.suffix == ".gz" else code)
    project.environ["CEDARCHEST_NOW"] = "2026-11-25T03:00"
    assert project.run("collect").status == 0
    back = project.root / "back"
    back.mkdir()
    subprocess.run(["tar", "-xf", str(collected(project)[archive_of(home)]), "-C", str(back)], check=True)
    assert contents(back / str(home)[1:]) == {"letter": b"one"}
    assert not (project.root / "ran").exists()
