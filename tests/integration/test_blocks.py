"""An image is read in large pieces where it is read on; nothing of it is kept longer than it is true."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cedarchest.adapters.blocks import AT_ONCE, LARGEST_READ, BlockReader
from cedarchest.errors import DamagedDisc
from cedarchest.model.media import BLOCK

BLOCKS = 3 * AT_ONCE // BLOCK + 100


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image.iso"
    path.write_bytes(b"".join(number.to_bytes(8, "big") * (BLOCK // 8) for number in range(BLOCKS)) + b"odd")
    return path


def numbers(data: bytes) -> list[int]:
    return [int.from_bytes(data[start : start + 8], "big") for start in range(0, len(data), BLOCK)]


def test_what_is_read_on_comes_in_few_large_pieces(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    pread = os.pread

    def counted(descriptor: int, size: int, offset: int) -> bytes:
        sizes.append(size)
        return pread(descriptor, size, offset)

    monkeypatch.setattr(os, "pread", counted)
    reader = BlockReader(image)
    found = [reader.read(start, LARGEST_READ) for start in range(0, BLOCKS, LARGEST_READ)]
    reader.close()
    assert numbers(b"".join(found)) == list(range(BLOCKS))
    assert sizes[0] == LARGEST_READ * BLOCK  # one that comes alone is no larger
    assert max(sizes) == AT_ONCE
    assert len([size for size in sizes if size == AT_ONCE]) <= 4


@pytest.mark.parametrize("start", [0, 1, LARGEST_READ, BLOCKS - 3])
def test_any_blocks_are_read_in_any_order(image: Path, start: int) -> None:
    reader = BlockReader(image)
    for first, count in ((5, 7), (12, 2 * LARGEST_READ), (start, 2), (0, 1), (1, LARGEST_READ), (start, 3)):
        assert numbers(reader.read(first, count)) == list(range(first, first + count))
    assert numbers(reader.read(BLOCKS - 2, 10)) == [BLOCKS - 2, BLOCKS - 1]
    assert reader.read(BLOCKS, 1) == b""
    reader.close()


def test_after_a_reload_nothing_is_kept(image: Path) -> None:
    reader = BlockReader(image)
    reader.read(0, 1)
    reader.read(1, 1)  # from here on more is kept than was asked for
    with image.open("r+b") as stream:
        stream.seek(2 * BLOCK)
        stream.write((77).to_bytes(8, "big"))
    reader.reopen()
    assert numbers(reader.read(2, 1)) == [77]
    reader.close()


def test_what_cannot_be_read_costs_no_more_than_was_asked_for(
    image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = (LARGEST_READ + 10) * BLOCK
    pread = os.pread

    def failing(descriptor: int, size: int, offset: int) -> bytes:
        if offset <= bad < offset + size:
            raise OSError(5, "Input/output error")
        return pread(descriptor, size, offset)

    monkeypatch.setattr(os, "pread", failing)
    reader = BlockReader(image)
    assert numbers(reader.read(0, 10)) == list(range(10))
    assert numbers(reader.read(10, LARGEST_READ)) == list(range(10, 10 + LARGEST_READ))
    with pytest.raises(DamagedDisc) as caught:
        reader.read(LARGEST_READ + 10, 5)
    assert caught.value.fields["first_block"] == LARGEST_READ + 10
    assert numbers(reader.read(LARGEST_READ + 11, 5)) == list(range(LARGEST_READ + 11, LARGEST_READ + 16))
    reader.close()
