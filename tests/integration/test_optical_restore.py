"""Restoring from an emulated drive: one disc after the other, and what cannot be read of one."""

from __future__ import annotations

import hashlib
import json
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.burner.burner import Burner
from tests.burner.faults import Fault
from tests.burner.preload import require
from tests.burner.sense import Sense
from tests.conftest import Project
from tests.pool import peers
from tests.terminal import Terminal

DISC = 2500
DAYS = ("2026/11/22", "2026/11/23")


@pytest.fixture(autouse=True)
def _drive(project: Project) -> None:
    require()
    project.configure(device="/dev/sr0", new_disc="daily")


def content(name: str) -> bytes:
    return hashlib.shake_256(name.encode()).digest(300_000)


@pytest.fixture
def drive() -> Iterator[Burner]:
    with Burner(profile="dvd+r", blocks=DISC) as burner:
        yield burner


def stored(project: Project, drive: Burner) -> list[Path]:
    """Two days, each on a disc of its own; the second is in the drive."""
    first = Path()
    for day in DAYS:
        project.stage(day, {f"{day[-2:]}-{number}": content(f"{day}{number}") for number in range(3)})
        project.environ["CEDARCHEST_NOW"] = f"{day.replace('/', '-')}T23:00"
        ran = project.run("store", environ=drive.env())
        assert ran.status == 0, ran.err
        if day == DAYS[0]:
            first = drive.exchange("dvd+r", blocks=DISC)
    return [first]


def restore(project: Project, drive: Burner, *arguments: str) -> tuple[int, dict[str, Any]]:
    to = str(project.root / "back")
    ran = project.run("--json", "restore", "--to", to, *arguments, environ=drive.env())
    return ran.status, json.loads(ran.out)


def files(project: Project) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (project.root / "back").rglob("*-*") if path.is_file()}


def expected(day: str) -> dict[str, bytes]:
    return {f"{day[-2:]}-{number}": content(f"{day}{number}") for number in range(3)}


def test_without_a_hand_it_takes_what_is_there_and_goes_on_when_the_disc_is_changed(
    project: Project, drive: Burner
) -> None:
    (first,) = stored(project, drive)
    label = "CC_20261122_001"
    assert project.run("discs", "move", label, "--to", "bank vault").status == 0
    status, told = restore(project, drive)
    assert status == 8
    assert told["error"]["message"].startswith(f"{label}, which is kept at bank vault, is needed")
    assert files(project) == expected(DAYS[1])
    drive.exchange("dvd+r", directory=first)
    status, told = restore(project, drive)
    assert (status, told["lost"], told["restored"]) == (0, [], 3)
    assert told["discs"] == [label]
    assert files(project) == expected(DAYS[0]) | expected(DAYS[1])


def test_somebody_is_asked_for_the_disc_by_its_label(project: Project, drive: Burner) -> None:
    (first,) = stored(project, drive)
    asked = Terminal(project, drive, "restore", "--to", str(project.root / "back"))
    text = asked.until("Press Enter")
    assert "Insert CC_20261122_001." in text
    asked.answer("\n")  # the tray is still open, with the wrong disc
    asked.until("needed and is not in /dev/sr0\r\nInsert CC_20261122_001.\r\nPress Enter")
    drive.exchange("dvd+r", directory=first)
    asked.answer("\n")
    assert asked.status() == 0
    assert files(project) == expected(DAYS[0]) | expected(DAYS[1])


def test_another_copy_than_the_one_that_is_asked_for_does_as_well(project: Project, drive: Burner) -> None:
    project.configure(device="/dev/sr0", copies=2)
    project.stage(DAYS[0], expected(DAYS[0]))
    project.environ["CEDARCHEST_NOW"] = "2026-11-22T23:00"
    assert project.run("store", environ=drive.env()).status == 8  # the second copy wants a disc of its own
    copies = {"CC_20261122_001": drive.exchange("dvd+r", blocks=DISC)}
    assert project.run("store", environ=drive.env()).status == 0
    copies["CC_20261122_B001"] = drive.exchange("dvd+r", blocks=DISC)
    asked = Terminal(project, drive, "restore", "--to", str(project.root / "back"))
    text = asked.until("Press Enter")
    (wanted,) = (label for label in copies if f"Insert {label}." in text)
    (other,) = copies.keys() - {wanted}
    drive.exchange("dvd+r", directory=copies[other])
    asked.answer("\n")
    assert asked.status() == 0
    assert files(project) == expected(DAYS[0])


def test_of_the_copies_that_are_not_there_one_is_asked_for_and_the_other_named(
    project: Project, drive: Burner
) -> None:
    project.configure(device="/dev/sr0", copies=2)
    whole = {f"22-{n}": hashlib.shake_256(bytes([n])).digest(3_000_000) for n in range(2)}
    project.stage(DAYS[0], whole)
    project.environ["CEDARCHEST_NOW"] = "2026-11-22T23:00"
    discs = []
    for status in (8, 8, 8, 0):
        assert project.run("store", environ=drive.env()).status == status
        discs.append(drive.exchange("dvd+r", blocks=DISC))
    ran = project.run("restore", "--to", str(project.root / "back"), environ=drive.env())
    assert (ran.status, ran.err.count("is needed and is not in /dev/sr0")) == (8, 2)
    for number in ("001", "002"):
        first, other = f"CC_20261122_{number}", f"CC_20261122_B{number}"
        assert f"Insert {first} or {other} and" in ran.err or f"Insert {other} or {first} and" in ran.err
    for place in (0, 3):  # a copy of each
        drive.exchange("dvd+r", directory=discs[place])
        ran = project.run("restore", "--to", str(project.root / "back"), environ=drive.env())
    assert (ran.status, files(project)) == (0, whole)


@pytest.mark.parametrize("sense", [(3, 0x11, 0), (3, 0x02, 0), (4, 0x3E, 2)], ids=str)
def test_blocks_that_a_drive_cannot_read_cost_their_file_and_no_other(
    project: Project, drive: Burner, sense: tuple[int, int, int]
) -> None:
    stored(project, drive)
    day = DAYS[1]
    data = drive.data_path.read_bytes()
    lba = data.index(content(f"{day}1")) // 2048 + 5
    drive.faults([Fault("read", lba=lba, times=-1, sense=Sense(*sense))])
    status, told = restore(project, drive, "--day", day, "--damaged")
    assert status == 11
    assert [Path(each["path"]).name for each in told["lost"]] == [f"{day[-2:]}-1"]
    found = files(project)
    kept = found.pop(f"{day[-2:]}-1.damaged")
    whole = expected(day)
    original = whole.pop(f"{day[-2:]}-1")
    assert found == whole
    assert kept == original[: 5 * 2048] + bytes(2048) + original[6 * 2048 :]


def spanned(project: Project, drive: Burner, day: str) -> Path:
    """A staged day that needs two discs, the second of which is in the drive then; where the first is."""
    project.environ["CEDARCHEST_NOW"] = f"{day.replace('/', '-')}T23:00"
    assert project.run("store", environ=drive.env()).status == 8
    first = drive.exchange("dvd+r", blocks=DISC)
    ran = project.run("store", environ=drive.env())
    assert ran.status == 0, ran.err
    return first


def test_a_file_in_parts_is_joined_over_two_discs_and_two_runs(project: Project, drive: Burner) -> None:
    large = hashlib.shake_256(b"large").digest(6_000_000)
    project.stage(DAYS[0], {"large": large, "a-small": b"small"})
    first = spanned(project, drive, DAYS[0])
    status, told = restore(project, drive, "--day", DAYS[0])
    assert status == 8
    assert "large" in [Path(each["path"]).name for each in told["lost"]]
    assert list((project.root / "back/.cedarchest-spool").iterdir())
    drive.reset_counts()
    drive.exchange("dvd+r", directory=first)
    status, told = restore(project, drive, "--day", DAYS[0])
    assert (status, told["lost"]) == (0, [])
    assert len(told["discs"]) == 1
    (joined,) = (project.root / "back").rglob("large")
    assert joined.read_bytes() == large
    assert not (project.root / "back/.cedarchest-spool").exists()


def collected(project: Project, home: Path) -> None:
    """Have what is below `home` collected and staged as of now, again after the first time."""
    if "[collect]" not in project.config.read_text():
        peers(project, {"name": "here"})
        text = project.config.read_text().replace('device = "shelf:shelf"', 'device = "/dev/sr0"')
        text = text.replace("[store]", '[store]\nnew_disc = "daily"')
        text += f'[collect]\ndir = "{project.root}/collect/here"\n[[collect.source]]\npath = "{home}"\n'
        project.config.write_text(text + 'mode = "incr"\n')
    for action in ("collect", "stage"):
        ran = project.run(action)
        assert ran.status == 0, ran.err


@pytest.mark.parametrize("forgotten", [False, True], ids=["known", "rebuilt"])
def test_a_machine_on_two_discs_comes_back_in_two_runs_of_one_disc_each(
    project: Project, drive: Burner, *, forgotten: bool
) -> None:
    home = project.root / "home"
    (home / "d").mkdir(parents=True)
    (home / "old").write_bytes(content("old"))
    first = Path()
    for day in ("2026-11-23", "2026-11-24"):
        project.environ["CEDARCHEST_NOW"] = f"{day}T22:00"
        collected(project, home)
        assert project.run("store", environ=drive.env()).status == 0
        if not first.name:
            (home / "d/new").write_bytes(content("new"))
            (home / "d").chmod(0o750)
            first = drive.exchange("dvd+r", blocks=DISC)
    if forgotten:
        shutil.rmtree(project.root / "state")
        second = drive.exchange("dvd+r", directory=first)
        for disc in (first, second):
            drive.exchange("dvd+r", directory=disc)
            ran = project.run("catalog", "rebuild", "/dev/sr0", environ=drive.env())
            assert ran.status == 0, ran.err
    status, told = restore(project, drive)
    assert (status, len(told["discs"])) == (8, 1)
    drive.exchange("dvd+r", directory=first)
    status, told = restore(project, drive)
    assert (status, told["lost"], told["discs"]) == (0, [], ["CC_20261123_001"])
    top = project.root / "back/here" / str(home)[1:]
    assert (top / "old").read_bytes() == content("old")
    assert (top / "d/new").read_bytes() == content("new")
    assert stat.S_IMODE((top / "d").stat().st_mode) == 0o750
    assert not (project.root / "back/.cedarchest-spool").exists()


def test_an_archive_in_parts_gives_its_files(project: Project, drive: Burner) -> None:
    home = project.root / "home"
    home.mkdir()
    names = [f"f{number}" for number in range(6)]
    for name in names:
        (home / name).write_bytes(hashlib.shake_256(name.encode()).digest(1_000_000))
    project.environ["CEDARCHEST_NOW"] = "2026-11-22T22:00"
    collected(project, home)
    first = spanned(project, drive, DAYS[0])
    top = project.root / "back/here" / str(home)[1:]
    status, _ = restore(project, drive)
    assert status == 8
    drive.exchange("dvd+r", directory=first)
    status, told = restore(project, drive)
    assert (status, told["lost"]) == (0, [])
    assert {path.name: path.read_bytes() for path in top.iterdir()} == {
        path.name: path.read_bytes() for path in home.iterdir()
    }
    assert not (project.root / "back/.cedarchest-spool").exists()
