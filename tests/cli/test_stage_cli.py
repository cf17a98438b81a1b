"""`stage` as users run it: what peers collected comes into today's day, checked, indexed, marked."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.program import error_of, told
from tests.conftest import Project
from tests.pool import collect, list_all, peers, staged
from tests.sshd import Sshd

TODAY, TOMORROW = "2026/11/22", "2026/11/23"
LATER = {"CEDARCHEST_NOW": "2026-11-23T03:00"}


@pytest.fixture
def pool(project: Project) -> Project:
    """A project with the local peers `alpha` and `beta`, whose clock stands."""
    project.environ["CEDARCHEST_NOW"] = "2026-11-22T03:00"
    peers(project, {"name": "alpha"}, {"name": "beta"})
    return project


def test_what_peers_collected_is_staged_indexed_and_marked(pool: Project) -> None:
    collect(pool, "alpha", {"etc.tar": b"e" * 5000, "deep/er/x": b"x"})
    collect(pool, "beta")
    ran = pool.run("stage", "--dry-run")
    assert ran.status == 0, ran.err
    assert ran.out.splitlines() == [
        f"would stage alpha in {TODAY}: 2 files, 5.0 kB",
        f"would stage beta in {TODAY}: 1 file, 400 B",
    ]
    assert list(pool.staging.iterdir()) == []
    ran = pool.run("stage")
    assert ran.status == 0, ran.err
    assert ran.out.splitlines() == [
        f"staged alpha in {TODAY}: 2 files, 5.0 kB",
        f"staged beta in {TODAY}: 1 file, 400 B",
    ]
    assert staged(pool) == {
        "alpha/etc.tar": b"e" * 5000,
        "alpha/deep/er/x": b"x",
        "beta/beta.tar": b"beta" * 100,
    }
    day = pool.staging / TODAY
    assert (day / "cback.stage").is_file()
    subprocess.run(["sha256sum", "--quiet", "--strict", "-c", "SHA256SUMS"], cwd=day, check=True)
    assert sorted(path.name for path in pool.staging.iterdir()) == [".arriving", "2026"]
    assert list((pool.staging / ".arriving").iterdir()) == []
    assert pool.run("store").status == 0
    assert pool.is_marked(TODAY)


def test_a_second_run_has_nothing_to_do_and_takes_no_mark(pool: Project) -> None:
    collect(pool, "alpha")
    collect(pool, "beta")
    assert pool.run("stage").status == 0
    assert pool.run("store").status == 0
    found = told(ran := pool.run("--json", "stage"))
    assert (ran.status, found["outcome"], found["days"]) == (0, "nothing-to-do", [])
    assert [peer["outcome"] for peer in found["peers"]] == ["nothing-new", "nothing-new"]
    assert pool.is_marked(TODAY)


def test_a_late_peer_comes_into_the_same_day_and_is_stored_as_a_supplement(pool: Project) -> None:
    collect(pool, "alpha")
    ran = pool.run("--json", "stage")
    found = told(ran)
    assert (ran.status, found["outcome"], found["days"]) == (11, "partial", [TODAY])
    assert found["peers"][1]["error"]["kind"] == "PeerError"
    assert "beta is not ready: there is no cback.collect in " in found["left_out"][0]
    assert pool.run("store").status == 0
    collect(pool, "beta")
    ran = pool.run("stage")
    assert ran.out.splitlines() == ["alpha: nothing new", f"staged beta in {TODAY}: 1 file, 400 B"]
    assert not pool.is_marked(TODAY)
    assert pool.run("store").status == 0
    assert pool.is_marked(TODAY)
    assert len(pool.images()) == 1
    assert pool.run("verify").out.startswith(f"{pool.images()[0].stem}: no problems found (2 sessions")


def test_named_peers_are_staged_alone(pool: Project) -> None:
    collect(pool, "beta")
    ran = pool.run("stage", "beta")
    assert (ran.status, ran.out) == (0, f"staged beta in {TODAY}: 1 file, 400 B\n")
    ran = pool.run("--json", "stage", "gamma")
    assert error_of(ran)["message"] == "there is no peer gamma"
    assert ran.status == 4


def test_when_no_peer_works_nothing_is_marked(pool: Project) -> None:
    ran = pool.run("--json", "stage")
    assert (ran.status, error_of(ran)["kind"], told(ran)["outcome"]) == (6, "PeerError", "failed")
    assert not (pool.staging / TODAY).exists()


def test_a_configuration_without_peers_is_an_error(project: Project) -> None:
    ran = project.run("--json", "stage")
    assert (ran.status, error_of(ran)["message"]) == (4, "the configuration names no peer to stage")


def test_a_new_day_takes_what_is_there_anew(pool: Project) -> None:
    collect(pool, "alpha")
    collect(pool, "beta")
    assert pool.run("stage").status == 0
    assert pool.run("stage", environ=LATER).status == 0
    assert staged(pool, TOMORROW) == staged(pool)


def test_what_changed_within_a_day_replaces_what_was_there(pool: Project) -> None:
    folder = collect(pool, "alpha", {"a": b"one", "b": b"same", "d/x": b"in a folder", "f": b"a file"})
    collect(pool, "beta")
    assert pool.run("stage").status == 0
    assert pool.run("store").status == 0
    (folder / "a").write_bytes(b"two, longer")
    (folder / "f").unlink()
    (folder / "d" / "x").unlink()
    (folder / "d").rmdir()
    collect(pool, "alpha", {"f/y": b"now a folder"})
    (folder / "d").symlink_to("/etc")
    assert pool.run("stage").status == 0
    found = staged(pool)
    assert (found["alpha/a"], found["alpha/b"], found["alpha/f/y"]) == (
        b"two, longer",
        b"same",
        b"now a folder",
    )
    assert (pool.staging / TODAY / "alpha" / "d").readlink() == Path("/etc")
    assert not pool.is_marked(TODAY)
    assert pool.run("store").status == 0
    assert pool.is_marked(TODAY)
    assert pool.run("verify").status == 0


# -- digests of the peer ----------------------------------------------------------------------------


def test_what_is_not_as_the_peer_digested_it_is_left_out(pool: Project) -> None:
    folder = collect(pool, "alpha", {"good": b"good", "bad": b"before"})
    collect(pool, "beta")
    list_all(folder)
    (folder / "bad").write_bytes(b"after!")
    ran = pool.run("stage")
    assert ran.status == 11
    assert "left out: alpha: bad: not what alpha collected, by its SHA-256" in ran.out
    assert "alpha/good" in (found := staged(pool))
    assert "alpha/bad" not in found
    (folder / "bad").write_bytes(b"before")
    assert pool.run("stage").status == 0
    assert staged(pool)["alpha/bad"] == b"before"


def test_a_listed_file_that_changed_and_looks_the_same_is_taken(pool: Project) -> None:
    folder = collect(pool, "alpha", {"a": b"one"})
    list_all(folder)
    assert pool.run("stage", "alpha").status == 0
    before = (folder / "a").stat()
    (folder / "a").write_bytes(b"two")
    os.utime(folder / "a", ns=(before.st_atime_ns, before.st_mtime_ns))
    list_all(folder)
    assert pool.run("stage", "alpha").status == 0
    assert staged(pool)["alpha/a"] == b"two"
    assert pool.run("store").status == 0


@pytest.mark.parametrize("content", [b"no list\n", b"[]\n", b'{"format": "x"}\n', b"\xff"])
def test_a_list_that_cannot_be_read_is_an_error(pool: Project, content: bytes) -> None:
    (collect(pool, "alpha") / "cback.collect.jsonl").write_bytes(content)
    ran = pool.run("--json", "stage", "alpha")
    assert ran.status == 6
    assert error_of(ran)["message"].startswith("cback.collect.jsonl of alpha cannot be used: ")


def test_a_listed_file_that_is_not_there_is_an_error(pool: Project) -> None:
    folder = collect(pool, "alpha", {"a": b"a", "b": b"b"})
    list_all(folder)
    (folder / "b").unlink()
    ran = pool.run("--json", "stage", "alpha")
    assert error_of(ran)["message"] == "alpha lists b in cback.collect.jsonl, and it is not there"


# -- limits -----------------------------------------------------------------------------------------


def test_a_peer_that_brings_more_than_it_may_is_refused(project: Project) -> None:
    peers(project, {"name": "alpha", "max_size": "1 kB"}, {"name": "beta"})
    collect(project, "alpha", {"big": bytes(1001)})
    collect(project, "beta")
    ran = project.run("stage")
    assert ran.status == 11
    assert "alpha has 1.0 kB to stage, more than its max_size of 1.0 kB" in ran.out


def test_the_reserve_is_kept_for_all(project: Project) -> None:
    peers(project, {"name": "alpha"}, {"name": "beta"}, reserve="9000 TB")
    collect(project, "alpha")
    collect(project, "beta")
    ran = project.run("--json", "stage")
    assert (ran.status, error_of(ran)["kind"]) == (6, "DiskFull")
    assert not list(project.staging.glob("2*"))


@pytest.mark.parametrize(
    ("ignore", "arguments", "status"),
    [
        ("none", [], 11),
        ("all", [], 0),
        ("daily", [], 0),  # a Sunday, and the week begins on Monday
        ("weekly", [], 11),
        ("weekly", ["--full"], 0),
        ("daily", ["--full"], 11),
    ],
)
def test_failures_are_ignored_when_that_is_configured(
    pool: Project, ignore: str, arguments: list[str], status: int
) -> None:
    peers(pool, {"name": "alpha"}, {"name": "beta", "ignore_failures": ignore})
    collect(pool, "alpha")
    ran = pool.run("stage", *arguments)
    assert ran.status == status
    assert ("(ignored, as configured)" in ran.err) is (status == 0)
    assert (pool.staging / TODAY / "cback.stage").is_file()


def test_an_old_collect_is_warned_of(pool: Project) -> None:
    os.utime(collect(pool, "alpha") / "cback.collect", (0, 1_790_000_000))
    ran = pool.run("stage", "alpha")
    assert ran.status == 0
    assert "alpha was last collected on 2026-09-21" in ran.err


# -- what a peer may not do -------------------------------------------------------------------------


def test_devices_and_pipes_are_left_out_and_named(pool: Project) -> None:
    os.mkfifo(collect(pool, "alpha") / "pi\npe")
    ran = pool.run("stage", "alpha")
    assert ran.status == 11
    assert "left out: alpha: pi\\x0ape: a fifo" in ran.out
    assert list(staged(pool)) == ["alpha/alpha.tar"]


def test_a_link_that_was_staged_is_never_written_through(pool: Project, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    folder = collect(pool, "alpha")
    (folder / "sub").symlink_to(outside)
    assert pool.run("stage", "alpha").status == 0
    (folder / "sub").unlink()
    collect(pool, "alpha", {"sub/passwd": b"mine now"})
    assert pool.run("stage", "alpha").status == 0
    assert list(outside.iterdir()) == []
    assert staged(pool)["alpha/sub/passwd"] == b"mine now"


def test_nobody_gets_a_right_by_a_copied_mode(pool: Project) -> None:
    folder = collect(pool, "alpha", {"s": b"x"})
    (folder / "s").chmod(0o6755)
    folder.chmod(0o750)
    assert pool.run("stage", "alpha").status == 0
    top = pool.staging / TODAY / "alpha"
    assert ((top / "s").stat().st_mode & 0o7777, top.stat().st_mode & 0o7777) == (0o755, 0o750)


def test_marks_of_the_collect_dir_are_no_data(pool: Project) -> None:
    collect(pool, "alpha", {"cback.stage": b"", "cback.x": b"y", "sub/cback.y": b"data"})
    assert pool.run("stage", "alpha").status == 0
    assert staged(pool) == {"alpha/sub/cback.y": b"data"}


def test_a_staging_folder_that_vanished_is_not_made_anew(pool: Project) -> None:
    collect(pool, "alpha")
    assert pool.run("stage", "alpha").status == 0
    assert pool.run("store").status == 0
    pool.staging.rename(pool.root / "gone")
    ran = pool.run("--json", "stage", "alpha")
    assert (ran.status, error_of(ran)["kind"]) == (6, "StagingError")
    assert not pool.staging.exists()


def test_a_staging_folder_is_made_where_there_was_none(pool: Project) -> None:
    pool.staging.rmdir()
    collect(pool, "alpha")
    assert pool.run("stage", "alpha").status == 0
    assert "alpha/alpha.tar" in staged(pool)


# -- other machines ---------------------------------------------------------------------------------


def test_a_key_that_may_only_read_the_collect_dir_is_enough(pool: Project, tmp_path: Path) -> None:
    folder = pool.root / "collect" / "away"
    forced = f'restrict,command="rrsync -ro {folder}"'
    with Sshd(tmp_path / "restricted", key_options=forced) as server:
        peers(pool, {"name": "away", **server.peer, "collect_dir": "/"})
        collect(pool, "away", {"a b": b"x", "sub/y": b"y"})
        ran = pool.run("stage")
    assert ran.status == 0, ran.out + ran.err
    assert staged(pool) == {"away/a b": b"x", "away/sub/y": b"y"}


def test_a_machine_that_talks_of_something_else_is_an_error(pool: Project, tmp_path: Path) -> None:
    with Sshd(tmp_path / "chatty", key_options='command="echo welcome"') as server:
        peers(pool, {"name": "away", **server.peer})
        ran = pool.run("--json", "stage")
    assert (ran.status, error_of(ran)["kind"]) == (6, "PeerError")


def test_validate_looks_at_each_peer(pool: Project, server: Sshd) -> None:
    away = {"name": "away", **server.peer}
    peers(pool, {"name": "alpha"}, away, {**away, "name": "down", "port": 1})
    os.utime(collect(pool, "away") / "cback.collect", (0, 1_790_000_000))
    ran = pool.run("validate")
    assert ran.status == 6
    assert "peer alpha: not collected yet" in ran.out
    assert "peer away: collected 2026-09-21" in ran.out
    assert "down cannot be read" in ran.err
    assert not (pool.root / "state").exists()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sshd]:
    """A server that all remote peers are reached by."""
    with Sshd(tmp_path / "sshd") as running:
        yield running


def test_remote_and_local_peers_are_staged_together(pool: Project, server: Sshd) -> None:
    away = {"name": "away", **server.peer}
    peers(pool, {"name": "alpha"}, away, {**away, "name": "down", "port": 1})
    collect(pool, "alpha")
    collect(pool, "away", {"a b'c.tar": b"far" * 1000, "sub/x": b"x"})
    ran = pool.run("stage")
    assert ran.status == 11
    assert f"staged away in {TODAY}: 2 files, 3.0 kB" in ran.out
    assert "left out: down cannot be read (" in ran.out
    assert "See that it is up and that this works without a question: ssh " in ran.out
    assert staged(pool)["away/a b'c.tar"] == b"far" * 1000
    assert pool.run("store").status == 0
