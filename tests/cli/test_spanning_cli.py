"""Days over several discs, files in parts, several copies: as somebody sees it who runs the program."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.cli.program import error_of, told
from tests.conftest import Project

pytestmark = pytest.mark.slow

DAY, NEXT = "2026/11/16", "2026/11/17"
KIB = 1 << 10
DISC = "2 MiB"


@pytest.fixture(autouse=True)
def _small_discs(project: Project) -> None:
    project.configure(capacity=DISC)


def content(seed: str, size: int) -> bytes:
    return hashlib.shake_256(seed.encode()).digest(size)


def three_discs_full(project: Project, day: str = DAY) -> dict[str, bytes]:
    """Stage a day that takes three discs; the files by their paths below the day."""
    files = {f"dir{number}/file{number}": content(f"{day}{number}", 500 * KIB) for number in range(8)}
    project.stage(day, files)
    return {f"alpha/{name}": data for name, data in files.items()}


def extracted(image: Path, target: Path) -> Path:
    """What an image shows, brought out by another reader."""
    target.mkdir()
    subprocess.run(["bsdtar", "-xf", str(image), "-C", str(target)], check=True)
    return target


def files_on(root: Path, day: str = DAY) -> dict[str, bytes]:
    """Staged files that stand on a disc, by their paths below the day."""
    found = sorted(path for path in (root / day).rglob("*") if path.is_file())
    ours = {"INDEX.jsonl.gz", "SHA256SUMS", "cback.stage"}
    return {str(path.relative_to(root / day)): path.read_bytes() for path in found if path.name not in ours}


def session_of(root: Path, number: int = 1) -> dict[str, Any]:
    value = json.loads((root / f"CEDARCHEST/sessions/{number:03}/session.json").read_bytes())
    assert isinstance(value, dict)
    return value


def sums_hold(root: Path) -> bool:
    sums = ["sha256sum", "--quiet", "-c", "CEDARCHEST/sessions/001/SHA256SUMS"]
    return subprocess.run(sums, cwd=root, check=False).returncode == 0


def failing_for(image: str, folder: Path) -> dict[str, str]:
    """An environment in which xorriso fails whenever it is asked for an image."""
    tool = folder / "tools" / "xorriso"
    tool.parent.mkdir()
    tool.write_text(
        f'#!/bin/sh\ncase "$*" in *{image}*) exit 5 ;; esac\nexec {shutil.which("xorriso")} "$@"\n'
    )
    tool.chmod(0o755)
    return {"PATH": f"{tool.parent}:{os.environ['PATH']}"}


def test_a_day_larger_than_a_disc_goes_over_several_each_of_which_stands_alone(
    project: Project, tmp_path: Path
) -> None:
    files = three_discs_full(project)
    planned = told(project.run("--json", "store", "--dry-run"))["volumes"]
    assert [volume["days"] for volume in planned] == [[DAY]] * 3
    assert not project.images()
    ran = project.run("--json", "store")
    assert (ran.status, told(ran)["days"], len(told(ran)["discs"])) == (0, [DAY], 3)
    assert project.is_marked(DAY)
    roots = [extracted(image, tmp_path / image.stem) for image in project.images()]
    assert all(map(sums_hold, roots))
    on_discs = [files_on(root) for root in roots]
    assert sum(map(len, on_discs)) == len(files)
    assert {name: data for found in on_discs for name, data in found.items()} == files
    sessions = [session_of(root) for root in roots]
    assert [(each["volume"], each["volumes"]) for each in sessions] == [(1, 3), (2, 3), (3, 3)]
    assert len({each["volume_set"] for each in sessions}) == 1
    labels = [image.stem for image in project.images()]
    assert [[other["disc"] for other in each["other_volumes"]] for each in sessions] == [
        [None, None],
        [labels[0], None],
        labels[:2],
    ]
    for root in roots:
        with gzip.open(root / DAY / "INDEX.jsonl.gz") as stream:
            indexed = [json.loads(line) for line in stream.readlines()[1:]]
        assert {each["path"] for each in indexed if each["type"] == "file"} == {*files, "cback.stage"}
    assert project.run("verify").status == 0
    assert told(project.run("--json", "store"))["outcome"] == "nothing-to-do"


def test_what_is_on_which_disc_stands_in_the_plan_and_on_the_discs(project: Project, tmp_path: Path) -> None:
    three_discs_full(project)
    dry = project.run("store", "--dry-run").out
    assert dry.count(f"would store {DAY} from /{DAY}") == 3
    assert project.run("store").status == 0
    first = extracted(project.images()[0], tmp_path / "first")
    (second, third) = session_of(first)["other_volumes"]
    assert f"from {second['holds'][0]['from']} to {second['holds'][0]['to']}" in dry
    assert max(files_on(first)) < second["holds"][0]["from"].removeprefix(f"/{DAY}/")
    assert second["holds"][0]["to"] < third["holds"][0]["from"]


def test_days_that_fit_together_are_not_cut(project: Project) -> None:
    for day, size in (("2026/11/16", 900), ("2026/11/17", 1100), ("2026/11/18", 700), ("2026/11/19", 500)):
        project.stage(day, {"file": content(day, size * KIB)})
    ran = told(project.run("--json", "store"))
    assert [volume["days"] for volume in ran["volumes"]] == [
        ["2026/11/16", "2026/11/18"],
        ["2026/11/17", "2026/11/19"],
    ]


def test_a_file_larger_than_a_disc_is_cut_in_parts_that_cat_joins(project: Project, tmp_path: Path) -> None:
    large = content("large", 4500 * KIB + 7)
    folder = project.stage(DAY, {"large": large, "small": b"small"})
    os.utime(folder / "alpha" / "large", (1_600_000_000, 1_600_000_000))
    ran = project.run("--json", "store")
    assert (ran.status, told(ran)["days"]) == (0, [DAY])
    assert project.is_marked(DAY)
    assert len(project.images()) == 3
    joined = tmp_path / "joined"
    joined.mkdir()
    for image in project.images():
        root = extracted(image, tmp_path / image.stem)
        assert sums_hold(root)
        told_of = session_of(root)["in_parts"][f"{DAY}/alpha/large"]
        assert (told_of["bytes"], told_of["sha256"]) == (len(large), hashlib.sha256(large).hexdigest())
        for part in (root / DAY / "alpha").glob("large.part-*"):
            assert int(part.stat().st_mtime) == 1_600_000_000
            part.rename(joined / part.name)
            assert f"{DAY}/alpha/{part.name}" in told_of["here"]
    assert subprocess.check_output("cat large.part-*-of-*", shell=True, cwd=joined) == large
    assert project.run("verify").status == 0
    assert told(project.run("--json", "store"))["outcome"] == "nothing-to-do"


def test_parts_that_discs_have_are_not_written_again(project: Project) -> None:
    """Discs of another size do not change how a file is cut that is cut already."""
    project.stage(DAY, {"large": content("large", 5 * 1024 * KIB)})
    assert project.run("store").status == 0
    last = project.images()[-1]
    label = last.stem
    assert project.run("discs", "lost", label).status == 0
    last.unlink()
    assert not project.is_marked(DAY)
    project.configure(capacity="3 MiB")
    ran = told(project.run("--json", "store"))
    assert (ran["days"], len(ran["discs"])) == ([DAY], 1)
    assert project.is_marked(DAY)
    assert ran["volumes"][0]["bytes"] < 2 << 20
    assert project.run("verify").status == 0


def test_a_run_goes_on_where_the_one_before_was_stopped(project: Project, tmp_path: Path) -> None:
    """Nothing is known of the second disc after its burn: it is proven first, the rest goes on a third."""
    files = three_discs_full(project)
    broken = failing_for("_002.iso", tmp_path)
    stopped = project.run("--json", "store", environ={**broken, "CEDARCHEST_NOW": "2026-11-23T23:00"})
    assert stopped.status == 9
    assert told(stopped)["discs"] == ["CC_20261123_001"]
    assert not project.is_marked(DAY)
    first = (project.shelf / "CC_20261123_001.iso").read_bytes()
    ran = project.run("--json", "store", environ={"CEDARCHEST_NOW": "2026-11-24T23:00"})
    assert (ran.status, told(ran)["days"], len(told(ran)["discs"])) == (0, [DAY], 1)
    assert project.is_marked(DAY)
    assert (project.shelf / "CC_20261123_001.iso").read_bytes() == first
    roots = [extracted(image, tmp_path / image.stem) for image in project.images()]
    sessions = [session_of(root) for root in roots]
    assert [(each["volume"], each["volumes"]) for each in sessions] == [(1, 3), (2, 3), (3, 3)]
    assert len({each["volume_set"] for each in sessions}) == 1
    assert sessions[2]["other_volumes"][0]["disc"] == "CC_20261123_001"
    assert {name: data for root in roots for name, data in files_on(root).items()} == files


def test_a_volume_that_was_lost_is_written_again_and_no_other(project: Project) -> None:
    three_discs_full(project)
    assert project.run("store").status == 0
    labels = [image.stem for image in project.images()]
    assert project.run("discs", "lost", labels[1]).status == 0
    assert not project.is_marked(DAY)
    ran = told(project.run("--json", "store"))
    assert (ran["days"], len(ran["discs"]), len(ran["volumes"])) == ([DAY], 1, 1)
    assert project.is_marked(DAY)


def test_what_comes_late_to_a_day_over_several_discs_is_stored_by_itself(project: Project) -> None:
    three_discs_full(project)
    assert project.run("store").status == 0
    (project.staging / DAY / "alpha" / "late").write_bytes(b"late")
    (project.staging / DAY / "cback.store").unlink()
    ran = told(project.run("--json", "store"))
    assert (ran["days"], len(ran["discs"])) == ([DAY], 1)
    assert ran["volumes"][0]["bytes"] < 100 * KIB
    assert project.is_marked(DAY)
    assert project.run("verify").status == 0


def test_a_day_over_several_discs_is_lost_with_one_of_them_when_it_is_no_longer_staged(
    project: Project,
) -> None:
    three_discs_full(project)
    assert project.run("store").status == 0
    subprocess.run(["rm", "-r", str(project.staging / "2026")], check=True)
    lost = project.run("discs", "lost", project.images()[1].stem)
    assert f"LOST: {DAY}" in lost.out


def test_two_copies_are_two_discs_and_the_day_is_stored_when_both_are_proven(project: Project) -> None:
    project.configure(copies=2)
    project.stage(DAY)
    ran = project.run("--json", "store", environ={"CEDARCHEST_NOW": "2026-11-23T23:00"})
    assert (ran.status, told(ran)["days"]) == (0, [DAY])
    assert told(ran)["discs"] == ["CC_20261123_001", "CC_20261123_B001"]
    assert [volume["copy"] for volume in told(ran)["volumes"]] == [1, 2]
    assert project.is_marked(DAY)
    project.stage(NEXT)
    ran = project.run("--json", "store", environ={"CEDARCHEST_NOW": "2026-11-24T23:00"})
    assert told(ran)["discs"] == ["CC_20261123_001", "CC_20261123_B001"]
    assert project.run("verify").status == 0


def test_a_copy_that_is_lost_is_made_again_and_not_the_other(project: Project) -> None:
    project.configure(copies=2)
    project.stage(DAY)
    project.run("store", environ={"CEDARCHEST_NOW": "2026-11-23T23:00"})
    assert project.run("discs", "lost", "CC_20261123_001").status == 0
    assert not project.is_marked(DAY)
    (project.shelf / "CC_20261123_001.iso").unlink()
    ran = told(project.run("--json", "store", environ={"CEDARCHEST_NOW": "2026-11-24T23:00"}))
    assert ran["discs"] == ["CC_20261124_001"]
    assert project.is_marked(DAY)


def test_one_more_copy_asked_for_makes_days_due_as_that_only(project: Project) -> None:
    project.stage(DAY)
    project.run("store", environ={"CEDARCHEST_NOW": "2026-11-23T23:00"})
    project.configure(copies=2)
    (project.staging / DAY / "cback.store").unlink()
    ran = told(project.run("--json", "store", environ={"CEDARCHEST_NOW": "2026-11-24T23:00"}))
    assert ran["discs"] == ["CC_20261124_B001"]


def test_two_copies_of_a_day_over_several_discs(project: Project) -> None:
    project.configure(capacity=DISC, copies=2)
    three_discs_full(project)
    ran = told(project.run("--json", "store"))
    assert (ran["days"], len(ran["discs"])) == ([DAY], 6)
    assert project.is_marked(DAY)
    label = project.images()[4].stem
    assert project.run("discs", "lost", label).status == 0
    assert len(told(project.run("--json", "store"))["discs"]) == 1
    assert project.is_marked(DAY)


def test_a_rebuild_with_copies_makes_them_all_anew(project: Project) -> None:
    project.configure(copies=2)
    project.stage(DAY)
    project.run("store")
    assert len(told(project.run("--json", "rebuild"))["discs"]) == 2
    assert len(project.images()) == 4


def test_a_copy_that_cannot_be_written_leaves_the_day_due(project: Project, tmp_path: Path) -> None:
    project.configure(copies=2)
    project.stage(DAY)
    broken = failing_for("_B001.iso", tmp_path)
    ran = project.run("--json", "store", environ={**broken, "CEDARCHEST_NOW": "2026-11-23T23:00"})
    assert (told(ran)["days"], told(ran)["discs"]) == ([], ["CC_20261123_001"])
    assert error_of(ran)
    assert not project.is_marked(DAY)
