"""Names as the ISO 9660 and Joliet trees spell them: how libisofs shortens, replaces and numbers.

Rock Ridge keeps every name; the identifiers beside it and the whole Joliet tree only stand for
them. Both are predicted here from the true name, so that a changed bit in one is noticed. Where
several names of a directory become the same identifier, libisofs numbers all of them: such a
family is recognised by its form (`numbered`), not by which member got which number.

Source: seen with xorriso 1.5.4 (level 3, `-local_charset UTF-8`); ECMA-119 7.5, 7.6; Joliet
specification "Allowed Character Set".
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import AnyStr

_UPPER = bytes(
    byte - 32 if 97 <= byte <= 122 else byte if 48 <= byte <= 57 or 65 <= byte <= 90 else 95
    for byte in range(256)
)
USUAL = bytes(_UPPER[byte] if byte < 128 and byte != 46 else 46 * (byte == 46) for byte in range(256))
"""Translates a short ASCII name with one dot, and a short directory without, to its identifier; what
it makes of other names is the identifier of none of them."""

PLAIN_JOLIET = re.compile(rb"[ -)+-.0-9<->@-\[\]-\x7f]{1,103}")
_NOT_JOLIET = re.compile("[\x00-\x1f*/:;?\\\\\U00010000-\U0010ffff\ud800-\udfff]")
_NUMBER_DIGITS = 7

JOLIET_NAME = 103
"""UCS-2 units of a Joliet name with `-compliance joliet_long_names`; a dot may come on top."""

JOLIET_PATH = 240
"""What `joliet_path_cost` may reach; what costs more is left out of the Joliet tree."""


def iso_identifier(name: bytes, *, directory: bool) -> bytes:
    """The identifier of a name before any numbering, without version."""
    if not name.isascii():
        name = bytes(ord(char) if char < "\x80" else 95 for char in name.decode("utf-8", "surrogateescape"))
    if directory:
        return name[:31].translate(_UPPER)
    stem, extension = _shorten(name, b".", 30)
    return stem.translate(_UPPER) + b"." + extension.translate(_UPPER)


def _shorten(name: AnyStr, dot: AnyStr, limit: int) -> tuple[AnyStr, AnyStr]:
    """Stem and extension of at most `limit` together, an extension keeping three where it can."""
    stem, _, extension = name.rpartition(dot)
    if not extension or dot not in name:
        return name[:limit], name[:0]
    if len(name) > limit + 1:
        if len(extension) > 3:
            extension = extension[: max(3, limit - len(stem))]
        stem = stem[: limit - len(extension)]
    return stem, extension


def joliet_name(name: bytes, *, directory: bool) -> str:
    """The Joliet name of a name before any numbering."""
    if PLAIN_JOLIET.fullmatch(name):
        return name.decode("ascii")
    text = _NOT_JOLIET.sub("_", name.decode("utf-8", "surrogateescape"))
    if directory:
        return text[:JOLIET_NAME]
    stem, extension = _shorten(text, ".", JOLIET_NAME)
    return f"{stem}.{extension}" if extension else stem


def joliet_path_cost(path: str) -> int:
    """What a Joliet path counts against `JOLIET_PATH`: two a character, one a component."""
    slashes = path.count("/")
    return 2 * (len(path) - slashes) + slashes + 2


def numbered(base: str, names: Sequence[str], others: Collection[str], *, directory: bool) -> bool:
    """Whether `names` can be what became of a family that all were `base` at first.

    Each is the base, cut where need be, and a number of so many digits; the numbers count from
    zero and skip only what another name of the directory (`others`) had already.
    """
    base, base_extension = _split(base, directory=directory)
    stems = []
    extensions = set()
    for name in names:
        stem, extension = _split(name, directory=directory)
        stems.append(stem)
        extensions.add(extension)
    tail = extensions.pop() if len(extensions) == 1 else None
    if tail is None or not base_extension.startswith(tail) or len(set(names)) != len(names):
        return False
    return any(_counts(base, stems, tail, digits, others) for digits in range(1, _NUMBER_DIGITS + 1))


def _split(name: str, *, directory: bool) -> tuple[str, str]:
    """Stem, and extension with its dot."""
    stem, dot, extension = ("", "", "") if directory else name.rpartition(".")
    return (stem, dot + extension) if dot else (name, "")


def _counts(base: str, stems: Sequence[str], tail: str, digits: int, others: Collection[str]) -> bool:
    common = stems[0][:-digits]
    grown = base + "0" * (digits * (digits - 1) // 2)
    # a family too large for so many digits begins again on the name its first member got
    if not grown.startswith(common) or len(common) < len(base) // 2:
        return False
    numbers = set()
    for stem in stems:
        number = stem[-digits:]
        if len(stem) != len(common) + digits or not stem.startswith(common) or not number.isdecimal():
            return False
        numbers.add(int(number))
    if digits > 1 and base[len(common) : len(common) + 1].isdecimal():
        return True  # names of the attempt with fewer digits may have been in the way
    gaps = set(range(max(numbers))) - numbers
    return all(f"{common}{gap:0{digits}d}{tail}" in others for gap in gaps)
