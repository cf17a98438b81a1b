"""Discs that are lost, given up, moved or erased: marks follow, and nothing stands in the way for ever."""

from __future__ import annotations

import contextlib
import gzip
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.burner.burner import Burner
from tests.burner.preload import require
from tests.conftest import Project

pytestmark = pytest.mark.slow

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


@contextlib.contextmanager
def erased(project: Project) -> Iterator[Burner]:
    """A drive with a disc that held a staged day, old enough to be given up, and that was erased."""
    require()
    project.configure(device="/dev/sr0")
    project.stage(FIRST)
    with Burner(profile="dvd+rw") as drive:
        assert project.run("store", environ={**drive.env(), "CEDARCHEST_NOW": "2026-10-01T23:00"}).status == 0
        assert project.run("initialize", "--yes", environ={**drive.env(), **LATE}).status == 0
        yield drive


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
    with erased(project) as drive:
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


def test_days_that_nothing_proves_any_more_and_that_are_not_staged_are_said_to_be_lost(
    project: Project, flip: Callable[[Path, int], None]
) -> None:
    project.configure(new_disc="daily")
    project.stage(FIRST, {"a": b"needle" * 1000})
    project.stage(SECOND)
    assert project.run("store").status == 0
    for day in (FIRST, SECOND):
        shutil.rmtree(project.staging / day)
    one, two = project.images()
    flip(one, one.read_bytes().index(b"needle") + 100)
    ran = project.run("--json", "verify", one.stem)
    assert ran.status == 7
    verdicts = ran.json["verdicts"]
    assert isinstance(verdicts, list)
    assert [verdict["lost"] for verdict in verdicts] == [[FIRST]]
    assert f"  LOST: {FIRST}: " in project.run("verify", one.stem).out
    ran = project.run("discs", "lost", two.stem)
    assert f"  LOST: {SECOND}: " in ran.out
    said = project.run("status")
    assert f"{FIRST}  LOST: was on {one.stem}, proven no more  (no longer staged)" in said.out
    assert f"{SECOND}  LOST: was on {two.stem}, proven no more  (no longer staged)" in said.out
    assert project.run("--json", "status").json["lost"] == [FIRST, SECOND]
    project.stage(FIRST)
    assert due(project) == [FIRST]


def test_where_staging_cannot_be_read_nothing_is_said_to_be_lost(
    project: Project, flip: Callable[[Path, int], None]
) -> None:
    project.stage(FIRST, {"a": b"needle" * 1000})
    assert project.run("store").status == 0
    (image,) = project.images()
    flip(image, image.read_bytes().index(b"needle") + 100)
    away = project.staging.rename(project.root / "away")
    ran = project.run("verify")
    assert ran.status == 7
    assert "LOST" not in ran.out
    assert f"the staging folder {project.staging} cannot be read" in ran.err
    away.rename(project.staging)
    assert project.run("verify").status == 7
    assert due(project) == [FIRST]


def test_a_day_is_lost_when_its_supplement_is(project: Project, flip: Callable[[Path, int], None]) -> None:
    folder = project.stage(FIRST)
    assert project.run("store").status == 0
    (folder / "alpha" / "late").write_bytes(b"needle" * 1000)
    (folder / "cback.store").unlink()
    assert project.run("store").status == 0
    shutil.rmtree(folder)
    (image,) = project.images()
    assert project.run("--json", "status").json["lost"] == []
    flip(image, image.read_bytes().index(b"needle") + 100)
    assert f"  LOST: {FIRST}: " in project.run("verify").out
    assert project.run("--json", "status").json["lost"] == [FIRST]


def test_a_day_whose_disc_was_erased_when_nobody_needed_it_is_of_the_past(project: Project) -> None:
    require()
    with erased(project) as drive:
        shutil.rmtree(project.staging / FIRST)
        found = project.run("--json", "status", environ=drive.env()).json
        assert (found["table"], found["lost"]) == ([], [])


def test_the_word_lost_alone_is_no_label(project: Project) -> None:
    ran = project.run("discs", "lost")
    assert ran.status == 2
    assert "discs lost LABEL" in ran.err


@pytest.mark.parametrize("check", ["now", "deferred"])
def test_a_lost_disc_that_is_found_counts_again_once_it_was_read(project: Project, check: str) -> None:
    project.stage(FIRST)
    assert project.run("store").status == 0
    (image,) = project.images()
    folder = project.stage(SECOND)
    project.configure(check=check)
    assert project.run("store").status == 0
    image.rename(away := project.root / "away.iso")
    assert project.run("discs", "lost", image.stem).status == 0
    shutil.rmtree(project.staging / FIRST)
    assert project.run("--json", "status").json["lost"] == [FIRST]
    assert project.run("verify", image.stem).status == 8  # it has not been found yet
    assert project.run("--json", "status").json["lost"] == [FIRST]
    assert project.run("store", "--dry-run").status == 0  # and nothing waits for it
    away.rename(image)
    assert project.run("verify").out == "there is nothing to verify\n"
    ran = project.run("-v", "verify", image.stem)
    assert ran.status == 0, ran.err
    assert "was lost and is found" in ran.err
    said = project.run("status").out
    assert f"{FIRST}  stored on {image.stem}  (no longer staged)" in said
    assert f"{SECOND}  stored on {image.stem}" in said
    assert project.is_marked(SECOND)
    assert statuses(project) == ["verified", "verified"]
    assert project.run("verify").status == 0
    project.stage("2026/10/16")
    assert project.run("store").status == 0
    assert len(project.images()) == 2
    assert folder.is_dir()


def test_a_lost_disc_that_is_found_and_is_bad_stays_lost(
    project: Project, flip: Callable[[Path, int], None]
) -> None:
    project.stage(FIRST, {"a": b"needle" * 1000})
    assert project.run("store").status == 0
    (image,) = project.images()
    assert project.run("discs", "lost", image.stem).status == 0
    flip(image, image.read_bytes().index(b"needle") + 100)
    assert project.run("verify", image.stem).status == 7
    assert due(project) == [FIRST]
    assert not project.is_marked(FIRST)
    assert project.run("store").status == 0
    assert len(project.images()) == 2


@pytest.mark.parametrize("bad", ["before it was lost", "when it was found"])
def test_a_lost_disc_whose_only_session_could_not_be_read_counts_again_after_a_pass(
    project: Project, flip: Callable[[Path, int], None], bad: str
) -> None:
    project.stage(FIRST, {"a": b"needle" * 1000})
    assert project.run("store").status == 0
    shutil.rmtree(project.staging / FIRST)
    (image,) = project.images()
    place = image.read_bytes().index(b"needle") + 100
    steps = [("discs", "lost", image.stem), ("verify", image.stem)]
    flip(image, place)
    for words in steps if bad == "when it was found" else reversed(steps):
        project.run(*words)
    assert project.run("--json", "status").json["lost"] == [FIRST]
    flip(image, place)  # another drive, or a cleaned disc
    ran = project.run("-v", "verify", image.stem)
    assert ran.status == 0, ran.err
    assert "was lost and is found" in ran.err
    assert f"{FIRST}  stored on {image.stem}  (no longer staged)" in project.run("status").out
    assert project.run("verify").status == 0


def test_a_disc_that_was_erased_is_not_verified_by_its_label(project: Project) -> None:
    with erased(project) as drive:
        ran = project.run("verify", "CC_20261001_001", environ=drive.env())
        assert ran.status == 8
        assert "CC_20261001_001 was given up" in ran.err


@pytest.mark.parametrize("found_by", ["verify", "audit", "lost"])
def test_a_mark_that_could_not_be_taken_when_its_disc_failed_is_taken_by_the_next_store(
    project: Project, flip: Callable[[Path, int], None], found_by: str
) -> None:
    """The staging folder was not there then; a supplement of the day is proven still."""
    folder = project.stage(FIRST, {"a": b"needle" * 1000})
    assert project.run("store").status == 0
    (folder / "alpha" / "late").write_bytes(b"late")
    (folder / "cback.store").unlink()
    assert project.run("store").status == 0
    (image,) = project.images()
    if found_by != "lost":
        flip(image, image.read_bytes().index(b"needle") + 100)
    project.staging.rename(project.root / "away")
    asked = ("discs", "lost", image.stem) if found_by == "lost" else (found_by,)
    assert project.run(*asked).status == (0 if found_by == "lost" else 7)
    (project.root / "away").rename(project.staging)
    assert project.is_marked(FIRST)
    ran = project.run("--json", "store")
    assert ran.status == 0, ran.err
    assert ran.json["days"] == [FIRST]
    assert f"{FIRST} is no longer proven to be on disc" in ran.err
    assert project.is_marked(FIRST)
    assert len(project.images()) == 2
    assert project.run("--json", "store").json["outcome"] == "nothing-to-do"


# -- catalogs and discs of different times ------------------------------------------------------------


@pytest.mark.parametrize("what", ["the catalog alone", "all of the state"])
def test_a_session_that_an_older_catalog_began_is_not_taken_for_the_one_that_came_in_its_place(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """The copy was made when a burn was about to begin that came to nothing."""
    project.stage(FIRST)
    assert project.run("store").status == 0
    project.stage(SECOND)
    state, old = project.root / "state", project.root / "old"
    with monkeypatch.context() as patched:
        patched.setenv("PATH", never_writing(tmp_path / "tools"))
        assert project.run("store").status == 9
    shutil.copytree(state, old)
    (project.staging / SECOND).rename(project.root / "second")
    project.stage("2026/10/16")
    assert project.run("store").status == 0
    (image,) = project.images()
    before = image.read_bytes()
    if what == "the catalog alone":
        for path in state.glob("catalog*"):
            path.unlink()
        for path in old.glob("catalog*"):
            shutil.copy(path, state)
    else:
        shutil.rmtree(state)
        old.rename(state)
    (project.root / "second").rename(project.staging / SECOND)
    ran = project.run("--json", "store")
    assert ran.status == 0, ran.err
    assert f"session 2 of {image.stem} is not the one that this catalog began" in ran.err
    assert ran.json["days"] == [SECOND]
    assert len(project.images()) == 2
    assert image.read_bytes() == before
    assert project.run("--json", "store").json["outcome"] == "nothing-to-do"


def never_writing(folder: Path) -> str:
    """A PATH on which xorriso is told everything but to write."""
    real = shutil.which("xorriso")
    folder.mkdir()
    tool = folder / "xorriso"
    tool.write_text(
        f'#!/bin/sh\ncase "$*" in *-options_from_file*) ;; *) exec {real} "$@";; esac\n'
        'for each; do case "$each" in /dev/fd/*) commands=$each;; esac; done\n'
        f'sed -u "/^-end$/d" <"$commands" | {real} -no_rc -signal_handling sig_ign -abort_on FATAL'
        " -pkt_output on -options_from_file - -rollback_end\n"
    )
    tool.chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def test_what_was_replaced_is_not_restored_where_the_clock_was_set_back(project: Project) -> None:
    folder = project.stage(FIRST, {"a": b"one"})
    assert project.run("store", environ=LATE).status == 0
    (folder / "alpha" / "a").write_bytes(b"two")
    (folder / "INDEX.jsonl.gz").unlink()
    (folder / "cback.store").unlink()
    assert project.run("store", environ={"CEDARCHEST_NOW": "2026-10-02T23:00"}).status == 0
    shutil.rmtree(project.staging / FIRST)
    asked = ("--day", FIRST.replace("/", "-"), "--to", str(project.root / "out"))
    ran = project.run("restore", *asked, environ=LATE)
    assert ran.status == 0, ran.err
    assert (project.root / "out" / "alpha" / "a").read_bytes() == b"two"


def test_a_disc_begun_while_the_clock_was_ahead_is_not_the_one_in_use_for_ever(project: Project) -> None:
    project.configure(capacity="6 MiB")
    project.stage(FIRST, {"a": os.urandom(4_500_000)})
    assert project.run("store", environ={"CEDARCHEST_NOW": "2040-10-01T23:00"}).status == 0
    for day in ("15", "16", "17"):
        project.stage(f"2026/10/{day}", {"a": os.urandom(1_200_000)})
        now = {"CEDARCHEST_NOW": f"2026-10-{day}T23:00"}
        assert project.run("store", environ=now).status == 0
    assert [image.stem for image in project.images()] == ["CC_20261015_001", "CC_20401001_001"]


def test_nothing_is_put_on_a_disc_that_holds_more_than_the_catalog_knows(project: Project) -> None:
    project.stage(FIRST)
    assert project.run("store").status == 0
    shutil.copytree(project.root / "state", project.root / "old")
    project.stage(SECOND)
    assert project.run("store").status == 0
    shutil.rmtree(project.root / "state")
    (project.root / "old").rename(project.root / "state")
    (image,) = project.images()
    before = image.read_bytes()
    ran = project.run("verify")
    assert ran.status == 6
    assert f"{image.stem} holds session 2, which this catalog does not know" in ran.err
    project.stage("2026/10/16")
    ran = project.run("store")
    assert ran.status == 0, ran.err
    assert "the catalog is older than the disc; a new disc is begun" in ran.err
    assert f"no disc that this catalog knows: {SECOND};" in ran.err
    assert image.read_bytes() == before
    assert len(project.images()) == 2
    assert project.run("verify", str(image)).status == 0


def test_a_rewritable_disc_that_holds_more_than_the_catalog_knows_is_not_erased(project: Project) -> None:
    require()
    project.configure(device="/dev/sr0")
    project.stage(FIRST)
    at_first = {"CEDARCHEST_NOW": "2026-10-01T23:00"}
    with Burner(profile="dvd+rw") as drive:
        assert project.run("store", environ={**drive.env(), **at_first}).status == 0
        shutil.copytree(project.root / "state", project.root / "old")
        project.stage(SECOND)
        assert project.run("store", environ={**drive.env(), **at_first}).status == 0
        shutil.rmtree(project.root / "state")
        (project.root / "old").rename(project.root / "state")
        ran = project.run("initialize", "--yes", environ={**drive.env(), **LATE})
        assert ran.status == 8
        assert "which this catalog does not know" in ran.err
        assert project.run("verify", "/dev/sr0", environ=drive.env()).status == 0


def test_an_older_copy_of_an_image_is_not_appended_to(project: Project) -> None:
    project.stage(FIRST)
    assert project.run("store").status == 0
    (image,) = project.images()
    older = image.read_bytes()
    project.stage(SECOND)
    assert project.run("store").status == 0
    image.write_bytes(older)
    project.stage("2026/10/16")
    for action in ("store", "verify"):
        ran = project.run(action)
        assert ran.status == 8, ran.err
        assert f"cedarchest discs lost {image.stem}" in ran.err
        assert "session 2" in ran.err
    assert image.read_bytes() == older
    assert project.run("discs", "lost", image.stem).status == 0
    assert project.run("store").status == 0
    assert due(project) == []


def test_a_mark_without_proof_is_believed_and_said(project: Project) -> None:
    (project.stage(FIRST) / "cback.store").touch()
    for action in ("store", "validate"):
        ran = project.run(action)
        assert ran.status == 0
        assert f"no disc that this catalog knows: {FIRST};" in ran.err
    assert project.images() == []


def test_a_mark_that_is_a_link_is_no_mark(project: Project) -> None:
    mark = project.stage(FIRST) / "cback.store"
    mark.symlink_to("/etc/hostname")
    assert due(project) == [FIRST]
    assert project.run("store").status == 0
    assert project.is_marked(FIRST)
    assert not mark.is_symlink()


def test_a_catalog_that_was_lost_is_an_alarm(project: Project) -> None:
    project.stage(FIRST)
    assert project.run("store").status == 0
    shutil.rmtree(project.root / "state")
    for action in ("store", "validate"):
        assert f"no disc that this catalog knows: {FIRST};" in project.run(action).err
    assert "it knows no disc at all; is it the one that belongs to this shelf?" in project.run("validate").err
    assert f"{FIRST}  marked stored, on no disc of this catalog" in project.run("status").out
    (project.staging / FIRST / "cback.store").unlink()
    assert project.run("store").status == 0
    assert len(project.images()) == 2


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
def test_files_of_a_session_that_were_changed_here_condemn_no_disc(
    project: Project, flip: Callable[[Path, int], None], name: str
) -> None:
    project.stage(FIRST, {"a": b"needle" * 1000})
    assert project.run("store").status == 0
    (path,) = (project.root / "state" / "sessions").rglob(name)
    path.write_bytes(gzip.compress(b"else"))
    ran = project.run("-v", "verify")
    assert ran.status == 0, ran.err
    assert f"{name} is not the one that was put on the disc" in ran.err
    (image,) = project.images()
    flip(image, image.read_bytes().index(b"needle") + 100)
    ran = project.run("verify")
    assert ran.status == 7
    assert f"different: /{FIRST}/alpha/a" in ran.out


def test_without_the_files_of_its_sessions_a_disc_is_held_against_its_own_index(
    project: Project, flip: Callable[[Path, int], None]
) -> None:
    for day in (FIRST, SECOND):
        project.stage(day)
        assert project.run("store").status == 0
    folder = project.root / "state" / "sessions"
    (index,) = folder.glob("*/002/CEDARCHEST/sessions/002/INDEX.jsonl.gz")
    written = index.read_bytes()
    shutil.rmtree(folder)
    assert project.run("verify").status == 0
    (image,) = project.images()
    flip(image, image.read_bytes().index(written) + 12)
    ran = project.run("verify")
    assert ran.status == 6, ran.err
    assert "it is not the one that was written" in ran.err
    assert statuses(project) == ["verified", "verified"]


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
