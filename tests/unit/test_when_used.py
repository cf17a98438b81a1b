"""What only its first use makes."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from cedarchest.adapters.when_used import when_used


class Port:
    def answer(self) -> int:
        return 42


def test_it_is_made_by_its_first_use_and_once_whichever_thread_asks() -> None:
    made: list[str] = []

    def make() -> Port:
        time.sleep(0.05)
        made.append(threading.current_thread().name)
        return Port()

    port = when_used(make)
    assert not made
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda _: port.answer(), range(8))) == [42] * 8
    assert len(made) == 1


def test_what_cannot_be_made_is_said_to_whoever_asks_and_tried_again() -> None:
    answers = [OSError("not yet"), Port()]

    def make() -> Port:
        match answers.pop(0):
            case OSError() as error:
                raise error
            case port:
                assert isinstance(port, Port)
                return port

    port = when_used(make)
    with pytest.raises(OSError, match="not yet"):
        port.answer()
    assert port.answer() == 42
