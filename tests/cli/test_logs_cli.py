"""The log file and its turns, and standard error as the journal of systemd reads it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conftest import Project

from cedarchest.adapters.log_file import open_log

DAY = "2026/11/22"


def log_to(project: Project, *lines: str) -> Path:
    text = project.config.read_text()
    keys = "\n".join(['log_file = "run.log"', *lines])
    project.config.write_text(text.replace("[options]\n", f"[options]\n{keys}\n"))
    return project.root / "run.log"


def test_a_line_has_time_level_action_and_process(project: Project) -> None:
    log = log_to(project)
    project.run("status")
    line = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [A-Z]+ status\[\d+\] .*")
    assert all(line.fullmatch(each) for each in log.read_text().splitlines())


def test_a_large_log_is_turned_and_so_many_are_kept(project: Project) -> None:
    log = log_to(project, 'log_size = "1 B"', "log_keep = 2")
    project.stage(DAY)
    for _ in range(5):
        assert project.run("store", "--dry-run").status == 0
    assert sorted(path.name for path in project.root.glob("run.log*")) == [
        "run.log",
        "run.log.1",
        "run.log.2",
    ]
    assert log.stat().st_mode & 0o777 & ~0o640 == 0


def test_a_log_that_is_not_large_stays(project: Project) -> None:
    log_to(project)
    project.run("status")
    project.run("status")
    assert [path.name for path in project.root.glob("run.log*")] == ["run.log"]


def test_a_run_that_goes_on_keeps_its_log_when_another_turns_it(tmp_path: Path) -> None:
    path = tmp_path / "log"
    first, _ = open_log(path, largest=10, keep=2)
    with first:
        first.write("a line of the first\n")
        first.flush()
        second, problem = open_log(path, largest=10, keep=2)
        with second:
            first.write("its last line\n")
            second.write("2\n")
    assert problem == ""
    assert path.with_name("log.1").read_text() == "a line of the first\nits last line\n"
    assert path.read_text() == "2\n"
    assert not path.with_name("log.2").exists()


def test_without_old_logs_a_large_one_is_given_up(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("old\n")
    stream, _ = open_log(path, largest=1, keep=0)
    stream.close()
    assert (os.listdir(tmp_path), path.read_text()) == (["log"], "")  # noqa: PTH208


def test_a_log_that_cannot_be_turned_is_added_to_and_warned_of(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("old\n")
    path.with_name("log.1").mkdir()
    (tmp_path / "log.1/full").touch()
    stream, problem = open_log(path, largest=1, keep=1)
    with stream:
        stream.write("new\n")
    assert "cannot be turned" in problem
    assert path.read_text() == "old\nnew\n"


def in_journal(project: Project, *arguments: str) -> list[str]:
    """The lines on standard error of a run whose standard error is the journal."""
    with (project.root.parent / "stderr").open("w+b") as stream:
        status = os.fstat(stream.fileno())
        subprocess.run(
            [sys.executable, "-m", "cedarchest", "-c", str(project.config), *arguments],
            env={**os.environ, "JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stream, check=False, timeout=120,
        )  # fmt: skip
        stream.seek(0)
        return stream.read().decode().splitlines()


@pytest.mark.slow
def test_every_line_for_the_journal_has_its_priority(project: Project) -> None:
    project.stage(DAY)
    said = in_journal(project, "-vv", "store")
    assert {line[:3] for line in said} == {"<6>", "<7>"}
    assert f"<6>configuration: {project.config}" in said


def test_what_is_wrong_is_an_error_for_the_journal(project: Project) -> None:
    said = in_journal(project, "store", "--day", "2026-11-22")
    assert said[0].startswith("<3>cedarchest: 2026/11/22 is not staged")
    assert {line[:3] for line in said} == {"<3>"}


def test_another_stream_than_that_of_the_journal_is_left_plain(project: Project) -> None:
    ran = project.run("store", "--day", "2026-11-22", environ={"JOURNAL_STREAM": "1:2"})
    assert ran.err.startswith("cedarchest: 2026/11/22 is not staged")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has it")
def test_a_log_whose_disk_is_full_is_one_warning_and_the_run_goes_on(project: Project) -> None:
    project.config.write_text(
        project.config.read_text().replace("[options]\n", '[options]\nlog_file = "/dev/full"\n')
    )
    project.stage(DAY)
    ran = project.run("-v", "--json", "store")
    said = "the log /dev/full cannot be written: No space left on device; lines of this run are missing"
    assert (ran.status, ran.json["warnings"]) == (0, [said])
    assert ran.err.count(said) == 1
    assert "Traceback" not in ran.err
    assert project.is_marked(DAY)
