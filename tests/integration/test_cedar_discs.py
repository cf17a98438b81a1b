"""Discs of Cedar Backup in an emulated burner: entered, read, searched, appended to, never erased."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.burner.burner import ALWAYS, Burner, Effect, Fault
from tests.burner.preload import require
from tests.cedar_discs import (
    BLOCK,
    FIRST,
    FIRST_LABEL,
    SECOND,
    SECOND_LABEL,
    THIRD,
    burn,
    grow,
    require_genisoimage,
    staged,
)
from tests.cli.program import error_of, told
from tests.conftest import Project, Ran

from cedarchest.adapters.catalog import open_catalog
from cedarchest.model.disc import StoredEntry

NOW = "2026-11-23T23:00:00+00:00"
LABEL = SECOND_LABEL
SMALL, LARGE = b"small\n" * 10, hashlib.shake_256(b"large").digest(300_000)
MEDIA = ["cd-r", *(pytest.param(name, marks=pytest.mark.slow) for name in ("dvd+r", "dvd-r"))]


@pytest.fixture(autouse=True)
def _drive(project: Project) -> None:
    require()
    require_genisoimage()
    project.configure(device="/dev/sr0")


@pytest.fixture
def sources(tmp_path: Path) -> tuple[Path, Path]:
    first = {"small.txt": SMALL, "d/e/e/p/e/r/still/down/here": b"deep", "ünï\nname": b"odd"}
    return staged(tmp_path / "first", first), staged(tmp_path / "second", {"large": LARGE, "empty": b""})


def week(drive: Burner, sources: tuple[Path, Path], scratch: Path) -> None:
    """Two days on a disc, the second appended, as Cedar Backup does in a week."""
    burn(drive, FIRST_LABEL, FIRST, sources[0], scratch)
    burn(drive, SECOND_LABEL, SECOND, sources[1], scratch)


def run(project: Project, drive: Burner, *arguments: str) -> Ran:
    return project.run("--json", *arguments, environ={**drive.env(), "CEDARCHEST_NOW": NOW})


def details(project: Project, drive: Burner) -> dict[str, Any]:
    """What the catalog has of its one disc."""
    (disc,) = told(run(project, drive, "discs"))["details"]
    assert isinstance(disc, dict)
    return disc


def held(project: Project, number: int) -> dict[bytes, StoredEntry]:
    with closing(open_catalog(f"sqlite:///{project.root}/state/catalog.sqlite", read_only=True)) as catalog:
        (disc,) = catalog.discs()
        return {entry.path: entry for entry in catalog.entries(disc.disc_id, number)}


@pytest.mark.parametrize("medium", MEDIA)
def test_sessions_come_with_their_days_and_the_digests_of_what_was_read_as_claims(
    project: Project, sources: tuple[Path, Path], tmp_path: Path, medium: str
) -> None:
    with Burner(medium) as drive:
        week(drive, sources, tmp_path)
        ran = run(project, drive, "catalog", "rebuild")
        assert (ran.status, told(ran)["days"]) == (0, [FIRST, SECOND]), ran.err
        assert told(ran)["entered"][0]["without_index"] == [1, 2]
        disc = details(project, drive)
    assert disc["label"] == LABEL
    sessions = disc["sessions"]
    assert [(each["status"], each["days"]) for each in sessions] == [
        ("claimed", [FIRST]),
        ("claimed", [SECOND]),
    ]
    first, second = held(project, 1), held(project, 2)
    assert first[f"{FIRST}/mach/small.txt".encode()].sha256 == hashlib.sha256(SMALL).digest()
    assert first[f"{FIRST}/mach/d/e/e/p/e/r/still/down/here".encode()].size == 4
    assert f"{FIRST}/mach/ünï\nname".encode() in first
    assert second[f"{SECOND}/mach/large".encode()].sha256 == hashlib.sha256(LARGE).digest()
    assert second[f"{SECOND}/mach/empty".encode()].sha256 == hashlib.sha256().digest()
    assert not any(path.startswith(FIRST.encode()) for path in second)


def test_what_was_entered_is_compared_found_and_told(
    project: Project, sources: tuple[Path, Path], tmp_path: Path
) -> None:
    with Burner("cd-r") as drive:
        week(drive, sources, tmp_path)
        assert run(project, drive, "catalog", "rebuild").status == 0
        ran = run(project, drive, "verify", LABEL)
        assert ran.status == 0, ran.err
        disc = details(project, drive)
        assert disc["last_check"]
        (found,) = told(run(project, drive, "find", "small.txt"))["found"]
        assert found["peer"] == "mach"
        assert LABEL in run(project, drive, "history", "large").out
        assert {each["day"] for each in told(run(project, drive, "status"))["table"]} == {FIRST, SECOND}
        again = run(project, drive, "catalog", "rebuild")
        assert told(again)["outcome"] == "nothing-to-do"
        assert details(project, drive)["sessions"] == disc["sessions"]


def test_a_bit_that_changed_since_is_named_with_its_file(
    project: Project, sources: tuple[Path, Path], tmp_path: Path
) -> None:
    with Burner("dvd+r") as drive:
        week(drive, sources, tmp_path)
        assert run(project, drive, "catalog", "rebuild").status == 0
        raw = bytearray(drive.data_path.read_bytes())
        raw[raw.index(LARGE[:64]) + 9] ^= 1
        drive.data_path.write_bytes(raw)
        ran = run(project, drive, "verify")
        assert ran.status == 7
        assert f"/{SECOND}/mach/large" in error_of(ran)["message"]
        statuses = [each["status"] for each in details(project, drive)["sessions"]]
    assert statuses == ["verified", "bad"]


def test_what_cannot_be_read_is_named_and_entered_by_a_drive_that_reads_it(
    project: Project, sources: tuple[Path, Path], tmp_path: Path
) -> None:
    with Burner("dvd+r") as drive:
        week(drive, sources, tmp_path)
        block = drive.data_path.read_bytes().index(LARGE[:64]) // BLOCK
        drive.faults([Fault("read", lba=block + 20, times=ALWAYS)])
        ran = run(project, drive, "catalog", "rebuild")
        assert (ran.status, told(ran)["outcome"]) == (11, "partial")
        (line,) = told(ran)["left_out"]
        assert f"/{SECOND}/mach/large: these blocks could not be read" in line
        assert held(project, 2)[f"{SECOND}/mach/large".encode()].sha256 == b""
        assert held(project, 2)[f"{SECOND}/mach/empty".encode()].sha256
        ran = run(project, drive, "verify")
        assert (ran.status, error_of(ran)["kind"]) == (6, "CatalogError")
        drive.faults([])
        assert run(project, drive, "catalog", "rebuild").status == 0
        assert held(project, 2)[f"{SECOND}/mach/large".encode()].sha256 == hashlib.sha256(LARGE).digest()
        assert run(project, drive, "verify").status == 0


def test_files_of_a_session_whose_tree_is_damaged_are_found_by_the_next_one(
    project: Project, sources: tuple[Path, Path], tmp_path: Path
) -> None:
    with Burner("dvd+r") as drive:
        week(drive, sources, tmp_path)
        raw = bytearray(drive.data_path.read_bytes())
        root = int.from_bytes(raw[16 * BLOCK + 158 : 16 * BLOCK + 162], "little")
        raw[root * BLOCK : (root + 1) * BLOCK] = b"\xff" * BLOCK
        drive.data_path.write_bytes(raw)
        ran = run(project, drive, "catalog", "rebuild")
        assert ran.status == 11, ran.err
        found = held(project, 2)[f"{FIRST}/mach/small.txt".encode()]
        assert found.sha256 == hashlib.sha256(SMALL).digest()
        ran = run(project, drive, "verify")
        assert [each["status"] for each in details(project, drive)["sessions"]] == ["bad", "verified"]


def test_a_folder_that_cannot_be_read_costs_what_is_in_it_and_no_other_file(
    project: Project, sources: tuple[Path, Path], tmp_path: Path
) -> None:
    with Burner("dvd+r") as drive:
        burn(drive, FIRST_LABEL, FIRST, sources[0], tmp_path)
        block = drive.data_path.read_bytes().index(b"NM\x09\x01\x00here") // BLOCK
        drive.faults([Fault("read", lba=block, times=ALWAYS)])
        ran = run(project, drive, "catalog", "rebuild")
        assert ran.status == 11, ran.err
        assert "what stands in this directory could not all be read" in told(ran)["left_out"][0]
        assert held(project, 1)[f"{FIRST}/mach/small.txt".encode()].sha256 == hashlib.sha256(SMALL).digest()
        drive.faults([])
        assert run(project, drive, "catalog", "rebuild").status == 0
        assert f"{FIRST}/mach/d/e/e/p/e/r/still/down/here".encode() in held(project, 1)


def test_a_disc_that_was_only_initialized_has_no_days(project: Project, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    with Burner("cd-rw") as drive:
        burn(drive, FIRST_LABEL, "CedarBackup", tmp_path / "nothing", tmp_path)
        ran = run(project, drive, "catalog", "rebuild")
        assert (ran.status, told(ran)["days"], told(ran)["discs"]) == (0, [], [FIRST_LABEL]), ran.err
        assert run(project, drive, "verify").status == 0
        project.stage(SECOND)
        ran = run(project, drive, "store")
        assert (ran.status, told(ran)["discs"]) == (0, [FIRST_LABEL]), ran.err


def test_a_session_that_was_cut_off_is_passed_over(
    project: Project, sources: tuple[Path, Path], tmp_path: Path
) -> None:
    with Burner("dvd+r") as drive:
        burn(drive, FIRST_LABEL, FIRST, sources[0], tmp_path)
        drive.faults([Fault("write", skip=8, effect=Effect.POWER_LOSS)])
        with pytest.raises(subprocess.CalledProcessError):
            burn(drive, SECOND_LABEL, SECOND, sources[1], tmp_path)
        drive.start()
        ran = run(project, drive, "catalog", "rebuild")
        assert told(ran)["days"] == [FIRST], ran.err
        assert details(project, drive)["sessions"][0]["status"] == "claimed"
        assert run(project, drive, "verify").status == 0


def test_an_image_of_a_disc_with_several_sessions_is_not_taken_for_all_of_it(
    project: Project, sources: tuple[Path, Path], tmp_path: Path
) -> None:
    with Burner("cd-r") as drive:
        week(drive, sources, tmp_path)
        copied = shutil.copy(drive.data_path, tmp_path / "copied.iso")
        ran = run(project, drive, "catalog", "rebuild", str(copied))
        assert (ran.status, told(ran)["days"]) == (11, [FIRST])
        assert "holds further sessions" in told(ran)["left_out"][0]
        ran = run(project, drive, "catalog", "rebuild")
        assert (ran.status, told(ran)["days"]) == (0, [FIRST, SECOND]), ran.err
        assert run(project, drive, "verify").status == 0
        assert (details(project, drive)["medium"], details(project, drive)["accepts_sessions"]) == (
            "cd-r",
            True,
        )


def test_a_disc_that_is_written_over_is_entered_and_read_and_takes_no_session(
    project: Project, sources: tuple[Path, Path], tmp_path: Path
) -> None:
    project.stage(THIRD)
    with Burner("dvd+rw") as drive:
        burn(drive, FIRST_LABEL, FIRST, sources[0], tmp_path)
        assert run(project, drive, "catalog", "rebuild").status == 0
        assert run(project, drive, "verify").status == 0
        before = drive.data_path.read_bytes()
        ran = run(project, drive, "store")
        assert (ran.status, error_of(ran)["kind"]) == (8, "NotAppendable")
        grow(drive.data_path, SECOND_LABEL, SECOND, sources[1])
        ran = run(project, drive, "catalog", "rebuild")
        assert (ran.status, told(ran)["days"]) == (0, [FIRST, SECOND]), ran.err
        assert run(project, drive, "verify", SECOND_LABEL).status == 0
        assert drive.data_path.read_bytes()[40960 : len(before)] == before[40960:]


def test_what_it_holds_comes_back_with_times_and_links(
    project: Project, sources: tuple[Path, Path], tmp_path: Path
) -> None:
    os.utime(sources[0] / "mach/small.txt", (1_700_000_000, 1_700_000_000))
    (sources[0] / "mach/link").symlink_to("small.txt")
    with Burner("cd-r") as drive:
        week(drive, sources, tmp_path)
        assert run(project, drive, "catalog", "rebuild").status == 0
        ran = run(project, drive, "restore", "--day", FIRST.replace("/", "-"), "--to", str(tmp_path / "back"))
        assert ran.status == 0, ran.err
    back = tmp_path / "back/mach"
    assert (back / "small.txt").read_bytes() == SMALL
    status = (back / "small.txt").stat()
    assert (int(status.st_mtime), status.st_mode & 0o777) == (1_700_000_000, 0o644)
    assert (back / "link").readlink() == Path("small.txt")
    assert (back / "d/e/e/p/e/r/still/down/here").read_bytes() == b"deep"


# What a store does with such a disc


def test_a_disc_that_the_catalog_does_not_know_is_neither_written_nor_erased(
    project: Project, sources: tuple[Path, Path], tmp_path: Path
) -> None:
    project.stage(THIRD)
    with Burner("cd-rw") as drive:
        burn(drive, FIRST_LABEL, FIRST, sources[0], tmp_path)
        before = drive.data_path.read_bytes()
        for arguments in (("store",), ("rebuild",), ("initialize", "--yes")):
            ran = run(project, drive, *arguments)
            assert ran.status == 8, ran.out
        ran = run(project, drive, "store")
        assert "catalog rebuild /dev/sr0" in error_of(ran)["advice"]
        assert drive.data_path.read_bytes() == before
        assert run(project, drive, "initialize", "--yes", "--overwrite-foreign", FIRST_LABEL).status == 0


def test_a_disc_that_was_entered_is_kept_as_long_as_it_was_not_read_and_its_days_are_young(
    project: Project, sources: tuple[Path, Path], tmp_path: Path
) -> None:
    with Burner("cd-rw") as drive:
        burn(drive, FIRST_LABEL, FIRST, sources[0], tmp_path)
        assert run(project, drive, "catalog", "rebuild").status == 0
        ran = run(project, drive, "initialize", "--yes")
        assert (ran.status, "was not read yet" in told(ran)["error"]["message"]) == (8, True)
        assert run(project, drive, "verify").status == 0
        ran = run(project, drive, "initialize", "--yes")
        assert (ran.status, "younger than" in told(ran)["error"]["message"]) == (8, True)


@pytest.mark.long
@pytest.mark.parametrize("medium", MEDIA)
def test_a_disc_that_was_entered_is_read_and_appended_to_and_both_are_entered_again(
    project: Project, sources: tuple[Path, Path], tmp_path: Path, medium: str
) -> None:
    project.stage(THIRD)
    with Burner(medium) as drive:
        week(drive, sources, tmp_path)
        assert run(project, drive, "catalog", "rebuild").status == 0
        ran = run(project, drive, "store")
        assert (ran.status, told(ran)["days"], told(ran)["discs"]) == (0, [THIRD], [LABEL]), ran.err
        assert run(project, drive, "verify").status == 0
        assert run(project, drive, "verify", "/dev/sr0").status == 0
        before = details(project, drive)["sessions"]
        shutil.rmtree(project.root / "state")
        ran = run(project, drive, "catalog", "rebuild")
        assert (ran.status, told(ran)["days"]) == (0, [FIRST, SECOND, THIRD]), ran.err
        assert run(project, drive, "verify").status == 0
        after = details(project, drive)["sessions"]
    assert [{**each, "speed_used": 0} for each in before] == [{**each, "speed_used": 0} for each in after]


def test_cedar_backup_may_go_on_with_a_disc_that_was_appended_to(
    project: Project, sources: tuple[Path, Path], tmp_path: Path
) -> None:
    project.stage(SECOND)
    with Burner("cd-r") as drive:
        burn(drive, FIRST_LABEL, FIRST, sources[0], tmp_path)
        assert run(project, drive, "catalog", "rebuild").status == 0
        assert run(project, drive, "store").status == 0
        burn(drive, "CEDAR BACKUP 23-NOV-2026", THIRD, sources[1], tmp_path)
        ran = run(project, drive, "catalog", "rebuild")
        assert (ran.status, told(ran)["entered"][0]["sessions"]) == (0, [3]), ran.err
        assert run(project, drive, "verify").status == 0
        assert [each["days"] for each in details(project, drive)["sessions"]] == [
            [FIRST],
            [SECOND],
            [THIRD],
        ]


def test_a_mark_of_cedar_backup_stays_when_its_disc_was_read_and_goes_when_it_differs(
    project: Project, sources: tuple[Path, Path], tmp_path: Path
) -> None:
    shutil.copytree(sources[0], project.staging / FIRST)
    (project.staging / FIRST / "cback.store").touch()
    with Burner("dvd+r") as drive:
        burn(drive, FIRST_LABEL, FIRST, sources[0], tmp_path)
        assert run(project, drive, "catalog", "rebuild").status == 0
        assert run(project, drive, "verify").status == 0
        assert project.is_marked(FIRST)
        raw = bytearray(drive.data_path.read_bytes())
        raw[raw.index(SMALL) + 3] ^= 1
        drive.data_path.write_bytes(raw)
        assert run(project, drive, "verify").status == 7
        assert not project.is_marked(FIRST)


def test_no_copy_is_made_of_what_has_no_index(
    project: Project, sources: tuple[Path, Path], tmp_path: Path
) -> None:
    with Burner("dvd+r") as drive:
        burn(drive, FIRST_LABEL, FIRST, sources[0], tmp_path)
        assert run(project, drive, "catalog", "rebuild").status == 0
        assert run(project, drive, "verify").status == 0
        ran = run(project, drive, "copy", FIRST_LABEL)
        assert (ran.status, error_of(ran)["kind"]) == (8, "NotAppendable")
