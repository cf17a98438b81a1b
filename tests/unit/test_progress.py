"""What a person sees of a run: a moving bar on a terminal, now and then a plain line without one."""

from __future__ import annotations

import contextlib
import io
import os
import pty
import re
import threading
import time
from collections.abc import Callable, Iterator
from typing import TextIO

import pytest

from cedarchest.report.progress import ProgressReporter


@contextlib.contextmanager
def terminal() -> Iterator[tuple[TextIO, Callable[[], str]]]:
    """A terminal to write to, and what it has shown once it is left."""
    ours, theirs = pty.openpty()
    shown: list[bytes] = []
    with os.fdopen(ours, "rb", buffering=0) as screen:
        with os.fdopen(theirs, "w") as stream:
            yield stream, lambda: b"".join(shown).decode()
        with contextlib.suppress(OSError):  # EIO is its end
            while piece := screen.read(65_536):
                shown.append(piece)


@pytest.mark.parametrize(
    ("total", "done", "said"),
    [
        (4_000_000, 1_000_000, r"25 %, \d+\.\d MB/s, \d+ min left"),
        (1_000_000, 9_000_000, r"100 %, \d+\.\d MB/s, 0 min left"),  # it grew meanwhile
    ],
)
def test_without_a_terminal_a_line_says_phase_share_rate_and_what_is_left(
    total: int, done: int, said: str
) -> None:
    stream = io.StringIO()
    reporter = ProgressReporter(stream, line_every_s=0.01)
    reporter.phase("checking CC_1 session 2", total)
    time.sleep(0.02)
    reporter.advance(done)
    reporter.finish()
    assert re.fullmatch(f"checking CC_1 session 2: {said}\n", stream.getvalue()), stream.getvalue()


def test_without_a_terminal_nothing_is_said_of_what_takes_less_than_a_minute() -> None:
    stream = io.StringIO()
    reporter = ProgressReporter(stream)
    reporter.phase("indexing", 100)
    reporter.advance(50)
    reporter.finish()
    assert stream.getvalue() == ""


@pytest.mark.parametrize("total", [0, 10_000_000])
def test_on_a_terminal_a_bar_shows_phase_and_rate(total: int) -> None:
    with terminal() as (stream, showing):
        reporter = ProgressReporter(stream)
        reporter.phase("writing CC_1 session 1", total)
        for step in range(1, 9):
            reporter.advance(step * 1_000_000)
            time.sleep(0.06)
        reporter.finish()
    shown = showing()
    assert "writing CC_1 session 1" in shown
    assert "MB" in shown
    assert "MB/s" in shown


def test_a_quiet_run_shows_nothing_but_keeps_its_warnings() -> None:
    stream = io.StringIO()
    reporter = ProgressReporter(stream, quiet=True, line_every_s=0)
    reporter.phase("indexing", 100)
    reporter.advance(50)
    reporter.warn("a day is late")
    reporter.warn("a day is late")
    reporter.finish()
    assert stream.getvalue() == ""
    assert reporter.warnings == ["a day is late"]


def in_two_threads(reporter: ProgressReporter) -> None:
    """Two drives at work: each in the middle of its burn when the other is."""
    both = threading.Barrier(2, timeout=30)

    def burn(name: str, share: int) -> None:
        reporter.phase(name, 10_000_000)
        both.wait()
        time.sleep(0.15)
        reporter.advance(share * 1_000_000)
        time.sleep(0.15)
        both.wait()

    threads = [
        threading.Thread(target=burn, args=each) for each in (("writing CC_1", 3), ("writing CC_B1", 7))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_without_a_terminal_two_drives_have_lines_of_their_own() -> None:
    stream = io.StringIO()
    reporter = ProgressReporter(stream, line_every_s=0.01)
    in_two_threads(reporter)
    reporter.finish()
    lines = sorted(line.partition(" %")[0] for line in stream.getvalue().splitlines())
    assert lines == ["writing CC_1: 30", "writing CC_B1: 70"]


def test_on_a_terminal_two_drives_have_bars_of_their_own() -> None:
    with terminal() as (stream, showing):
        reporter = ProgressReporter(stream)
        reporter.phase("indexing", 100)
        reporter.advance(100)
        in_two_threads(reporter)
        reporter.finish()
    shown = showing()
    last = shown.rpartition("writing CC_1 ")[2]
    assert "writing CC_B1 " in last
    assert "3.0/10.0 MB" in last
    assert "7.0/10.0 MB" in last
    assert "indexing" not in last


def test_nothing_moves_where_something_is_asked() -> None:
    with terminal() as (stream, showing):
        reporter = ProgressReporter(stream)
        reporter.phase("looking", 10_000_000)
        with reporter.still():
            stream.write("Press Enter: ")
            stream.flush()
            reporter.advance(5_000_000)
            in_two_threads(reporter)
            stream.write("asked\n")
            stream.flush()
        reporter.finish()
    shown = showing()
    before, asked, after = shown.partition("Press Enter: asked")
    assert asked, shown
    assert "looking" in before
    assert "7.0/10.0 MB" in after


def test_no_bar_comes_up_where_something_is_asked_before_there_was_one() -> None:
    with terminal() as (stream, showing):
        reporter = ProgressReporter(stream)
        with reporter.still():
            in_two_threads(reporter)
            stream.write("asked")
            stream.flush()
        reporter.finish()
    shown = showing()
    assert shown.startswith("asked")
