"""What names tell of packing, encryption and pieces."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cedarchest.model.packed_names import MOST_LAYERS, Layer, Piece, layers_of, piece_of, pieces_in


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        (b"etc.tar", (Layer.ANY,)),
        (b"etc.tar.gz", (Layer.ANY,)),
        (b"2026/11/22/mach/etc.tar.zst.part-001-of-002", (Layer.ANY,)),
        (b"etc.tar.gz.gpg", (Layer.GPG, Layer.ANY)),
        (b"a.tar.gpg.gpg", (Layer.GPG, Layer.GPG, Layer.ANY)),
        (b"mysqldump.txt.bz2", (Layer.BZIP2,)),
        (b"mbox-2026-mail.gz", (Layer.GZIP,)),
        (b"svndump-0:12-srv.txt.gz.gpg", (Layer.GPG, Layer.GZIP)),
        (b"dump.xz.zst", (Layer.ZSTD, Layer.XZ)),
        (b"photo.jpg", ()),
        (b".gz", ()),
        (b"dir.gz/plain", ()),
    ],
)
def test_the_outermost_layer_comes_first(name: bytes, layers: tuple[Layer, ...]) -> None:
    assert layers_of(name) == layers


def test_layers_have_an_end() -> None:
    assert len(layers_of(b"a" + b".gz" * 100)) == MOST_LAYERS


@pytest.mark.parametrize(
    ("path", "piece"),
    [
        (b"d/a.tar.gz_00000", Piece(b"d/a.tar.gz", 0)),
        (b"d/a.tar.gz_00012", Piece(b"d/a.tar.gz", 12)),
        (b"d/a.tar.gz_0001", None),
        (b"_00000", None),
        (b"a_000001", None),
    ],
)
def test_a_piece_has_five_digits_behind_its_name(path: bytes, piece: Piece | None) -> None:
    assert piece_of(path) == piece


@given(st.integers(1, 30), st.randoms())
def test_all_pieces_up_to_the_last_are_joined_in_order(count: int, random: Random) -> None:
    paths = [b"d/a.tar_%05d" % number for number in range(count)]
    shuffled = list(paths)
    random.shuffle(shuffled)
    assert pieces_in([*shuffled, b"d/other"]) == {b"d/a.tar": tuple(paths)}


@given(st.integers(2, 30), st.data())
def test_a_piece_that_is_missing_leaves_no_whole(count: int, data: st.DataObject) -> None:
    missing = data.draw(st.integers(0, count - 2))
    assert pieces_in(b"a_%05d" % number for number in range(count) if number != missing) == {}
