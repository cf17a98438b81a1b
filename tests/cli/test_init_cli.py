"""`init`, `validate`, `initialize`, `--version` and `--help` as users run them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.cli.program import ACTIONS, error_of, program, told
from tests.conftest import Project

from cedarchest import __version__


def test_what_init_writes_stores_a_day_at_once(tmp_path: Path) -> None:
    ran = program("init", "backup", cwd=tmp_path)
    made = tmp_path / "backup"
    assert ran.status == 0
    assert ran.out.startswith(f"wrote {made}/cedarchest.toml\n")
    assert sorted(path.name for path in made.iterdir()) == ["cedarchest.toml", "shelf", "staging", "state"]
    project = Project(made)
    project.stage("2026/11/22")
    assert project.run("store").status == 0
    assert project.is_marked("2026/11/22")


def test_a_folder_whose_name_is_no_text_is_a_folder(tmp_path: Path) -> None:
    made = tmp_path / os.fsdecode(b"ch\xe4st")
    assert program("init", str(made), cwd=tmp_path).status == 0
    project = Project(made)
    project.stage("2026/11/22")
    for action in ("validate", "store", "verify", "status", "discs"):
        ran = project.run(action)
        assert ran.status == 0, ran.err
    assert project.is_marked("2026/11/22")


def test_init_without_a_folder_takes_the_current_one(tmp_path: Path) -> None:
    assert program("init", cwd=tmp_path).status == 0
    assert (tmp_path / "cedarchest.toml").is_file()


def test_init_says_in_json_what_it_wrote(tmp_path: Path) -> None:
    assert told(program("--json", "init", "a/b", cwd=tmp_path))["config"] == f"{tmp_path}/a/b/cedarchest.toml"


def test_init_never_writes_over_a_configuration(tmp_path: Path) -> None:
    (tmp_path / "cedarchest.toml").write_text("# mine\n")
    ran = program("--json", "init", ".", cwd=tmp_path)
    assert (ran.status, error_of(ran)["path"]) == (4, f"{tmp_path}/cedarchest.toml")
    assert (tmp_path / "cedarchest.toml").read_text() == "# mine\n"


def test_init_follows_no_link_that_stands_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "cedarchest.toml").symlink_to(tmp_path / "precious")
    assert program("init", cwd=tmp_path).status == 4
    assert not (tmp_path / "precious").exists()


def test_init_in_the_place_of_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "backup").write_text("a file\n")
    ran = program("--json", "init", "backup", cwd=tmp_path)
    assert (ran.status, error_of(ran)["kind"]) == (4, "ConfigError")
    assert (tmp_path / "backup").read_text() == "a file\n"


def test_init_in_a_used_folder_leaves_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "staging/2026").mkdir(parents=True)
    (tmp_path / "notes").write_text("mine\n")
    assert program("init", cwd=tmp_path).status == 0
    assert (tmp_path / "staging/2026").is_dir()
    assert (tmp_path / "notes").read_text() == "mine\n"


def test_the_configuration_of_the_current_folder_is_found(of_user: Project) -> None:
    ran = of_user.run_as_user("-v", "status", configured=False, environ={"CEDARCHEST_CONFIG": ""})
    assert ran.status == 0, ran.err
    assert f"INFO configuration: {of_user.config}" in ran.err


def test_a_configuration_is_named_by_the_environment(tmp_path: Path) -> None:
    program("init", "backup", cwd=tmp_path)
    environ = {"CEDARCHEST_CONFIG": "backup/cedarchest.toml"}
    ran = program("-v", "status", cwd=tmp_path, environ=environ)
    assert ran.status == 0
    assert f"INFO configuration: {tmp_path}/backup/cedarchest.toml" in ran.err


def test_validate_tells_all_that_it_looked_at(project: Project) -> None:
    project.stage("2026/11/22")
    ran = project.run("validate")
    assert ran.status == 0
    assert all(line.startswith("ok ") for line in ran.out.splitlines())
    looked_at = {each["what"] for each in told(project.run("--json", "validate"))["checked"]}
    assert looked_at >= {"xorriso", "state folder", "catalog", "staging folder", "drive and disc"}


def test_validate_tells_every_problem_at_once(project: Project) -> None:
    project.configure(device="/dev/nothing-like-it")
    project.staging.rmdir()
    ran = project.run("--json", "validate", environ={"PATH": str(project.root)})
    wrong = {each["what"] for each in told(ran)["checked"] if not each["ok"]}
    assert wrong == {"xorriso", "staging folder", "drive and disc"}
    assert ran.status == 9
    assert len([line for line in ran.err.splitlines() if line.startswith("cedarchest: ")]) == 3


def test_validate_says_what_a_configuration_leaves_out(project: Project) -> None:
    project.config.write_text('[options]\nstate_dir = "state"\n')
    ran = project.run("validate")
    assert ran.status == 0
    assert "there is no table [stage]" in ran.out
    assert "there is no table [store]" in ran.out


def test_a_shelf_needs_no_initialize(project: Project) -> None:
    project.stage("2026/11/22")
    project.run("store")
    before = project.images()[0].read_bytes()
    ran = project.run("--json", "initialize", "--yes")
    assert (ran.status, told(ran)["outcome"], told(ran)["erased"]) == (0, "nothing-to-do", False)
    assert project.images()[0].read_bytes() == before


@pytest.mark.parametrize("arguments", [("--version",), ("-v", "--version"), ("--version", "store")])
def test_the_version_is_one_line(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    ran = program(*arguments, cwd=tmp_path)
    assert (ran.status, ran.out, ran.err) == (0, f"cedarchest {__version__}\n", "")


@pytest.mark.parametrize("action", ["", *ACTIONS])
def test_the_help_of_every_action_names_the_exit_status(tmp_path: Path, action: str) -> None:
    ran = program(*([action] if action else []), "--help", cwd=tmp_path)
    assert ran.status == 0
    words = " ".join(ran.out.split())
    assert "Exit status: 0 done or nothing to do; 2 usage; 3 logging; 4 configuration;" in words
    assert "11 done, but something was left out." in words
