"""`validate`: all that a night needs is looked at, and what is wrong with it decides the exit status."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from tests.cli.program import error_of, told
from tests.cli.test_collect_cli import sources
from tests.conftest import Project, Ran
from tests.pool import peers


def add(project: Project, text: str) -> None:
    project.config.write_text(f"{project.config.read_text()}\n{text}\n")


def checked(ran: Ran) -> dict[str, str]:
    """What was found, by what was looked at."""
    return {each["what"]: each["found"] for each in told(ran)["checked"]}


def wrong(ran: Ran) -> list[str]:
    return [each["what"] for each in told(ran)["checked"] if not each["ok"]]


@pytest.fixture
def tools(project: Project, tmp_path: Path) -> Path:
    """A folder that is all of PATH, with what a shelf needs."""
    folder = tmp_path / "tools"
    folder.mkdir()
    (folder / "xorriso").symlink_to(shutil.which("xorriso") or "")
    project.environ["PATH"] = str(folder)
    return folder


def script(path: Path, said: str) -> None:
    path.write_text(f"#!/bin/sh\necho '{said}'\n")
    path.chmod(0o755)


def test_what_the_tables_need_is_looked_for_and_nothing_else(project: Project, tools: Path) -> None:
    assert project.run("--json", "validate").status == 0
    (project.root / "home").mkdir()
    home = str(project.root / "home")
    sources(project, {"path": home}, {"path": f"{home}/..", "archive": "tar.xz"}, archive="tar.bz2")
    peers_text = '[[peer]]\nname = "away"\nhost = "127.0.0.1"\nport = 1\ncollect_dir = "/x"\n'
    add(project, peers_text)
    ran = project.run("--json", "validate")
    assert ran.status == 9
    assert {"tar", "bzip2", "xz", "rsync", "ssh"} <= set(wrong(ran))
    assert not {"gzip", "zstd"} & set(checked(ran))
    assert "xz is not installed\n  Install it: apt-get install xz-utils" in ran.err


@pytest.mark.parametrize(
    ("tool", "said", "kind"),
    [
        ("tar", "tar (GNU tar) 1.28", "ToolTooOld"),
        ("tar", "tar (busybox) 1.36.1", "UnexpectedOutput"),
        ("rsync", "rsync  version 3.0.9  protocol version 30", "ToolTooOld"),
    ],
)
def test_a_tool_that_will_not_do_is_named(
    project: Project, tmp_path: Path, tool: str, said: str, kind: str
) -> None:
    (tmp_path / "first").mkdir()
    script(tmp_path / "first" / tool, said)
    (project.root / "home").mkdir()
    sources(project, {"path": str(project.root / "home")})
    ran = project.run("--json", "validate", environ={"PATH": f"{tmp_path}/first:{os.environ['PATH']}"})
    assert error_of(ran)["kind"] == kind
    assert wrong(ran)[0] == tool


def test_tools_that_will_do_are_told_with_their_versions(project: Project) -> None:
    (project.root / "home").mkdir()
    home = str(project.root / "home")
    forms = ("tar", "tar.gz", "tar.bz2", "tar.xz", "tar.zst")
    made = [{"name": f"c{number}", "argv": ["true"], "archive": form} for number, form in enumerate(forms)]
    sources(project, {"path": home}, commands=made)
    found = checked(project.run("--json", "validate"))
    for name in ("tar", "gzip", "bzip2", "xz", "zstd", "rsync"):
        assert found[name].startswith(f"{name} ")
        assert found[name].split()[1].replace(".", "").isdigit()
    assert found["command c0"] == shutil.which("true")
    assert "1 source and 5 commands" in found["what is collected"]


def test_programs_of_hooks_and_commands_have_to_be_there(project: Project) -> None:
    (project.root / "home").mkdir()
    source: dict[str, object] = {
        "path": str(project.root / "home"),
        "before": ["no-such-lvm"],
        "after": ["/no/such/lvm"],
    }
    sources(project, source, commands=[{"name": "db", "argv": ["no-such-dump", "--all"]}])
    ran = project.run("--json", "validate")
    assert ran.status == 9
    home = project.root / "home"
    assert wrong(ran) == [f"program before {home}", f"program after {home}", "command db"]
    project.configure()
    add(project, '[[hook]]\naction = "store"\nwhen = "after"\nargv = ["./no-such-hook"]')
    ran = project.run("--json", "validate")
    assert (ran.status, wrong(ran), error_of(ran)["kind"]) == (6, ["hook after store"], "HookFailed")
    assert "there is no program ./no-such-hook that can be run" in ran.err


@pytest.mark.parametrize("key", ["user", "group"])
def test_user_and_group_have_to_be_there(project: Project, key: str) -> None:
    text = project.config.read_text()
    project.config.write_text(text.replace("[options]", f'[options]\n{key} = "no-such-one"'))
    ran = project.run("--json", "validate")
    assert (ran.status, wrong(ran)) == (4, ["user and group"])
    assert "no-such-one" in ran.err
    project.config.write_text(text.replace("[options]", f'[options]\n{key} = "root"'))
    assert checked(project.run("--json", "validate"))["user and group"] == "root"


@pytest.mark.parametrize("name", ["state", "staging", "collect", "work"])
def test_folders_that_may_not_be_written_are_named(of_user: Project, name: str) -> None:
    closed = of_user.root / "closed"
    closed.mkdir()
    text = '[options]\nstate_dir = "state"\nworking_dir = "work"\n[stage]\ndir = "staging"\n[collect]\n'
    text += 'dir = "collect"\n[[collect.source]]\npath = "shelf"\n'
    text += '[[peer]]\nname = "here"\ncollect_dir = "collect"\n'
    of_user.config.write_text(text.replace(f'"{name}"', f'"closed/{name}"'))
    closed.chmod(0o500)
    ran = of_user.run_as_user("--json", "validate")
    closed.chmod(0o700)
    assert ran.status == 6
    assert f"{closed} may not be written" in ran.err
    assert len(wrong(ran)) == 1


def test_a_staging_folder_that_a_first_run_will_make_is_no_fault_and_one_that_vanished_is(
    project: Project,
) -> None:
    project.staging.rmdir()
    assert wrong(project.run("--json", "validate")) == ["staging folder"]
    peers(project, {"name": "alpha"})
    found = checked(ran := project.run("--json", "validate"))
    assert ran.status == 0
    assert found["staging folder"] == f"{project.staging} (will be made)"
    project.stage("2026/11/22")
    assert project.run("store").status == 0
    shutil.rmtree(project.staging)
    ran = project.run("--json", "validate")
    assert ran.status == 6
    assert "staging folder" in wrong(ran)


def test_too_little_room_for_the_next_day_is_warned_of(project: Project) -> None:
    project.stage("2026/11/21", {"large": bytes(9_000_000)})
    project.stage("2026/11/22", {"large": bytes(3_000_000)})
    found = checked(ran := project.run("--json", "validate"))
    assert found["space for the next day"].startswith("the newest day took 3.0 MB, ")
    assert told(ran)["warnings"] == []
    text = project.config.read_text()
    project.config.write_text(text.replace("[store]", 'reserve = "8000 TB"\n[store]'))
    ran = project.run("--json", "validate")
    assert ran.status == 0
    (warning,) = told(ran)["warnings"]
    assert f"{project.staging} has room for 0 B besides the reserve" in warning
    assert "the newest day took 3.0 MB" in warning


def test_a_disc_without_room_for_the_next_day_is_warned_of(project: Project) -> None:
    project.configure(capacity="6 MB", margin="0 B")
    project.stage("2026/11/22", {"large": os.urandom(3_500_000)})
    assert project.run("store").status == 0
    ran = project.run("--json", "validate")
    assert ran.status == 0
    (warning,) = told(ran)["warnings"]
    assert "the newest day took 3.5 MB: have a blank disc at hand" in warning
    assert json.dumps(project.images()[0].stem)[1:-1] in warning


def test_a_source_that_is_not_there_is_wrong(project: Project) -> None:
    sources(project, {"path": str(project.root / "gone")})
    ran = project.run("--json", "validate")
    assert (ran.status, wrong(ran)) == (6, ["what is collected"])
    peers(project, {"name": "alpha"})
    assert checked(project.run("--json", "validate"))["peer alpha"] == "not collected yet"
