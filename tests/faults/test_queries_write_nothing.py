"""What only looks leaves everything as it was: names, sizes, times and content."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

import pytest
from tests.conftest import Project
from tests.pool import collect, peers

FIRST, SECOND, THIRD = "2026/11/22", "2026/11/23", "2026/11/24"

QUERIES = [
    ["store", "--dry-run"],
    ["store", "--dry-run", "--day", "2026-11-23"],
    ["rebuild", "--dry-run"],
    ["status"],
    ["validate"],
    ["discs"],
    ["drives"],
    ["find", "a.txt"],
    ["history", "a.txt"],
]
queries = pytest.mark.parametrize("query", QUERIES, ids=" ".join)


def snapshot(folder: Path) -> dict[str, tuple[object, ...]]:
    """All below a folder, itself included; times but those of access."""
    found: dict[str, tuple[object, ...]] = {}
    for path in (folder, *folder.rglob("*")):
        status = path.lstat()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if stat.S_ISREG(status.st_mode) else ""
        found[str(path.relative_to(folder))] = (
            status.st_mode,
            status.st_uid,
            status.st_size if content else 0,
            status.st_ino,
            status.st_mtime_ns,
            status.st_ctime_ns,
            content,
        )
    return found


@pytest.fixture
def used(project: Project) -> Project:
    """A project with a proven day, a burnt one that is not proven, and one that was never stored."""
    project.stage(FIRST)
    assert project.run("store").status == 0
    project.configure(check="deferred")
    project.stage(SECOND)
    assert project.run("store").status == 0
    project.stage(THIRD)
    return project


@queries
def test_a_query_changes_nothing_in_a_fresh_project(project: Project, query: list[str]) -> None:
    project.stage(SECOND)
    before = snapshot(project.root)
    ran = project.run(*query)
    assert ran.status == 0, ran.err
    assert snapshot(project.root) == before
    assert not (project.root / "state").exists()
    assert project.images() == []


@queries
def test_a_query_makes_no_folder_that_is_not_there(project: Project, query: list[str]) -> None:
    project.shelf.rmdir()
    project.stage(SECOND)
    before = snapshot(project.root)
    assert project.run(*query).status == 0
    assert snapshot(project.root) == before


def test_queries_change_nothing_in_a_project_in_use(used: Project) -> None:
    before = snapshot(used.root)
    for query in QUERIES:
        ran = used.run(*query)
        assert ran.status == 0, f"{query}: {ran.err}"
        assert snapshot(used.root) == before, query


def test_looking_at_what_could_be_staged_changes_nothing(used: Project) -> None:
    peers(used, {"name": "alpha"})
    collect(used, "alpha")
    for query in (["stage", "--dry-run"], ["validate"]):
        before = snapshot(used.root)
        assert used.run(*query).status == 0
        assert snapshot(used.root) == before


def test_a_query_as_json_changes_nothing_either(used: Project) -> None:
    before = snapshot(used.root)
    for query in (["store", "--dry-run"], ["status"], ["discs"], ["validate"]):
        assert used.run("--json", *query).json["outcome"] in ("ok", "nothing-to-do")
    assert snapshot(used.root) == before


def test_verifying_an_image_by_its_path_changes_nothing(used: Project) -> None:
    before = snapshot(used.root)
    assert used.run("verify", str(used.images()[0])).status == 0
    assert snapshot(used.root) == before


def test_verifying_a_damaged_image_by_its_path_changes_nothing(used: Project) -> None:
    image = used.images()[0]
    raw = bytearray(image.read_bytes())
    raw[raw.index(f"{FIRST}\n".encode() + bytes(50))] ^= 1
    image.write_bytes(raw)
    before = snapshot(used.root)
    assert used.run("verify", str(image)).status == 7
    assert snapshot(used.root) == before


def test_an_image_is_verified_by_its_path_without_any_project(used: Project, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    alone.mkdir()
    image = alone / "copy.iso"
    image.write_bytes(used.images()[0].read_bytes())
    image.chmod(0o400)
    alone.chmod(0o500)
    before = snapshot(alone)
    environ = {"HOME": str(alone), "XDG_CONFIG_HOME": str(alone), "TMPDIR": str(used.root)}
    ran = used.run("verify", str(image), environ=environ)
    assert ran.status == 0, ran.err
    assert snapshot(alone) == before
    alone.chmod(0o700)


def test_queries_leave_no_temporary_file(used: Project, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    for query in (["store", "--dry-run"], ["verify", str(used.images()[0])]):
        used.run(*query, environ={"TMPDIR": str(scratch)})
        assert os.listdir(scratch) == []  # noqa: PTH208 - hidden ones too


def test_queries_work_on_a_catalog_that_may_not_be_written(used: Project) -> None:
    for path in (*(used.root / "state").rglob("*"), used.root / "state"):
        path.chmod(0o500 if path.is_dir() else 0o400)
    before = snapshot(used.root)
    ran = [used.run(*query) for query in (["status"], ["discs"], ["store", "--dry-run"])]
    for path in (used.root / "state", *(used.root / "state").rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
    assert [each.status for each in ran] == [0, 0, 0], ran
    assert set(snapshot(used.root)) == set(before)
