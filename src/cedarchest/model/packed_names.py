"""What the name of a file tells of how it was packed, encrypted and split.

So are named archives of ours, and of Cedar Backup what its extensions leave: `.gpg` behind what they encrypt,
pieces of the same size with five digits, from `_00000` on, of what they cut by `split`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple

from cedarchest.model.members import is_archive_name
from cedarchest.model.parts import whole_path


class Layer(StrEnum):
    """What has to be undone, by the end of the name that it adds."""

    GPG = "gpg"
    GZIP = "gzip"
    BZIP2 = "bzip2"
    XZ = "xz"
    ZSTD = "zstd"
    ANY = "any"  # a tar archive, packed with whatever its first bytes tell, or not at all


MOST_LAYERS = 8
"""Layers that a name may have; one that has more is taken for a name that merely looks so."""

_PACKED = {
    b".gz": Layer.GZIP,
    b".bz2": Layer.BZIP2,
    b".xz": Layer.XZ,
    b".zst": Layer.ZSTD,
}
_PIECE = re.compile(rb"(.+)_(\d{5})", re.DOTALL)


class Piece(NamedTuple):
    """A piece of a file that `split` cut: the path of the whole, and which one it is, from 0."""

    whole: bytes
    number: int


def layers_of(path: bytes) -> tuple[Layer, ...]:
    """What has to be undone to have the plain bytes of a file, the outermost first."""
    name = (whole_path(path) or path).rpartition(b"/")[2]
    layers: list[Layer] = []
    while len(layers) < MOST_LAYERS:
        if is_archive_name(name):
            return (*layers, Layer.ANY)
        stem, dot, end = name.rpartition(b".")
        layer = Layer.GPG if end == b"gpg" else _PACKED.get(dot + end)
        if not stem or layer is None:
            break
        layers.append(layer)
        name = stem
    return tuple(layers)


def piece_of(path: bytes) -> Piece | None:
    """Which piece of what a file is, by its name; None for any other."""
    match = _PIECE.fullmatch(path)
    return Piece(match[1], int(match[2])) if match else None


def pieces_in(paths: Iterable[bytes]) -> Mapping[bytes, tuple[bytes, ...]]:
    """The pieces of files of which all up to the last one are among some paths, in order, by the whole.

    Whether further ones came behind the last no name tells; a piece that is smaller than those before is one.
    """
    found: dict[bytes, dict[int, bytes]] = defaultdict(dict)
    for path in paths:
        if piece := piece_of(path):
            found[piece.whole][piece.number] = path
    return {
        whole: tuple(path for _, path in sorted(pieces.items()))
        for whole, pieces in sorted(found.items())
        if sorted(pieces) == list(range(len(pieces)))
    }
