"""Staging that is killed, interrupted or starved: every file whole, nothing false, the next run goes on."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.program import error_of
from tests.conftest import Project
from tests.pool import collect, list_all, peers, staged
from tests.running import started
from tests.sshd import Sshd

pytestmark = pytest.mark.long

TODAY = "2026/11/22"


@pytest.fixture
def pool(project: Project) -> Project:
    """A project with two local peers, whose clock stands."""
    project.environ["CEDARCHEST_NOW"] = "2026-11-22T03:00"
    peers(project, {"name": "alpha"}, {"name": "beta"})
    return project


def content(peer: str, number: int, generation: int) -> bytes:
    return hashlib.sha256(f"{peer}/{number}/{generation}".encode()).digest() * (1000 * number + 1)


def fill(project: Project, generation: int) -> dict[str, bytes]:
    """What two peers have, some of it new in each generation; gives what a day must hold of it."""
    wanted: dict[str, bytes] = {}
    for peer in ("alpha", "beta"):
        files = {
            f"d{number % 3}/f{number}": content(peer, number, generation if number % 2 else 0)
            for number in range(40)
        }
        list_all(collect(project, peer, files))
        wanted |= {f"{peer}/{name}": data for name, data in files.items()}
    return wanted


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_a_stage_killed_at_any_moment_is_put_right_by_one_run(pool: Project, seed: int) -> None:
    """Five generations of what the peers have in one day, each stage of them killed before it is let run."""
    dice = random.Random(seed)
    generations: list[dict[str, bytes]] = []
    for generation in range(5):
        generations.append(fill(pool, generation))
        process = started(pool, "stage")
        time.sleep(dice.uniform(0, 0.7))
        process.kill()
        for path, data in staged(pool).items():  # whatever is there is whole, of this generation or the last
            is_ours = "/" not in path  # an unfinished index
            assert is_ours or any(data == known[path] for known in generations[-2:])
        if (pool.staging / TODAY / "cback.stage").exists() and dice.random() < 0.5:
            assert pool.run("store").status == 0
        ran = pool.run("stage")
        assert ran.status == 0, ran.out + ran.err
        assert staged(pool) == generations[-1]
        assert (pool.staging / TODAY / "cback.stage").exists()
        subprocess.run(
            ["sha256sum", "--quiet", "--strict", "-c", "SHA256SUMS"], cwd=pool.staging / TODAY, check=True
        )
        assert sorted(path.name for path in pool.staging.iterdir()) == [".arriving", "2026"]
        assert pool.run("store").status == 0
    assert pool.run("verify").status == 0


def test_a_day_that_a_killed_run_left_is_finished_on_another_day(pool: Project) -> None:
    collect(pool, "alpha")
    collect(pool, "beta")
    assert pool.run("stage").status == 0
    day = pool.staging / TODAY
    for name in ("cback.stage", "INDEX.jsonl.gz", "SHA256SUMS"):
        (day / name).unlink()
    (pool.staging / ".arriving-days").write_text(TODAY)  # as a run leaves it that is killed before the index
    for unfinished in (day / ".cback.stage.0123abcd", pool.staging / "..arriving-days.0123abcd"):
        unfinished.touch()
    assert pool.run("stage", environ={"CEDARCHEST_NOW": "2026-11-23T03:00"}).status == 0
    assert (day / "cback.stage").is_file()
    assert (day / "SHA256SUMS").is_file()
    assert sorted(path.name for path in pool.staging.iterdir()) == [".arriving", "2026"]
    assert sorted(path.name for path in day.iterdir()) == sorted(
        ["INDEX.jsonl.gz", "SHA256SUMS", "alpha", "beta", "cback.stage"]
    )


@pytest.fixture
def slow_peer(pool: Project, tmp_path: Path) -> Iterator[Sshd]:
    """A remote peer with one large file, over a line that takes a while for it."""
    with Sshd(tmp_path / "sshd") as server:
        peers(pool, {"name": "away", **server.peer, "bwlimit": "500 kB"})
        list_all(collect(pool, "away", {"big": os.urandom(3_000_000)}))
        yield server


def wait_for_arrival(project: Project) -> None:
    """Until something of the file is there."""
    folder = project.staging / ".arriving" / "away"
    for _ in range(1000):
        if folder.is_dir() and any(path.stat().st_size > 300_000 for path in folder.iterdir()):
            return
        time.sleep(0.02)
    raise AssertionError("nothing arrives")


@pytest.mark.slow
def test_an_interrupt_ends_what_is_on_its_way_and_the_next_run_goes_on(
    pool: Project, slow_peer: Sshd
) -> None:
    process = started(pool, "stage")
    wait_for_arrival(pool)
    process.signal(signal.SIGTERM)
    assert (process.wait(), "Traceback" in process.said()) == (5, False)
    assert not (pool.staging / TODAY).exists()
    (partial,) = (pool.staging / ".arriving" / "away" / ".rsync-partial").iterdir()
    assert partial.stat().st_size > 100_000
    peers(pool, {"name": "away", **slow_peer.peer})
    assert pool.run("stage").status == 0
    assert staged(pool) == {"away/big": (pool.root / "collect" / "away" / "big").read_bytes()}


def descendants(pid: str) -> list[str]:
    """What a process has started, and what that has: which of them holds the line depends on who runs it."""
    found = subprocess.run(["pgrep", "-P", pid], capture_output=True, text=True, check=False).stdout.split()
    return [*found, *(each for child in found for each in descendants(child))]


def test_a_peer_that_dies_half_way_is_an_error_and_the_next_run_goes_on(
    pool: Project, slow_peer: Sshd
) -> None:
    process = started(pool, "stage")
    wait_for_arrival(pool)
    for session in descendants((slow_peer.folder / "pid").read_text().strip()):
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(session), signal.SIGKILL)
    assert process.wait() == 6
    assert "cedarchest: away cannot be read (" in process.said()
    assert not (pool.staging / TODAY).exists()
    peers(pool, {"name": "away", **slow_peer.peer})
    assert pool.run("stage").status == 0
    assert len(staged(pool)["away/big"]) == 3_000_000


@pytest.mark.slow
def test_a_peer_that_collects_meanwhile_is_not_taken(pool: Project, slow_peer: Sshd) -> None:
    process = started(pool, "stage")
    wait_for_arrival(pool)
    os.utime(pool.root / "collect" / "away" / "cback.collect", (1, 1))
    assert process.wait() == 6
    assert "away collected again while it was staged; nothing of it was taken" in process.said()
    assert not (pool.staging / TODAY).exists()
    assert slow_peer.port


@pytest.mark.slow
def test_two_runs_at_once_are_one(pool: Project, slow_peer: Sshd) -> None:
    process = started(pool, "stage")
    wait_for_arrival(pool)
    for action in ("stage", "store"):
        ran = pool.run("--json", action)
        assert (ran.status, error_of(ran)["kind"]) == (10, "LockedError")
    assert process.wait() == 0
    assert slow_peer.port


# -- no room ----------------------------------------------------------------------------------------


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    """A disk of its own for a folder; only root may have one."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this machine lets us mount nothing")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_staging_disk_that_is_full_is_an_error_and_the_next_run_goes_on(pool: Project) -> None:
    with small_disk(pool.staging, "1m"):
        list_all(collect(pool, "alpha", {"small": b"x"}))
        list_all(collect(pool, "beta", {"big": bytes(2_000_000)}))
        ran = pool.run("stage")
        assert ran.status == 11
        assert "left out: beta has 2.0 MB to stage, and" in ran.out
        assert staged(pool) == {"alpha/small": b"x"}
        subprocess.run(["mount", "-o", "remount,size=9m", str(pool.staging)], check=True)
        assert pool.run("stage").status == 0
        assert len(staged(pool)["beta/big"]) == 2_000_000


@pytest.mark.slow
def test_a_staging_disk_that_others_fill_meanwhile_is_an_error_and_the_next_run_goes_on(
    pool: Project, slow_peer: Sshd
) -> None:
    with small_disk(pool.staging, "5m"):
        process = started(pool, "stage")
        wait_for_arrival(pool)
        with (pool.staging / "of others").open("wb", buffering=0) as stream, contextlib.suppress(OSError):
            while stream.write(bytes(65536)) == 65536:
                pass
        assert process.wait() == 6
        assert "cedarchest: there is no room for what comes from away: " in process.said()
        assert not (pool.staging / TODAY).exists()
        (pool.staging / "of others").unlink()
        peers(pool, {"name": "away", **slow_peer.peer})
        assert pool.run("stage").status == 0
        assert staged(pool) == {"away/big": (pool.root / "collect" / "away" / "big").read_bytes()}


def test_a_file_that_staging_cannot_take_is_an_error_and_the_next_run_goes_on(pool: Project) -> None:
    """As on a disk that is full: nothing longer than 1 MiB can be written."""
    list_all(collect(pool, "alpha", {"small": b"x"}))
    list_all(collect(pool, "beta", {"big": os.urandom(2_000_000), "small": b"y"}))
    done = subprocess.run(
        [sys.executable, "-m", "cedarchest", "-c", str(pool.config), "stage"],
        env={**os.environ, **pool.environ},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20)),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 11
    assert b"left out: there is no room for what comes from beta: " in done.stdout
    assert b'/.arriving/beta/big": File too large (27)' in done.stdout
    assert staged(pool) == {"alpha/small": b"x"}
    assert pool.run("stage").status == 0
    assert staged(pool) == {
        "alpha/small": b"x",
        "beta/small": b"y",
        "beta/big": (pool.root / "collect/beta/big").read_bytes(),
    }
