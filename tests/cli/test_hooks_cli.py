"""Programs of the administrator before and after an action."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.program import error_of, told
from tests.conftest import Project

DAY = "2026/11/22"


def hook(project: Project, action: str, when: str, *argv: str) -> None:
    """Add a hook to the configuration."""
    with project.config.open("a") as stream:
        stream.write(f'[[hook]]\naction = "{action}"\nwhen = "{when}"\nargv = {json.dumps(argv)}\n')


def noting(project: Project, words: str) -> tuple[str, ...]:
    """A program that adds a line to a file."""
    return ("/bin/sh", "-c", f'echo "{words}" >> {project.root}/notes')


def notes(project: Project) -> list[str]:
    path = project.root / "notes"
    return path.read_text().splitlines() if path.exists() else []


def test_hooks_run_in_order_around_their_action(project: Project) -> None:
    hook(project, "store", "before", *noting(project, "one"))
    hook(
        project, "store", "after", *noting(project, "$CEDARCHEST_ACTION $CEDARCHEST_WHEN $CEDARCHEST_STATUS")
    )
    hook(project, "store", "before", *noting(project, "two $HOME"))
    hook(project, "verify", "before", *noting(project, "never"))
    project.stage(DAY)
    assert project.run("store", environ={"HOME": "/some/home"}).status == 0
    assert notes(project) == ["one", "two /some/home", "store after 0"]
    assert project.is_marked(DAY)


def test_arguments_are_taken_as_they_are(project: Project) -> None:
    words = ("a  b", "$HOME", "'", "*", "{}")
    made = project.root / "made"
    hook(project, "store", "before", "/bin/sh", "-c", f'printf "%s\\n" "$@" > {made}', "sh", *words)
    assert project.run("store").status == 0
    assert made.read_text() == "".join(f"{word}\n" for word in words)


@pytest.mark.parametrize("argv", [("/bin/sh", "-c", "echo why; exit 3"), ("/no/such/program",)])
def test_a_hook_before_that_fails_stops_the_action(project: Project, argv: tuple[str, ...]) -> None:
    hook(project, "store", "before", *argv)
    hook(project, "store", "after", *noting(project, "after"))
    project.stage(DAY)
    ran = project.run("--json", "store")
    assert (ran.status, error_of(ran)["kind"]) == (6, "HookFailed")
    assert ("ended with 3: why" if len(argv) > 1 else "cannot be run") in error_of(ran)["message"]
    assert not project.is_marked(DAY)
    assert project.images() == []
    assert notes(project) == []


def test_a_hook_after_that_fails_is_something_left_out(project: Project) -> None:
    hook(project, "store", "after", "/bin/false")
    hook(project, "store", "after", *noting(project, "the next"))
    project.stage(DAY)
    ran = project.run("--json", "store")
    assert (ran.status, told(ran)["outcome"], told(ran)["error"]) == (11, "partial", None)
    assert told(ran)["left_out"] == ["the hook `/bin/false` ended with 1: it said nothing"]
    assert project.is_marked(DAY)
    assert notes(project) == ["the next"]


def test_a_hook_after_is_told_of_a_failure_and_does_not_hide_it(project: Project) -> None:
    hook(project, "store", "after", *noting(project, "$CEDARCHEST_STATUS"))
    project.staging.rmdir()
    ran = project.run("store")
    assert ran.status == 6
    assert notes(project) == ["6"]


@pytest.mark.parametrize("action", ["store", "rebuild", "purge", "stage"])
def test_a_dry_run_runs_no_hook(project: Project, tmp_path: Path, action: str) -> None:
    with project.config.open("a") as stream:
        stream.write(f'[[purge.dir]]\npath = "{tmp_path}/old"\nretain_days = 1\n')
        stream.write(f'[[peer]]\nname = "alpha"\ncollect_dir = "{tmp_path}/alpha"\n')
    (tmp_path / "old").mkdir()
    project.stage(DAY)
    hook(project, action, "before", *noting(project, "before"))
    hook(project, action, "after", *noting(project, "after"))
    project.run(action, "--dry-run")
    assert notes(project) == []
    project.run(action)
    assert notes(project) == ["before", "after"]
