"""The proof of one session: its trees and every byte of its data against the index.

`check_session` sweeps once over the session. Descriptors and trees, which stand first, are compared
with what the session wrote and with what earlier sessions left to be seen; then each file's data are
digested as they come by. Whatever disagrees is a finding: missing, unexpected and different are
separate, a block that cannot be read is `unreadable`, and what no file owns is `structure`.

Every bit of both trees is compared with something, but for: the values of libisofs' own attributes
(`isofs.*`: device and inode, start time), change times, access times of what we made or when none is
given, and attributes, owners and times of what earlier sessions wrote. The block map keeps those.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import overload

from cedarchest.model.disc import StoredEntry, still_shown, stored_as
from cedarchest.model.findings import Finding, FindingKind
from cedarchest.model.holdable import FIRST_TIME, LAST_TIME, link_as_kept
from cedarchest.model.image.iso9660 import Node, RockRidgeReader
from cedarchest.model.image.joliet import JolietNode, JolietReader
from cedarchest.model.image.joliet_names import AS_IT_IS, JolietPlaces, joliet_paths
from cedarchest.model.image.volume import Read, Volume, read_volume, structure
from cedarchest.model.index import Entry, Kind
from cedarchest.model.media import BLOCK
from cedarchest.model.names import to_text
from cedarchest.model.sweep import CHUNK, Sweep

_SECOND = 1_000_000_000
_ZEROS = bytes(BLOCK)
_ALL_KINDS = frozenset(FindingKind)

_NOWHERE, _AS_IT_IS, _ELSEWHERE, _FOUND = 0, 1, 2, 3  # an entry in the Joliet tree


class CheckedEntries(Sequence[StoredEntry]):
    """What a session holds, one for each expected entry in its order, made when asked for."""

    __slots__ = ("_entries", "_starts")

    def __init__(self, entries: Sequence[Entry], starts: Sequence[int]) -> None:
        self._entries = entries
        self._starts = starts

    def __len__(self) -> int:
        return len(self._entries)

    @overload
    def __getitem__(self, index: int) -> StoredEntry: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[StoredEntry]: ...
    def __getitem__(self, index: int | slice) -> StoredEntry | Sequence[StoredEntry]:
        if isinstance(index, slice):
            return CheckedEntries(self._entries[index], self._starts[index])
        entry = self._entries[index]
        start = self._starts[index]
        return stored_as(entry, start)


@dataclass(frozen=True, slots=True)
class SessionCheck:
    """What a check found; without findings the session is proven.

    `block_map` is the concatenated SHA-256 of each MiB of the session, the last one of what is left.
    `entries` has one for each expected entry, in order. `findings` ends with a summary when there
    were more than the limit.
    """

    findings: tuple[Finding, ...]
    block_map: bytes
    entries: Sequence[StoredEntry]
    blocks: int


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a session should show.

    `entries` are what it wrote, paths from the disc's root; `earlier` what earlier sessions hold and
    it must still show, unless it is in `entries` too. `access_time` (seconds) is what all entries
    show as access time but those in `loose` (made by us); None compares none. With `one_time` every
    entry of the tree shows its modification time as access and change time too.
    """

    entries: Sequence[Entry]
    earlier: Mapping[bytes, StoredEntry]
    volume_id: str
    access_time: int | None = None
    loose: Container[bytes] = frozenset()
    one_time: bool = False


def check_session(
    read: Read,
    start: int,
    blocks: int,
    expected: Iterable[Entry],
    earlier: Mapping[bytes, StoredEntry],
    *,
    volume_id: str,
    progress: Callable[[int], None],
    known_map: bytes = b"",
    access_time: int | None = None,
    loose: Container[bytes] = frozenset(),
    one_time: bool = False,
    finding_limit: int = 1000,
) -> SessionCheck:
    """Compare a session with what it should hold; see `Expectation` for the arguments.

    `progress` gets the blocks read so far and may raise to end the check. `known_map` is the block
    map of an earlier proof: a MiB that differs from it and in which nothing else was found is a
    finding.

    Raises:
        ToolError, MediaError: `read` raised anything but `DamagedDisc`.
    """
    entries = expected if isinstance(expected, Sequence) else tuple(expected)
    earlier = still_shown(earlier, ((entry.path, entry.kind) for entry in entries))
    expectation = Expectation(entries, earlier, volume_id, access_time, loose, one_time)
    findings = _Findings(finding_limit)
    with Sweep(read, start, blocks, progress) as sweep:
        trees = _Trees(expectation, sweep, start, start + blocks, findings)
        trees.compare()
        trees.forget()
        _Data(entries, trees.starts, trees.sizes, sweep, findings).compare(start, start + blocks)
        block_map = sweep.block_map()
        for first, last in sweep.bad.ranges:
            if not findings.covers(first, last, {FindingKind.UNREADABLE}):
                findings.add(Finding(FindingKind.UNREADABLE, "", "no file stands here", first, last))
    if known_map:
        _compare_maps(block_map, known_map, start, blocks, findings)
    stored = CheckedEntries(entries, trees.starts[: len(entries)])
    return SessionCheck(findings.all(), block_map, stored, blocks)


class _Findings:
    """Findings up to a limit, and how many there were."""

    def __init__(self, limit: int) -> None:
        self._kept: list[Finding] = []
        self._limit = limit
        self._more = 0

    def add(self, finding: Finding) -> None:
        if len(self._kept) < self._limit:
            self._kept.append(finding)
        else:
            self._more += 1

    def covers(self, first: int, last: int, kinds: Container[FindingKind] = _ALL_KINDS) -> bool:
        """Whether a finding of such a kind concerns any of these blocks."""
        return bool(self._more) or any(
            one.first_block <= last and one.last_block >= first
            for one in self._kept
            if one.first_block >= 0 and one.kind in kinds
        )

    def all(self) -> tuple[Finding, ...]:
        if self._more:
            return (*self._kept, structure("", f"and {self._more} more findings"))
        return tuple(self._kept)


def _shown(path: bytes) -> str:
    return "/" + to_text(path)


class _Trees:
    """Compares both trees. `starts` and `sizes` are then where each entry's data stand, -1 for none.

    Positions count expected entries first, then earlier ones.
    """

    def __init__(
        self, expectation: Expectation, sweep: Sweep, start: int, end: int, findings: _Findings
    ) -> None:
        self._expectation = expectation
        self._sweep = sweep
        self._start = start
        self._end = end
        self._findings = findings
        entries, earlier = expectation.entries, expectation.earlier
        self._paths = {path: len(entries) + number for number, path in enumerate(earlier)}
        self._paths.update((entry.path, number) for number, entry in enumerate(entries))
        total = len(entries) + len(earlier)
        self.starts = array("q", (-1,)) * total
        self.sizes = array("q", (0,)) * total
        self._mtimes = array("q", (0,)) * total
        self._seen = bytearray(total)
        self._joliet = bytearray(total)
        self._respelt: list[bytes] = []
        self._places = JolietPlaces()

    def compare(self) -> None:
        volume = read_volume(self._sweep.read, self._start, self._findings.add)
        if volume is None:
            return
        self._compare_labels(volume)
        self._compare_rock_ridge(volume)
        self._find_missing()
        self._compare_hard_links()
        if volume.joliet:
            self._compare_joliet(volume)

    def forget(self) -> None:
        """Give back what only the comparison of the trees needed."""
        self._paths.clear()
        self._respelt.clear()

    def _compare_labels(self, volume: Volume) -> None:
        label = self._expectation.volume_id
        if volume.volume_id != label:
            self._findings.add(structure("", f"the label is {volume.volume_id!r} and not {label!r}"))
        if volume.joliet is None:
            self._findings.add(structure("", "there is no Joliet tree"))
        elif volume.joliet_volume_id != label[:16]:
            detail = f"the Joliet label is {volume.joliet_volume_id!r} and not {label[:16]!r}"
            self._findings.add(structure("", detail))

    def _compare_rock_ridge(self, volume: Volume) -> None:
        reader = RockRidgeReader(self._sweep.read, volume.tree, self._start, self._end, self._findings.add)
        reader.done = self._sweep.release
        entries = self._expectation.entries
        count = len(entries)
        paths, seen, place = self._paths, self._seen, self._places.place
        starts, sizes, mtimes = self.starts, self.sizes, self._mtimes
        access_time, loose = self._expectation.access_time, self._expectation.loose
        one_time, joliet = self._expectation.one_time, self._joliet
        for node in reader:
            (path, kind, mode, _, uid, gid, mtime, atime, ctime, size, extents, target, _, _, xattrs, _) = (
                node
            )
            position = paths.get(path, -1)
            if position < 0 or seen[position]:
                detail = "only the disc has it" if position < 0 else "the disc has it twice"
                self._add(FindingKind.UNEXPECTED, node, detail)
                continue
            seen[position] = 1
            start = extents[0][0] if extents else -1
            starts[position], sizes[position], mtimes[position] = start, size, mtime
            if position < count:
                entry = entries[position]
                _, kind_, size_, mode_, uid_, gid_, mtime_ns, _, _, _, target_, _, xattrs_, _ = entry
                if (
                    kind is not kind_
                    or mode != mode_
                    or mtime != mtime_ns // _SECOND
                    or (size != size_ and kind_ is Kind.FILE)
                    or uid != uid_
                    or gid != gid_
                    or xattrs != xattrs_
                    or target != target_
                    or (access_time is not None and atime != access_time and path not in loose)
                ):
                    self._compare_entry(node, entry)
            else:
                self._compare_earlier(node, start)
            if one_time and not atime == ctime == mtime:
                self._add(FindingKind.DIFFERENT, node, "its three times are not the same")
            where = place(path, kind)
            if where is not None:
                joliet[position] = _AS_IT_IS
                if where != AS_IT_IS:
                    self._respelt.append(path)
        if not reader.relocates:
            reader.directories.check(self._sweep.read, volume.tree, self._end, self._findings.add)

    def _add(self, kind: FindingKind, node: Node, detail: str) -> None:
        self._findings.add(Finding(kind, _shown(node.path), detail, node.block, node.block))

    def _compare_entry(self, node: Node, entry: Entry) -> None:
        """Say in which attributes an entry differs, where the disc can hold them."""
        seconds = entry.mtime_ns // _SECOND
        expected: dict[str, tuple[object, object]] = {
            "kind": (node.kind.value, entry.kind.value),
            "mode": (f"{node.mode:04o}", f"{entry.mode:04o}"),
            "owner": (node.uid, entry.uid),
            "group": (node.gid, entry.gid),
            "link target": (node.target, link_as_kept(entry.target)),
            "attributes": (node.xattrs, tuple(sorted(entry.xattrs))),
        }
        if entry.kind is Kind.FILE:
            expected["size"] = (node.size, entry.size)
        if FIRST_TIME <= seconds <= LAST_TIME:
            expected["modification time"] = (node.mtime, seconds)
        access_time = self._expectation.access_time
        if access_time is not None and entry.path not in self._expectation.loose:
            expected["access time"] = (node.atime, access_time)
        for what, (shown, wanted) in expected.items():
            if shown != wanted:
                detail = f"{what} is {_brief(shown)} and should be {_brief(wanted)}"
                self._add(FindingKind.DIFFERENT, node, detail)

    def _compare_earlier(self, node: Node, start: int) -> None:
        stored = self._expectation.earlier[node.path]
        if node.kind.value != stored.kind:
            detail = f"kind is {node.kind.value} and should be {stored.kind}, as earlier sessions have it"
        elif node.kind is Kind.FILE and (node.size != stored.size or start != stored.start):
            detail = "size or address is not what an earlier session has"
        else:
            return
        self._add(FindingKind.DIFFERENT, node, detail)

    def _find_missing(self) -> None:
        if self._seen.count(1) == len(self._seen):
            return
        for path, position in self._paths.items():
            if not self._seen[position]:
                self._findings.add(
                    Finding(FindingKind.MISSING, _shown(path), "the disc's tree does not have it")
                )

    def _compare_hard_links(self) -> None:
        for position, entry in enumerate(self._expectation.entries):
            if entry.hardlink and self._seen[position]:
                first = self._paths.get(entry.hardlink, -1)
                if first < 0 or self.starts[first] != self.starts[position]:
                    detail = f"its data are not those of {_shown(entry.hardlink)}"
                    self._findings.add(Finding(FindingKind.DIFFERENT, _shown(entry.path), detail))

    def _compare_joliet(self, volume: Volume) -> None:
        if volume.joliet is None:
            return
        reader = JolietReader(self._sweep.read, volume.joliet, self._start, self._end, self._findings.add)
        reader.done = self._sweep.release
        paths, joliet = self._paths, self._joliet
        starts, sizes, mtimes = self.starts, self.sizes, self._mtimes
        elsewhere = self._find_elsewhere()
        for node in reader:
            position = elsewhere.get(node.path, -1) if elsewhere else -1
            if position < 0:
                position = paths.get(node.path.encode("utf-8", "surrogatepass"), -1)
                if position < 0 or joliet[position] != _AS_IT_IS:
                    self._add_joliet(FindingKind.UNEXPECTED, "only the Joliet tree has it", node)
                    continue
            joliet[position] = _FOUND
            start = node.extents[0][0] if node.extents else -1
            if start != starts[position] or node.size != sizes[position] or node.mtime != mtimes[position]:
                detail = "the Joliet tree shows other data or another time"
                self._add_joliet(FindingKind.DIFFERENT, detail, node)
        reader.directories.check(self._sweep.read, volume.joliet, self._end, self._findings.add)
        if _AS_IT_IS in joliet or _ELSEWHERE in joliet:
            for path, position in paths.items():
                if joliet[position] in (_AS_IT_IS, _ELSEWHERE):
                    detail = "the Joliet tree does not have it"
                    self._findings.add(Finding(FindingKind.MISSING, _shown(path), detail))

    def _find_elsewhere(self) -> dict[str, int]:
        """Positions by the path in the Joliet tree, of what has another one there than its own."""
        if not self._respelt:
            return {}
        held = (
            (path, self._kind(path, position) is Kind.DIR)
            for path, position in self._paths.items()
            if self._joliet[position] == _AS_IT_IS
        )
        elsewhere = {}
        for path, place in joliet_paths(held, self._respelt).items():
            position = self._paths[path]
            elsewhere[place] = position
            self._joliet[position] = _ELSEWHERE
        return elsewhere

    def _kind(self, path: bytes, position: int) -> Kind:
        entries = self._expectation.entries
        if position < len(entries):
            return entries[position].kind
        return Kind(self._expectation.earlier[path].kind)

    def _add_joliet(self, kind: FindingKind, detail: str, node: JolietNode) -> None:
        path = _shown(node.path.encode("utf-8", "surrogatepass"))
        self._findings.add(Finding(kind, path, detail, node.block, node.block))


def _brief(value: object) -> str:
    text = to_text(value) if isinstance(value, bytes) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


class _Data:
    """Digests the data of the expected files as the sweep brings them by, each extent once."""

    def __init__(
        self,
        entries: Sequence[Entry],
        starts: array[int],
        sizes: array[int],
        sweep: Sweep,
        findings: _Findings,
    ) -> None:
        self._entries = entries
        self._starts = starts
        self._sizes = sizes
        self._sweep = sweep
        self._findings = findings

    def compare(self, first: int, end: int) -> None:
        """Sweep over the rest of the session."""
        starts = self._starts
        order = sorted(
            (number for number in range(len(self._entries)) if starts[number] >= 0), key=starts.__getitem__
        )
        chunks = self._sweep.chunks()
        base, chunk = next(chunks, (first, b""))
        done = base  # blocks below belong to a file that was digested
        last, digest = (-1, -1), b""
        for number in order:
            start, size = starts[number], self._sizes[number]
            if (start, size) != last:
                blocks = size + 2047 >> 11
                if start < first or start + blocks > end:
                    self._differs(number, "its data are not in the session that wrote it")
                    continue
                if start < done:
                    self._differs(number, "its data overlap those of another file")
                    continue  # not read once more: a disc could have thousands of such
                if start < base:
                    digest = self._read_again(start, size)
                else:
                    while start >= base + CHUNK:
                        base, chunk = next(chunks)
                    begin = (start - base) * BLOCK
                    stop = begin + size
                    if stop <= len(chunk):
                        digest = hashlib.sha256(chunk[begin:stop]).digest()
                        if size & 2047 and chunk[stop : begin + blocks * BLOCK] != _ZEROS[size & 2047 :]:
                            self._differs(number, "there is something behind its end")
                    else:
                        view = memoryview(chunk)[begin:]
                        state = hashlib.sha256(view)
                        left = size - len(view)
                        while left > 0:
                            base, chunk = next(chunks)
                            state.update(chunk if left >= len(chunk) else memoryview(chunk)[:left])
                            left -= len(chunk)
                        digest = state.digest()
                        stop = left + len(chunk)
                        if stop & 2047 and any(chunk[stop : (stop | 2047) + 1]):
                            self._differs(number, "there is something behind its end")
                done = start + blocks
                last = (start, size)
            if digest != self._entries[number].sha256 or self._sweep.bad.ranges:
                self._judge(number, same=digest == self._entries[number].sha256)
        for _ in chunks:
            pass

    def _read_again(self, start: int, size: int) -> bytes:
        """The digest of data that stand before what is kept: between or below the trees."""
        state = hashlib.sha256()
        for block in range(start, start + (size + 2047 >> 11), CHUNK):
            count = min(CHUNK, -(-size // BLOCK))
            state.update(self._sweep.read_again(block, count)[:size])
            size -= count * BLOCK
        return state.digest()

    def _extent(self, number: int) -> tuple[int, int]:
        start = self._starts[number]
        return start, start + max(0, self._sizes[number] - 1) // BLOCK

    def _differs(self, number: int, detail: str) -> None:
        path = _shown(self._entries[number].path)
        self._findings.add(Finding(FindingKind.DIFFERENT, path, detail, *self._extent(number)))

    def _judge(self, number: int, *, same: bool) -> None:
        """Report a file whose digest is wrong or whose data could not all be read."""
        unreadable = self._sweep.bad.within(*self._extent(number))
        path = _shown(self._entries[number].path)
        for first, last in unreadable:
            self._findings.add(
                Finding(FindingKind.UNREADABLE, path, "these blocks could not be read", first, last)
            )
        if not same and not unreadable:
            self._differs(number, "its content is not what was written")


def _compare_maps(found: bytes, known: bytes, start: int, blocks: int, findings: _Findings) -> None:
    """Report each MiB that is not as it was proven, unless something was found in it already."""
    if len(known) != -(-blocks // CHUNK) * 32:
        findings.add(structure("", "the block map is one of a session of another size"))
        return
    for at in range(0, len(known), 32):
        if found[at : at + 32] != known[at : at + 32]:
            first = start + at // 32 * CHUNK
            last = min(first + CHUNK, start + blocks) - 1
            if not findings.covers(first, last):
                findings.add(structure("", "these blocks are not as they were proven", first, last))
