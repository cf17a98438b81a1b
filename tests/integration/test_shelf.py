"""What a shelf has written out while xorriso writes an image."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from cedarchest.adapters.shelf import FIRST_SESSION, Shelf
from cedarchest.adapters.xorriso import Xorriso
from cedarchest.adapters.xorriso_words import BurnOptions
from cedarchest.model.media import BLOCK, Medium
from cedarchest.ports import Burnt, Graft, SessionSource

LABEL = "CC_20261122_001"
SIZE = 300_000
TOLD = (10, 10, 100)


class Telling(Xorriso):
    """xorriso, which says the same of any session."""

    def burn(
        self,
        source: SessionSource,
        options: BurnOptions,
        confirm: Callable[[int], None],
        progress: Callable[[int], None],
    ) -> Burnt:
        burnt = super().burn(source, options, confirm, lambda _: None)
        for blocks in TOLD:
            progress(blocks)
        return burnt


def burn(folder: Path, names: list[str]) -> tuple[list[int], list[int]]:
    """Burn each file as a session; where these begin, and the blocks that were told as written."""
    told: list[int] = []
    shelf = Shelf(folder, Telling(), medium=Medium.DVD_PLUS_R, capacity=100_000, progress=told.append)
    for base, name in enumerate(names):
        (folder / name).write_bytes(os.urandom(SIZE))
        graft = Graft(bytes(folder / name), f"/{name}".encode())
        source = SessionSource(LABEL, base, (), [graft], (), 1_700_000_000)
        (shelf.load if base else shelf.load_blank)(LABEL)
        assert not shelf.write(source, lambda _: None).input_changed
    starts = [session.start for session in shelf.load(LABEL).sessions]
    shelf.close()
    return starts, told


def test_what_is_written_is_handed_to_the_disk_from_where_its_session_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spans: list[tuple[int, int]] = []
    monkeypatch.setattr(
        "cedarchest.adapters.shelf.begin_flush", lambda _, start, end: spans.append((start, end))
    )
    starts, told = burn(tmp_path, ["first", "second"])
    assert told == [*TOLD, *TOLD]
    assert spans == [
        ((start + begin) * BLOCK, (start + end) * BLOCK)
        for start in starts
        for begin, end in pairwise((0, *TOLD))
    ]
    assert starts[0] == FIRST_SESSION < starts[1]
