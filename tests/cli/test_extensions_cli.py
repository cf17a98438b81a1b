"""Extensions as users run them: in a night, by name, with hooks; standard output stays ours."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.program import error_of, told
from tests.cli.test_all_cli import add, hook
from tests.cli.test_collect_cli import sources
from tests.cli.test_json import assert_described
from tests.conftest import Project
from tests.packages import install

from cedarchest.adapters.run_journal import StateRunJournal

pytestmark = pytest.mark.slow

CODE = """
import subprocess
print("loading")

def run(call):
    print("printed")
    subprocess.run(["echo", "echoed"])
    if not call.dry_run:
        (call.state_dir / "ran").write_text(call.day)
    if call.settings.get("fail"):
        raise ExtensionFailed("no")
    return Done([f"full {call.full}"])

it = Extension(run=run, before=("collect",), check=lambda settings: ())
"""


@pytest.fixture
def with_package(project: Project) -> Project:
    """Something to collect, and an installed package with an extension `chatty`."""
    project.environ |= {"CEDARCHEST_NOW": "2026-11-24T03:00", "PYTHONPATH": str(project.root / "site")}
    install(project.root / "site", "chatty", CODE)
    (project.root / "home").mkdir()
    (project.root / "home/letter").write_bytes(b"dear")
    sources(project, {"path": str(project.root / "home")})
    return project


def test_a_night_with_an_extension_keeps_standard_output_for_itself(with_package: Project) -> None:
    project = with_package
    add(project, "[extension.chatty]", hook("chatty", "after", "touch", str(project.root / "hooked")))
    ran = project.run("--json", "all")
    assert ran.status == 0, ran.err
    assert_described(ran)
    assert [each["action"] for each in told(ran)["actions"]] == ["chatty", "collect", "stage", "store"]
    assert ran.err.splitlines() == ["loading", "printed", "echoed"]
    assert (project.root / "state/ran").read_text() == "2026/11/24"
    assert (project.root / "hooked").exists()


def test_an_extension_is_an_action_of_its_own(with_package: Project) -> None:
    project = with_package
    add(project, "[extension.chatty]", hook("chatty", "before", "touch", str(project.root / "hooked")))
    ran = project.run("chatty", "--dry-run")
    assert (ran.status, ran.out) == (0, "chatty: full False\n"), ran.err
    assert not (project.root / "hooked").exists()
    assert not (project.root / "state").exists()
    ran = project.run("chatty", "--full", "--json")
    assert_described(ran)
    assert (told(ran)["action"], told(ran)["lines"]) == ("chatty", ["full True"])
    assert (project.root / "hooked").exists()
    journal = StateRunJournal(project.root / "state")
    assert [(each.action, each.exit_code) for each in journal.runs()] == [("chatty", 0)]


def test_an_interrupt_that_an_extension_keeps_to_itself_ends_the_night(with_package: Project) -> None:
    project = with_package
    code = """
import os, signal
def run(call):
    try:
        os.kill(os.getpid(), signal.SIGINT)
    except Exception:
        return Done(["never mind"])
it = Extension(run=run, before=("collect",))
"""
    install(project.root / "site", "deaf", code)
    add(project, "[extension.deaf]")
    ran = project.run("--json", "all")
    assert ran.status == 5, ran.err
    assert [each["action"] for each in told(ran)["actions"]] == ["deaf"]


@pytest.mark.slow
def test_no_other_run_works_meanwhile_but_one_that_looks(with_package: Project) -> None:
    project = with_package
    code = """
import subprocess, sys
def run(call):
    start = [sys.executable, "-m", "cedarchest", "-c", call.config_path]
    return Done(str(subprocess.run([*start, action]).returncode) for action in ("collect", "discs"))
it = Extension(run=run)
"""
    install(project.root / "site", "asking", code)
    add(project, "[extension.asking]")
    ran = project.run("--json", "asking")
    assert told(ran)["lines"] == ["10", "0"], ran.err


def test_a_failure_is_described(with_package: Project) -> None:
    project = with_package
    add(project, "[extension.chatty]\nfail = true", "[extension.absent]")
    ran = project.run("--json", "chatty")
    assert error_of(ran)["message"] == "the extension chatty of chatty 1.0 failed: no"
    assert_described(ran)
    ran = project.run("--json", "all")
    assert ran.status == 4
    assert [each["action"] for each in told(ran)["actions"]][:3] == ["absent", "chatty", "collect"]
    assert project.is_marked("2026/11/24")
    assert_described(ran)
    ran = project.run("--json", "validate")
    checked = {each["what"]: each for each in told(ran)["checked"]}
    assert not checked["extension absent"]["ok"]
    assert checked["extension chatty"] == {"what": "extension chatty", "ok": True, "found": "chatty 1.0"}
    assert checked["order of a night"]["found"] == "chatty, collect, stage, store, purge"
    assert ran.status == 4


def test_what_has_no_table_does_not_run_and_validate_says_so(with_package: Project) -> None:
    project = with_package
    ran = project.run("--json", "chatty")
    assert error_of(ran)["message"] == "the configuration has no [extension.chatty] table"
    assert_described(ran)
    ran = project.run("validate")
    assert "ok     extensions without a table: chatty; not run\n" in ran.out
    assert "loading" not in ran.err


def test_a_name_that_no_package_has_is_no_action(project: Project) -> None:
    add(project, "[extension.chatty]")
    assert error_of(project.run("--json", "chatty"))["message"] == "No such command 'chatty'."


def test_a_night_of_extensions_alone_is_one(with_package: Project) -> None:
    project = with_package
    state = json.dumps(str(project.root / "state"))
    project.config.write_text(f"[options]\nstate_dir = {state}\n[extension.chatty]\n")
    ran = project.run("--json", "all", "--dry-run")
    assert [each["action"] for each in told(ran)["actions"]] == ["chatty"], ran.err
    assert_described(ran)


def test_a_purge_that_waited_is_described(project: Project, tmp_path: Path) -> None:
    add(project, f'[[purge.dir]]\npath = "{tmp_path}/old"\nretain_days = 0\nrequire_stored = false')
    project.config.write_text(project.config.read_text().replace("shelf:shelf", "/dev/absent"))
    ran = project.run("--json", "all")
    assert [each["outcome"] for each in told(ran)["actions"]] == ["failed", "partial"]
    assert_described(ran)


@pytest.mark.parametrize("raised", ["asyncio.CancelledError()", "KeyboardInterrupt()", "GeneratorExit()"])
def test_whatever_an_extension_raises_the_night_goes_on(with_package: Project, raised: str) -> None:
    project = with_package
    code = f"""
import asyncio
def run(call):
    raise {raised}
it = Extension(run=run, before=("collect",))
"""
    install(project.root / "site", "rude", code)
    add(project, "[extension.rude]")
    ran = project.run("--json", "all")
    assert_described(ran)
    assert (ran.status, told(ran)["outcome"]) == (6, "partial")
    assert [each["action"] for each in told(ran)["actions"]] == ["rude", "collect", "stage", "store"]
    assert [each["outcome"] for each in told(ran)["actions"]][1] == "ok"
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("done", ["sys.stdout.close()", "os.close(1)", "sys.stdout = None"])
def test_standard_output_is_there_again_whatever_an_extension_does_to_it(
    with_package: Project, done: str
) -> None:
    code = f"""
import os, sys
def run(call):
    {done}
    return Done(["\\x1b[31mred", "l\\n\\nx"], left_out=["\\x07left"])
it = Extension(run=run)
"""
    install(with_package.root / "site", "rude", code)
    add(with_package, "[extension.rude]")
    ran = with_package.run("rude", "--json")
    assert_described(ran)
    assert told(ran)["lines"] == [r"\x1b[31mred", "l x"]
    assert told(ran)["left_out"] == [r"\x07left"]
    ran = with_package.run("rude")
    assert ran.out.splitlines()[:2] == [r"rude: \x1b[31mred", "rude: l x"]
    assert "Traceback" not in ran.err
