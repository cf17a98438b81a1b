"""What goes through a pipe into a file, as it is read from there meanwhile."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cedarchest.adapters.splice import Splice

BEFORE = b"what stood there before"


@contextmanager
def spliced(file: int, content: bytes) -> Iterator[Splice]:
    """A pipe that content is written to while it lands in a file."""
    reading, writing = os.pipe()

    def write() -> None:
        with os.fdopen(writing, "wb") as stream:
            stream.write(content)

    writer = threading.Thread(target=write)
    writer.start()
    made = Splice(reading, file)
    try:
        yield made
    finally:
        writer.join()
        made.close()


def all_of(made: Splice, at_once: int) -> bytes:
    buffer, pieces = memoryview(bytearray(at_once)), []
    while count := made.readinto(buffer):
        pieces.append(bytes(buffer[:count]))
    return b"".join(pieces)


@pytest.mark.parametrize("flags", [0, os.O_APPEND], ids=["moved", "copied where nothing can be moved"])
@pytest.mark.parametrize("at_once", [1000, 1 << 20])
def test_what_comes_is_given_and_stands_in_the_file(tmp_path: Path, flags: int, at_once: int) -> None:
    content = os.urandom(3_000_001)
    path = tmp_path / "file"
    path.write_bytes(BEFORE)
    file = os.open(path, os.O_RDWR | flags)
    os.lseek(file, 0, os.SEEK_END)
    try:
        with spliced(file, content) as made:
            assert all_of(made, at_once) == content
            assert made.readinto(memoryview(bytearray(1))) == 0
    finally:
        os.close(file)
    assert path.read_bytes() == BEFORE + content


def test_what_is_not_wanted_any_more_is_not_waited_for(tmp_path: Path) -> None:
    """A program that was ended may leave another one behind, which still holds the pipe."""
    reading, writing = os.pipe()
    os.write(writing, b"one")
    with (tmp_path / "file").open("w+b") as file:
        made = Splice(reading, file.fileno())
        assert made.readinto(memoryview(bytearray(10))) == 3
        made.close()
        assert made.readinto(memoryview(bytearray(10))) == 0
    with pytest.raises(BrokenPipeError):
        os.write(writing, b"two")
    os.close(writing)


def test_where_nothing_more_fits_it_is_said_and_the_writer_comes_to_its_end() -> None:
    file = os.open("/dev/full", os.O_RDWR)
    try:
        with spliced(file, bytes(3_000_000)) as made, pytest.raises(OSError, match="No space left") as caught:
            all_of(made, 1 << 20)
    finally:
        os.close(file)
    assert caught.value.errno == errno.ENOSPC
