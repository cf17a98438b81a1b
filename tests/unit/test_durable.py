"""What becomes durable, and what only hurries it."""

from __future__ import annotations

import os

import pytest

from cedarchest.adapters.durable import begin_flush


def test_what_takes_no_hint_is_no_failure() -> None:
    reading, writing = os.pipe()
    try:
        with pytest.raises(OSError, match="Illegal seek"):
            os.posix_fadvise(writing, 0, 1, os.POSIX_FADV_DONTNEED)
        begin_flush(writing, 0, 1)
    finally:
        os.close(reading)
        os.close(writing)
