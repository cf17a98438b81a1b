"""What becomes durable, and what only hurries it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cedarchest.adapters.durable import begin_flush, durable_file
from cedarchest.errors import Interrupted


def test_who_is_interrupted_as_soon_as_a_file_is_there_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really_open = os.open

    def interrupted(path: Path, *how: int) -> int:
        os.close(really_open(path, *how))
        raise Interrupted("the run was interrupted")

    monkeypatch.setattr(os, "open", interrupted)
    with pytest.raises(Interrupted), durable_file(tmp_path / "file"):
        raise AssertionError("it was interrupted before")
    assert not list(tmp_path.iterdir())


def test_what_takes_no_hint_is_no_failure() -> None:
    reading, writing = os.pipe()
    try:
        with pytest.raises(OSError, match="Illegal seek"):
            os.posix_fadvise(writing, 0, 1, os.POSIX_FADV_DONTNEED)
        begin_flush(writing, 0, 1)
    finally:
        os.close(reading)
        os.close(writing)
