"""`migrate`, and a configuration of Cedar Backup as it is, as users run them."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from tests.cedar_xml import CEDAR_2, CEDAR_3
from tests.cli.program import error_of, program, told
from tests.cli.test_json import assert_described
from tests.conftest import Project

from cedarchest.config.load import load_config

SLIPS = "<cb_config><stagee/><options><starting_day>friday</starting_day><pace>9</pace></options></cb_config>"


def small(root: Path, extra: str = "") -> str:
    """A pool of one on a shelf's machine, without a store."""
    top = escape(str(root))
    return f"""<?xml version="1.0"?>
<cb_config>
<reference><author>me</author></reference>
<options><starting_day>monday</starting_day><working_dir>{top}/work</working_dir>
<backup_user>root</backup_user><backup_group>root</backup_group><rcp_command>scp</rcp_command></options>
<peers><peer><name>here</name><type>local</type><collect_dir>{top}/collect</collect_dir></peer></peers>
<collect><collect_dir>{top}/collect</collect_dir><collect_mode>daily</collect_mode>
<archive_mode>targz</archive_mode><ignore_file>.no</ignore_file>
<dir><abs_path>{top}/home</abs_path></dir></collect>
<stage><staging_dir>{top}/stage</staging_dir></stage>
<purge><dir><abs_path>{top}/stage</abs_path><retain_days>7</retain_days></dir></purge>
{extra}</cb_config>
"""


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "home/sub").mkdir(parents=True)
    (tmp_path / "home/sub/a.txt").write_text("a")
    (tmp_path / "cback3.conf").write_text(small(tmp_path))
    return tmp_path


def test_without_an_output_the_configuration_is_on_standard_output_and_the_report_on_the_other(
    tmp_path: Path,
) -> None:
    ran = program("migrate", str(CEDAR_3), cwd=tmp_path)
    assert ran.status == 0
    (tmp_path / "made.toml").write_text(ran.out)
    assert load_config(tmp_path / "made.toml").options.user == "backup"
    for title in ("taken over:", "means something else now:", "cannot be taken over:"):
        assert f"{title}\n" in ran.err
    assert "make /etc/cedarchest/mysql.cnf" in ran.err
    assert [path.name for path in tmp_path.iterdir()] == ["made.toml"]


def test_a_path_with_what_some_take_for_the_end_of_a_line_stays_on_its_own(here: Path) -> None:
    home = here / "home\u2028\x85sub"
    (here / "home").rename(home)
    (here / "cback3.conf").write_text(small(here).replace("/home<", f"/{home.name}<"))
    (here / "made.toml").write_text(program("migrate", "cback3.conf", cwd=here).out)
    assert [each.path for each in load_config(here / "made.toml").require_collect().source] == [home]


def test_a_quiet_run_writes_the_configuration_and_nothing_else(tmp_path: Path) -> None:
    loud, quiet = (program("migrate", str(CEDAR_2), *more, cwd=tmp_path) for more in ((), ("-q",)))
    assert (quiet.out, quiet.err) == (loud.out, "")
    assert "[store]" in quiet.out


def test_an_output_is_written_with_its_passwords_beside_it(tmp_path: Path) -> None:
    ran = program("migrate", str(CEDAR_3), "-o", "cedarchest.toml", cwd=tmp_path)
    assert ran.status == 0
    assert "means something else now:\n" in ran.out
    secret = tmp_path / "mysql.cnf"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    argv = load_config(tmp_path / "cedarchest.toml").require_collect().command[0].argv
    assert argv[1] == f"--defaults-extra-file={secret}"
    assert '"secret"' not in ran.out + ran.err + (tmp_path / "cedarchest.toml").read_text()


@pytest.mark.parametrize("name", ["cedarchest.toml", "mysql.cnf"])
@pytest.mark.parametrize("make", [Path.touch, lambda path: path.symlink_to("precious")], ids=["file", "link"])
def test_nothing_that_is_there_is_written_over_and_nothing_is_left_half_done(
    tmp_path: Path, name: str, make: object
) -> None:
    assert callable(make)
    make(tmp_path / name)
    ran = program("--json", "migrate", str(CEDAR_3), "-o", "cedarchest.toml", cwd=tmp_path)
    assert ran.status == 4
    assert error_of(ran)["path"] == str(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert_described(ran)


def test_an_output_in_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    ran = program("migrate", str(CEDAR_2), "-o", "no/where.toml", cwd=tmp_path)
    assert (ran.status, ran.out) == (4, "")
    assert "no/where.toml cannot be written" in ran.err


@pytest.mark.parametrize("output", [(), ("-o", "made.toml")])
def test_the_json_has_the_whole_report(tmp_path: Path, output: tuple[str, ...]) -> None:
    (tmp_path / "c.conf").write_text(SLIPS)
    ran = program("--json", "migrate", "c.conf", *output, cwd=tmp_path)
    figures = told(ran)
    assert (ran.status, ran.err, figures["outcome"]) == (0, "", "ok")
    ignored = {line.partition(":")[2].split()[0] for line in figures["report"]["ignored"]}
    assert ignored == {"<pace>", "<stagee>"}
    assert any("<store>" in line for line in figures["report"]["missing"])
    assert figures["config"] == (str(tmp_path / "made.toml") if output else None)
    assert 'starting_day = "friday"' in figures["toml"]
    assert_described(ran)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"<!DOCTYPE a [<!ENTITY b 'c'>]><cb_config>&b;</cb_config>", "document type declares"),
        (b"<cb_config>", "no XML"),
        (b"<html/>", "<html>"),
        (b"<cb_config><options><starting_day>someday</starting_day></options></cb_config>", '"someday"'),
        (b"<cb_config/>" + b" " * (1 << 20), "larger than 1 MiB"),
        (b"[options]\n", "no XML"),
    ],
    ids=["entity", "half", "html", "value", "large", "toml"],
)
def test_what_is_hostile_or_wrong_ends_with_4(tmp_path: Path, content: bytes, problem: str) -> None:
    (tmp_path / "c.conf").write_bytes(content)
    ran = program("--json", "migrate", "c.conf", "-o", "made.toml", cwd=tmp_path)
    assert ran.status == 4
    assert problem in error_of(ran)["message"]
    assert str(tmp_path / "c.conf") in error_of(ran)["message"]
    assert not (tmp_path / "made.toml").exists()
    assert_described(ran)
    if not content.startswith(b"["):
        again = program("--json", "-c", "c.conf", "status", cwd=tmp_path)
        assert (again.status, problem in error_of(again)["message"]) == (4, True)


def test_the_xml_itself_does_what_the_file_made_of_it_does(here: Path) -> None:
    assert program("migrate", "cback3.conf", "-o", "made.toml", cwd=here).status == 0
    results = []
    for config in ("cback3.conf", "made.toml"):
        for folder in ("collect", "stage", "state"):
            shutil.rmtree(here / folder, ignore_errors=True)
        ran = program(
            "--json", "-c", config, "all", cwd=here, environ={"CEDARCHEST_NOW": "2026-11-25T03:00:00"}
        )
        assert ran.status == 0, ran.err
        warnings = told(ran)["warnings"]
        assert [f"{here}/cback3.conf" in line for line in warnings] == (
            [True] if config.endswith("f") else []
        )
        results.append(sorted(str(path.relative_to(here)) for path in here.glob("stage/**/*")))
    assert "stage/2026/11/25/here" in results[0]
    assert results[0] == results[1]
    assert any(each.endswith("home.tar.gz") for each in results[0])


def test_a_run_with_the_xml_says_once_what_has_no_effect(here: Path) -> None:
    (here / "cback3.conf").write_text(small(here, "<capacityy/>"))
    ran = program("--json", "-c", "cback3.conf", "collect", cwd=here)
    assert ran.status == 0
    warnings = told(ran)["warnings"]
    assert [line for line in warnings if "<capacityy> is not known; did you mean <capacity>?" in line]
    assert ran.err.count("<capacityy>") == 1
    assert ran.err.count("tells which") == 1


def test_a_run_with_the_xml_keeps_its_password_in_a_file_and_a_query_writes_nothing(here: Path) -> None:
    mysql = "<mysql><user>u</user><password>hush</password><database>d</database></mysql>"
    (here / "cback3.conf").write_text(small(here, mysql))
    assert program("-c", "cback3.conf", "collect", "--dry-run", cwd=here).status == 0
    assert not (here / "state").exists()
    dump = here / "bin/mysqldump"
    dump.parent.mkdir()
    dump.write_text('#!/bin/sh\ncat "${1#--defaults-extra-file=}"\n')
    dump.chmod(0o755)
    path = {"PATH": f"{dump.parent}:/usr/bin:/bin"}
    for word in ("hush", "changed"):
        (here / "cback3.conf").write_text(small(here, mysql.replace("hush", word)))
        ran = program("-c", "cback3.conf", "collect", cwd=here, environ=path)
        assert ran.status == 0, ran.err
        assert (
            here / "collect/mysqldump-d.txt"
        ).read_text() == f'[client]\nuser = "u"\npassword = "{word}"\n'
        assert stat.S_IMODE((here / "state/mysql.cnf").stat().st_mode) == 0o600


@pytest.mark.parametrize("section", ["<encrypt/>", "<amazons3/>"])
def test_nothing_secret_is_written_in_plain(project: Project, section: str) -> None:
    text = small(project.root, section)
    (project.root / "cback3.conf").write_text(text)
    assert (
        project.run("migrate", str(project.root / "cback3.conf"), "-o", str(project.root / "m.toml")).status
        == 0
    )
    for config in ("cback3.conf", "m.toml"):
        project.stage("2026/11/22")
        ran = program("-c", config, "store", cwd=project.root)
        assert ran.status == 4
        assert "reserved" in ran.err
    assert not project.images()


def test_what_cedar_backup_left_is_told_until_there_was_a_collect_of_ours(here: Path) -> None:
    (here / "cback3.conf").write_text(small(here).replace(">daily<", ">incr<"))
    assert "left by the last runs" not in program("migrate", "cback3.conf", cwd=here).err
    name = str(here / "home").strip("/").replace("/", "-")
    (here / "work").mkdir()
    (here / f"work/{name}.sha").write_bytes(b"cos\nsystem\n(S'touch made'\ntR.")
    ran = program("migrate", "cback3.conf", cwd=here)
    assert "left by the last runs of Cedar Backup:\n" in ran.err
    assert "it wants a program to be run" in ran.err
    figures = program("--json", "migrate", "cback3.conf", cwd=here)
    assert len(told(figures)["report"]["left"]) == 1
    assert_described(figures)
    for arguments, times in ((("collect", "--dry-run"), 1), (("collect",), 1), (("collect",), 0)):
        warnings = told(program("--json", "-c", "cback3.conf", *arguments, cwd=here))["warnings"]
        assert len([line for line in warnings if "the first collect is whole" in line]) == times
    assert not (here / "made").exists()


def test_a_working_folder_that_cannot_be_looked_into_is_told_by_migrate_and_stops_no_run(here: Path) -> None:
    (here / "cback3.conf").write_text(small(here).replace(">daily<", ">incr<"))
    (here / "work").symlink_to("work")
    ran = program("--json", "migrate", "cback3.conf", cwd=here)
    assert "cannot be looked into: too many levels" in told(ran)["report"]["left"][0]
    assert program("-c", "cback3.conf", "collect", cwd=here).status == 0
    assert (here / "collect/cback.collect").exists()


def test_backup_takes_the_xml_as_well(here: Path) -> None:
    ran = program("--json", "-c", "cback3.conf", "backup", "home", "--device", "shelf:discs", cwd=here)
    assert ran.status == 0, ran.err
    assert any("tells which" in line for line in told(ran)["warnings"])
