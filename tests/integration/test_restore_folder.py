"""The folder that is restored to: nothing in it leads out, and nothing has a name before it is whole."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.life import ROOT

from cedarchest.adapters.restore_folder import LocalRestoreFolder, LocalRestoreFolders
from cedarchest.errors import RestoreError
from cedarchest.model.index import Entry, Kind
from cedarchest.ports.restoring import RestoreRules


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[LocalRestoreFolder]:
    opened = LocalRestoreFolders().open(tmp_path / "to", RestoreRules())
    yield opened
    opened.close()


@pytest.fixture
def to(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "to"
    subprocess.run(["rm", "-rf", str(tmp_path / "to")], check=True)  # pytest fails at folders so deep


def entry(kind: Kind = Kind.FILE, **changes: object) -> Entry:
    made = Entry(b"", kind, 0, 0o640, os.getuid(), os.getgid(), 981_173_106_123_456_789)
    return made._replace(**changes)  # type: ignore[arg-type]


def names(to: Path) -> list[str]:
    return sorted(str(path.relative_to(to)) for path in to.rglob("*"))


def test_a_file_has_its_name_only_when_it_is_kept(folder: LocalRestoreFolder, to: Path) -> None:
    with folder.writing(b"a/b/f") as file:
        file.write(3, b"def")
        file.write(0, b"abc")
        assert not (to / "a/b/f").exists()
        file.keep(8, entry())
    assert (to / "a/b/f").read_bytes() == b"abcdef\0\0"
    status = (to / "a/b/f").stat()
    assert (stat.S_IMODE(status.st_mode), status.st_mtime_ns) == (0o640, 981_173_106_123_456_789)
    with folder.writing(b"a/g") as file:
        file.write(0, b"it is not kept")
    assert names(to) == ["a", "a/b", "a/b/f"]


def test_a_file_system_without_nameless_files_does_as_well(
    folder: LocalRestoreFolder, to: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.open

    def without(path: Any, flags: int, *more: Any, **named: Any) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, "not supported")
        return real(path, flags, *more, **named)

    monkeypatch.setattr(os, "open", without)
    folder.put(b"d/f", b"content", entry())
    assert (to / "d/f").read_bytes() == b"content"
    with pytest.raises(RestoreError, match="File exists"):
        folder.put(b"d/f", b"other", entry())
    assert names(to) == ["d", "d/f"]


def test_what_is_damaged_is_not_kept_over_something_else(folder: LocalRestoreFolder, to: Path) -> None:
    (to / "f.damaged").write_bytes(b"mine")
    with pytest.raises(RestoreError, match="File exists"), folder.writing(b"f") as file:
        file.keep(0, entry(), suffix=b".damaged")
    assert (to / "f.damaged").read_bytes() == b"mine"
    assert names(to) == ["f.damaged"]


@pytest.mark.parametrize(
    "changes",
    [
        {"uid": 1 << 40},
        {"mtime_ns": 10**40},
        {"user": "no\0name"},
        {"user": "\N{SUPERSCRIPT TWO}"},
        {"xattrs": ((b"user.a\0b", b"1"),)},
    ],
    ids=str,
)
def test_attributes_that_nothing_can_have_cost_nothing_else(
    folder: LocalRestoreFolder, to: Path, changes: dict[str, object]
) -> None:
    folder.put(b"f", b"content", entry(Kind.FILE, **changes))
    assert (to / "f").read_bytes() == b"content"


def test_a_link_to_what_no_file_system_knows_is_said(folder: LocalRestoreFolder) -> None:
    with pytest.raises(RestoreError, match="cannot be restored"):
        folder.make(b"l", entry(Kind.LINK, target=b"a\0b"), replace=False)


def test_folders_that_nothing_is_known_of_are_as_anybody_makes_them(tmp_path: Path) -> None:
    folder = LocalRestoreFolders().open(tmp_path / "to", RestoreRules())
    folder.put(b"a/b/f", b"x", entry())
    assert stat.S_IMODE((tmp_path / "to/a").stat().st_mode) == 0o700
    folder.finish(b"a/b", entry(Kind.DIR, mode=0o711))
    folder.close()
    umask = os.umask(0)
    os.umask(umask)
    modes = [stat.S_IMODE((tmp_path / "to" / name).stat().st_mode) for name in ("a", "a/b")]
    assert modes == [0o777 & ~umask, 0o711]


def test_put_makes_a_file_where_nothing_is_and_nowhere_else(folder: LocalRestoreFolder, to: Path) -> None:
    folder.put(b"d/f", b"content", entry())
    assert (to / "d/f").read_bytes() == b"content"
    with pytest.raises(RestoreError, match="d/f cannot be restored: File exists"):
        folder.put(b"d/f", b"other", entry())
    assert (to / "d/f").read_bytes() == b"content"


@pytest.mark.parametrize("at", [b"link/f", b"link", b"d/link/below/f"])
def test_links_are_not_followed(folder: LocalRestoreFolder, to: Path, tmp_path: Path, at: bytes) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "below").mkdir()
    (to / "link").symlink_to(outside)
    (to / "d").mkdir()
    (to / "d/link").symlink_to(outside)
    with pytest.raises(RestoreError):
        folder.put(at, b"x", entry())
    with pytest.raises(RestoreError):
        folder.folder(at)
    assert sorted(path.name for path in outside.iterdir()) == ["below"]
    if at.endswith(b"/f"):
        with pytest.raises(RestoreError), folder.writing(at) as file:
            file.keep(0, entry())
        with pytest.raises(RestoreError):
            folder.look(at)


def test_a_name_that_became_a_link_is_replaced_and_not_written_through(
    folder: LocalRestoreFolder, to: Path, tmp_path: Path
) -> None:
    (tmp_path / "victim").write_bytes(b"untouched")
    (to / "f").symlink_to(tmp_path / "victim")
    with folder.writing(b"f") as file:
        file.write(0, b"new")
        file.keep(3, entry())
    assert (to / "f").read_bytes() == b"new"
    assert (tmp_path / "victim").read_bytes() == b"untouched"


def test_links_pipes_and_further_names_are_made(folder: LocalRestoreFolder, to: Path) -> None:
    assert folder.make(b"l", entry(Kind.LINK, target=b"no\nwhere"), replace=False)
    assert folder.make(b"p", entry(Kind.FIFO), replace=False)
    folder.put(b"f", b"x", entry())
    folder.join(b"d/g", b"f", replace=False)
    assert (to / "l").readlink() == Path("no\nwhere")
    assert (to / "l").lstat().st_mtime_ns == 981_173_106_123_456_789
    assert stat.S_ISFIFO((to / "p").stat().st_mode)
    assert (to / "d/g").samefile(to / "f")
    there = folder.look(b"l")
    assert there is not None
    assert there.target == b"no\nwhere"
    with pytest.raises(RestoreError):
        folder.make(b"f", entry(Kind.LINK, target=b"x"), replace=False)
    assert folder.make(b"f", entry(Kind.LINK, target=b"x"), replace=True)


def test_what_is_privileged_is_left_off_and_counted(folder: LocalRestoreFolder, to: Path) -> None:
    xattrs = ((b"security.x", b"1"), (b"trusted.x", b"2"), (b"user.x", b"3"))
    folder.put(b"f", b"x", entry(mode=0o6755, xattrs=xattrs))
    assert stat.S_IMODE((to / "f").stat().st_mode) == 0o755
    assert os.listxattr(to / "f") == ["user.x"]
    assert dict(folder.left_off()) == {
        "setuid or setgid bits": 1,
        "attributes of the kinds security and trusted": 2,
    }
    assert not folder.make(b"null", entry(Kind.CHAR, rdev=os.makedev(1, 3)), replace=False)
    assert not (to / "null").exists()


@pytest.mark.skipif(not ROOT, reason="only root may")
def test_what_is_privileged_comes_back_when_asked(tmp_path: Path) -> None:
    rules = RestoreRules(privileged=True, users={"nobody": "root", "7": "12"}, numeric=False)
    folder = LocalRestoreFolders().open(tmp_path / "to", rules)
    folder.put(b"f", b"x", entry(mode=0o6755, xattrs=((b"trusted.x", b"2"),), uid=7, user="", gid=9))
    folder.put(b"g", b"x", entry(uid=1234, user="nobody", gid=1, group="no such group"))
    folder.close()
    status = (tmp_path / "to/f").stat()
    assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (0o6755, 12, 9)
    assert os.getxattr(tmp_path / "to/f", "trusted.x") == b"2"
    assert ((tmp_path / "to/g").stat().st_uid, (tmp_path / "to/g").stat().st_gid) == (0, 1)


def test_folders_deeper_than_handles_are_kept_open(folder: LocalRestoreFolder, to: Path) -> None:
    deep = b"/".join([b"d"] * 1500)
    folder.put(deep + b"/f", b"deep", entry())
    with folder.writing(deep + b"/g") as file:
        folder.put(b"e/f", b"elsewhere", entry())
        file.keep(0, entry())
    folder.join(b"top", deep + b"/f", replace=False)
    assert (to / "top").read_bytes() == b"deep"


def test_a_folder_that_is_shut_is_opened_for_what_comes_into_it_and_shut_again(tmp_path: Path) -> None:
    shut = tmp_path / "to/shut"
    shut.mkdir(parents=True)
    shut.chmod(0o500)
    folder = LocalRestoreFolders().open(tmp_path / "to", RestoreRules())
    folder.put(b"shut/f", b"x", entry())
    folder.close()
    assert stat.S_IMODE(shut.stat().st_mode) == 0o500
    assert (shut / "f").read_bytes() == b"x"


def test_a_spool_stays_until_it_is_dropped(folder: LocalRestoreFolder, to: Path) -> None:
    with folder.spool(b"name") as spool:
        spool.write(5, b"later")
    with folder.spool(b"name") as spool:
        assert spool.read(0, 100) == b"\0" * 5 + b"later"
        spool.drop()
    assert names(to) == []


def test_what_cannot_be_used_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RestoreError, match="cannot be restored"):
        LocalRestoreFolders().open(tmp_path / "file", RestoreRules())
    with pytest.raises(RestoreError, match="cannot be restored"):
        LocalRestoreFolders().open(tmp_path / "file/below", RestoreRules())
