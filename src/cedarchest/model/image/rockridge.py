"""System use fields of Rock Ridge (SUSP 1.10, RRIP 1.10) and of AAIP, as libisofs writes them.

`read_fields` takes one record's system use area apart, continuation areas included. Nothing in it
is trusted: lengths, versions, reserved bits and what is written twice are checked, and what is
wrong raises `BadField` with a sentence, to be reported and passed over by the reader of the tree.

Source: IEEE P1281 (SUSP), IEEE P1282 (RRIP); libisofs doc/susp_aaip_2_0.txt.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field

PX = b"PX\x2c\x01"
TF = b"TF\x1a\x01\x0e"
POSIX_LENGTH = 70
"""Bytes of a `PX` with serial number and of a `TF` with three short times, which come together."""

_ER_HEAD = b"ER\xed\x01\x0a\x54\x87\x01RRIP_1991A"
_ER_TEXT = (
    b"THE ROCK RIDGE INTERCHANGE PROTOCOL PROVIDES SUPPORT FOR POSIX FILE SYSTEM SEMANTICS"
    b"PLEASE CONTACT DISC PUBLISHER FOR SPECIFICATION SOURCE.  "
    b"SEE PUBLISHER IDENTIFIER IN PRIMARY VOLUME DESCRIPTOR FOR CONTACT INFORMATION."
)
_CONTINUATION_LIMIT = 1 << 20
_NAMESPACES = {
    2: b"system.",
    3: b"user.",
    4: b"isofs.",
    5: b"trusted.",
    6: b"security.",
}


class BadField(ValueError):
    """A system use field is not what libisofs writes; never leaves the readers of the trees."""


Continuation = Callable[[int, int, int], bytes]
"""Gives the bytes of a continuation area at block, offset, with length; raises `BadField`."""


@dataclass(slots=True)
class Fields:
    """What a record's system use fields say; `posix` are the raw bytes of `PX` and `TF`."""

    posix: bytes = b""
    name: bytes | None = None
    target: bytes = b""
    rdev: int = 0
    xattrs: tuple[tuple[bytes, bytes], ...] = ()
    child: int = -1  # where a directory that was moved elsewhere stands
    parent: int = -1  # of a moved directory: where its true parent stands
    moved: bool = False
    is_root: bool = False  # it began with the SUSP indicator
    names: list[bytes] = field(default_factory=list)
    links: list[bytes] = field(default_factory=list)
    attributes: list[bytes] = field(default_factory=list)


def both(raw: bytes, at: int) -> int:
    """A 32-bit number that is recorded in both byte orders.

    Raises:
        BadField: the two are not the same.
    """
    value = int.from_bytes(raw[at : at + 4], "little")
    if value != int.from_bytes(raw[at + 4 : at + 8], "big"):
        raise BadField("a number's two byte orders disagree")
    return value


def read_fields(area: bytes, continuation: Continuation) -> Fields:
    """The fields of a system use area, which is given without the padding byte that may end it.

    Raises:
        BadField: something in it is not as libisofs writes it.
    """
    fields = Fields()
    left = _CONTINUATION_LIMIT
    while area:
        following = b""
        pos = 0
        while pos < len(area):
            length = area[pos + 2] if pos + 4 <= len(area) else 0
            if length < 4 or pos + length > len(area):
                if any(area[pos:]):
                    raise BadField("a system use field ends outside its area")
                if len(area) - pos > 1:
                    raise BadField("a system use area is longer than its fields")
                break
            raw = area[pos : pos + length]
            if raw[3] != 1:
                raise BadField(f"a {raw[:2]!r} field has version {raw[3]}")
            if raw[:2] == b"CE":
                if following or length != 28:
                    raise BadField("a continuation field is wrong")
                size = both(raw, 20)
                left -= size
                if left < 0 or not size:
                    raise BadField("continuation areas are empty or never end")
                following = continuation(both(raw, 4), both(raw, 12), size)
            else:
                _FIELDS.get(raw[:2], _unknown)(fields, raw)
            pos += length
        area = following
    if fields.names:
        fields.name = _joined(fields.names, "NM")
    if fields.links:
        fields.target = _read_target(fields.links)
    if fields.attributes:
        fields.xattrs = read_xattrs(_joined(fields.attributes, "AL"))
    return fields


def _unknown(_: Fields, raw: bytes) -> None:
    raise BadField(f"there is an unknown field {raw[:2]!r}")


def _px(fields: Fields, raw: bytes) -> None:
    if fields.posix or raw[:4] != PX:
        raise BadField("the PX field is wrong")
    for at in range(4, 44, 8):
        both(raw, at)
    fields.posix = raw


def _tf(fields: Fields, raw: bytes) -> None:
    if len(fields.posix) != 44 or raw[:5] != TF or len(raw) != 26:
        raise BadField("the TF field is wrong")
    fields.posix += raw


def _nm(fields: Fields, raw: bytes) -> None:
    fields.names.append(raw[4:])


def _sl(fields: Fields, raw: bytes) -> None:
    fields.links.append(raw[4:])


def _al(fields: Fields, raw: bytes) -> None:
    fields.attributes.append(raw[4:])


def _pn(fields: Fields, raw: bytes) -> None:
    if len(raw) != 20 or fields.rdev:
        raise BadField("the PN field is wrong")
    high, low = both(raw, 4), both(raw, 12)
    # the kernel's own form, high word first: libisofs splits a 64-bit device number
    fields.rdev = high << 32 | low


def _cl(fields: Fields, raw: bytes) -> None:
    if len(raw) != 12:
        raise BadField("the CL field is wrong")
    fields.child = both(raw, 4)


def _pl(fields: Fields, raw: bytes) -> None:
    if len(raw) != 12:
        raise BadField("the PL field is wrong")
    fields.parent = both(raw, 4)


def _re(fields: Fields, raw: bytes) -> None:
    if len(raw) != 4:
        raise BadField("the RE field is wrong")
    fields.moved = True


def _sp(fields: Fields, raw: bytes) -> None:
    if raw != b"SP\x07\x01\xbe\xef\x00" or fields.is_root or fields.posix:
        raise BadField("the SP field is wrong")
    fields.is_root = True


def _er(_: Fields, raw: bytes) -> None:
    if raw != _ER_HEAD + _ER_TEXT:
        raise BadField("the ER field is not that of Rock Ridge 1.10")


_FIELDS: dict[bytes, Callable[[Fields, bytes], None]] = {
    b"PX": _px,
    b"TF": _tf,
    b"NM": _nm,
    b"SL": _sl,
    b"AL": _al,
    b"PN": _pn,
    b"CL": _cl,
    b"PL": _pl,
    b"RE": _re,
    b"SP": _sp,
    b"ER": _er,
}


def _joined(parts: list[bytes], what: str) -> bytes:
    """Contents of fields whose first byte says whether another one goes on."""
    for number, part in enumerate(parts, 1):
        if part[:1] != (b"\1" if number < len(parts) else b"\0"):
            raise BadField(f"the flags of a {what} field are wrong")
    return b"".join(part[1:] for part in parts)


def _read_target(parts: list[bytes]) -> bytes:
    """A link's target from its components (RRIP 4.1.3)."""
    target = b""
    separator = b""
    flags = 0
    for number, part in enumerate(parts, 1):
        if part[:1] != (b"\1" if number < len(parts) else b"\0"):
            raise BadField("the flags of a SL field are wrong")
        pos = 1
        while pos < len(part):
            flags, length = part[pos], part[pos + 1] if pos + 1 < len(part) else 255
            content = part[pos + 2 : pos + 2 + length]
            pos += 2 + length
            is_root = not target and not flags and not length  # which is written as what it is
            if pos > len(part) or flags not in _COMPONENTS or (flags > 1 and length) or is_root:
                raise BadField("a component of a link target is wrong")
            target += separator + (_COMPONENTS[flags] or content)
            separator = b"" if flags in (1, 8) else b"/"
    if flags == 1:
        raise BadField("the last component of a link target goes on")
    return target


_COMPONENTS = {0: b"", 1: b"", 2: b".", 4: b"..", 8: b"/"}


def read_xattrs(stream: bytes) -> tuple[tuple[bytes, bytes], ...]:
    """Attributes in order of name, ACLs in the kernel's form; those of libisofs itself left out.

    Raises:
        BadField: the stream is no list of names and values.
    """
    parts: list[bytes] = []
    pos = 0
    unfinished = b""
    while pos < len(stream):
        flags, length = stream[pos], stream[pos + 1] if pos + 1 < len(stream) else 255
        if flags > 1 or pos + 2 + length > len(stream):
            raise BadField("an attribute's component is wrong")
        unfinished += stream[pos + 2 : pos + 2 + length]
        if not flags:
            parts.append(unfinished)
            unfinished = b""
        pos += 2 + length
    if unfinished or len(parts) % 2 or not parts:
        raise BadField("attributes are not pairs of name and value")
    found: dict[bytes, bytes] = {}
    lists: dict[bytes, bytes] = {}
    for name, value in zip(parts[::2], parts[1::2], strict=True):
        if not name:
            lists.update(_read_acl(value))
            continue
        full = _NAMESPACES[name[0]] + name[1:] if name[0] in _NAMESPACES else name[name[0] == 1 :]
        if full.startswith(b"isofs."):
            _check_own(full, value)
        else:
            if full in found:
                raise BadField("an attribute is there twice")
            found[full] = value
    for name, value in lists.items():  # with `-xattr any` ACLs are there in the kernel's form too
        if found.setdefault(name, value) != value:
            raise BadField("the two forms of an ACL disagree")
    return tuple(sorted(found.items()))


def _check_own(name: bytes, value: bytes) -> None:
    """What can be known of an attribute that libisofs makes for itself."""
    if name == b"isofs.di":
        device = value[0] if value else 255
        inode = value[device + 1] if device + 1 < len(value) else 255
        if len(value) != device + inode + 2 or device > 8 or inode > 8:
            raise BadField("the attribute isofs.di is wrong")
    elif name == b"isofs.st":
        if not value.isdigit():
            raise BadField("the attribute isofs.st is wrong")
    elif name == b"isofs.nt":
        if value != b"\1\1\1\xff":
            raise BadField("the attribute isofs.nt is wrong")
    elif name == b"isofs.cx":
        if len(value) != 4:
            raise BadField("the attribute isofs.cx is wrong")
    elif name != b"isofs.ca":
        raise BadField("there is an unknown attribute of libisofs")


def _read_acl(value: bytes) -> list[tuple[bytes, bytes]]:
    """ACLs in the numeric form of AAIP as the kernel's attributes, which sorts by tag and id.

    Libisofs writes this form only without `-xattr any`; names instead of numbers are refused.
    """
    lists: list[list[tuple[int, int, int]]] = [[], []]
    side = pos = 0
    while pos < len(value):
        kind, permissions = value[pos] >> 4, value[pos] & 7
        pos += 1
        if kind == 8:
            side = 1
            continue
        tag = {1: 0x01, 3: 0x04, 5: 0x10, 6: 0x20, 10: 0x02, 12: 0x08}.get(kind)
        if tag is None:
            raise BadField("an ACL has an entry that is no number")
        identity = 0xFFFFFFFF
        if kind in (10, 12):
            length = value[pos] if pos < len(value) else 255
            identity = int.from_bytes(value[pos + 1 : pos + 1 + length], "big")
            pos += 1 + length
            if pos > len(value) or identity > 0xFFFFFFFF:
                raise BadField("an ACL is cut off")
        lists[side].append((tag, permissions, identity))
    names = (b"system.posix_acl_access", b"system.posix_acl_default")
    return [
        (name, struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in sorted(entries)))
        for name, entries in zip(names, lists, strict=True)
        if entries
    ]
