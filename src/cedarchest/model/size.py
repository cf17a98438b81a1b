"""How large a session becomes at most: an upper bound of what xorriso makes of a tree.

Additive, so that plans can weigh days against discs before any tool is asked. Every session rewrites
the whole tree (Rock Ridge and Joliet), also that of earlier sessions; their data stay where they are.
The bound is held against xorriso's own figure by a property test.

Source: ECMA-119 6.8, 9.1, 9.4; RRIP 4.1; Joliet; AAIP 2.0; layout seen with libisofs 1.5.4.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass

from cedarchest.model.index import Entry, Kind
from cedarchest.model.media import BLOCK, MediumTraits

ISO_RECORD = 33 + 37  # ECMA-119 9.1: fixed part, identifier of level 3 with version, padding
RR_FIXED = 5 + 44 + 26 + 28  # RR, PX, TF with three times, a CE
FIELD = 250  # what a SUSP field holds besides its header
FIELD_HEADER = 5
DOT_RECORDS = 2 * (34 + 44 + 26 + 28)
PATH_TABLE_RECORD = 8 + 38
JOLIET_RECORD = 34
JOLIET_DOTS = 2 * 34
JOLIET_PATH_RECORD = 8 + 2 * 103 + 2
MD5_OF_FILE = 16 + 40  # checksum array, and the attribute that points into it
OWN_RECORD = 130  # what a record of an index takes when compressed, besides its texts
OWN_LINE = 64 + 2 + 1 + 1  # of a sums file, besides the path
OWN_BLOCKS_A_DAY = 16  # its year, month and marks; index and sums begin and end in a block
MAP_LINE = 70  # what `earlier/NNN.json` says of each MiB of the session before
BLOCKS_A_MAP_LINE = 512
LARGEST_EXTENT = 4 << 30
FIXED_BLOCKS = 96  # system area, descriptors, root, ER, checksums tags, rounding to 32 twice
RECORDS_PER_BLOCK = (BLOCK - 254) / BLOCK  # a record does not cross a block's end: so much is used


@dataclass(frozen=True, slots=True)
class Tally:
    """What a set of entries costs: blocks of data, bytes of records, directories.

    `own_bytes` is what our own files say of them: the index and the sums, of the day and of the session.
    """

    data_blocks: int = 0
    tree_bytes: int = 0
    directories: int = 0
    entries: int = 0
    own_bytes: int = 0

    def __add__(self, other: Tally) -> Tally:
        """The cost of both sets."""
        return Tally(
            self.data_blocks + other.data_blocks,
            self.tree_bytes + other.tree_bytes,
            self.directories + other.directories,
            self.entries + other.entries,
            self.own_bytes + other.own_bytes,
        )


def tally(entries: Iterable[Entry]) -> Tally:
    """The cost of entries, hard links to one file counted once for data."""
    data_blocks = tree_bytes = directories = count = own_bytes = 0
    for entry in entries:
        data, tree, own = cost_of(entry)
        count += 1
        own_bytes += own
        tree_bytes += tree
        directories += entry.kind is Kind.DIR
        if not entry.hardlink:
            data_blocks += data
    return Tally(data_blocks, tree_bytes, directories, count, own_bytes)


def cost_of(entry: Entry) -> tuple[int, int, int]:
    """Blocks of data, if it has its own; bytes of records; bytes that our own files say of it."""
    path, kind, size, _, _, _, _, user, group, _, target, hardlink, xattrs, _ = entry
    name = len(path) - path.rfind(b"/") - 1
    others = len(target) + len(hardlink) + len(user) + len(group)
    plain = _PLAIN.fullmatch(path) is not None
    own = _said_of(len(path), name, others, len(target), kind, plain=plain)
    attributes = 0
    if xattrs:
        attributes = sum(len(key) + len(value) + 8 for key, value in xattrs)
        own += 2 * sum(_ESCAPED * len(key) + 2 * len(value) + 8 for key, value in xattrs)
    tree = _records_bytes(name, len(target), attributes, size // LARGEST_EXTENT + 1)
    return (-(-size // BLOCK) if kind is Kind.FILE else 0), tree, own


@functools.lru_cache(maxsize=4096)
def _said_of(path: int, name: int, others: int, target: int, kind: Kind, *, plain: bool) -> int:
    """Bytes that our own files say of an entry at most: two indexes, two sums files, `session.json`.

    The lengths of its path, name, other texts and link target, and whether the path needs no quoting.
    """
    texts = path + others
    record = OWN_RECORD + (texts if plain and not target else _ESCAPED * texts)
    line = OWN_LINE + (path if plain else 2 * path) if kind is Kind.FILE else 0
    noted = path + 8 if plain else _ESCAPED * path + 8
    if not plain or kind not in (Kind.FILE, Kind.DIR) or name >= _JOLIET_PLAIN:
        noted += _ESCAPED * path + 120  # as one that Joliet renames or leaves out
    return 2 * (record + line) + noted


_PLAIN = re.compile(rb"[\x20\x21\x23-\x5b\x5d-\x7e]*")
_ESCAPED = 5  # characters of JSON for a byte of a name that is no text
_JOLIET_PLAIN = 60


def described(blocks: int) -> Tally:
    """The cost of describing an earlier session of so many blocks in the next one."""
    return Tally(own_bytes=MAP_LINE * -(-blocks // BLOCKS_A_MAP_LINE))


def record_bytes(name: int, target: int = 0, attributes: int = 0, size: int = 0) -> int:
    """Bytes of tree for an entry with a name, link target and attributes of so many bytes."""
    return _records_bytes(name, target, attributes, size // LARGEST_EXTENT + 1)


@functools.lru_cache(maxsize=4096)
def _records_bytes(name: int, target: int, attributes: int, extents: int) -> int:
    fields = name + 2 * target + 16 + attributes * 2
    rock_ridge = ISO_RECORD + RR_FIXED + fields + FIELD_HEADER * (fields // FIELD + 3)
    joliet = JOLIET_RECORD + 2 * min(name, 103)
    return (rock_ridge + joliet) * extents + MD5_OF_FILE


def session_blocks(new: Tally, earlier: Tally, traits: MediumTraits) -> int:
    """Blocks that a session takes at most: new data, and the tree of all that is visible."""
    whole = new + earlier
    directory_bytes = DOT_RECORDS + JOLIET_DOTS + PATH_TABLE_RECORD * 2 + JOLIET_PATH_RECORD * 2
    tree_bytes = whole.tree_bytes + whole.directories * directory_bytes
    tree_blocks = int(tree_bytes / RECORDS_PER_BLOCK) // BLOCK + 1
    own_blocks = -(-whole.own_bytes // BLOCK)
    # A directory, its continuation area and its Joliet twin each end in a partly filled block.
    return (
        new.data_blocks
        + own_blocks
        + tree_blocks
        + 3 * (whole.directories + 1)
        + FIXED_BLOCKS
        + traits.padding
    )


def gap_blocks(sessions: int, traits: MediumTraits) -> int:
    """Blocks that closing a session costs before the next one can start."""
    return traits.first_gap if sessions == 0 else traits.later_gap


def shown(blocks: int) -> str:
    """A number of blocks for a person."""
    return shown_bytes(blocks * BLOCK)


def shown_bytes(count: int) -> str:
    """A number of bytes for a person."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
