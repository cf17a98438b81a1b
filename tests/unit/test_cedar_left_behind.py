"""What Cedar Backup left in its working folder: which files are whose, and what is told of each."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from tests.cedar_xml import CEDAR_3, collect, migrated

from cedarchest.config.cedar.left_behind import Left, Suffix, files_left, told_of
from cedarchest.config.cedar.pickled import LARGEST

HOME = Left("/home", Suffix.DIGESTS, below=True)
HOMES = Left("/home-ann", Suffix.DIGESTS)
ROOT = Left("/", Suffix.DIGESTS, below=True)
SVN = Left("/srv/svn", Suffix.REVISION)
MAIL = Left("/var/mail/ann", Suffix.MAIL)


def digests(*paths: str) -> bytes:
    return pickle.dumps(dict.fromkeys(paths, "ab" * 20), 0)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    for name, content in {
        "home.sha": digests("/home/a"),
        "home-ann.sha": digests("/home-ann/b", "/home-ann/c"),
        "home-ben.sha": digests("/home/ben/d"),
        "homer.sha": digests("/homer"),
        "srv-svn.svnlast": pickle.dumps(7, 0),
        "var-mail-ann.mboxlast": pickle.dumps(datetime(2026, 11, 24, 3, 5, 39, 10), 0),  # noqa: DTZ001
    }.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def told(work: Path, *left: Left) -> list[str]:
    return list(told_of(str(work), left))


def test_a_line_for_each_thing_that_has_any_says_what_becomes_of_it(work: Path) -> None:
    lines = told(work, HOME, HOMES, Left("/etc", Suffix.DIGESTS), SVN, MAIL)
    assert [line.partition(":")[0] for line in lines] == [
        '"/home"',
        '"/home-ann"',
        '"/srv/svn"',
        '"/var/mail/ann"',
    ]
    for line, piece in zip(
        lines, ("2 files", "2 files", "revision 7;", "until 2026-11-24 03:05:39;"), strict=True
    ):
        assert piece in line
        assert "whole" in line


def test_files_of_folders_below_are_those_that_belong_to_nothing_else(work: Path) -> None:
    assert files_left(str(work), [HOME, HOMES]) == {
        HOME: ["home.sha", "home-ben.sha"],
        HOMES: ["home-ann.sha"],
    }
    assert files_left(str(work), [HOME])[HOME] == ["home.sha", "home-ann.sha", "home-ben.sha"]
    assert files_left(str(work), [ROOT])[ROOT] == ["home-ann.sha", "home-ben.sha", "home.sha", "homer.sha"]


def test_a_folder_that_is_not_there_has_nothing_and_one_that_cannot_be_looked_into_is_told(
    work: Path,
) -> None:
    assert not told(work / "gone", HOME)
    assert not told(work / "home.sha", HOME)
    (work / "loop").symlink_to("loop")
    (line,) = told(work / "loop", HOME)
    assert "cannot be looked into: too many levels" in line
    assert "first is whole" in line


def _large(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(LARGEST + 1)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda path: path.write_bytes(b"cos\nsystem\n(S'touch made'\ntR."), "wants a program to be run"),
        (lambda path: path.write_bytes(digests("/home/a")[:-1]), "its end is missing"),
        (lambda path: path.write_bytes(pickle.dumps(7)), "holds no map"),
        (lambda path: path.write_bytes(b""), "its end is missing"),
        (_large, "larger than 64 MiB"),
        (os.mkfifo, "no plain file"),
        (Path.mkdir, "no plain file"),
        (lambda path: path.symlink_to("homer.sha"), "is a link"),
    ],
    ids=["program", "cut", "number", "empty", "large", "pipe", "folder", "link"],
)
def test_what_is_damaged_or_hostile_is_told_with_the_reason_and_nothing_else_is_lost(
    work: Path, make: Callable[[Path], object], why: str
) -> None:
    (work / "home.sha").unlink()
    make(work / "home.sha")
    before = sorted(work.iterdir())
    good, bad = told(work, HOME, HOMES)[:2]
    assert "1 file " in good
    assert "whole all the same" in bad
    assert '"home.sha": ' in bad
    assert why in bad
    assert sorted(work.iterdir()) == before


def test_what_is_looked_for_is_what_cedar_backup_collects_in_increments() -> None:
    made = migrated(CEDAR_3)
    assert made.working_dir == "/var/backups/work"
    assert set(made.left) == {
        Left("/home", Suffix.DIGESTS, below=True),
        Left("/srv/svn/tools", Suffix.REVISION),
        Left("/var/mail/keeper", Suffix.MAIL),
    }
    whole = "<file><abs_path>/a</abs_path></file><dir><abs_path>/b/</abs_path>{}</dir>"
    options = "<options><working_dir>/w</working_dir></options>"
    some = migrated(options + collect(whole.format("<collect_mode>incr</collect_mode>")))
    assert some.left == (Left("/b/", Suffix.DIGESTS),)
    assert not migrated(options + collect(whole.format(""))).left
    assert not migrated(collect(whole.format("<collect_mode>incr</collect_mode>"))).left
