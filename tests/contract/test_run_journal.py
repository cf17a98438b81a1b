"""What any journal of runs does: in memory and in a state folder."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.fakes.run_journal import MemoryRunJournal

from cedarchest.adapters.run_journal import NAME, StateRunJournal
from cedarchest.errors import StagingError
from cedarchest.model.schedule import RunRecord
from cedarchest.ports import RunJournal

BEGAN = datetime(2026, 11, 24, 2, 30, tzinfo=UTC)
ENDED = BEGAN + timedelta(hours=1)
Make = Callable[[int], RunJournal]


@pytest.fixture(params=["memory", "folder"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    if request.param == "memory":
        return MemoryRunJournal
    return lambda kept: StateRunJournal(tmp_path / "state", kept=kept, largest=kept * 150)


def test_a_new_journal_knows_no_run(make: Make) -> None:
    assert make(10).runs() == ()


def test_a_run_is_known_from_its_beginning_to_its_end(make: Make) -> None:
    journal = make(10)
    run = journal.began("all", BEGAN, ["02:30"])
    assert journal.runs() == (RunRecord("all", BEGAN, ("02:30",)),)
    journal.ended(run, ENDED, "failed", 8, "no disc\n\udcff")
    assert journal.runs() == (RunRecord("all", BEGAN, ("02:30",), ENDED, "failed", 8, "no disc\n\udcff"),)


def test_a_run_that_was_killed_has_no_end_and_others_go_on(make: Make) -> None:
    journal = make(10)
    journal.began("all", BEGAN, [])
    journal.ended(journal.began("store", ENDED, []), ENDED, "ok", 0, "")
    assert [(each.action, each.ended) for each in journal.runs()] == [("all", None), ("store", ENDED)]


def test_the_newest_runs_are_kept_whole(make: Make) -> None:
    journal = make(10)
    for number in range(100):
        run = journal.began("all", BEGAN + timedelta(days=number), ["02:30"])
        journal.ended(run, ENDED + timedelta(days=number), "ok", 0, "")
    known = journal.runs()
    assert known[-1].began == BEGAN + timedelta(days=99)
    assert 5 <= len(known) <= 20
    assert all(each.outcome == "ok" for each in known)


def test_every_part_of_a_last_line_is_survived(tmp_path: Path) -> None:
    journal = StateRunJournal(tmp_path)
    journal.ended(journal.began("all", BEGAN, ["02:30"]), ENDED, "ok", 0, "")
    journal.ended(journal.began("all", ENDED, ["02:30"]), ENDED, "partial", 11, "x")
    whole = (tmp_path / NAME).read_bytes()
    for length in range(len(whole)):
        (tmp_path / NAME).write_bytes(whole[:length])
        assert len(journal.runs()) <= 2
        journal.began("store", ENDED, [])
        known = journal.runs()
        assert known[-1] == RunRecord("store", ENDED)
        assert known[0].action == ("all" if whole[:length].count(b"\n") else known[0].action)


@pytest.mark.parametrize(
    "line", [b"[]", b"{}", b'{"run": 3}', b'{"run": "a", "began": "x", "action": 1}', b"\xff"]
)
def test_lines_that_are_none_of_ours_are_passed_over(tmp_path: Path, line: bytes) -> None:
    journal = StateRunJournal(tmp_path)
    (tmp_path / NAME).write_bytes(line + b"\n")
    journal.began("all", BEGAN, [])
    assert journal.runs() == (RunRecord("all", BEGAN),)


def test_runs_at_once_lose_no_line(tmp_path: Path) -> None:
    def record() -> None:
        journal = StateRunJournal(tmp_path, kept=1000, largest=4000)
        for _ in range(25):
            journal.ended(journal.began("all", BEGAN, []), ENDED, "ok", 0, "")

    threads = [threading.Thread(target=record) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    known = StateRunJournal(tmp_path).runs()
    assert len(known) == 100
    assert all(each.ended for each in known)
    assert os.listdir(tmp_path) == [NAME]  # noqa: PTH208


def test_a_journal_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    with pytest.raises(StagingError, match=r"journal of runs .* cannot be used"):
        StateRunJournal(tmp_path).began("all", BEGAN, [])
    with pytest.raises(StagingError, match=r"journal of runs .* cannot be used"):
        StateRunJournal(tmp_path).runs()


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / NAME).symlink_to(tmp_path / "precious")
    with pytest.raises(StagingError):
        StateRunJournal(tmp_path).began("all", BEGAN, [])
    assert not (tmp_path / "precious").exists()
