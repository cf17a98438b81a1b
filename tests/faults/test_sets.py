"""Sets of discs, parts and copies where something is not as the next run or a person takes it to be."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.cli.program import told
from tests.conftest import Project
from tests.fakes.ports import RecordingReporter

from cedarchest.actions.store import consistency_check
from cedarchest.config.load import load_config
from cedarchest.errors import VerifyError
from cedarchest.model.handover import read_receipt
from cedarchest.wiring import wired

pytestmark = pytest.mark.long

DAY, NEXT = "2026/11/16", "2026/11/17"
KIB = 1 << 10
NIGHTS = [{"CEDARCHEST_NOW": f"2026-11-{day}T23:00"} for day in range(20, 30)]


@pytest.fixture(autouse=True)
def _small_discs(project: Project) -> None:
    project.configure(capacity="2 MiB")


def content(seed: str, size: int) -> bytes:
    return hashlib.shake_256(seed.encode()).digest(size)


def stage(project: Project, files: int, size: int = 500 * KIB, day: str = DAY) -> None:
    project.stage(day, {f"dir{n}/file{n}": content(f"{day}{n}", size) for n in range(files)})


def add(project: Project, name: str, size: int = 10, day: str = DAY) -> None:
    """Something that comes late to a day that is stored already."""
    path = project.staging / day / "alpha" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content(name, size))
    (project.staging / day / "cback.store").unlink(missing_ok=True)


def day_of(project: Project, day: str = DAY) -> dict[str, Any]:
    status = told(project.run("--json", "status"))
    found: dict[str, Any] = next(each for each in status["table"] if each["day"] == day)
    return found


def unstage(project: Project) -> None:
    shutil.rmtree(project.staging / "2026")


def labels(project: Project) -> list[str]:
    return [image.stem for image in project.images()]


def session_of(project: Project, label: str, number: int, target: Path) -> dict[str, Any]:
    target.mkdir()
    subprocess.run(["bsdtar", "-xf", str(project.shelf / f"{label}.iso"), "-C", str(target)], check=True)
    value = json.loads((target / f"CEDARCHEST/sessions/{number:03}/session.json").read_bytes())
    assert isinstance(value, dict)
    return value


def spoil(image: Path, data: bytes) -> None:
    raw = image.read_bytes()
    assert data in raw
    image.write_bytes(raw.replace(data, bytes(len(data))))


def test_a_volume_that_is_bad_stays_bad_for_the_second_verify(project: Project) -> None:
    stage(project, 8)
    assert project.run("store").status == 0
    unstage(project)
    spoil(project.images()[0], content(f"{DAY}0", 500 * KIB)[:4096])
    assert project.run("verify").status == 7
    assert project.run("verify").status == 7


def test_a_copy_of_a_disc_whose_day_went_on_elsewhere_does_not_hold_the_whole_day(project: Project) -> None:
    stage(project, 1)
    assert project.run("store", environ=NIGHTS[0]).status == 0
    for number in range(3):
        add(project, f"late{number}", 700 * KIB)
    assert project.run("store", environ=NIGHTS[1]).status == 0
    first, second = labels(project)
    assert project.run("copy", first, environ=NIGHTS[2]).status == 0
    lost = project.run("discs", "lost", second)
    assert not project.is_marked(DAY)
    assert told(project.run("--json", "store", environ=NIGHTS[3]))["discs"], lost.out


def test_purge_keeps_a_day_of_which_a_copy_has_only_what_its_disc_had(project: Project) -> None:
    stage(project, 1)
    assert project.run("store", environ=NIGHTS[0]).status == 0
    for number in range(3):
        add(project, f"late{number}", 700 * KIB)
    assert project.run("store", environ=NIGHTS[1]).status == 0
    first, second = labels(project)
    assert project.run("copy", first, environ=NIGHTS[2]).status == 0
    project.run("discs", "lost", second)
    text = project.config.read_text() + '[[purge.dir]]\npath = "staging"\nretain_days = 0\n'
    project.config.write_text(text)
    project.run("purge", environ=NIGHTS[4])
    assert (project.staging / DAY / "alpha" / "late0").exists()


def test_a_copy_of_an_earlier_state_is_not_what_was_written_last(project: Project) -> None:
    stage(project, 2)
    assert project.run("store", environ=NIGHTS[0]).status == 0
    first = labels(project)[0]
    assert project.run("seal", first, environ=NIGHTS[0]).status == 0
    add(project, "late")
    assert project.run("store", environ=NIGHTS[1]).status == 0
    second = labels(project)[1]
    unstage(project)
    assert project.run("copy", first, environ=NIGHTS[2]).status == 0
    assert f"LOST: {DAY}" in project.run("discs", "lost", second).out


def test_a_day_whose_first_volume_was_written_again_is_whole(project: Project, tmp_path: Path) -> None:
    tool = tmp_path / "tools" / "xorriso"
    tool.parent.mkdir()
    tool.write_text(
        f'#!/bin/sh\ncase "$*" in *_002.iso*) exit 5 ;; esac\nexec {shutil.which("xorriso")} "$@"\n'
    )
    tool.chmod(0o755)
    stage(project, 8)
    broken = {"PATH": f"{tool.parent}:{os.environ['PATH']}", **NIGHTS[0]}
    assert project.run("store", environ=broken).status == 9
    assert project.run("store", environ=NIGHTS[1]).status == 0
    first = labels(project)[0]
    assert project.run("discs", "lost", first).status == 0
    assert project.run("store", environ=NIGHTS[2]).status == 0
    assert project.is_marked(DAY)
    unstage(project)
    assert day_of(project)["stored"]


def test_no_two_volumes_of_a_set_have_one_number(project: Project, tmp_path: Path) -> None:
    stage(project, 8)
    assert project.run("store", environ=NIGHTS[0]).status == 0
    add(project, "late1")
    ran = told(project.run("--json", "store", environ=NIGHTS[1]))
    add(project, "late2")
    again = told(project.run("--json", "store", environ=NIGHTS[2]))
    assert ran["discs"] == again["discs"] == [labels(project)[-1]]
    catalog = told(project.run("--json", "discs"))["details"]
    last = catalog[-1]
    numbers = [
        session_of(project, last["label"], each["number"], tmp_path / str(each["number"]))["volume"]
        for each in last["sessions"]
    ]
    assert sorted(set(numbers)) == sorted(numbers)


def test_a_file_that_no_disc_takes_with_what_belongs_to_it_is_cut(project: Project) -> None:
    project.stage(DAY, {"large": content("large", 1950 * KIB)})
    ran = project.run("--json", "store")
    assert (ran.status, told(ran)["days"]) == (0, [DAY]), ran.err


def test_a_file_with_a_long_name_is_cut_in_parts_that_have_names(project: Project) -> None:
    project.stage(DAY, {"n" * 250: content("large", 4500 * KIB)})
    ran = project.run("--json", "store")
    assert (ran.status, told(ran)["days"]) == (0, [DAY]), ran.err
    assert project.run("verify").status == 0


def test_a_peer_gets_a_receipt_for_a_file_that_was_cut(project: Project) -> None:
    project.config.write_text(
        project.config.read_text() + '[[peer]]\nname = "alpha"\ncollect_dir = "/nowhere"\n'
    )
    large = content("large", 4500 * KIB)
    project.stage(DAY, {"large": large, "small": b"small"})
    ran = project.run("store")
    assert ran.status == 0, ran.err
    config = load_config(project.config)
    with wired(config, RecordingReporter(), read_only=True) as ports:
        received = [each for raw in ports.receipts.held("alpha") for each in read_receipt(raw)]
    told_of = {each.sha256: each.copies for each in received}
    assert told_of[hashlib.sha256(b"small").digest()] == 1
    assert told_of.get(hashlib.sha256(large).digest()) == 1


def test_a_margin_larger_than_the_disc_refuses_a_large_file_at_once(project: Project) -> None:
    project.configure(capacity="2 MiB", margin="3 MiB")
    folder = project.stage(DAY, {"small": b"s"})
    with (folder / "alpha" / "large").open("wb") as stream:
        stream.truncate(2 << 30)
    ran = project.run("--json", "store", "--dry-run", timeout=30)
    assert ran.status == 8, ran.err


def test_consistency_check_reads_all_discs_of_a_day(project: Project) -> None:
    stage(project, 8)
    assert project.run("store").status == 0
    spoil(project.images()[0], content(f"{DAY}0", 500 * KIB)[:4096])
    config = load_config(project.config)
    with wired(config, RecordingReporter(), read_only=False) as ports, pytest.raises(VerifyError):
        consistency_check(config, {project.staging / DAY: DAY}, ports=ports)
