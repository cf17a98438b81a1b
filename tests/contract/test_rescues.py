"""What is promised of damaged discs: nothing that any drive read is lost, whenever the power goes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cedarchest.adapters.rescues import StateRescues
from cedarchest.errors import CatalogError
from cedarchest.model.mapfile import BlockState, DiscMap, parse_mapfile
from cedarchest.model.media import BLOCK
from cedarchest.ports import Rescues

LABEL = "CC_20261124_001"


@pytest.fixture
def rescues(tmp_path: Path) -> Rescues:
    return StateRescues(tmp_path / "state")


def a_map(*bad: int, end: int = 10) -> DiscMap:
    found = DiscMap(0, end)
    found.mark(0, end, BlockState.READ)
    for block in bad:
        found.mark(block, 1, BlockState.BAD)
    return found


def test_of_a_disc_that_was_always_whole_nothing_is_kept(rescues: Rescues, tmp_path: Path) -> None:
    assert rescues.maps(LABEL) == {}
    assert rescues.merged(LABEL) is None
    assert list(rescues.kept(LABEL)) == []
    assert rescues.read(LABEL, 3, 2) == bytes(2 * BLOCK)
    rescues.drop(LABEL)
    assert list(tmp_path.iterdir()) == []


def test_each_drive_has_its_map_and_all_have_one_together(rescues: Rescues) -> None:
    rescues.put_map(LABEL, "MAKER ONE 1.00", a_map(2, 3))
    path = rescues.put_map(LABEL, "MAKER TWO\n 1.0", a_map(3, 4))
    assert rescues.maps(LABEL) == {"MAKER ONE 1.00": a_map(2, 3), "MAKER TWO 1.0": a_map(3, 4)}
    assert rescues.merged(LABEL) == (path, a_map(3))
    assert parse_mapfile(path.read_text())[0].missing() == [(3, 3)]


def test_what_a_drive_says_again_takes_the_place_of_what_it_said(rescues: Rescues) -> None:
    rescues.put_map(LABEL, "one", a_map(2))
    rescues.put_map(LABEL, "two", a_map(2, 5))
    rescues.put_map(LABEL, "one", a_map(5))
    assert rescues.maps(LABEL) == {"one": a_map(5), "two": a_map(2, 5)}
    found = rescues.merged(LABEL)
    assert found is not None
    assert found[1].missing() == [(5, 5)]


def test_a_map_that_somebody_took_away_confuses_no_drives(rescues: Rescues) -> None:
    path = rescues.put_map(LABEL, "one", a_map(2))
    rescues.put_map(LABEL, "two", a_map(3))
    path.with_name(f"{LABEL}.drive-001.map").unlink()
    rescues.put_map(LABEL, "two", a_map(4))
    rescues.put_map(LABEL, "three", a_map(5))
    assert rescues.maps(LABEL) == {"two": a_map(4), "three": a_map(5)}


def test_blocks_that_are_kept_come_back_and_count_as_read(rescues: Rescues) -> None:
    rescues.put_map(LABEL, "one", a_map(2, 3, 7))
    rescues.keep(LABEL, [(2, b"a" * BLOCK), (7, b"b" * BLOCK)])
    rescues.keep(LABEL, [(3, b"c" * BLOCK)])
    assert rescues.read(LABEL, 2, 3) == b"a" * BLOCK + b"c" * BLOCK + bytes(BLOCK)
    assert rescues.kept(LABEL).missing(2, 7) == [(4, 6)]
    rescues.put_map(LABEL, "one", a_map(2, 3, 8))
    found = rescues.merged(LABEL)
    assert found is not None
    assert found[1].missing() == [(8, 8)]


def test_blocks_that_are_not_what_they_should_be_are_kept_no_longer(rescues: Rescues) -> None:
    rescues.keep(LABEL, [(2, b"abc" * BLOCK)])
    rescues.forget(LABEL, 3, 1)
    assert rescues.kept(LABEL).missing(2, 4) == [(3, 3)]


def test_discs_have_nothing_to_do_with_one_another(rescues: Rescues) -> None:
    for label in (LABEL, f"{LABEL}1", "CEDAR BACKUP ../../x"):
        rescues.put_map(label, "one", a_map(2))
        rescues.keep(label, [(2, label[-1:].encode() * BLOCK)])
    rescues.drop(LABEL)
    assert rescues.merged(LABEL) is None
    assert rescues.read(f"{LABEL}1", 2, 1) == b"1" * BLOCK
    assert rescues.read("CEDAR BACKUP ../../x", 2, 1) == b"x" * BLOCK


def test_nothing_is_left_of_a_disc_that_is_whole_again(rescues: Rescues, tmp_path: Path) -> None:
    rescues.put_map(LABEL, "one", a_map(2))
    rescues.put_map(LABEL, "two", a_map(3))
    rescues.keep(LABEL, [(2, bytes(BLOCK))])
    rescues.drop(LABEL)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_map_that_is_spoilt_is_named_with_what_to_do(rescues: Rescues) -> None:
    path = rescues.put_map(LABEL, "one", a_map(2))
    for file in path.parent.iterdir():
        file.write_bytes(os.urandom(100))
    for ask in (rescues.maps, rescues.merged):
        with pytest.raises(CatalogError, match="cannot be read: line") as caught:
            ask(LABEL)
        assert "Take it away" in caught.value.advice


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").write_bytes(b"")
    rescues = StateRescues(tmp_path / "state")
    with pytest.raises(CatalogError, match="rescue cannot be"):
        rescues.put_map(LABEL, "one", a_map(2))
