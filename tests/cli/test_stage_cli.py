"""`stage` as users run it: what peers collected comes into today's day, checked, indexed, marked."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.cli.program import error_of, program, told
from tests.conftest import Project
from tests.pool import collect, list_all, peers, staged
from tests.sshd import Sshd

from cedarchest.model.handover import read_receipt

pytestmark = pytest.mark.slow

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


HEAD = b'{"format": "cedarchest-collected", "version": 1}\n'
WRONG = (
    b"no list\n",
    b"[]\n",
    b'{"format": "x"}\n',
    b"\xff",
    b"[" * 200_000,
    HEAD.replace(b"1", b"2"),
    HEAD + b"5\n",
    HEAD + b'{"path": 5, "size": 0, "sha256": ""}\n',
    HEAD + b'{"path": "../a", "size": 0, "sha256": "%s"}\n' % (b"0" * 64),
    HEAD + b'{"path": "sub", "size": 0, "sha256": "%s"}\n' % (b"0" * 64),
)


@pytest.mark.parametrize("content", WRONG, ids=range(len(WRONG)))
def test_a_list_that_cannot_be_read_is_an_error(pool: Project, content: bytes) -> None:
    folder = collect(pool, "alpha", {"sub/a": b"a"})
    (folder / "cback.collect.jsonl").write_bytes(content)
    collect(pool, "beta")
    ran = pool.run("stage")
    assert ran.status == 11
    assert "left out: cback.collect.jsonl of alpha cannot be used: " in ran.out
    assert list(staged(pool)) == ["beta/beta.tar"]


def test_a_list_that_is_a_link_is_not_passed_over(pool: Project) -> None:
    folder = collect(pool, "alpha")
    list_all(folder)
    (folder / "cback.collect.jsonl").rename(folder / "cback.other")
    (folder / "cback.collect.jsonl").symlink_to("cback.other")
    ran = pool.run("--json", "stage", "alpha")
    assert error_of(ran)["message"].endswith("cannot be used: it is empty, too large, or no file")


def test_a_listed_file_that_is_not_there_is_an_error(pool: Project) -> None:
    folder = collect(pool, "alpha", {"a": b"a", "b": b"b"})
    list_all(folder)
    (folder / "b").unlink()
    ran = pool.run("--json", "stage", "alpha")
    assert error_of(ran)["message"] == (
        "cback.collect.jsonl of alpha cannot be used: it names b, and there is no such file"
    )


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


def test_a_path_that_is_too_long_holds_up_nothing(pool: Project) -> None:
    folder = collect(pool, "alpha")
    collect(pool, "beta")
    left = 4095 - len(f"{pool.staging}/.arriving/alpha")
    above = os.open(folder, os.O_RDONLY)
    while left > 220:
        os.mkdir("d" * 200, dir_fd=above)
        inner = os.open("d" * 200, os.O_RDONLY, dir_fd=above)
        os.close(above)
        above, left = inner, left - 201
    os.close(os.open("e" * (left - 1), os.O_CREAT | os.O_WRONLY, dir_fd=above))
    os.close(above)
    for _ in range(2):
        ran = pool.run("stage")
        assert ran.status == 11
        assert "...: its path is too long to be staged" in ran.out
    assert sorted(staged(pool)) == ["alpha/alpha.tar", "beta/beta.tar"]
    assert (pool.staging / TODAY / "cback.stage").is_file()


def test_what_stands_in_a_folder_with_a_name_of_ours_is_named(pool: Project) -> None:
    collect(pool, "alpha", {"cback.d/x": b"x", "a": b"a"})
    ran = pool.run("stage", "alpha")
    assert (ran.status, staged(pool)) == (11, {"alpha/a": b"a"})
    assert "left out: alpha: cback.d/x: in a folder with a name of ours" in ran.out


def test_odd_names_come_later_too(pool: Project) -> None:
    names = ["#n#", ";q", "change_dir.txt", "a: No space left on device (28)"]
    collect(pool, "alpha", {"first": b"1"})
    assert pool.run("stage", "alpha").status == 0
    collect(pool, "alpha", dict.fromkeys(names, b"x"))
    assert pool.run("stage", "alpha").status == 0
    assert sorted(staged(pool)) == sorted(f"alpha/{name}" for name in ["first", *names])


def test_a_link_that_leads_elsewhere_is_taken_whatever_its_time(pool: Project) -> None:
    link = collect(pool, "alpha") / "l"
    for target in ("one", "two"):
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        os.utime(link, (0, 1_700_000_000), follow_symlinks=False)
        assert pool.run("stage", "alpha").status == 0
    assert (pool.staging / TODAY / "alpha" / "l").readlink() == Path("two")


def test_what_an_earlier_run_left_is_no_hindrance(pool: Project) -> None:
    left = pool.staging / ".arriving"
    for stale in (left / "alpha" / "x" / "y", left / "of old" / "z"):
        stale.parent.mkdir(parents=True)
        stale.write_bytes(b"stale")
    collect(pool, "alpha", {"x": b"a file now"})
    assert pool.run("stage", "alpha").status == 0
    assert staged(pool)["alpha/x"] == b"a file now"
    assert list(left.iterdir()) == []


def test_an_earlier_day_that_cannot_be_finished_holds_up_nothing(pool: Project) -> None:
    broken = pool.staging / "2026/11/20"
    (broken / "cback.stage").mkdir(parents=True)
    (pool.staging / ".arriving-days").write_text("2026/11/20\n")
    collect(pool, "alpha")
    ran = pool.run("stage", "alpha")
    assert ran.status == 11
    assert "left out: 2026/11/20, which is not marked staged yet: " in ran.out
    assert (pool.staging / TODAY / "cback.stage").is_file()
    assert (pool.staging / ".arriving-days").read_text() == "2026/11/20\n"
    (broken / "cback.stage").rmdir()
    (broken / "INDEX.jsonl.gz").unlink()
    assert pool.run("stage", "alpha").status == 0
    assert (broken / "cback.stage").is_file()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can forbid root to remove a file")
def test_a_mark_that_cannot_be_taken_away_is_an_error(pool: Project) -> None:
    collect(pool, "alpha")
    assert pool.run("stage", "alpha").status == 0
    assert pool.run("store").status == 0
    mark = pool.staging / TODAY / "cback.store"
    if subprocess.run(["chattr", "+i", str(mark)], capture_output=True, check=False).returncode:
        pytest.skip("this file system has no such attribute")
    try:
        collect(pool, "alpha", {"more": b"m"})
        ran = pool.run("--json", "stage", "alpha")
        assert (ran.status, error_of(ran)["kind"]) == (6, "StagingError")
        assert "alpha/more" not in staged(pool)
    finally:
        subprocess.run(["chattr", "-i", str(mark)], check=True)


def test_a_time_that_cannot_be_told_is_no_reason_to_leave_a_file_out(pool: Project) -> None:
    folder = collect(pool, "alpha", {"f": b"1"})
    try:
        os.utime(folder / "f", (0, 253_402_300_900))
    except OSError:
        pytest.skip("this file system has no such time")
    assert pool.run("stage", "alpha").status == 0
    assert staged(pool) == {"alpha/f": b"1"}


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
    assert receipt(pool, "away") == {"a b'c.tar": 1, "sub/x": 1}


# -- receipts ---------------------------------------------------------------------------------------


def receipt(project: Project, peer: str, day: str = TODAY) -> dict[str, int]:
    """What a peer was told: on how many discs each of its files is."""
    name = f"{day.replace('/', '-')}.jsonl"
    content = (project.root / "collect" / peer / "cback.receipts" / name).read_bytes()
    return {os.fsdecode(each.path): each.copies for each in read_receipt(content) if each.sha256}


def test_a_peer_is_told_what_is_proven_and_brings_it_no_more(pool: Project) -> None:
    collect(pool, "alpha", {"a": b"1", "sub/b": b"22", "sub/em pty": b""})
    (pool.root / "collect" / "alpha" / "hollow").mkdir()
    (pool.root / "collect" / "alpha" / "link").symlink_to("a")
    collect(pool, "beta")
    assert pool.run("stage").status == 0
    assert receipt(pool, "alpha") == {"a": 0, "sub/b": 0, "sub/em pty": 0}
    assert pool.run("store").status == 0
    assert receipt(pool, "alpha") == {"a": 1, "sub/b": 1, "sub/em pty": 1}
    assert receipt(pool, "beta") == {"beta.tar": 1}
    assert told(pool.run("--json", "stage", environ=LATER))["outcome"] == "nothing-to-do"
    collect(pool, "alpha", {"sub/b": b"333"})
    assert pool.run("stage", environ=LATER).status == 0
    assert staged(pool, TOMORROW) == {"alpha/sub/b": b"333"}


def test_what_a_collect_lists_is_taken_with_a_receipt_too(pool: Project) -> None:
    folder = collect(pool, "alpha", {"a": b"1"})
    assert pool.run("stage", "alpha").status == 0
    assert pool.run("store").status == 0
    list_all(folder)
    assert pool.run("stage", "alpha", environ=LATER).status == 0
    assert staged(pool, TOMORROW) == {"alpha/a": b"1"}


def test_a_receipt_is_taken_back_with_its_proof(pool: Project, flip: Callable[[Path, int], None]) -> None:
    collect(pool, "alpha", {"a": b"needle" * 1000})
    assert pool.run("stage", "alpha").status == 0
    assert pool.run("store").status == 0
    (image,) = pool.images()
    flip(image, image.read_bytes().index(b"needle"))
    assert pool.run("verify").status == 7
    assert receipt(pool, "alpha") == {}
    assert pool.run("store").status == 0
    assert receipt(pool, "alpha") == {"a": 1}
    for disc in pool.images():
        disc.unlink()
        assert pool.run("discs", "lost", disc.stem).status == 0
    assert receipt(pool, "alpha") == {}


def test_a_receipt_is_taken_back_with_its_proof_however_old_it_is(
    pool: Project, flip: Callable[[Path, int], None]
) -> None:
    """A purge goes by it, and so does what is staged again."""
    collect(pool, "alpha", {"a": b"needle" * 1000})
    assert pool.run("stage", "alpha").status == 0
    assert pool.run("store").status == 0
    assert receipt(pool, "alpha") == {"a": 1}
    (image,) = pool.images()
    flip(image, image.read_bytes().index(b"needle") + 100)
    assert pool.run("verify", environ={"CEDARCHEST_NOW": "2028-11-22T03:00"}).status == 7
    assert receipt(pool, "alpha") == {}


def test_a_peer_that_is_away_gets_its_receipts_later(pool: Project) -> None:
    folder = collect(pool, "alpha", {"a": b"1"})
    assert pool.run("stage", "alpha").status == 0
    folder.rename(folder.with_name("away"))
    ran = pool.run("store")
    assert ran.status == 0
    assert "it gets its receipts from a later run" in ran.err
    folder.with_name("away").rename(folder)
    assert pool.run("store").status == 0
    assert receipt(pool, "alpha") == {"a": 1}


def test_a_peer_that_is_not_to_be_told_is_not(pool: Project) -> None:
    peers(pool, {"name": "alpha", "receipts": False})
    folder = collect(pool, "alpha")
    assert pool.run("stage").status == 0
    assert pool.run("store").status == 0
    assert not (folder / "cback.receipts").exists()
    assert told(pool.run("--json", "stage", environ=LATER))["outcome"] == "nothing-to-do"


def test_a_peer_purges_what_its_receipts_prove(pool: Project, tmp_path: Path) -> None:
    folder = collect(pool, "alpha", {"a": b"1", "sub/b": b"22"})
    assert pool.run("stage", "alpha").status == 0
    assert pool.run("store").status == 0
    (folder / "new").write_bytes(b"nobody has it")
    client = tmp_path / "client.toml"  # another machine: no catalog, no disc
    client.write_text(
        f'[options]\nstate_dir = "{tmp_path}/client"\n[[purge.dir]]\npath = "{folder}"\nretain_days = 5\n'
    )
    later = {"CEDARCHEST_NOW": "2027-01-22T03:00"}
    (folder / "cback.receipts" / "2026-01-01.jsonl").write_bytes(b"no receipt\n")
    ran = program("-c", str(client), "purge", cwd=tmp_path, environ=later)
    assert ran.status == 0, ran.err
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()) == [
        "cback.collect",
        "cback.receipts/2026-01-01.jsonl",
        "cback.receipts/2026-11-22.jsonl",
        "new",
    ]
    assert "2026-01-01.jsonl is of no use: " in ran.err


def test_a_receipt_is_never_written_through_a_link(pool: Project, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    folder = collect(pool, "alpha")
    (folder / "cback.receipts").symlink_to(outside)
    assert pool.run("stage", "alpha").status == 0
    assert pool.run("store").status == 0
    assert list(outside.iterdir()) == []
    assert receipt(pool, "alpha") == {"alpha.tar": 1}


def test_receipts_that_cannot_be_written_are_a_warning(pool: Project) -> None:
    collect(pool, "alpha")
    assert pool.run("stage", "alpha").status == 0
    shutil.rmtree(pool.root / "state" / "receipts")
    (pool.root / "state" / "receipts").write_bytes(b"in the way")
    ran = pool.run("store")
    assert ran.status == 0
    assert "receipts are written by a later run" in ran.err
    assert pool.is_marked(TODAY)


def test_receipts_that_are_damaged_only_make_more_be_staged(pool: Project) -> None:
    collect(pool, "alpha")
    assert pool.run("stage", "alpha").status == 0
    assert pool.run("store").status == 0
    (kept,) = (pool.root / "state" / "receipts" / "peers" / "alpha" / "sent").iterdir()
    kept.write_bytes(b"damaged")
    ran = pool.run("stage", "alpha", environ=LATER)
    assert (ran.status, staged(pool, TOMORROW)) == (0, staged(pool))
    assert "the receipts of alpha are of no use, all of it is staged: " in ran.err
