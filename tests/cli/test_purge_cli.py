"""`purge` as users run it: what is old goes when the catalog proves it, nothing else ever does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.program import error_of, told
from tests.conftest import Project

pytestmark = pytest.mark.slow

OLD, OLDER, NEW = "2026/11/01", "2026/10/31", "2026/11/21"
NOW = {"CEDARCHEST_NOW": "2026-11-22T03:00"}
Flip = Callable[[Path, int], None]


@pytest.fixture
def pool(project: Project) -> Project:
    """A project whose clock stands, with the staging folder to purge after 14 days."""
    project.environ.update(NOW)
    purging(project, project.staging)
    return project


def purging(project: Project, folder: Path, **keys: object) -> None:
    """Have a folder purged after 14 days."""
    values = {"path": str(folder), "retain_days": 14, **keys}
    table = "\n".join(f"{key} = {json.dumps(value)}" for key, value in values.items())
    project.configure()
    with project.config.open("a") as stream:
        stream.write(f"[[purge.dir]]\n{table}\n")


def make_old(folder: Path) -> None:
    """Give all below a folder a time that is long ago, as far as anybody can: the kernel's own time stays."""
    for path in sorted(folder.rglob("*"), reverse=True):
        os.utime(path, (0, 0), follow_symlinks=False)


# -- days -------------------------------------------------------------------------------------------


def test_old_days_that_are_proven_go_and_the_others_stay(pool: Project) -> None:
    for day in (OLDER, OLD, NEW):
        pool.stage(day)
    assert pool.run("store").status == 0
    pool.stage("2026/11/02")
    (pool.stage("2026/11/03") / "cback.stage").unlink()
    ran = pool.run("purge", "--dry-run")
    assert ran.out.splitlines() == [
        f"would delete {pool.staging}/{OLDER}: 22 days old, proven to be on disc",
        f"would delete {pool.staging}/{OLD}: 21 days old, proven to be on disc",
        f"kept {pool.staging}/2026/11/02: 20 days old, but not proven to be on disc",
        f"kept {pool.staging}/2026/11/03: 19 days old, but it has no cback.stage: it is being staged",
    ]
    assert (pool.staging / OLD / "alpha" / "a.txt").exists()
    ran = pool.run("--json", "purge")
    assert ran.status == 0, ran.err
    assert [each["path"] for each in told(ran)["removed"]] == [
        str(pool.staging / OLDER),
        str(pool.staging / OLD),
    ]
    assert sorted(path.name for path in (pool.staging / "2026").iterdir()) == ["11"]
    assert sorted(path.name for path in (pool.staging / "2026/11").iterdir()) == ["02", "03", "21"]
    assert f"{OLD}  stored on {pool.images()[0].stem}  (no longer staged)" in pool.run("status").out
    assert not list((pool.root / "state" / "days").glob("2026-11-01-*"))
    assert pool.run("purge").out.startswith("kept ")


def test_a_day_that_is_marked_but_not_proven_stays(pool: Project) -> None:
    (pool.stage(OLD) / "cback.store").touch()
    assert pool.run("purge").status == 0
    assert (pool.staging / OLD / "alpha" / "a.txt").exists()


def test_a_day_whose_disc_went_bad_stays(pool: Project, flip: Flip) -> None:
    pool.stage(OLD, {"a": b"needle" * 500})
    assert pool.run("store").status == 0
    (image,) = pool.images()
    flip(image, image.read_bytes().index(b"needle") + 10)
    assert pool.run("verify").status == 7
    assert "not proven to be on disc" in pool.run("purge").out
    assert (pool.staging / OLD / "alpha" / "a").exists()


@pytest.mark.parametrize("change", ["more", "other", "gone"])
def test_a_day_that_is_not_as_it_was_stored_stays_whole(pool: Project, change: str) -> None:
    folder = pool.stage(OLD)
    assert pool.run("store").status == 0
    if change == "more":
        (folder / "alpha" / "late").write_text("late")
    elif change == "other":
        (folder / "alpha" / "a.txt").write_text("other")
    else:
        (folder / "alpha" / "a.txt").unlink()
    before = sorted(folder.rglob("*"))
    ran = pool.run("--json", "purge")
    assert ran.status == (0 if change == "more" else 6)
    assert (told(ran)["removed"], len(told(ran)["kept"])) == ([], 1)
    assert sorted(folder.rglob("*")) == before


def test_without_a_proof_a_day_goes_only_when_none_is_wanted(pool: Project) -> None:
    pool.stage(OLD)
    purging(pool, pool.staging, require_stored=False)
    assert pool.run("purge").status == 0
    assert list(pool.staging.iterdir()) == []


KILLED_AT = """
import os, signal, sys
from cedarchest.adapters import folders
from cedarchest.cli import run
count = int(sys.argv[1])
def counted(real):
    def call(*arguments, **keywords):
        global count
        count -= 1
        if count < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **keywords)
    return call
for name in ("rename", "rmdir", "unlink", "fsync"):
    setattr(os, name, counted(getattr(os, name)))
sys.exit(run(sys.argv[2:]))
"""


@pytest.mark.long
def test_a_purge_that_is_killed_at_any_step_is_seen_to_its_end_by_the_next(pool: Project) -> None:
    killed = 0
    for step in range(100):
        day = pool.stage(OLD)
        assert pool.run("store").status == 0
        argv = [sys.executable, "-c", KILLED_AT, str(step), "-c", str(pool.config), "purge"]
        done = subprocess.run(argv, env={**os.environ, **NOW}, check=False, capture_output=True)
        ran = pool.run("status")
        assert ran.status == 0, ran.err
        assert pool.run("store").status == 0  # a day is either whole or gone
        assert pool.run("purge").status == 0
        assert not day.parent.exists()
        if done.returncode != -signal.SIGKILL:
            break
        killed += 1
    assert killed > 8
    assert pool.run("verify").status == 0


def test_a_day_staged_anew_beside_what_a_killed_purge_left_is_not_touched(pool: Project) -> None:
    left = pool.stage(OLD).rename(pool.staging / "2026/11/.01.purging")
    pool.stage(OLD)
    ran = pool.run("purge")
    assert ran.status == 0
    assert f"{left} is left of a purge that was killed" in ran.err
    assert (left / "alpha" / "a.txt").exists()
    assert (pool.staging / OLD / "alpha" / "a.txt").exists()


# -- other folders ----------------------------------------------------------------------------------


@pytest.fixture
def collected(project: Project) -> Path:
    """A folder with files, links and folders; the clock stands far enough in the future for all to be old."""
    project.environ["CEDARCHEST_NOW"] = "2031-01-01T03:00"
    folder = project.root / "collected"
    (folder / "sub" / "deeper").mkdir(parents=True)
    (folder / "empty").mkdir()
    (folder / "stored").write_bytes(b"as it was stored")
    (folder / "sub" / "deeper" / "again").write_bytes(b"as it was stored")
    (folder / "sub" / "other").write_bytes(b"on no disc")
    (folder / "link").symlink_to("stored")
    (folder / "dangling").symlink_to("/nowhere")
    project.stage(NEW, {"x": b"as it was stored"})
    assert project.run("store", environ=NOW).status == 0
    return folder


def test_files_go_by_the_digest_of_what_is_proven(project: Project, collected: Path) -> None:
    purging(project, collected)
    ran = project.run("purge", "--dry-run")
    assert ran.status == 0, ran.err
    assert f"would delete {collected}/stored: " in ran.out
    assert f"kept {collected}/sub/other: " in ran.out
    assert (collected / "stored").exists()
    assert project.run("purge").status == 0
    names = sorted(str(path.relative_to(collected)) for path in collected.rglob("*"))
    assert names == ["dangling", "link", "sub", "sub/other"]


def test_without_proofs_all_that_is_old_goes_but_the_folder_itself(project: Project, collected: Path) -> None:
    purging(project, collected, require_stored=False)
    ran = project.run("--json", "purge")
    assert ran.status == 0, ran.err
    assert list(collected.iterdir()) == []
    assert told(ran)["bytes"] == 16 + 16 + 10


def test_what_is_young_stays_and_so_does_an_empty_folder_of_today(project: Project, collected: Path) -> None:
    make_old(collected)  # of no use: what was changed today is of today
    project.environ.clear()
    purging(project, collected, require_stored=False)
    ran = project.run("purge")
    assert (ran.status, ran.out) == (0, "nothing is old enough to be deleted\n")
    assert (collected / "empty").is_dir()


@pytest.mark.parametrize("name", [b"..\\victim\\keep.txt", b"-rf", b"new\nline", b"\xff", b"*"])
def test_a_name_is_a_name_and_a_link_leads_nowhere(project: Project, collected: Path, name: bytes) -> None:
    victim = project.root / "victim"
    victim.mkdir()
    (victim / "keep.txt").write_text("keep")
    (collected / os.fsdecode(name)).write_text("x")
    (collected / "to-victim").symlink_to(victim)
    purging(project, collected, require_stored=False)
    assert project.run("purge").status == 0
    assert (victim / "keep.txt").read_text() == "keep"
    assert list(collected.iterdir()) == []


def test_hard_links_go_together(project: Project, collected: Path) -> None:
    (collected / "second").hardlink_to(collected / "stored")
    purging(project, collected)
    assert project.run("purge").status == 0
    assert not (collected / "second").exists()
    assert not (collected / "stored").exists()


def test_a_folder_that_may_not_be_written_is_named_and_the_rest_goes(of_user: Project) -> None:
    of_user.environ["CEDARCHEST_NOW"] = "2031-01-01T03:00"
    folder = of_user.root / "collected"
    (folder / "closed").mkdir(parents=True)
    (folder / "closed" / "a").touch()
    (folder / "b").touch()
    purging(of_user, folder, require_stored=False)
    (folder / "closed").chmod(0o555)
    ran = of_user.run_as_user("purge", environ=of_user.environ)
    assert ran.status == 6
    assert f"{folder}/closed/a cannot be removed: Permission denied" in ran.err
    assert not (folder / "b").exists()
    (folder / "closed").chmod(0o755)


@pytest.mark.parametrize("place", ["state", "shelf", "staging/2026", "."])
def test_what_cedarchest_needs_itself_is_not_purged(project: Project, place: str) -> None:
    project.stage(OLD)
    purging(project, project.root / place, require_stored=False)
    ran = project.run("--json", "purge")
    assert (ran.status, error_of(ran)["kind"]) == (4, "ConfigError")
    checked = project.run("validate")
    assert checked.status == 4
    assert "that would purge what cedarchest itself needs" in checked.err
    assert (project.staging / OLD / "cback.stage").exists()


def test_of_several_shelves_none_is_purged(project: Project) -> None:
    shelves = [project.root / "shelf", project.root / "other"]
    for shelf in shelves:
        purging(project, shelf, require_stored=False)
        text = project.config.read_text()
        project.config.write_text(text.replace('"shelf:shelf"', '["shelf:shelf", "shelf:other"]'))
        ran = project.run("--json", "purge")
        assert (ran.status, error_of(ran)["kind"]) == (4, "ConfigError")
        assert f"{shelf} holds, or lies in, store.device ({shelf})" in ran.err


def test_a_configuration_that_purges_nothing_says_so(project: Project) -> None:
    ran = project.run("--json", "purge")
    assert (ran.status, error_of(ran)["kind"]) == (4, "ConfigError")
    assert "[[purge.dir]]" in ran.err


def test_a_folder_that_is_not_there_is_a_warning(project: Project) -> None:
    purging(project, project.root / "nowhere", require_stored=False)
    ran = project.run("purge")
    assert ran.status == 0
    assert "is not there; nothing is purged in it" in ran.err


def test_validate_names_what_is_not_there_to_be_purged_unless_a_run_will_make_it(project: Project) -> None:
    nowhere, collect = project.root / "nowhere", project.root / "collect"
    purging(project, nowhere)
    ran = project.run("validate")
    assert ran.status == 6
    assert f"what is to be purged is not there: {nowhere}\n" in ran.err
    nowhere.mkdir()
    assert f"ok     folders to purge: {nowhere}\n" in project.run("validate").out
    purging(project, collect)
    with project.config.open("a") as stream:
        stream.write(f'[collect]\ndir = "{collect}"\n[[collect.source]]\npath = "{nowhere}"\n')
    ran = project.run("validate")
    assert ran.status == 0, ran.err
    assert f"ok     folders to purge: {collect} (will be made)\n" in ran.out
