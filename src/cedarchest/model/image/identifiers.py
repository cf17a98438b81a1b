"""Names as the ISO 9660 and Joliet trees spell them: how libisofs shortens, replaces and numbers.

Rock Ridge keeps every name; the identifiers beside it and the whole Joliet tree only stand for
them. Both are predicted here from the true name, so that a changed bit in one is noticed. Where
several names of a directory become the same identifier, libisofs numbers all of them, such a family
in the order of its true names as bytes (its sort keeps the order of equals, as glibc's `qsort` does).

Source: libisofs 1.5.4, `ecma119_tree.c` and `joliet.c` (level 3, `joliet_long_names`); ECMA-119 7.5,
7.6; Joliet specification "Allowed Character Set".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import AnyStr, NamedTuple

_UPPER = bytes(
    byte - 32 if 97 <= byte <= 122 else byte if 48 <= byte <= 57 or 65 <= byte <= 90 else 95
    for byte in range(256)
)
USUAL = bytes(_UPPER[byte] if byte < 128 and byte != 46 else 46 * (byte == 46) for byte in range(256))
"""Translates a short ASCII name with one dot, and a short directory without, to its identifier; what
it makes of other names is the identifier of none of them."""

PLAIN_JOLIET = re.compile(rb"[ -)+-.0-9<->@-\[\]-\x7f]{1,103}")
_NOT_JOLIET = re.compile("[\x00-\x1f*/:;?\\\\\U00010000-\U0010ffff\ud800-\udfff]")
_MOST_DIGITS = 7

JOLIET_PATH = 240
"""What `joliet_path_cost` may reach; what costs more is left out of the Joliet tree."""


class Spelling(NamedTuple):
    """How long the names of a tree may be, in characters.

    `longest` is for stem and extension together, a dot comes on top; `longest_bare` for numbered names
    without extension. With `keeps_dot` a file has its dot even before an empty extension.
    """

    longest: int
    longest_bare: int
    keeps_dot: bool


ISO = Spelling(30, 31, keeps_dot=True)
"""Of ISO 9660 identifiers, level 3."""

JOLIET = Spelling(103, 103, keeps_dot=False)
"""Of Joliet names with `-compliance joliet_long_names`, in UCS-2 units."""


class Family(NamedTuple):
    """How many entries of a directory have one name, and whether the first is a directory."""

    size: int
    is_directory: bool


_PAST_UNICODE = re.compile(
    rb"\xf4[\x90-\xbf][\x80-\xbf]{2}|[\xf5-\xf7][\x80-\xbf]{3}|\xf8[\x88-\xbf][\x80-\xbf]{3}"
    rb"|[\xf9-\xfb][\x80-\xbf]{4}|\xfc[\x84-\xbf][\x80-\xbf]{4}|\xfd[\x80-\xbf]{5}"
)
"""What RFC 2279 took for a character and RFC 3629 does not; the C library still reads it as one."""


def _text(name: bytes) -> str:
    """A name as libisofs reads it: each byte that is no text, and each character past Unicode, is one."""
    return _PAST_UNICODE.sub(b"\xff", name).decode("utf-8", "surrogateescape")


def iso_identifier(name: bytes, *, directory: bool) -> bytes:
    """The identifier of a name before any numbering, without version."""
    if not name.isascii():
        name = bytes(ord(char) if char < "\x80" else 95 for char in _text(name))
    if directory:
        return name[: ISO.longest_bare].translate(_UPPER)
    stem, extension = _shorten(name, b".", ISO.longest)
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
    text = _NOT_JOLIET.sub("_", _text(name))
    if directory:
        return text[: JOLIET.longest]
    stem, extension = _shorten(text, ".", JOLIET.longest)
    return f"{stem}.{extension}" if extension else stem


def joliet_path_cost(path: str) -> int:
    """What a Joliet path counts against `JOLIET_PATH`: two a character, one a component."""
    slashes = path.count("/")
    return 2 * (len(path) - slashes) + slashes + 2


def number_families(
    families: Mapping[str, Family], alone: Iterable[str], spelling: Spelling
) -> dict[str, tuple[str, ...]]:
    """What becomes of the names of one directory that are equal to others, member by member.

    `families` are the names that more than one entry has, `alone` those that one has. A number is
    put before the extension, the stem cut where there is no room for it; it skips what another name
    of the directory has at that time. When the digits do not suffice the family begins again with
    one more, on the name that its first member had got.
    """
    taken = {*alone, *families}
    return {base: _number(base, families[base], taken, spelling) for base in sorted(families)}


def _number(base: str, family: Family, taken: set[str], spelling: Spelling) -> tuple[str, ...]:
    names: list[str] = []
    for digits in range(1, _MOST_DIGITS + 1):
        stem, tail = _round_number(names[0] if names else base, family, digits, spelling)
        numbers = iter(range(10**digits))
        for member in range(family.size):
            name = next(
                (new for number in numbers if (new := f"{stem}{number:0{digits}d}{tail}") not in taken), None
            )
            if name is None:
                break
            if member < len(names):
                taken.discard(names[member])
                names[member] = name
            else:
                names.append(name)
                if len(names) == family.size:
                    taken.discard(base)
            taken.add(name)
        else:
            break
    return tuple(names)


def _round_number(name: str, family: Family, digits: int, spelling: Spelling) -> tuple[str, str]:
    """What stands before and behind a number."""
    stem, dot, extension = ("", "", "") if family.is_directory else name.rpartition(".")
    if not dot:
        return name[: spelling.longest_bare - digits], ""
    room = spelling.longest - len(extension) - digits
    if room <= 0:
        extension = extension[: spelling.longest - digits - 1]
        room = 1
    return stem[:room], f".{extension}" if extension or spelling.keeps_dot else ""
