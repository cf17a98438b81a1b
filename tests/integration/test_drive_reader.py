"""Blocks of a disc read by SCSI commands: to the end, over bad spots, through what a drive says of itself."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.burner import wire
from tests.burner.burner import ALWAYS, BLOCK, Burner, Fault
from tests.burner.preload import require
from tests.burner.sense import (
    MEDIUM_MAY_HAVE_CHANGED,
    NOT_READY_BECOMING,
    NOT_READY_LONG_WRITE,
    Sense,
)

from cedarchest.adapters import scsi
from cedarchest.adapters.scsi import DriveReader
from cedarchest.adapters.sg import parse_sense
from cedarchest.errors import DamagedDisc, DriveMissing

RESET = Sense(6, 0x29, 0)
BLOCKS = 100
CONTENT = os.urandom(BLOCKS * BLOCK)


@pytest.fixture
def drive() -> Iterator[Burner]:
    """A drive with a disc of some blocks of noise, which this very process sees."""
    require()
    with Burner("dvd+r") as burner:
        burn(burner, CONTENT)
        with burner.attached():
            yield burner


def burn(burner: Burner, content: bytes) -> None:
    """A session of these whole blocks, block by block and without any program."""
    at = burner.state().tracks[-1].end if burner.state().tracks else 0
    for number in range(len(content) // BLOCK):
        cdb = bytes((0x2A, 0)) + (at + number).to_bytes(4) + bytes((0, 0, 1, 0))
        block = content[number * BLOCK :][:BLOCK]
        assert wire.command(burner.socket, cdb, data=block).status == 0
    close = bytes((0x5B, 0, 2, 0, 0, 0, 0, 0, 0, 0))
    assert wire.command(burner.socket, close).status == 0


@pytest.fixture
def reader(drive: Burner) -> Iterator[DriveReader]:
    made = DriveReader(Path("/dev/sr0"))
    yield made
    made.close()


def test_blocks_are_read_as_they_stand(reader: DriveReader) -> None:
    assert reader.read(0, BLOCKS) == CONTENT
    assert reader.read(31, 34) == CONTENT[31 * BLOCK : 65 * BLOCK]
    assert reader.read(BLOCKS - 1, 1) == CONTENT[-BLOCK:]


def test_a_read_over_the_end_is_short(reader: DriveReader) -> None:
    assert reader.read(BLOCKS - 2, 40) == CONTENT[-2 * BLOCK :]
    assert reader.read(BLOCKS, 1) == b""


def test_no_block_comes_from_a_cache(drive: Burner, reader: DriveReader) -> None:
    reader.read(0, 1)
    with drive.data_path.open("r+b") as disc:
        disc.write(b"another")
    assert reader.read(0, 1).startswith(b"another")


def test_a_bad_spot_is_named_by_its_blocks_and_by_what_the_drive_says(
    drive: Burner, reader: DriveReader
) -> None:
    drive.faults([Fault("read", lba=70, times=ALWAYS)])
    assert reader.read(0, 64) == CONTENT[: 64 * BLOCK]
    with pytest.raises(
        DamagedDisc, match=r"blocks 60 to 91 .*: the disc is bad there \(sense 3/11/00\)"
    ) as got:
        reader.read(60, 40)
    assert got.value.fields["first_block"] <= 70 <= got.value.fields["last_block"]  # type: ignore[operator]


@pytest.mark.parametrize("says", [NOT_READY_BECOMING, NOT_READY_LONG_WRITE, RESET])
def test_a_drive_that_is_not_ready_yet_is_waited_for(drive: Burner, reader: DriveReader, says: Sense) -> None:
    drive.faults([Fault("25", times=2, sense=says), Fault("read", lba=3, times=2, sense=says)])
    assert reader.read(0, BLOCKS) == CONTENT
    assert drive.fired() == [2, 2]


def test_a_drive_that_never_gets_ready_is_given_up(
    drive: Burner, reader: DriveReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scsi, "READY_WITHIN_S", 0.5)
    drive.faults([Fault("read", lba=0, times=ALWAYS, sense=NOT_READY_BECOMING)])
    began = time.monotonic()
    with pytest.raises(DamagedDisc, match="the drive is not ready"):
        reader.read(0, 1)
    assert 0.5 <= time.monotonic() - began < 10


def test_a_disc_that_came_in_before_is_read_and_one_that_comes_in_between_is_not(
    drive: Burner, reader: DriveReader
) -> None:
    drive.faults([Fault("25", sense=MEDIUM_MAY_HAVE_CHANGED)])
    reader.read(0, 1)
    drive.exchange("dvd+r")
    with pytest.raises(DamagedDisc, match="another disc came in"):
        reader.read(1, 1)


def test_a_session_burnt_since_shows_after_a_reopening(drive: Burner, reader: DriveReader) -> None:
    assert reader.read(0, 1)
    drive.exchange("dvd+r")
    more = os.urandom(3 * BLOCK)
    burn(drive, more)
    reader.reopen()
    assert reader.read(0, 10) == more


def test_a_drive_that_is_not_there_has_its_own_error(drive: Burner) -> None:
    with pytest.raises(DriveMissing, match="/dev/sr9 cannot be opened"):
        DriveReader(Path("/dev/sr9")).read(0, 1)


def test_sense_data_come_in_two_formats() -> None:
    assert parse_sense(Sense(3, 0x11, 5).fixed_format()) == (3, 0x11, 5)
    assert parse_sense(bytes((0x72, 3, 0x11, 5, 0, 0, 0, 0))) == (3, 0x11, 5)
