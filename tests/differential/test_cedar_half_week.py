"""Over from Cedar Backup in the middle of a week: what it left is told, and the first collect is whole."""

from __future__ import annotations

import ast
import subprocess
import tarfile
from datetime import date, timedelta
from pathlib import Path

import pytest
from tests.cli.program import program, told
from tests.conftest import Ran

from cedarchest.config.cedar.left_behind import Left, Suffix

pytestmark = pytest.mark.slow

CONFIG = """<cb_config>
<extensions>
<action><name>subversion</name><module>CedarBackup3.extend.subversion</module>
<function>executeAction</function><index>98</index></action>
<action><name>mbox</name><module>CedarBackup3.extend.mbox</module>
<function>executeAction</function><index>99</index></action>
</extensions>
<options><starting_day>{starting_day}</starting_day><working_dir>{top}/work</working_dir>
<backup_user>root</backup_user><backup_group>root</backup_group><rcp_command>scp</rcp_command>
<override><command>grepmail</command><abs_path>{top}/grepmail</abs_path></override></options>
<peers><peer><name>here</name><type>local</type><collect_dir>{top}/collect</collect_dir></peer></peers>
<collect><collect_dir>{top}/collect</collect_dir><collect_mode>incr</collect_mode>
<archive_mode>tar</archive_mode><ignore_file>.no</ignore_file>
<dir><abs_path>{top}/home</abs_path><recursion_level>1</recursion_level></dir>
<dir><abs_path>{top}/etc</abs_path></dir></collect>
<stage><staging_dir>{top}/stage</staging_dir></stage>
<subversion><collect_mode>incr</collect_mode><compress_mode>none</compress_mode>
<repository><abs_path>{top}/svn</abs_path></repository></subversion>
<mbox><collect_mode>incr</collect_mode><compress_mode>none</compress_mode>
<file><abs_path>{top}/inbox</abs_path></file></mbox>
</cb_config>
"""

MAIL = "From a@b Mon Nov 23 03:00:00 2026\nDate: Mon, 23 Nov 2026 03:00:00 +0000\nSubject: {}\n\nhello\n\n"
TODAY = date.today()  # noqa: DTZ011 - as Cedar Backup has it
FULL, INCREMENT, NEXT = TODAY - timedelta(2), TODAY - timedelta(1), TODAY + timedelta(1)


def cback3(top: Path, *arguments: str) -> None:
    """A run of Cedar Backup, which has no clock but the machine's."""
    config, log = str(top / "cback3.conf"), str(top / "log")
    subprocess.run(
        ["cback3", "--quiet", "--config", config, "--logfile", log, *arguments],
        check=True,
        capture_output=True,
    )


def staged(top: Path, day: date) -> None:
    """Have what was staged today be of an earlier day."""
    target = top / f"stage/{day:%Y/%m/%d}"
    target.parent.mkdir(parents=True, exist_ok=True)
    (top / f"stage/{TODAY:%Y/%m/%d}").rename(target)


def commit(top: Path, name: str) -> None:
    """A revision of the repository."""
    url = f"file://{top}/svn/{name}"
    subprocess.run(["svn", "mkdir", "--quiet", "--message", name, url], check=True)


def tree(top: Path) -> dict[str, bytes]:
    """Files by path below a folder, with their content."""
    return {str(path.relative_to(top)): path.read_bytes() for path in top.rglob("*") if path.is_file()}


@pytest.fixture
def half_week(tmp_path: Path) -> Path:
    """A full backup by Cedar Backup, an increment, and what changed since; ours has not run yet."""
    for name in ("home/ann", "home/ben", "home/eve", "etc", "work", "collect", "stage"):
        (tmp_path / name).mkdir(parents=True)
    for path in (
        "home/top",
        "home/ann/kept",
        "home/ann/changed",
        "home/ben/gone",
        "home/eve/left",
        "etc/fstab",
    ):
        (tmp_path / path).write_text(f"{path} in full\n")
    subprocess.run(["svnadmin", "create", str(tmp_path / "svn")], check=True)
    (tmp_path / "inbox").write_text(MAIL.format("full"))
    (tmp_path / "grepmail").write_text('#!/bin/sh\nfor each; do mailbox=$each; done\ncat "$mailbox"\n')
    (tmp_path / "grepmail").chmod(0o755)
    starting_day = f"{TODAY + timedelta(3):%A}".lower()
    (tmp_path / "cback3.conf").write_text(CONFIG.format(top=tmp_path, starting_day=starting_day))
    commit(tmp_path, "one")
    cback3(tmp_path, "--full", "collect", "subversion", "mbox", "stage")
    staged(tmp_path, FULL)
    (tmp_path / "home/ann/changed").write_text("in the increment\n")
    commit(tmp_path, "two")
    cback3(tmp_path, "collect", "subversion", "mbox", "stage")
    staged(tmp_path, INCREMENT)
    (tmp_path / "home/ann/late").write_text("late\n")
    (tmp_path / "home/ben/gone").unlink()
    (tmp_path / "home/eve/left").unlink()
    (tmp_path / "home/eve").rmdir()
    (tmp_path / "inbox").write_text(MAIL.format("full") + MAIL.format("late"))
    commit(tmp_path, "three")
    return tmp_path


def ours(top: Path, *arguments: str, config: str = "cback3.conf", at: str = "") -> Ran:
    ran = program("--json", "-c", config, *arguments, cwd=top, environ={"CEDARCHEST_NOW": at} if at else {})
    assert ran.status == 0, ran.err
    return ran


def name_of(path: Path) -> str:
    """What files of a path are called."""
    return str(path).strip("/").replace("/", "-")


def test_what_cedar_backup_left_is_told_and_what_is_collected_first_is_whole(half_week: Path) -> None:
    top = half_week
    left = tree(top / "work")
    assert {name.rpartition(".")[2] for name in left} == {"sha", "svnlast", "mboxlast"}
    report = told(program("--json", "migrate", "cback3.conf", cwd=top))["report"]["left"]
    for line, piece in zip(
        report, ("knows 5 files", "knows 1 file ", "revision 2;", f"mail until {TODAY} "), strict=True
    ):
        assert piece in line
    ran = ours(top, "collect")
    assert [line for line in told(ran)["warnings"] if "first collect is whole" in line]
    ours(top, "stage")
    assert tree(top / "work") == left
    assert not [line for line in told(ours(top, "collect"))["warnings"] if "first collect" in line]
    day = top / f"stage/{TODAY:%Y/%m/%d}/here"
    for path in ("home/ann", "etc"):
        with tarfile.open(day / f"{name_of(top / path)}.tar") as archive:
            assert {f"/{each.name}" for each in archive if each.isfile()} == {
                str(each) for each in (top / path).iterdir()
            }
    made = top / "again"
    subprocess.run(["svnadmin", "create", str(made)], check=True)
    dump = (day / f"svndump-{name_of(top / 'svn')}.txt").read_bytes()
    subprocess.run(["svnadmin", "load", "--quiet", str(made)], input=dump, check=True)
    assert subprocess.check_output(["svnlook", "youngest", str(made)]).strip() == b"3"
    with tarfile.open(day / f"{name_of(top / 'inbox')}.tar") as archive:
        member = archive.extractfile(str(top / "inbox").strip("/"))
        assert member is not None
        assert member.read() == (top / "inbox").read_bytes()


def test_a_restore_brings_back_each_day_of_the_week_as_it_was(half_week: Path) -> None:
    top = half_week
    ours(top, "collect")
    ours(top, "stage")
    ours(top, "migrate", "cback3.conf", "-o", "made.toml")
    with (top / "made.toml").open("a") as file:
        file.write('\n[store]\ndevice = "shelf:discs"\n')
    ours(top, "store", config="made.toml")
    found, notes = {}, {}
    for day in (FULL, INCREMENT, TODAY):
        arguments = ("--peer", "here", "--as-of", str(day), "--to", str(top / f"{day}"))
        notes[day] = told(ours(top, "restore", *arguments, config="made.toml"))["notes"]
        found[day] = tree(top / f"{day}/here/{str(top).strip('/')}")
    assert found[FULL]["home/ann/changed"] == b"home/ann/changed in full\n"
    assert found[INCREMENT] == found[FULL] | {"home/ann/changed": b"in the increment\n"}
    now = {path: held for path, held in tree(top).items() if path.startswith(("home/", "etc/", "inbox"))}
    # Of a folder with an archive of its own, which went before we came, only Cedar Backup's archive tells.
    assert found[TODAY] == now | {"home/eve/left": b"home/eve/left in full\n"}
    may_have_gone = [line for line in notes[TODAY] if "may have been deleted since" in line]
    assert f"{name_of(top / 'home/eve')}" in may_have_gone[0]
    assert f"{name_of(top / 'home/ann')}" not in may_have_gone[0]
    assert not [line for line in notes[INCREMENT] if "may have been deleted since" in line]


def test_our_own_increments_go_on_from_there(half_week: Path) -> None:
    top = half_week
    ours(top, "migrate", "cback3.conf", "-o", "made.toml")
    with (top / "made.toml").open("a") as file:
        file.write('\n[store]\ndevice = "shelf:discs"\n')
    ours(top, "all", config="made.toml")
    (top / "home/ann/next").write_text("next\n")
    (top / "home/ann/late").unlink()
    ours(top, "all", config="made.toml", at=f"{NEXT}T03:00:00")
    with tarfile.open(top / f"stage/{NEXT:%Y/%m/%d}/here/{name_of(top / 'home/ann')}.tar") as archive:
        assert [Path(each.name).name for each in archive if each.isfile()] == ["next"]
    ours(
        top, "restore", "--peer", "here", "--as-of", str(NEXT), "--to", str(top / "back"), config="made.toml"
    )
    back = tree(top / f"back/here/{str(top / 'home/ann').strip('/')}")
    assert back == tree(top / "home/ann")


def test_state_files_are_called_as_cedar_backup_calls_them() -> None:
    paths = [
        "/",
        "/home",
        "/home/",
        "//a",
        "/.hidden",
        "/a b/c:d",
        "/a\\b",
        "/a/.b",
        "/a\tb\u2003c",
        "/-x",
        "/\\a",
    ]
    code = "import sys; from CedarBackup3.util import buildNormalizedPath as name\n"
    code += "print(ascii([*map(name, sys.argv[1:])]))"
    names = ast.literal_eval(subprocess.check_output(["/usr/bin/python3", "-c", code, *paths], text=True))
    assert [Left(path, Suffix.DIGESTS).name for path in paths] == [f"{name}.sha" for name in names]
