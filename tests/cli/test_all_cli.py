"""`all` as cron runs it: collect, stage, store and purge; what fails stops only what depends on it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.program import error_of, told
from tests.cli.test_collect_cli import sources
from tests.conftest import Project

DAY = "2026/11/24"


@pytest.fixture
def home(project: Project) -> Path:
    """Something to collect, on a Tuesday, and what is old in a folder to be purged."""
    project.environ["CEDARCHEST_NOW"] = "2026-11-24T03:00"
    top = project.root / "home"
    top.mkdir()
    (top / "letter").write_bytes(b"dear " * 1000)
    return top


def add(project: Project, *tables: str) -> None:
    project.config.write_text("\n".join([project.config.read_text(), *tables]) + "\n")


def hook(action: str, when: str, *argv: str) -> str:
    return f'[[hook]]\naction = "{action}"\nwhen = "{when}"\nargv = {json.dumps(argv)}'


def test_a_night_brings_files_to_a_proven_disc(project: Project, home: Path) -> None:
    sources(project, {"path": str(home)})
    found = told(ran := project.run("--json", "all"))
    assert ran.status == 0, ran.err
    assert [each["action"] for each in found["actions"]] == ["collect", "stage", "store"]
    assert (found["outcome"], found["days"], len(found["discs"])) == ("ok", [DAY], 1)
    assert project.is_marked(DAY)
    assert list((project.root / "collect/cback.receipts").iterdir())
    assert project.run("all", "--full").status == 0
    assert len(project.images()) == 2


def test_only_what_is_configured_is_done(project: Project, home: Path) -> None:
    project.config.write_text('[options]\nstate_dir = "state"\n')
    sources(project, {"path": str(home)})
    client = project.config.read_text().partition("[[peer]]")[0]
    project.config.write_text(client)
    found = told(project.run("--json", "all"))
    assert [each["action"] for each in found["actions"]] == ["collect"]
    assert not (project.root / "state/catalog.sqlite").exists() or not project.images()
    project.config.write_text('[options]\nstate_dir = "state"\n')
    error = error_of(project.run("--json", "all"))
    assert (error["code"], error["kind"]) == (4, "ConfigError")


def test_a_dry_run_of_a_night_writes_nothing(project: Project, home: Path) -> None:
    sources(project, {"path": str(home)})
    add(project, hook("all", "before", "touch", str(project.root / "touched")))
    before = sorted(project.root.rglob("*"))
    ran = project.run("all", "--dry-run")
    assert "would collect" in ran.out
    assert f"would stage here in {DAY}, once it is collected" in ran.out
    assert ran.status == 0, ran.err
    assert (
        told(project.run("--json", "all", "--dry-run"))["actions"][1]["peers"][0]["outcome"]
        == "after-collect"
    )
    assert sorted(project.root.rglob("*")) == before


def test_a_dry_run_after_a_purge_of_what_was_collected_is_of_what_will_be(
    project: Project, home: Path
) -> None:
    sources(project, {"path": str(home)})
    add(project, f'[[purge.dir]]\npath = "{project.root / "collect"}"\nretain_days = 0')
    assert project.run("all").status == 0
    assert not list((project.root / "collect").glob("*.tar*"))
    ran = project.run("all", "--dry-run")
    assert ran.status == 0, ran.err
    assert f"would stage here in {DAY}, once it is collected" in ran.out


def test_a_dry_run_before_the_first_night_makes_no_folder_and_misses_none(
    project: Project, home: Path
) -> None:
    sources(project, {"path": str(home)})
    add(project, f'[[purge.dir]]\npath = "{project.staging}"\nretain_days = 3')
    project.staging.rmdir()
    ran = project.run("all", "--dry-run")
    assert ran.status == 0, ran.err
    assert "would collect" in ran.out
    assert not project.staging.exists()
    alone = project.run("store", "--dry-run")  # where no stage makes it, its disk may not be mounted
    assert (alone.status, "cannot be read" in alone.err) == (6, True)
    assert project.run("all").status == 0
    assert project.is_marked(DAY)


def test_what_fails_stops_no_other(project: Project, home: Path) -> None:
    sources(project, {"path": str(home / "gone")})
    project.stage("2026/11/20")
    found = told(ran := project.run("--json", "all"))
    assert ran.status == 6
    assert [each["error"] and each["error"]["kind"] for each in found["actions"]] == [
        "CollectError",
        "PeerError",
        None,
    ]
    assert found["outcome"] == "partial"
    assert project.is_marked("2026/11/20")
    assert f"{home}/gone cannot be collected: No such file or directory" in ran.err


def test_a_hook_that_fails_stops_its_action_alone(project: Project, home: Path) -> None:
    sources(project, {"path": str(home)})
    project.stage("2026/11/20")
    add(project, hook("stage", "before", "false"), hook("store", "after", "false"))
    found = told(ran := project.run("--json", "all"))
    assert ran.status == 6
    assert [(each["action"], each["error"] and each["error"]["kind"]) for each in found["actions"]] == [
        ("collect", None),
        ("stage", "HookFailed"),
        ("store", None),
    ]
    assert found["actions"][2]["left_out"] == ["the hook `false` ended with 1: it said nothing"]
    assert project.is_marked("2026/11/20")


def test_hooks_of_the_whole_night_are_run(project: Project, home: Path) -> None:
    log = project.root / "log"
    sources(project, {"path": str(home)})
    script = f'echo "$CEDARCHEST_ACTION $CEDARCHEST_WHEN $CEDARCHEST_STATUS" >> {log}'
    add(project, *(hook(action, when, "sh", "-c", script)
                   for action in ("all", "collect") for when in ("before", "after")))  # fmt: skip
    assert project.run("all").status == 0
    assert log.read_text().splitlines() == [
        "all before ",
        "collect before ",
        "collect after 0",
        "all after 0",
    ]


@pytest.mark.parametrize("proof", [True, False])
def test_what_needs_no_proof_is_purged_only_after_a_store_that_worked(
    project: Project, home: Path, proof: bool
) -> None:
    old = project.root / "old"
    old.mkdir()
    (old / "file").write_bytes(b"x")
    sources(project, {"path": str(home)})
    add(project, f'[[purge.dir]]\npath = "{old}"\nretain_days = 0\nrequire_stored = {str(proof).lower()}')
    project.config.write_text(project.config.read_text().replace("shelf:shelf", "/dev/absent"))
    found = told(ran := project.run("--json", "all"))
    assert ran.status == 9
    assert [each["action"] for each in found["actions"]] == ["collect", "stage", "store", "purge"]
    assert (old / "file").exists()
    waited = f"purge: nothing was stored, and {old} would be purged without a proof"
    assert (waited in found["left_out"]) is not proof
    project.config.write_text(project.config.read_text().replace("/dev/absent", "shelf:shelf"))
    project.run("all")
    assert (old / "file").exists() is proof


def test_what_a_collect_says_of_itself_is_not_purged(project: Project, home: Path) -> None:
    sources(project, {"path": str(home)})
    folder = project.root / "collect"
    add(project, f'[[purge.dir]]\npath = "{folder}"\nretain_days = 0')
    ran = project.run("all")
    assert ran.status == 0, ran.err
    assert "kept" not in ran.out
    assert sorted(path.name for path in folder.iterdir()) == [
        "cback.collect",
        "cback.collect.jsonl",
        "cback.receipts",
    ]
