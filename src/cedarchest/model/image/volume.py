"""Volume descriptors and path tables of one session, and what all readers of its trees share.

Blocks are 2048 bytes and addresses those of the disc. Nothing raises for what a disc says: what is
wrong goes to `report` as a finding, and what cannot be followed safely is not followed.

Source: ECMA-119 8.4, 8.5, 9.4; Joliet specification "Secondary Volume Descriptor".
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable
from dataclasses import dataclass

from cedarchest.model.findings import Finding, FindingKind
from cedarchest.model.image.rockridge import BadField, both
from cedarchest.model.media import BLOCK

Read = Callable[[int, int], bytes]
"""Gives so many blocks from an address; fewer only at the end of the disc."""

Report = Callable[[Finding], None]

DESCRIPTORS = 16
"""Blocks between a session's start and its first descriptor."""

_DESCRIPTOR_LIMIT = 32
_JOLIET_LEVELS = (b"%/@", b"%/C", b"%/E")
_TABLE_LIMIT = 64 << 20


@dataclass(frozen=True, slots=True)
class Tree:
    """Where a tree begins: its root directory and its path tables.

    `root_head` are the bytes of the root's record that its own `.` repeats: address, size, time.
    """

    root_block: int
    root_size: int
    root_head: bytes
    table_size: int
    table_little: int
    table_big: int


@dataclass(frozen=True, slots=True)
class Volume:
    """What a session's descriptors say; `blocks` is the size they give it."""

    start: int
    volume_id: str
    blocks: int
    tree: Tree
    joliet: Tree | None
    joliet_volume_id: str


def structure(path: str, detail: str, first: int = -1, last: int | None = None) -> Finding:
    """A finding about a tree or descriptor."""
    return Finding(FindingKind.STRUCTURE, path, detail, first, first if last is None else last)


_TEXTS = (
    (8, 40),
    (190, 318),
    (318, 446),
    (446, 574),
    (574, 702),
)  # system, set, publisher, preparer, application
_DATES = slice(813, 881)
_APPLICATION_USE = slice(883, 1395)


def read_volume(read: Read, start: int, report: Report) -> Volume | None:
    """The descriptors of the session that starts at a block; None when there is no primary one."""
    primary = joliet = None
    names = ["", ""]
    blocks = 0
    primary_raw = b""
    for block in range(start + DESCRIPTORS, start + DESCRIPTORS + _DESCRIPTOR_LIMIT):
        raw = read(block, 1)
        if len(raw) < BLOCK or raw[1:7] != b"CD001\1":
            report(structure("", "a volume descriptor is missing or damaged", block))
            break
        if raw[0] == 255:
            if any(raw[7:]):
                report(structure("", "the set of descriptors does not end as it should", block))
            break
        if raw[0] == 1 and primary is None:
            primary = _read_descriptor(raw, block, report)
            blocks = int.from_bytes(raw[80:84], "little")
            primary_raw = raw
            names[0] = raw[40:72].decode("ascii", "replace").rstrip(" ")
        elif raw[0] == 2 and raw[88:91] in _JOLIET_LEVELS and joliet is None:
            joliet = _read_descriptor(raw, block, report)
            names[1] = raw[40:72].decode("utf-16-be", "replace").rstrip(" ")
            if primary_raw and _disagree(primary_raw, raw):
                report(structure("", "the two volume descriptors disagree", block - 1, block))
        else:
            report(structure("", f"there is an unknown descriptor of type {raw[0]}", block))
    else:
        report(structure("", "the set of descriptors has no end", block))
    if primary is None:
        return None
    return Volume(start, names[0], blocks, primary, joliet, names[1])


def _disagree(primary: bytes, joliet: bytes) -> bool:
    """Whether two descriptors of one volume say different things, as far as both say it."""
    for first, end in _TEXTS:
        text = joliet[first:end].decode("utf-16-be", "replace")
        if primary[first : first + len(text)].decode("latin-1") != text:
            return True
    return primary[80:88] != joliet[80:88] or primary[_DATES] != joliet[_DATES]


def check_anchor(read: Read, start: int, report: Report) -> None:
    """Compare what stands at block 0 of overwritable media and files with the newest session.

    Blocks 0 to 31 repeat the session's first blocks up to the end of its descriptors, with the size
    counted from the start of the disc; the rest is zero (seen with xorriso 1.5.4).
    """
    here, there = read(0, 32), read(start, 32)
    for block in range(32):
        found, wanted = (raw[block * BLOCK : (block + 1) * BLOCK] for raw in (here, there))
        if wanted[1:6] == b"CD001" and wanted[0] in (1, 2):
            size = start + int.from_bytes(wanted[80:84], "little")
            wanted = wanted[:80] + size.to_bytes(4, "little") + size.to_bytes(4, "big") + wanted[88:]
        elif block > DESCRIPTORS and wanted[1:6] != b"CD001":
            wanted = bytes(BLOCK)
        if found != wanted and not _is_tag_of(here, block, start):
            report(structure("", "the copy of the newest descriptors is not what it should be", block))


def _is_tag_of(blocks: bytes, block: int, start: int) -> bool:
    """Whether a block is libisofs' MD5 tag of all blocks before it, with the session it belongs to.

    Source: libisofs 1.5.4, doc/checksums.txt, "libisofs_rlsb32_checksum_tag_v1".
    """
    raw = blocks[block * BLOCK : (block + 1) * BLOCK].rstrip(b"\0")
    text, _, own = raw.rpartition(b" self=")
    before = hashlib.md5(blocks[: block * BLOCK], usedforsecurity=False).hexdigest()
    says = f"pos={block} range_start=0 range_size={block} session_start={start} md5={before}"
    expected = b"libisofs_rlsb32_checksum_tag_v1 " + says.encode()
    return text == expected and own == hashlib.md5(text, usedforsecurity=False).hexdigest().encode() + b"\n"


def _read_descriptor(raw: bytes, block: int, report: Report) -> Tree | None:
    root = raw[156:190]
    escapes = 91 if raw[0] == 2 else 88
    constant = (
        not raw[7]
        and not any(raw[72:80])
        and not any(raw[escapes:120])
        and raw[120:132] == b"\1\0\0\1\1\0\0\1\0\x08\x08\0"
        and raw[881:883] == b"\1\0"
        and raw[_APPLICATION_USE] in (b" " * 512, bytes(512))
        and not any(raw[1395:])
    )
    if not constant or not is_directory_head(root) or root[32:34] != b"\1\0" or root[0] != 34:
        report(structure("", "a volume descriptor has wrong constant fields", block))
    try:
        both(raw, 80)
        return Tree(
            root_block=both(root, 2),
            root_size=both(root, 10),
            root_head=root[2:25],
            table_size=both(raw, 132),
            table_little=int.from_bytes(raw[140:144], "little"),
            table_big=int.from_bytes(raw[148:152], "big"),
        )
    except BadField as error:
        report(structure("", f"a volume descriptor is damaged: {error}", block))
        return None


def is_directory_head(record: bytes) -> bool:
    """Whether the constant fields of a directory's record are right (ECMA-119 9.1)."""
    return record[1] == 0 and record[25:32] == b"\2\0\0\1\0\0\1"


class Directories:
    """The directories of a tree as its path tables must list them."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[int, bytes] = {}

    def add(self, block: int, parent: int, identifier: bytes) -> bool:
        """Remember a directory; False when one at this address was there before."""
        if block in self._known:
            return False
        self._known[block] = parent.to_bytes(4, "little") + identifier
        return True

    def __len__(self) -> int:
        return len(self._known)

    def check(self, read: Read, tree: Tree, end: int, report: Report) -> None:
        """Compare the path tables with the directories that were seen; forgets them."""
        blocks = -(-tree.table_size // BLOCK)
        if tree.table_size > _TABLE_LIMIT or max(tree.table_little, tree.table_big) + blocks > end:
            report(structure("", "a path table is outside the session", tree.table_little))
            return
        tables = []
        for block in sorted((tree.table_little, tree.table_big)):
            raw = read(block, blocks)
            if any(raw[tree.table_size :]):
                report(structure("", "a path table has something behind its end", block + blocks - 1))
            tables.append(raw[: tree.table_size])
        if tree.table_little > tree.table_big:
            tables.reverse()
        detail = self._difference(*tables)
        if detail:
            report(structure("", f"the path tables are damaged: {detail}", tree.table_little))
        self._known.clear()

    def _difference(self, little: bytes, big: bytes) -> str:
        blocks = array("I")
        pos = 0
        count = len(self._known)
        while pos < len(little):
            length = little[pos]
            after = pos + 8 + length + (length & 1)
            block = int.from_bytes(little[pos + 2 : pos + 6], "little")
            parent = int.from_bytes(little[pos + 6 : pos + 8], "little")
            blocks.append(block)
            swapped = (little[pos : pos + 2] + block.to_bytes(4, "big") + parent.to_bytes(2, "big")) + little[
                pos + 8 : after
            ]
            if not length or after > len(little) or little[pos + 1] or swapped != big[pos:after]:
                return f"record {len(blocks)} is wrong"
            known = self._known.pop(block, b"")
            if count > 65535:
                known, parent = known[4:], 0
            elif not 0 < parent <= len(blocks):
                return f"record {len(blocks)} has no parent"
            else:
                known = known if known[:4] == blocks[parent - 1].to_bytes(4, "little") else b""
                known = known[4:]
            if known != little[pos + 8 : pos + 8 + length] or (length & 1 and little[after - 1]):
                return f"record {len(blocks)} is no directory of the tree"
            pos = after
        return "directories are missing" if self._known else ""
