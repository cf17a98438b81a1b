"""The benchmark runs, at a scale at which its figures mean nothing, and reports all that it should."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from bench.processes import Sample, measure
from bench.report import ROWS, Goal, goals, table
from bench.subjects import (
    BARE,
    CEDAR,
    CEDAR_CHECK,
    CEDAR_CHECK_DISK,
    CEDAR_DISK,
    FLOOR,
    FLOOR_DISK,
    INDEXED,
    Shape,
    cedar_version,
    make,
)
from tests.conftest import REPOSITORY

pytestmark = pytest.mark.long


@pytest.mark.slow
def test_it_runs_and_reports_every_figure_and_leaves_nothing_behind(tmp_path: Path) -> None:
    if not shutil.which("xorriso"):
        pytest.skip("xorriso is not installed")
    out, told = run(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["told.json"]
    assert all(name in out for name in ROWS)
    assert ("not installed" in out) == (not cedar_version())
    _sees_each_subject(told)
    _sees_machine_and_goals(told)


def run(place: Path) -> tuple[str, dict[str, Any]]:
    """Run the benchmark as a user does; its table and its JSON."""
    answer = subprocess.run(
        [
            *(sys.executable, str(REPOSITORY / "bench/store.py"), "--dir", str(place)),
            *("--scale", "0.002", "--runs", "1", "--json", str(place / "told.json")),
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout, json.loads((place / "told.json").read_text())


def _sees_each_subject(told: dict[str, Any]) -> None:
    wanted = set(ROWS) if cedar_version() else set(ROWS) - {CEDAR, CEDAR_DISK, CEDAR_CHECK, CEDAR_CHECK_DISK}
    assert set(told["samples"]) == set(told["medians"]) == {"big", "small", "mix"}
    for rows in told["samples"].values():
        assert set(rows) == wanted
        for samples in rows.values():
            assert len(samples) == 1
            assert all(samples[0][key] > 0 for key in ("seconds", "cpu_s", "own_mb", "wait4_mb"))
            assert samples[0]["children_mb"] >= 0


def _sees_machine_and_goals(told: dict[str, Any]) -> None:
    assert all(told["machine"].values())
    assert {"cpu", "cores", "kernel", "cedarchest", "xorriso", "cedar-backup3"} <= set(told["machine"])
    assert all(each["files"] > 0 and each["bytes"] > 0 for each in told["sets"].values())
    assert all(each["seconds"] > 0 for each in told["version"])
    assert len(told["goals"]) == len(list(goals({}, None, None)))
    for goal in told["goals"]:
        open_for_want_of_the_peer = "Cedar" in goal["what"] and not cedar_version()
        assert open_for_want_of_the_peer == (goal["reached"] is None), goal


@pytest.mark.slow
@pytest.mark.parametrize("name", ["collect", "stage", "restore"])
def test_the_others_run_and_leave_nothing_behind(tmp_path: Path, name: str) -> None:
    command = [sys.executable, str(REPOSITORY / f"bench/{name}.py"), "--dir", str(tmp_path)]
    command += ["--scale", "0.002", "--runs", "1", "--json", str(tmp_path / "told.json")]
    answer = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["told.json"]
    told = json.loads((tmp_path / "told.json").read_text())
    assert set(told) == {"big", "small"}
    for rows in told.values():
        assert all(what in answer.stdout for what in rows)
        assert all(len(samples) == 1 and samples[0]["seconds"] > 0 for samples in rows.values())
    assert "not measured" not in answer.stdout or not cedar_version()


def test_searches_are_measured_and_find_what_they_should(tmp_path: Path) -> None:
    command = [sys.executable, str(REPOSITORY / "bench/find.py"), "20000", "--dir", str(tmp_path)]
    answer = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    assert list(tmp_path.iterdir()) == []
    counts = {
        line[:24].strip(): line.split()[-2] for line in answer.stdout.splitlines() if line.endswith("paths")
    }
    assert len(counts) == 9
    assert (counts["exact name"], counts["exact path"], counts["substring of none"]) == ("1", "1", "0")
    assert answer.stdout.count("reached") >= len(counts)


def test_a_subject_that_was_not_measured_is_not_installed_and_its_goals_are_open() -> None:
    found = {"small": {INDEXED: Sample(2.0, 1.0, 90.0, 5.0, 90.0), BARE: Sample(1.0, 1.0, 5.0, 0.0, 5.0)}}
    lines = {line[7:41].strip(): line for line in table(found)}
    assert "not installed" in lines[CEDAR]
    assert lines[INDEXED].split()[-5:] == ["day", "2.00", "1.00", "90", "5"]
    verdicts = {goal.what: goal.reached for goal in goals(found, 0.4, None)}
    assert verdicts["small: indexed day x Cedar Backup that reads from disk"] is None
    assert verdicts["small: peak memory, MB"] is True
    assert verdicts["--version, s"] is False


def test_a_proof_is_held_against_what_reads_from_disk_and_against_what_reads_from_memory() -> None:
    seconds = {INDEXED: 5.0, FLOOR: 2.0, FLOOR_DISK: 5.0}
    found = {"big": {what: Sample(each, 1.0, 5.0, 0.0, 5.0) for what, each in seconds.items()}}
    figures = {goal.what: goal.figure for goal in goals(found, None, None)}
    assert figures["big: indexed day x a floor that reads from disk"] == 1.0
    assert figures["big: indexed day x a floor that reads from memory"] == 2.5


def test_a_goal_at_its_bound_is_reached() -> None:
    assert Goal("x", 1.3, 1.3).reached
    assert not Goal("x", 1.31, 1.3).reached


def test_memory_of_a_process_and_of_its_child_are_told_apart() -> None:
    hold = "import time; held = bytearray({}_000_000); time.sleep(0.5)"
    nested = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {hold.format(80)!r}])"
    sample = measure([[sys.executable, "-c", nested]])
    assert sample.own_mb < 60
    assert sample.children_mb > 80
    assert sample.wait4_mb > 80
    assert sample.seconds > 0.5


def test_a_process_that_fails_ends_the_benchmark_with_its_words() -> None:
    with pytest.raises(SystemExit, match="no such thing"):
        measure([[sys.executable, "-c", "raise SystemExit('no such thing')"]])


def test_a_day_is_made_of_the_files_its_shape_says(tmp_path: Path) -> None:
    count, total = make(Shape(large=2, large_bytes=5000, small=7, folders=3), tmp_path / "day")
    assert count == 2 + 7 + 1  # and the mark
    assert 2 * 5000 + 7 * 100 <= total <= 2 * 5000 + 7 * 8000
