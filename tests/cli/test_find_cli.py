"""`find` and `history` as users run them: over collects, archives of others, and plain days."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import shutil
import sqlite3
import tarfile
from pathlib import Path
from typing import Any

import pytest
from tests.cli.program import error_of, told
from tests.cli.test_collect_cli import settle, sources
from tests.cli.test_json import assert_described
from tests.conftest import Project, Ran
from tests.faults.test_queries_write_nothing import snapshot
from tests.pool import collect as leave
from tests.pool import peers

pytestmark = pytest.mark.slow

MONDAY, TUESDAY, WEDNESDAY = "2026-11-23", "2026-11-24", "2026-11-25"
DAYS = {day: day.replace("-", "/") for day in (MONDAY, TUESDAY, WEDNESDAY)}


def night(project: Project, day: str, *arguments: str) -> Ran:
    project.environ["CEDARCHEST_NOW"] = f"{day}T03:00"
    ran = project.run("all", *arguments)
    assert ran.status == 0, ran.err
    return ran


@pytest.fixture
def week(project: Project) -> Project:
    """A whole collect and two increments: what changes, comes, goes, stays, and is only touched."""
    home = project.root / "home"
    sources(project, {"path": str(home)}, mode="incr")
    for name in ("stays", "changes", "goes", "sub/goes too", "sub/stays"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_bytes(f"{name}\n".encode() * 50)
    settle(home)
    night(project, MONDAY)
    (home / "changes").write_bytes(b"another\n")
    (home / "comes").write_bytes(b"comes\n")
    os.utime(home / "sub/stays", ns=(5, 5))
    (home / "goes").unlink()
    settle(home)
    night(project, TUESDAY)
    shutil.rmtree(home / "sub")
    settle(home)
    night(project, WEDNESDAY)
    return project


def inside(project: Project, name: str) -> str:
    """The path of something in the home folder as archives have it."""
    return str(project.root / "home" / name).lstrip("/")


def found(project: Project, *arguments: str) -> dict[str, dict[str, Any]]:
    """What a search finds, by path."""
    ran = project.run("--json", "find", *arguments)
    assert ran.status == 0, ran.err
    assert_described(ran)
    answers = {each["path"]: each for each in told(ran)["found"]}
    assert len(answers) == len(told(ran)["found"])
    return answers


def versions(project: Project, path: str, *arguments: str) -> list[dict[str, Any]]:
    ran = project.run("--json", "history", path, *arguments)
    assert ran.status == 0, ran.err
    assert_described(ran)
    (only,) = told(ran)["histories"]
    assert isinstance(only["versions"], list)
    return only["versions"]


@pytest.mark.slow
def test_a_week_of_collects_is_found_again(week: Project) -> None:
    names = ("stays", "changes", "goes", "comes", "sub/stays", "sub/goes too")
    everything = found(week, f"{inside(week, '*')}*")
    assert set(everything) == {inside(week, name) for name in (*names, "sub")}
    assert {each["unread_archives"] for each in [told(week.run("--json", "find", "x"))]} == {0}
    gone = found(week, f"{inside(week, '*')}*", "--deleted")
    assert {path: each["deleted"] for path, each in gone.items()} == {
        inside(week, "goes"): DAYS[TUESDAY],
        inside(week, "sub"): DAYS[WEDNESDAY],
        inside(week, "sub/stays"): DAYS[WEDNESDAY],
        inside(week, "sub/goes too"): DAYS[WEDNESDAY],
    }
    assert set(found(week, "*", "--deleted", "--between", TUESDAY, TUESDAY)) == {inside(week, "goes")}
    stored_then = set(found(week, f"{inside(week, '*')}*", "--between", TUESDAY, TUESDAY))
    assert stored_then == {inside(week, name) for name in ("changes", "comes", "sub/stays")}
    changed = found(week, "changes")[inside(week, "changes")]
    days = (changed["first_day"], changed["last_day"])
    assert (changed["versions"], days) == (2, (DAYS[MONDAY], DAYS[TUESDAY]))
    assert changed["sha256"] == hashlib.sha256(b"another\n").hexdigest()
    assert (changed["peer"], changed["proven"], changed["discs"]) == ("here", True, ["CC_20261123_001"])


@pytest.mark.slow
def test_what_became_of_a_path_is_told_version_by_version(week: Project) -> None:
    week.run("discs", "move", "CC_20261123_001", "--to", "bank vault")
    first, second = versions(week, "/" + inside(week, "changes"))
    assert (first["days"], second["days"]) == ([DAYS[MONDAY]], [DAYS[TUESDAY]])
    assert first["sha256"] == hashlib.sha256(b"changes\n" * 50).hexdigest()
    (copy,) = second["copies"]
    assert copy["disc"] == "CC_20261123_001"
    assert (copy["session"], copy["status"], copy["passed"]) == (2, "verified", True)
    assert copy["place"] == "bank vault"
    assert copy["path"].startswith(f"/{DAYS[TUESDAY]}/here/")
    only_touched = versions(week, inside(week, "sub/stays"))
    assert [each["mtime_ns"] == 5 for each in only_touched] == [False, True]
    assert only_touched[0]["copies"] == only_touched[1]["copies"] != []
    ran = week.run("history", inside(week, "goes"))
    assert f"there no more since {DAYS[TUESDAY]}" in ran.out
    assert "at bank vault" in ran.out


@pytest.mark.slow
def test_find_and_history_change_nothing_and_need_neither_discs_nor_staging(week: Project) -> None:
    shutil.rmtree(week.shelf)
    shutil.rmtree(week.staging)
    before = snapshot(week.root)
    assert inside(week, "goes") in found(week, "goes")
    assert versions(week, inside(week, "goes"))
    assert snapshot(week.root) == before


def packed(suffix: str, members: dict[str, bytes]) -> bytes:
    """An archive as Cedar Backup makes it: Python's tarfile, absolute paths, no index beside it."""
    mode = {"tar": "w", "tar.gz": "w:gz", "tar.bz2": "w:bz2"}[suffix]
    into = io.BytesIO()
    with tarfile.open(fileobj=into, mode=mode, format=tarfile.GNU_FORMAT) as tar:  # type: ignore[call-overload]
        for path, content in members.items():
            info = tarfile.TarInfo(path)
            info.size, info.mtime = len(content), 1_700_000_000
            tar.addfile(info, io.BytesIO(content))
    return into.getvalue()


@pytest.mark.parametrize("suffix", ["tar", "tar.gz", "tar.bz2"])
def test_archives_of_others_are_searched_inside(project: Project, suffix: str) -> None:
    day = DAYS[MONDAY]
    content = packed(suffix, {"etc/fstab": b"mounts", "etc/a\nb": b"odd"})
    project.stage(day, {f"etc.{suffix}": content, "notes.txt": b"plain"})
    assert project.run("store").status == 0
    fstab = found(project, "fstab")["etc/fstab"]
    assert fstab["peer"] == "alpha"
    assert fstab["sha256"] == hashlib.sha256(b"mounts").hexdigest()
    assert set(found(project, "a?b")) == {"etc/a\\x0ab"}
    assert set(found(project, "fst", "--substring")) == {"etc/fstab"}
    assert set(found(project, "^/etc/f", "--regex")) == {"etc/fstab"}
    assert set(found(project, "notes.*")) == {"notes.txt"}
    (version,) = versions(project, "etc/a\\x0ab")
    (copy,) = version["copies"]
    assert copy["path"] == f"/{day}/alpha/etc.{suffix}"
    assert copy["archive"] == hashlib.sha256(content).hexdigest()
    assert versions(project, "etc/a\nb") == [version]


def test_what_is_burnt_and_not_proven_shows_as_such(project: Project) -> None:
    project.environ["CEDARCHEST_NOW"] = f"{MONDAY}T03:00"
    project.configure(check="deferred")
    project.stage(DAYS[MONDAY], {"etc.tar": packed("tar", {"etc/fstab": b"x"}), "notes.txt": b"plain"})
    assert project.run("store").status == 0
    for name in ("fstab", "notes.txt"):
        (each,) = found(project, name).values()
        assert (each["proven"], each["discs"]) == (False, ["CC_20261123_001"])
    assert "(not proven)" in project.run("find", "fstab").out
    assert "burnt" in project.run("history", "notes.txt").out
    assert project.run("verify").status == 0
    for name in ("fstab", "notes.txt"):
        assert [each["proven"] for each in found(project, name).values()] == [True]


def test_a_second_copy_and_a_lost_disc_are_told_apart(project: Project) -> None:
    project.configure(copies=2)
    project.stage(DAYS[MONDAY], {"etc.tar": packed("tar", {"etc/fstab": b"x"})})
    assert project.run("store").status == 0
    (version,) = versions(project, "etc/fstab")
    labels = [copy["disc"] for copy in version["copies"]]
    assert len(labels) == 2
    assert project.run("discs", "lost", labels[0]).status == 0
    (version,) = versions(project, "etc/fstab")
    given_up = {copy["disc"]: copy["given_up"] for copy in version["copies"]}
    assert given_up == {labels[0]: True, labels[1]: False}
    assert found(project, "fstab")["etc/fstab"]["discs"] == [labels[1]]


def test_a_bad_index_is_a_warning_and_the_archive_is_read(project: Project) -> None:
    folder = project.stage(DAYS[MONDAY], {"etc.tar": packed("tar", {"etc/fstab": b"x"})})
    (folder / "alpha/etc.tar.index.jsonl.gz").write_bytes(gzip.compress(b"no index"))
    ran = project.run("--json", "store")
    assert ran.status == 0
    (warning,) = told(ran)["warnings"]
    assert "etc.tar.index.jsonl.gz cannot be read" in warning
    assert "the archive itself is read" in warning
    assert set(found(project, "fstab")) == {"etc/fstab"}


def test_an_archive_that_is_none_is_warned_of_once_and_counted(project: Project) -> None:
    project.stage(DAYS[MONDAY], {"etc.tar.gz": b"no archive"})
    ran = project.run("--json", "store")
    assert (ran.status, told(ran)["outcome"]) == (0, "ok")
    assert "alpha/etc.tar.gz cannot be read" in told(ran)["warnings"][0]
    project.stage(DAYS[TUESDAY])
    assert told(project.run("--json", "store"))["warnings"] == []
    ran = project.run("find", "fstab")
    assert "nothing that was stored matches" in ran.out
    assert "1 archive on disc not searched inside" in ran.out


def test_what_an_interrupted_run_left_out_a_later_one_enters(project: Project) -> None:
    """The archive is on disc and staged, and its members are not known: as after a kill, or an upgrade."""
    project.stage(DAYS[MONDAY], {"etc.tar": packed("tar", {"etc/fstab": b"x"})})
    assert project.run("store").status == 0
    with sqlite3.connect(project.root / "state/catalog.sqlite") as catalog:
        catalog.execute("DELETE FROM members")
        catalog.execute("UPDATE trees SET listing = 'unread' WHERE sha256 IS NOT NULL")
    catalog.close()
    assert "1 archive on disc not searched inside" in project.run("find", "fstab").out
    assert project.run("verify").status == 0
    assert set(found(project, "fstab")) == {"etc/fstab"}


def test_members_of_an_archive_in_parts_are_found_on_every_disc_of_them(project: Project) -> None:
    project.configure(capacity="8 MiB", media="dvd+r")
    noise = os.urandom(12 << 20)
    project.stage(DAYS[MONDAY], {"big.tar": packed("tar", {"var/noise": noise}), "film": noise[: 11 << 20]})
    ran = project.run("store")
    assert ran.status == 0, ran.err
    assert len(project.images()) > 1
    (version,) = versions(project, "var/noise")
    assert len({copy["disc"] for copy in version["copies"]}) > 1
    assert all(copy["in_parts"] for copy in version["copies"])
    (film,) = versions(project, "film")
    assert (film["in_parts"], film["size"]) == (True, 11 << 20)
    assert film["sha256"] == hashlib.sha256(noise[: 11 << 20]).hexdigest()


def test_more_than_the_limit_is_said(project: Project) -> None:
    project.stage(DAYS[MONDAY], {f"f{number}": b"x" for number in range(5)})
    project.run("store")
    ran = project.run("--json", "find", "f*", "--limit", "3")
    assert (len(told(ran)["found"]), told(ran)["more"]) == (3, True)
    assert "there are more" in project.run("find", "f*", "--limit", "3").out
    ran = project.run("--json", "find", "f*", "--limit", "0")
    assert (len(told(ran)["found"]), told(ran)["more"]) == (5, False)


def test_only_the_peer_that_is_asked_for_is_told_of(project: Project) -> None:
    folder = project.stage(DAYS[MONDAY], {"same": b"a"})
    (folder / "beta").mkdir()
    (folder / "beta/same").write_bytes(b"b")
    project.run("store")
    assert told(project.run("--json", "find", "same", "--peer", "beta"))["found"][0]["peer"] == "beta"
    assert len(told(project.run("--json", "find", "same"))["found"]) == 2
    assert len(told(project.run("--json", "history", "same"))["histories"]) == 2
    assert versions(project, "same", "--peer", "alpha")[0]["sha256"] == hashlib.sha256(b"a").hexdigest()


@pytest.mark.parametrize("arguments", [("find", "x"), ("history", "x"), ("history", "/"), ("find", "x/")])
def test_nothing_that_matches_is_nothing_to_do(project: Project, arguments: tuple[str, ...]) -> None:
    for stored in (False, True):
        ran = project.run("--json", *arguments)
        assert (ran.status, told(ran)["outcome"]) == (0, "nothing-to-do")
        assert_described(ran)
        if not stored:
            project.stage(DAYS[MONDAY], {"y": b"x"})
            project.run("store")


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("(", "--regex"), "no regular expression"),
        (("/",), "nothing in it"),
        (("x", "--regex", "--substring"), "cannot both"),
        (("x", "--between", "2026-11-23", "someday"), "is no day"),
        (("x", "--limit", "-1"), "--limit"),
    ],
)
def test_what_cannot_be_looked_for_is_a_usage_error(
    project: Project, arguments: tuple[str, ...], word: str
) -> None:
    ran = project.run("--json", "find", *arguments)
    assert error_of(ran)["kind"] == "UsageError"
    assert word in ran.err


def test_folders_are_found_by_a_slash_behind_them(project: Project) -> None:
    project.stage(DAYS[MONDAY], {"x/x": b"a"})
    project.run("store")
    assert set(found(project, "x/")) == {"x"}
    assert set(found(project, "x")) == {"x", "x/x"}


def test_nothing_that_a_terminal_obeys_is_shown(project: Project, tmp_path: Path) -> None:
    project.stage(DAYS[MONDAY], {"\x1b[31m": b"x"})
    project.run("store")
    for ran in (project.run("find", "*31m"), project.run("history", "\x1b[31m")):
        assert "\\x1b[31m" in ran.out
        assert "\x1b" not in ran.out


def test_archives_of_peers_are_found_after_a_stage(project: Project) -> None:
    project.environ["CEDARCHEST_NOW"] = f"{MONDAY}T03:00"
    peers(project, {"name": "alpha"})
    leave(project, "alpha", {"etc.tar.gz": packed("tar.gz", {"etc/fstab": b"x"})})
    assert project.run("stage").status == 0
    assert project.run("store").status == 0
    assert set(found(project, "fstab", "--peer", "alpha")) == {"etc/fstab"}


def test_what_no_disc_holds_any_more_is_told_as_on_none(project: Project) -> None:
    project.stage("2026/11/22", {"only": b"only"})
    assert project.run("store").status == 0
    assert project.run("discs", "lost", project.images()[0].stem).status == 0
    (row,) = (line for line in project.run("find", "only").out.splitlines() if line.endswith("only"))
    assert row.split()[-2] == "none"
