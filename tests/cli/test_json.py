"""`--json`: one object on standard output whatever happens, and it is what the schema says."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from scripts.command_line_reference import actions
from tests.cli.program import ACTIONS, NEEDED, SCHEMA, error_of, program, told
from tests.conftest import REPOSITORY, Project, Ran
from tests.pool import collect, peers

DESCRIPTION: dict[str, Any] = json.loads(SCHEMA.read_text())
VALIDATOR = Draft202012Validator(DESCRIPTION)
DAYS = ("2026/11/21", "2026/11/22")


def assert_described(ran: Ran) -> None:
    """What stands on standard output is one object that the schema describes."""
    errors = [f"{'/'.join(map(str, e.absolute_path))}: {e.message}" for e in VALIDATOR.iter_errors(told(ran))]
    assert not errors


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(DESCRIPTION)


def test_the_schema_has_a_definition_for_every_action() -> None:
    described = {
        each["properties"]["action"]["const"]
        for each in DESCRIPTION["$defs"].values()
        if "const" in each.get("properties", {}).get("action", {})
    }
    assert described == {*actions(), ""} == {*ACTIONS, ""}


def test_no_extension_may_have_the_name_of_an_action() -> None:
    from cedarchest.config.choices import OWN_ACTIONS

    assert actions().keys() <= OWN_ACTIONS
    assert set(DESCRIPTION["$defs"]["extension"]["properties"]["action"]["not"]["enum"]) == {*ACTIONS, ""}


@pytest.mark.slow
def test_every_action_that_does_something_is_described(project: Project, tmp_path: Path) -> None:
    project.configure(new_disc="daily")
    for day in DAYS:
        project.stage(day)
    runs = [
        program("init", str(tmp_path / "new"), "--json", cwd=tmp_path),
        project.run("store", "--json", "--dry-run"),
        project.run("store", "--json"),
        project.run("verify", "--json"),
        project.run("rebuild", "--json"),
        project.run("discs", "--json"),
        project.run("status", "--json"),
        project.run("validate", "--json"),
    ]
    for ran in runs:
        assert (ran.status, told(ran)["outcome"]) == (0, "ok"), ran.err
        assert_described(ran)


@pytest.mark.parametrize("action", ["store", "verify", "discs", "initialize"])
def test_an_action_with_nothing_to_do_is_described(project: Project, action: str) -> None:
    ran = project.run(action, "--json")
    assert (ran.status, told(ran)["outcome"]) == (0, "nothing-to-do")
    assert_described(ran)


@pytest.mark.parametrize("action", ACTIONS)
def test_a_wrong_option_is_described(project: Project, action: str) -> None:
    ran = project.run(action, "--no-such-option", "--json")
    assert error_of(ran)["kind"] == "UsageError"
    assert told(ran)["action"] == action
    assert_described(ran)


@pytest.mark.parametrize("arguments", [("--json",), ("--json", "burn"), ("burn", "--json"), ("--json", "-x")])
def test_a_command_line_without_an_action_is_described(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    ran = program(*arguments, cwd=tmp_path)
    assert (error_of(ran)["kind"], told(ran)["action"]) == ("UsageError", "")
    assert_described(ran)


@pytest.mark.parametrize("action", [each for each in ACTIONS if each not in ("init", "migrate")])
def test_a_wrong_configuration_is_described_with_every_problem(project: Project, action: str) -> None:
    project.config.write_text(
        '[options]\nstarting_day = "someday"\n[stage]\n[store]\ndevice = "sr0"\ncopies = 0\nspeeed = 4\n'
    )
    ran = project.run(action, "--json", *NEEDED.get(action, ()))
    error = error_of(ran)
    assert (error["kind"], error["code"], told(ran)["action"]) == ("ConfigError", 4, action)
    places = ["options.starting_day", "stage.dir", "store.copies", "store.device", "store.speeed"]
    assert sorted(line.partition(":")[0] for line in error["problems"]) == places
    assert all(line in error["message"] for line in error["problems"])
    assert_described(ran)


def no_staging(project: Project) -> None:
    project.staging.rmdir()


def no_tool(project: Project) -> None:
    project.environ["PATH"] = str(project.root)
    project.stage(DAYS[0])


def no_drive(project: Project) -> None:
    project.configure(device="/dev/nothing-like-it")
    project.stage(DAYS[0])


def a_catalog_of_another_kind(project: Project) -> None:
    project.stage(DAYS[0])
    (project.root / "state").mkdir()
    (project.root / "state/catalog.sqlite").write_bytes(b"this is no database" * 100)


@pytest.mark.parametrize("action", [each for each in ACTIONS if each not in ("init", "migrate")])
@pytest.mark.parametrize("make", [no_staging, no_tool, no_drive, a_catalog_of_another_kind])
def test_whatever_goes_wrong_is_described(
    project: Project, make: Callable[[Project], None], action: str
) -> None:
    make(project)
    ran = project.run("--json", action, *NEEDED.get(action, ()))
    if told(ran)["error"] is not None:
        error_of(ran)
    assert "Traceback" not in ran.err
    assert_described(ran)


@pytest.mark.slow
def test_a_disc_that_differs_is_described_with_its_findings(project: Project) -> None:
    project.stage(DAYS[0], {"a\nb": b"needle in the stack " * 200})
    project.run("store")
    (image,) = project.images()
    image.write_bytes(image.read_bytes().replace(b"needle in the stack ", b"needle in tha stack ", 1))
    ran = project.run("--json", "verify")
    assert error_of(ran)["findings"][0]["path"] == f"/{DAYS[0]}/alpha/a\\x0ab"
    assert_described(ran)
    assert_described(project.run("--json", "discs"))
    assert_described(project.run("--json", "status"))


def test_a_stage_of_peers_is_described(project: Project) -> None:
    peers(project, {"name": "alpha"}, {"name": "beta"}, {"name": "gamma", "ignore_failures": "all"})
    os.mkfifo(collect(project, "alpha") / "fifo")
    for arguments in (["--dry-run"], [], []):
        ran = project.run("--json", "stage", *arguments)
        assert (ran.status, told(ran)["outcome"]) == (11, "partial")
        assert_described(ran)


def test_what_was_left_out_is_described(project: Project) -> None:
    (project.stage(DAYS[0]) / "alpha/far").symlink_to("t" * 1024)
    ran = project.run("--json", "store")
    assert told(ran)["outcome"] == "partial"
    assert_described(ran)


@pytest.mark.slow
def test_a_deferred_check_is_described(project: Project) -> None:
    project.configure(check="deferred")
    project.stage(DAYS[0])
    for arguments in (("store",), ("status",), ("discs",), ("verify",)):
        ran = project.run("--json", *arguments)
        assert ran.status == 0
        assert_described(ran)


def test_an_image_named_by_its_path_is_described(project: Project) -> None:
    project.stage(DAYS[0])
    project.run("store")
    ran = program("verify", "--json", *map(str, project.images()), cwd=project.root)
    assert ran.status == 0
    assert_described(ran)


@pytest.mark.parametrize("given", ["in front", "behind", "around", "behind as one word"])
def test_options_of_every_action_are_taken_before_and_after_it(project: Project, given: str) -> None:
    config = str(project.config)
    arguments = {
        "in front": ("-c", config, "--json", "-v", "status"),
        "behind": ("status", "-v", "--json", "-c", config),
        "around": ("--json", "status", "--verbose", "--config", config),
        "behind as one word": ("status", "--json", "-v", f"--config={config}"),
    }[given]
    ran = program(*arguments, cwd=project.root)
    assert ran.status == 0
    assert told(ran)["action"] == "status"
    assert f"INFO configuration: {config}" in ran.err


@pytest.mark.parametrize("arguments", [("-q", "store"), ("store", "-q"), ("store", "--quiet")])
def test_quiet_says_nothing_when_all_is_well(project: Project, arguments: tuple[str, ...]) -> None:
    project.stage(DAYS[0])
    ran = project.run(*arguments)
    assert (ran.status, ran.out, ran.err) == (0, "", "")


def test_quiet_still_says_what_is_wrong(project: Project) -> None:
    ran = project.run("store", "-q", "--day", DAYS[0])
    assert (ran.status, ran.out) == (6, "")
    assert ran.err.startswith("cedarchest: 2026/11/21 is not staged")


def test_quiet_does_not_keep_the_object_back(project: Project) -> None:
    ran = project.run("store", "-q", "--json")
    assert told(ran)["outcome"] == "nothing-to-do"
    assert ran.err == ""


def test_what_is_said_along_the_way_goes_to_standard_error(project: Project) -> None:
    project.stage(DAYS[0])
    ran = project.run("store", "--json", "-v", "-v")
    assert ran.status == 0
    assert_described(ran)
    assert "INFO running xorriso" in ran.err


def test_the_reference_page_is_the_one_made_from_the_parser() -> None:
    from scripts.command_line_reference import reference

    page = REPOSITORY / "docs/reference/command-line.md"
    assert page.read_text() == reference(), (
        "python -m scripts.command_line_reference > docs/reference/command-line.md"
    )


def test_the_reference_page_has_every_exit_status() -> None:
    from cedarchest.errors import ExitCode

    rows = (REPOSITORY / "docs/reference/command-line.md").read_text().splitlines()
    codes = [value for value in vars(ExitCode).values() if isinstance(value, int)]
    assert all(sum(row.startswith(f"| {code} |") for row in rows) == 1 for code in codes)
