"""Discs that are lost, given up, moved or erased: marks follow, and nothing stands in the way for ever."""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.burner.burner import Burner
from tests.burner.preload import require
from tests.conftest import Project

FIRST, SECOND = "2026/10/01", "2026/10/15"
LATE = {"CEDARCHEST_NOW": "2026-11-22T02:00"}


def statuses(project: Project) -> list[str]:
    details = project.run("--json", "discs").json["details"]
    assert isinstance(details, list)
    return [session["status"] for disc in details for session in disc["sessions"]]


def due(project: Project) -> list[str]:
    found = project.run("--json", "status").json["due"]
    assert isinstance(found, list)
    return found


# -- erased discs -----------------------------------------------------------------------------------


def test_what_was_stored_late_is_not_erased_by_the_same_run(project: Project) -> None:
    require()
    project.configure(device="/dev/sr0", new_disc="weekly")
    project.stage(FIRST)
    project.stage(SECOND)
    with Burner(profile="dvd+rw") as drive:
        ran = project.run("--json", "store", environ={**drive.env(), **LATE})
        assert ran.status == 8, ran.err
        assert ran.json["days"] == [FIRST]
        assert project.is_marked(FIRST)
        assert not project.is_marked(SECOND)
        assert project.run("verify", environ=drive.env()).status == 0


def test_the_marks_of_days_on_an_erased_disc_go(project: Project) -> None:
    require()
    project.configure(device="/dev/sr0")
    project.stage(FIRST)
    with Burner(profile="dvd+rw") as drive:
        assert project.run("store", environ={**drive.env(), "CEDARCHEST_NOW": "2026-10-01T23:00"}).status == 0
        assert project.run("initialize", "--yes", environ={**drive.env(), **LATE}).status == 0
        assert not project.is_marked(FIRST)
        ran = project.run("--json", "status", environ=drive.env())
        assert ran.json["due"] == [FIRST]
        assert project.run("store", environ={**drive.env(), **LATE}).status == 0
    assert project.is_marked(FIRST)


# -- lost discs -------------------------------------------------------------------------------------


def test_a_lost_disc_with_an_unproven_session_is_given_up_by_name(project: Project) -> None:
    project.configure(check="deferred")
    project.stage(FIRST)
    assert project.run("store").status == 0
    (image,) = project.images()
    image.unlink()
    project.configure()
    ran = project.run("store")
    assert ran.status == 8
    assert f"cedarchest discs lost {image.stem}" in ran.err
    assert project.run("discs", "lost", image.stem).status == 0
    assert project.run("store").status == 0
    assert project.is_marked(FIRST)
    assert statuses(project) == ["abandoned", "verified"]
    assert project.run("verify").status == 0


def test_the_days_of_a_lost_disc_are_due_again_where_no_other_has_them(project: Project) -> None:
    project.stage(FIRST)
    assert project.run("store").status == 0
    (first,) = project.images()
    assert project.run("rebuild").status == 0
    project.stage(SECOND)
    assert project.run("store").status == 0
    second = next(image for image in project.images() if image != first)
    ran = project.run("--json", "discs", "lost", second.stem)
    assert ran.status == 0, ran.err
    assert due(project) == [SECOND]
    assert project.is_marked(FIRST)
    assert project.run("discs", "lost", first.stem).status == 0
    assert due(project) == [FIRST, SECOND]


@pytest.mark.parametrize("words", [("lost",), ("lost", "NO_SUCH"), ("A", "B")], ids=" ".join)
def test_a_disc_that_there_is_not_cannot_be_lost(project: Project, words: tuple[str, ...]) -> None:
    assert project.run("discs", *words).status in (2, 8)


# -- moved discs ------------------------------------------------------------------------------------


def test_an_unproven_session_is_settled_in_whatever_place_its_shelf_is_now(project: Project) -> None:
    project.configure(check="deferred")
    project.stage(FIRST)
    assert project.run("store").status == 0
    project.shelf.rename(project.root / "elsewhere")
    project.configure(device="shelf:elsewhere")
    assert project.run("store").status == 0
    assert statuses(project) == ["verified"]
    assert project.is_marked(FIRST)
    ran = project.run("--json", "verify")
    assert (ran.status, len(ran.json["discs"])) == (0, 1)  # type: ignore[arg-type]


# -- verify settles ---------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["store", "verify"])
def test_a_burn_without_its_outcome_is_settled_by_the_next_run(
    project: Project, tmp_path: Path, command: str
) -> None:
    project.stage(FIRST)
    assert project.run("store").status == 0
    project.stage(SECOND)
    real = shutil.which("xorriso")
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "xorriso").write_text(
        f'#!/bin/sh\ncase "$*" in *-toc*) [ -e {tools}/burnt ] && exit 1;;'
        f" *-options_from*) touch {tools}/burnt;; esac\n"
        f'exec {real} "$@"\n'
    )
    (tools / "xorriso").chmod(0o755)
    assert project.run("store", environ={"PATH": f"{tools}:{os.environ['PATH']}"}).status == 9
    assert statuses(project) == ["verified", "intended"]
    again = project.run(command)
    assert again.status == 0, again.err
    assert statuses(project) == ["verified", "verified"]
    assert project.is_marked(FIRST)
    assert project.is_marked(SECOND)


# -- our own files here -----------------------------------------------------------------------------


def test_a_state_folder_that_was_copied_condemns_no_disc(project: Project) -> None:
    project.stage(FIRST)
    assert project.run("store").status == 0
    for path in (project.root / "state" / "sessions").rglob("*"):
        os.utime(path, (1, 1))
        path.chmod(0o700)
    assert project.run("verify").status == 0
    assert project.is_marked(FIRST)


@pytest.mark.parametrize("name", ["INDEX.jsonl.gz", "SHA256SUMS"])
def test_files_of_a_session_that_were_changed_here_condemn_no_disc(project: Project, name: str) -> None:
    project.stage(FIRST)
    assert project.run("store").status == 0
    (path,) = (project.root / "state" / "sessions").rglob(name)
    path.write_bytes(gzip.compress(b"else"))
    ran = project.run("verify")
    assert ran.status == 6, ran.err
    assert name in ran.err
    assert statuses(project) == ["verified"]
    assert project.is_marked(FIRST)


# -- whatever else ----------------------------------------------------------------------------------


def test_a_folder_that_is_no_date_is_passed_over_with_a_word(project: Project) -> None:
    project.stage("2026/02/30")
    project.stage(FIRST)
    ran = project.run("store")
    assert ran.status == 0, ran.err
    assert "2026/02/30 is no date" in ran.err
    assert project.run("rebuild").status == 0


@pytest.mark.parametrize("spoil", [lambda path: path.write_text("no folder")], ids=["a file"])
def test_what_the_program_has_no_words_for_is_an_error_and_no_traceback(
    project: Project, spoil: Callable[[Path], object]
) -> None:
    project.stage(FIRST)
    (project.root / "state").mkdir()
    spoil(project.root / "state" / "sessions")
    ran = project.run("--json", "store")
    assert ran.status == 6
    error = ran.json["error"]
    assert isinstance(error, dict)
    assert error["advice"]
    assert "Traceback" not in ran.err
