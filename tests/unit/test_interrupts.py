"""Signals in a run of several threads: they reach the main one, and each drive hears in its own time."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

import pytest

from cedarchest.adapters.interrupts import AGAIN_S, PATIENCE, Signals
from cedarchest.adapters.person import TerminalPerson
from cedarchest.errors import Interrupted, UnexpectedFailure, unexpected


@pytest.fixture
def signals() -> Iterator[Signals]:
    found = Signals()
    with found.installed():
        yield found


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


class Burn:
    """A burn in a thread of its own, which lasts until it is let go."""

    def __init__(self, beside: ThreadPoolExecutor, signals: Signals) -> None:
        self._signals = signals
        self.ended_well = False
        self._begun, self._go = threading.Event(), threading.Event()
        self._done: Future[None] = beside.submit(self._burn)
        assert self._begun.wait(30)

    def _burn(self) -> None:
        with self._signals.shielded():
            self._begun.set()
            assert self._go.wait(30)
            self._signals.pass_on()
            self.ended_well = True

    def end(self) -> BaseException | None:
        """Let it go; what it raised."""
        self._go.set()
        return self._done.exception(30)


def raised(do: Callable[[], object]) -> bool:
    try:
        do()
    except Interrupted:
        return True
    return False


def test_an_interrupt_while_a_thread_begins_is_heard_once_it_has(
    signals: Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Raised there it would make `threading` forget the thread, which then ends with a traceback."""
    begin = threading._start_new_thread  # type: ignore[attr-defined]

    def begin_and_interrupt(*arguments: object) -> object:
        begun = begin(*arguments)
        interrupt()
        return begun

    monkeypatch.setattr(threading, "_start_new_thread", begin_and_interrupt)
    has_run = threading.Event()

    def begin_and_wait() -> None:
        threading.Thread(target=has_run.set).start()
        time.sleep(30)

    assert raised(begin_and_wait)
    assert has_run.wait(30)
    assert not raised(lambda: signal.raise_signal(signal.SIGALRM))


def test_what_is_put_off_is_not_said_again_to_who_has_heard_of_it(
    signals: Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = threading._start_new_thread  # type: ignore[attr-defined]

    def interrupt_and_begin(*arguments: object) -> object:
        interrupt()
        return begin(*arguments)

    monkeypatch.setattr(threading, "_start_new_thread", interrupt_and_begin)

    def begin_and_check() -> None:
        threading.Thread(target=int).start()
        signals.check()

    assert raised(begin_and_check)
    time.sleep(10 * AGAIN_S)


def test_an_interrupt_only_asks_as_long_as_any_drive_burns(signals: Signals) -> None:
    with ThreadPoolExecutor(2) as beside:
        first, second = Burn(beside, signals), Burn(beside, signals)
        assert first.end() is None
        assert not raised(interrupt)
        assert isinstance(second.end(), Interrupted)
        assert second.ended_well
        assert raised(interrupt)


def test_a_thread_that_does_not_burn_hears_of_it_at_once(signals: Signals) -> None:
    with ThreadPoolExecutor(2) as beside:
        burn = Burn(beside, signals)
        assert not raised(signals.pass_on)
        interrupt()
        assert isinstance(beside.submit(signals.pass_on).exception(30), Interrupted)
        assert raised(signals.pass_on)
        assert isinstance(burn.end(), Interrupted)


def test_who_asks_often_enough_ends_the_burns_as_well(signals: Signals) -> None:
    with ThreadPoolExecutor(1) as beside:
        burn = Burn(beside, signals)
        assert [raised(interrupt) for _ in range(PATIENCE + 1)] == [False] * PATIENCE + [True]
        assert isinstance(burn.end(), Interrupted)
        assert not burn.ended_well


def test_a_question_ends_when_the_run_was_interrupted_in_another_thread(
    signals: Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading) as asked, os.fdopen(writing, "w"), ThreadPoolExecutor(2) as beside:
        monkeypatch.setattr("sys.stdin", asked)
        burn = Burn(beside, signals)
        answer = beside.submit(TerminalPerson(signals.pass_on).changes_disc, "a disc is wanted", "Insert it.")
        interrupt()
        assert isinstance(answer.exception(30), Interrupted)
        assert isinstance(burn.end(), Interrupted)


def test_two_who_ask_are_answered_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading) as asked, os.fdopen(writing, "w") as answers, ThreadPoolExecutor(2) as beside:
        monkeypatch.setattr("sys.stdin", asked)
        person = TerminalPerson()
        both = [beside.submit(person.changes_disc, f"disc {number}", "Insert it.") for number in (1, 2)]
        answers.write("\n")
        answers.flush()
        (first,) = wait(both, timeout=30, return_when=FIRST_COMPLETED).done
        answers.write("q\n")
        answers.flush()
        assert sorted(each.result(30) for each in both) == [False, True]
        assert first.result()


def test_what_python_makes_of_an_interruption_is_one() -> None:
    """The start of a thread that is interrupted at the wrong moment ends with a KeyError."""
    limbo: dict[str, str] = {}

    def start() -> None:
        try:
            raise Interrupted("the run was interrupted")
        except Interrupted:
            del limbo["thread"]
            raise

    with pytest.raises(KeyError) as caught:
        start()
    assert isinstance(unexpected(caught.value), Interrupted)
    told = unexpected(KeyError("thread"), "stage: ")
    assert (type(told), told.message) == (UnexpectedFailure, "stage: KeyError: 'thread'")
