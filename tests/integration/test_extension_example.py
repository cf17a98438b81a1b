"""The package of `docs/how-to/write-an-extension.md`, taken from the page, built, installed and run."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.cli.program import error_of, told
from tests.cli.test_all_cli import add
from tests.cli.test_collect_cli import sources
from tests.conftest import REPOSITORY, Project

PAGE = (REPOSITORY / "docs/how-to/write-an-extension.md").read_text()
DAY = "2026/11/24"
LISTED = b"adduser\t3.134\nzstd\t1.5.4\n"

pytestmark = pytest.mark.slow


def on_page() -> Mapping[str, str]:
    """The files of the page by their names: a paragraph that names one, then its text."""
    found = re.findall(r"`([\w.]+\.(?:toml|py))`[^`]*:?\n\n```\w+\n(.*?)```", PAGE, re.DOTALL)
    assert [name for name, _ in found] == ["pyproject.toml", "cedarchest_example.py", "cedarchest.toml"]
    return dict(found)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the package of the page is installed, as its reader would do it."""
    package = tmp_path_factory.mktemp("cedarchest-example")
    for name, text in on_page().items():
        (package / name).write_text(text)
    target = tmp_path_factory.mktemp("site")
    uv = Path(sys.executable).with_name("uv")
    subprocess.run(
        [uv, "pip", "install", "--quiet", "--no-cache", "--offline", "--no-deps", "--no-build-isolation",
         "--python", sys.executable, "--target", target, package],
        check=True,
    )  # fmt: skip
    return target


@pytest.fixture
def machine(project: Project, site: Path) -> Project:
    """A machine that collects, stages and stores, with a program that knows what is installed."""
    tools = project.root / "tools"
    tools.mkdir()
    (tools / "dpkg-query").write_text(f"#!/bin/sh\nprintf '%s' '{LISTED.decode()}'\n")
    (tools / "dpkg-query").chmod(0o755)
    project.environ |= {
        "CEDARCHEST_NOW": "2026-11-24T03:00",
        "PYTHONPATH": str(site),
        "PATH": f"{tools}:/usr/bin:/bin",
    }
    (project.root / "home").mkdir()
    (project.root / "home/letter").write_bytes(b"dear")
    sources(project, {"path": str(project.root / "home")})
    add(project, on_page()["cedarchest.toml"])
    return project


def test_a_night_has_the_list_in_the_backup_and_a_label_for_its_disc(machine: Project) -> None:
    found = told(ran := machine.run("--json", "all"))
    assert ran.status == 0, ran.err
    assert [each["action"] for each in found["actions"]] == ["packages", "collect", "stage", "store", "label"]
    assert (machine.staging / DAY / "here/packages.txt").read_bytes() == LISTED
    (disc,) = found["discs"]
    label = machine.root / f"labels/{disc}.txt"
    assert label.read_text() == f"{disc}\n24 November 2026\n{DAY}\n"
    assert found["actions"][-1]["lines"] == [str(label)]
    assert found["actions"][-1]["package"] == "cedarchest-example 1.0"


def test_each_is_an_action_of_its_own(machine: Project) -> None:
    target = machine.root / "collect/packages.txt"
    ran = machine.run("packages", "--dry-run")
    assert (ran.status, ran.out) == (0, f"packages: would write {target}\n"), ran.err
    assert not target.exists()
    ran = machine.run("packages")
    assert (ran.status, ran.out) == (0, f"packages: 2 packages in {target}\n"), ran.err
    assert [each.name for each in target.parent.iterdir()] == [target.name]
    assert told(machine.run("--json", "label"))["outcome"] == "nothing-to-do"


def test_what_is_wrong_is_told_and_costs_no_backup(machine: Project) -> None:
    text = machine.config.read_text().replace('dir = "labels"', "dri = 1")
    wrong = '[extension.packages]\nargv = ["false"]'
    machine.config.write_text(text.replace("[extension.packages]", wrong))
    found = told(ran := machine.run("--json", "all"))
    assert ran.status == 4
    assert [each["error"] and each["error"]["kind"] for each in found["actions"]] == [
        "ExtensionFailed",
        None,
        None,
        None,
        "ConfigError",
    ]
    assert "what is installed cannot be listed" in ran.err
    assert "Correct [extension.packages] argv." in ran.err
    assert machine.is_marked(DAY)
    error = error_of(machine.run("--json", "validate"))
    assert error["problems"] == [
        "extension.label.dri: there is no such key; known here: dir",
        "extension.label.dir: is no path; the folder for the labels",
    ]


def test_no_label_is_written_when_nothing_was_stored(machine: Project) -> None:
    machine.config.write_text(machine.config.read_text().replace("shelf:shelf", "/dev/absent"))
    found = told(ran := machine.run("--json", "all"))
    assert ran.status == 9
    assert found["actions"][-1]["left_out"] == ["label: it needs store, which did not do its work"]
    assert not (machine.root / "labels").exists()
