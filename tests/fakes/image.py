"""A small writer of ISO 9660 sessions with Rock Ridge and Joliet, from the standards alone.

It shares no code with the readers. `Session` lays out descriptors, directories with their
continuation areas, path tables, the Joliet tree and the data, as libisofs does, at any start block;
tests break what it made, and a memory drive burns with it.

Source: ECMA-119; IEEE P1281, P1282; Joliet specification.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cedarchest.model.index import Entry, Kind

BLOCK = 2048
FORMAT = {
    Kind.FILE: 0o100000,
    Kind.DIR: 0o040000,
    Kind.LINK: 0o120000,
    Kind.FIFO: 0o010000,
    Kind.SOCKET: 0o140000,
    Kind.CHAR: 0o020000,
    Kind.BLOCK: 0o060000,
}
SPACES = {b"system.": 2, b"user.": 3, b"trusted.": 5, b"security.": 6}


@dataclass(eq=False)
class Item:
    """A node of the tree that is laid out."""

    entry: Entry
    parent: Item | None
    children: list[Item] = field(default_factory=list)
    identifiers: tuple[bytes, bytes] = (b"\0", b"\0")  # in the ISO and in the Joliet tree
    in_joliet: bool = True
    block: list[int] = field(default_factory=lambda: [0, 0])
    records: list[bytes] = field(default_factory=lambda: [b"", b""])
    data: tuple[int, int] = (0, 0)
    serial: int = 0
    links: int = 1

    @property
    def name(self) -> bytes:
        return self.entry.path.rpartition(b"/")[2]

    @property
    def is_dir(self) -> bool:
        return self.entry.kind is Kind.DIR


def twice(value: int, size: str = "I") -> bytes:
    return struct.pack("<" + size, value) + struct.pack(">" + size, value)


def short_time(seconds: int) -> bytes:
    moment = datetime.fromtimestamp(seconds, UTC)
    return bytes((moment.year - 1900, moment.month, moment.day, moment.hour, moment.minute, moment.second, 0))


def whole_blocks(data: bytes) -> bytes:
    return data + bytes(-len(data) % BLOCK)


@dataclass
class Session:
    """A session to be written at `start`.

    `entries` are all of the tree, `contents` the data of files by path; `kept` are (address, size) of
    files whose data an earlier session has.
    """

    entries: Iterable[Entry]
    contents: Mapping[bytes, bytes]
    start: int = 32
    volume_id: str = "DISC_1"
    access_time: int | None = None
    kept: Mapping[bytes, tuple[int, int]] = field(default_factory=dict)
    piece: int = 0xFFFFF800  # where a file's data go on in another record

    def build(self) -> bytes:
        """The blocks of the session."""
        self._make_tree()
        after = self._place(0, self.start + 19)
        tables = self._tables(0)
        self._iso_table = after
        joliet_at = after + 2 * (len(whole_blocks(tables[0])) // BLOCK)
        after = self._place(1, joliet_at)
        joliet_tables = self._tables(1)
        self._joliet_table = after
        after += 2 * (len(whole_blocks(joliet_tables[0])) // BLOCK)
        data = self._place_data(after)
        total = after - self.start + len(data) // BLOCK
        parts = [
            bytes(16 * BLOCK),
            self._descriptor(0, total, len(tables[0])),
            self._descriptor(1, total, len(joliet_tables[0])),
        ]
        parts.append(whole_blocks(b"\xffCD001\1"))
        parts += self._directories(0)
        parts += (whole_blocks(table) for table in tables)
        parts += self._directories(1)
        parts += (whole_blocks(table) for table in joliet_tables)
        self.addresses = {item.entry.path: item.data for item in self._items if item.entry.kind is Kind.FILE}
        return b"".join([*parts, data])

    # the tree

    def _make_tree(self) -> None:
        root = Item(Entry(b"", Kind.DIR, 0, 0o755, 0, 0, 0), None)
        items = {b"": root}
        for entry in sorted(self.entries, key=lambda one: one.path):
            parent = items[entry.path.rpartition(b"/")[0]]
            items[entry.path] = item = Item(entry, parent)
            parent.children.append(item)
        self._items = list(items.values())
        self._root = root
        self._by_path = items
        groups: dict[bytes, list[Item]] = {}
        for number, item in enumerate(self._items):
            item.serial = number + 1
            item.in_joliet = self._fits_joliet(item)
            groups.setdefault(item.entry.hardlink or item.entry.path, []).append(item)
        for group in groups.values():
            for item in group:
                item.serial, item.links = group[0].serial, len(group)
        for item in self._items:
            self._identify(item.children)

    def _fits_joliet(self, item: Item) -> bool:
        if item.parent is None:
            return True
        cost = 1
        above: Item | None = item
        while above and above.parent:
            cost += 1 + 2 * len(joliet_spelling(above))
            above = above.parent
        return item.parent.in_joliet and item.entry.kind in (Kind.FILE, Kind.DIR) and cost <= 240

    def _identify(self, children: list[Item]) -> None:
        iso = numbered([iso_spelling(child) for child in children], 30)
        visible = [child for child in children if child.in_joliet]
        joliet = dict(
            zip(map(id, visible), numbered([joliet_spelling(child) for child in visible], 103), strict=True)
        )
        for child, name in zip(children, iso, strict=True):
            version = b"" if child.is_dir else b";1"
            child.identifiers = (name.encode() + version, joliet.get(id(child), "").encode("utf-16-be"))

    def _sorted(self, item: Item, tree: int) -> list[Item]:
        children = [child for child in item.children if not tree or child.in_joliet]
        return sorted(children, key=lambda child: child.identifiers[tree].removesuffix(b";1"))

    # directories

    def _walk(self, item: Item, tree: int) -> Iterable[Item]:
        yield item
        for child in self._sorted(item, tree):
            if child.is_dir:
                yield from self._walk(child, tree)

    def _place(self, tree: int, block: int) -> int:
        self._sizes = getattr(self, "_sizes", {})
        for item in self._walk(self._root, tree):
            item.block[tree] = block
            raw, areas = self._directory(item, tree)
            self._sizes[id(item), tree] = len(raw)
            block += (len(raw) + len(areas)) // BLOCK
        return block

    def _directories(self, tree: int) -> list[bytes]:
        return [part for item in self._walk(self._root, tree) for part in self._directory(item, tree)]

    def _directory(self, item: Item, tree: int) -> tuple[bytes, bytes]:
        """The records of a directory and its continuation areas; their sizes need no addresses."""
        size = self._sizes.get((id(item), tree), 0)
        areas = bytearray()
        records = []
        parent = item.parent or item
        for identifier, one in (
            (b"\0", item),
            (b"\1", parent),
            *((child.identifiers[tree], child) for child in self._sorted(item, tree)),
        ):
            records += self._records(one, identifier, tree, item.block[tree] + size // BLOCK, areas)
        raw = bytearray()
        for record in records:
            if len(raw) % BLOCK + len(record) > BLOCK:
                raw += bytes(-len(raw) % BLOCK)
            raw += record
        return whole_blocks(bytes(raw)), whole_blocks(bytes(areas))

    def _records(
        self, item: Item, identifier: bytes, tree: int, areas_at: int, areas: bytearray
    ) -> list[bytes]:
        area = b"" if tree else self._system_use(item, identifier, areas_at, areas)
        if item.is_dir:
            pieces = [(item.block[tree], self._sizes.get((id(item), tree), 0))]
        else:
            address, left = item.data
            pieces = []
            while left > self.piece:
                pieces.append((address, self.piece))
                address, left = address + self.piece // BLOCK, left - self.piece
            pieces.append((address, left))
        return [
            self._record(item, identifier, piece, 0x80 if number < len(pieces) else 0, area)
            for number, piece in enumerate(pieces, 1)
        ]

    def _record(
        self, item: Item, identifier: bytes, piece: tuple[int, int], flags: int, area: bytes
    ) -> bytes:
        body = b"\0" + twice(piece[0]) + twice(piece[1]) + short_time(item.entry.mtime_ns // 10**9)
        body += (
            bytes((flags | 2 * item.is_dir, 0, 0)) + twice(1, "H") + bytes((len(identifier),)) + identifier
        )
        body += bytes(1 - len(identifier) % 2) + area
        body += bytes((len(body) + 1) % 2)
        return bytes((len(body) + 1,)) + body

    def _system_use(self, item: Item, identifier: bytes, areas_at: int, areas: bytearray) -> bytes:
        entry = item.entry
        mtime = short_time(entry.mtime_ns // 10**9)
        atime = mtime if self.access_time is None else short_time(self.access_time)
        numbers = (FORMAT[entry.kind] | entry.mode, item.links, entry.uid, entry.gid, item.serial)
        area = b"PX\x2c\1" + b"".join(map(twice, numbers)) + b"TF\x1a\1\x0e" + mtime + atime + mtime
        fields: list[bytes] = []
        if identifier == b"\0" and item is self._root:
            area = b"SP\x07\1\xbe\xef\0" + area
            fields = [ROCK_RIDGE]
        elif identifier not in (b"\0", b"\1"):
            if entry.kind in (Kind.CHAR, Kind.BLOCK):
                area += b"PN\x14\1" + twice(entry.rdev >> 32) + twice(entry.rdev & 0xFFFFFFFF)
            fields = continued(b"NM", item.name)
            fields += link_fields(entry.target) if entry.kind is Kind.LINK else []
            fields += continued(b"AL", attributes(entry.xattrs)) if entry.xattrs else []
        room = 254 - 33 - len(identifier) - (1 - len(identifier) % 2) - len(area)
        if sum(map(len, fields)) <= room:
            return area + b"".join(fields)
        outside = b"".join(fields)
        if len(areas) % BLOCK + len(outside) > BLOCK:
            areas += bytes(-len(areas) % BLOCK)
        place = divmod(len(areas), BLOCK)
        areas += outside
        return area + b"CE\x1c\1" + twice(areas_at + place[0]) + twice(place[1]) + twice(len(outside))

    # path tables, descriptors, data

    def _tables(self, tree: int) -> tuple[bytes, bytes]:
        order = [self._root]
        tables = [b"", b""]
        for item in order:
            order += [child for child in self._sorted(item, tree) if child.is_dir]
        numbers = {id(item): number for number, item in enumerate(order, 1)}
        for item in order:
            identifier = item.identifiers[tree]
            for which, byte_order in enumerate("<>"):
                head = struct.pack(
                    byte_order + "BBIH",
                    len(identifier),
                    0,
                    item.block[tree],
                    numbers[id(item.parent or item)],
                )
                tables[which] += head + identifier + bytes(len(identifier) % 2)
        return tables[0], tables[1]

    def _descriptor(self, tree: int, blocks: int, table: int) -> bytes:
        def text(value: str, size: int) -> bytes:
            if tree:
                return (value.encode("utf-16-be") + b"\0 " * size)[: size // 2 * 2].ljust(size, b"\0")
            return value.encode().ljust(size)

        at = self._joliet_table if tree else self._iso_table
        step = len(whole_blocks(bytes(table))) // BLOCK
        root = self._record(
            self._root, b"\0", (self._root.block[tree], self._sizes[id(self._root), tree]), 0, b""
        )
        raw = (
            bytes((1 + tree,))
            + b"CD001\1\0"
            + text("", 32)
            + text(self.volume_id[: 16 if tree else 32], 32)
            + bytes(8)
        )
        raw += (
            twice(blocks)
            + (b"%/E" if tree else b"").ljust(32, b"\0")
            + twice(1, "H")
            + twice(1, "H")
            + twice(BLOCK, "H")
        )
        raw += twice(table) + struct.pack("<II", at, 0) + struct.pack(">II", at + step, 0) + root
        raw += b"".join(text("", size) for size in (128, 128, 128, 128, 37, 37, 37))
        raw += b"2026112223513500\0" * 2 + b"0000000000000000\0" * 2 + b"\1\0"
        return raw.ljust(BLOCK, b"\0")

    def _place_data(self, block: int) -> bytes:
        data = bytearray()
        for item in self._items:
            if item.entry.kind is not Kind.FILE:
                continue
            first = self._by_path[item.entry.hardlink] if item.entry.hardlink else item
            if item.entry.path in self.kept:
                item.data = self.kept[item.entry.path]
            elif first is not item:
                item.data = first.data
            else:
                content = self.contents[item.entry.path]
                item.data = (block + len(data) // BLOCK, len(content))
                data += whole_blocks(content)
        return bytes(data)


ROCK_RIDGE = (
    b"ER\xed\1\x0a\x54\x87\1RRIP_1991ATHE ROCK RIDGE INTERCHANGE PROTOCOL PROVIDES SUPPORT FOR POSIX "
    b"FILE SYSTEM SEMANTICSPLEASE CONTACT DISC PUBLISHER FOR SPECIFICATION SOURCE.  SEE PUBLISHER "
    b"IDENTIFIER IN PRIMARY VOLUME DESCRIPTOR FOR CONTACT INFORMATION."
)


def continued(signature: bytes, content: bytes) -> list[bytes]:
    """Fields of at most 255 bytes whose first byte says whether another goes on."""
    pieces = [content[at : at + 250] for at in range(0, len(content), 250)] or [b""]
    return [
        signature + bytes((5 + len(piece), 1, number < len(pieces))) + piece
        for number, piece in enumerate(pieces, 1)
    ]


def link_fields(target: bytes) -> list[bytes]:
    parts = [b"\x08\0"] if target.startswith(b"/") else []
    for name in target.removeprefix(b"/").split(b"/") if target != b"/" else []:
        special = {b".": b"\2\0", b"..": b"\4\0"}.get(name)
        pieces = [name[at : at + 240] for at in range(0, len(name), 240)] or [b""]
        for number, piece in enumerate(pieces, 1):
            parts.append(special or bytes((number < len(pieces), len(piece))) + piece)
    fields = [b""]
    for part in parts:
        if len(fields[-1]) + len(part) > 250:
            fields.append(b"")
        fields[-1] += part
    return [
        b"SL" + bytes((5 + len(raw), 1, number < len(fields))) + raw for number, raw in enumerate(fields, 1)
    ]


def attributes(xattrs: tuple[tuple[bytes, bytes], ...]) -> bytes:
    stream = b""
    for name, value in xattrs:
        space, dot, rest = name.partition(b".")
        short = bytes((SPACES[space + dot],)) + rest if space + dot in SPACES else b"\1" + name
        for component in (short, value):
            pieces = [component[at : at + 255] for at in range(0, len(component), 255)] or [b""]
            for number, piece in enumerate(pieces, 1):
                stream += bytes((number < len(pieces), len(piece))) + piece
    return stream


def cut(name: str, limit: int) -> str:
    stem, dot, extension = name.rpartition(".")
    if not dot or not extension:
        return name[:limit]
    if len(name) > limit + 1:
        if len(extension) > 3:
            extension = extension[: max(3, limit - len(stem))]
        stem = stem[: limit - len(extension)]
    return stem + "." + extension


def iso_spelling(item: Item) -> str:
    name = re.sub("[^\x00-\x7f]", "_", item.name.decode("utf-8", "surrogateescape"))
    if item.is_dir:
        return re.sub("[^A-Z0-9_]", "_", name[:31].upper())
    short = cut(name, 30)
    stem, _, extension = short.rpartition(".") if cut_has_extension(name) else (short, "", "")
    return ".".join(re.sub("[^A-Z0-9_]", "_", part.upper()) for part in (stem, extension))


def cut_has_extension(name: str) -> bool:
    return bool(name.rpartition(".")[1] and name.rpartition(".")[2])


def joliet_spelling(item: Item) -> str:
    text = item.name.decode("utf-8", "surrogateescape")
    text = re.sub("[\x00-\x1f*/:;?\\\\\ud800-\udfff\U00010000-\U0010ffff]", "_", text)
    return text[:103] if item.is_dir else cut(text, 103)


def numbered(names: list[str], limit: int) -> list[str]:
    """Names that are alone stay; those of a family all get a number that nobody has."""
    taken = set(names)
    result = list(names)
    for base in {name for name in names if names.count(name) > 1} if len(taken) < len(names) else ():
        family = [index for index, name in enumerate(names) if name == base]
        digits = len(str(len(family) + 1))
        stem, dot, extension = base.rpartition(".") if "." in base else (base, "", "")
        grown = stem + "0" * (digits * (digits - 1) // 2)
        count = 0
        for index in family:
            while True:
                name = f"{grown[: limit - len(extension) - digits]}{count:0{digits}d}{dot}{extension}"
                count += 1
                if name not in taken:
                    break
            taken.add(name)
            result[index] = name
    return result
