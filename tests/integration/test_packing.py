"""What is written into an archive is taken in by a thread, some pieces later."""

from __future__ import annotations

import errno
import hashlib
import os
import random
import subprocess
import threading
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from cedarchest.adapters.packing import Packing, pack_output, packing
from cedarchest.config.choices import ArchiveFormat
from cedarchest.model.handover import Collected

PIECE = bytes(10_000)


class Disk:
    """A file that takes so many pieces, each when it may."""

    def __init__(self, takes: int) -> None:
        self.takes = takes
        self.asked = 0
        self.may = threading.Semaphore(0)
        self.begun = threading.Event()

    def write(self, _data: bytes) -> None:
        self.begun.set()
        self.may.acquire()
        self.asked += 1
        if self.asked > self.takes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def packed_into(disk: Disk) -> Packing:
    return Packing(cast("BinaryIO", disk), lambda _: None)


def write_many(packed: Packing) -> None:
    for _ in range(100):
        packed.write(PIECE)


def test_many_pieces_may_wait_for_a_slow_packer_and_no_more() -> None:
    disk = Disk(takes=100)
    packed = packed_into(disk)
    for _ in range(15):
        packed.write(PIECE)
    assert not disk.asked
    sixteenth = threading.Thread(target=packed.write, args=(PIECE,))
    sixteenth.start()
    sixteenth.join(0.2)
    assert sixteenth.is_alive()
    disk.may.release(16)
    sixteenth.join(10)
    assert not sixteenth.is_alive()
    assert packed.end() == Collected(16 * len(PIECE), hashlib.sha256(16 * PIECE).digest())
    packed.close()


def test_after_a_piece_that_cannot_be_written_no_other_is_and_whoever_writes_hears_of_it() -> None:
    disk = Disk(takes=2)
    disk.may.release(100)
    packed = packed_into(disk)
    with pytest.raises(OSError, match="No space left"):
        write_many(packed)
    with pytest.raises(OSError, match="No space left"):
        packed.end()
    packed.close()
    assert disk.asked == 3


def test_where_it_is_given_up_what_still_waits_is_not_written() -> None:
    disk = Disk(takes=100)
    packed = packed_into(disk)
    for _ in range(10):
        packed.write(PIECE)
    assert disk.begun.wait(10)
    closing = threading.Thread(target=packed.close)
    closing.start()
    closing.join(0.1)
    disk.may.release(100)
    closing.join(10)
    assert disk.asked == 1


@pytest.mark.parametrize("form", [ArchiveFormat.TAR, ArchiveFormat.TAR_GZ, ArchiveFormat.TAR_ZST])
def test_the_output_of_a_program_is_kept_as_it_was_written(tmp_path: Path, form: ArchiveFormat) -> None:
    content = random.Random(11).randbytes(20_000_001)
    (tmp_path / "content").write_bytes(content)
    unpack = {"": ["cat"], ".gz": ["gzip", "-dc"], ".zst": ["zstd", "-dc"]}[form.value.removeprefix("tar")]
    with (tmp_path / "packed").open("w+b") as into, packing(into, form, lambda _: None) as packed:
        pack_output(packed, ["cat", str(tmp_path / "content")])
        collected = packed.end()
    whole = (tmp_path / "packed").read_bytes()
    assert collected == Collected(len(whole), hashlib.sha256(whole).digest())
    assert subprocess.run(unpack, input=whole, stdout=subprocess.PIPE, check=True).stdout == content
