"""A session that another program wrote, taken as it is: what it holds, with the digests of what was read.

No index says what should be there. What is found, once, is what a later reading is compared with. The tree is
read first, then the blocks in one sweep, from which come digests and block map. What an earlier session shows
at the same place belongs to that one; what stands in blocks of an earlier session that does not show it,
since its own tree is damaged, is read from there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone

from cedarchest.errors import DamagedDisc
from cedarchest.model.disc import StoredEntry, TocEntry, stored_as
from cedarchest.model.findings import Finding, FindingKind
from cedarchest.model.image.other_tree import OtherNode, OtherTree
from cedarchest.model.image.volume import DESCRIPTORS, Read, Volume, read_volume, structure
from cedarchest.model.index import Entry, Kind
from cedarchest.model.media import BLOCK
from cedarchest.model.names import to_text
from cedarchest.model.sweep import CHUNK, BadBlocks, Sweep

KEPT_FINDINGS = 1000
_NO_DATA = hashlib.sha256().digest()
_DIGEST = 32
_OWNER_MAY_WRITE = 0o200

Extent = tuple[int, int]
"""Block and bytes of a file's data."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What a session holds, in order of path; a file that could not be read has no digest.

    `on_top` is whether its tree goes on top of what was shown before. `shown` is all of the tree. `blocks`
    are as many as tree and data need, which is what the block map covers.
    """

    held: tuple[StoredEntry, ...]
    shown: Mapping[bytes, StoredEntry] = field(repr=False)
    on_top: bool
    blocks: int
    block_map: bytes
    created_at: datetime | None
    findings: tuple[Finding, ...]


class _Findings(list[Finding]):
    """Findings up to a limit."""

    def add(self, finding: Finding) -> None:
        """Keep one, unless there are many already."""
        if len(self) < KEPT_FINDINGS:
            self.append(finding)


def survey_session(
    read: Read,
    entry: TocEntry,
    before: Mapping[bytes, StoredEntry],
    *,
    end: int = 0,
    begin: Callable[[int], None] = lambda _blocks: None,
    progress: Callable[[int], None] = lambda _blocks: None,
) -> Survey:
    """Read a session; `before` is what the disc showed up to then, `end` the last block its data may reach.

    `begin` is told how many blocks will be read, `progress` how many were; either may raise.

    Raises:
        ToolError, MediaError: `read` raised anything but `DamagedDisc`.
    """
    findings = _Findings()
    try:
        volume = read_volume(read, entry.start, lambda _finding: None)
    except DamagedDisc:
        volume = None
    end = max(end, entry.end)
    nodes, highest = _shown(read, volume, end, findings)
    stated = entry.start + volume.blocks if volume else 0
    if not entry.start < stated <= entry.end:
        stated = entry.end if volume is None else entry.start + DESCRIPTORS
    blocks = max(highest, stated) - entry.start
    kept = {path: node for path, node in nodes.items() if _is_as_before(node, before.get(path))}
    data_kept = any(node.entry.kind is Kind.FILE for node in kept.values())
    new = {path: node for path, node in nodes.items() if path not in kept}
    begin(blocks)
    with Sweep(read, entry.start, blocks, progress) as sweep:
        digests = _Digests(read, entry.start, sweep, findings)
        digests.take(new.values())
        block_map = sweep.block_map()
        digests.report_rest()
    held = {path: _stored(node, digests.of) for path, node in sorted(new.items())}
    shown = {**{path: before[path] for path in kept}, **held}
    return Survey(
        tuple(held.values()),
        shown,
        data_kept,
        blocks,
        block_map,
        made_at(read, entry.start) if volume else None,
        tuple(findings),
    )


def _shown(
    read: Read, volume: Volume | None, end: int, findings: _Findings
) -> tuple[dict[bytes, OtherNode], int]:
    """The tree by path, and the block behind all it needs."""
    if volume is None:
        findings.add(structure("", "it has no volume descriptor that can be read"))
        return {}, 0
    tree = OtherTree(read, volume, end, findings.add)
    nodes: dict[bytes, OtherNode] = {}
    for node in tree:
        if node.entry.path in nodes:
            findings.add(structure("/" + to_text(node.entry.path), "this path stands in the tree twice"))
        else:
            nodes[node.entry.path] = node
    return nodes, tree.highest


def shown_tree(read: Read, entry: TocEntry) -> dict[bytes, StoredEntry]:
    """What the tree of a session shows by path, without digests and whatever is wrong with it."""
    try:
        volume = read_volume(read, entry.start, lambda _finding: None)
    except DamagedDisc:
        return {}
    nodes, _ = _shown(read, volume, entry.end, _Findings())
    return {path: stored_as(node.entry, node.start) for path, node in nodes.items()}


def with_attributes(read: Read, entry: TocEntry, held: Iterable[StoredEntry]) -> Iterator[Entry]:
    """What a session holds, with the attributes that its tree has, as far as that is what was entered.

    `-r` of mkisofs takes the right to write from everybody; owners get it back here.
    """
    try:
        volume = read_volume(read, entry.start, lambda _finding: None)
    except DamagedDisc:
        volume = None
    nodes, _ = _shown(read, volume, entry.end, _Findings())
    for stored in held:
        node = nodes.get(stored.path)
        whole = node and node.entry._replace(sha256=stored.sha256)
        if node and whole and stored_as(whole, node.start) == stored:
            yield whole._replace(mode=whole.mode | _OWNER_MAY_WRITE)


def _is_as_before(node: OtherNode, before: StoredEntry | None) -> bool:
    """Whether an earlier session shows the same at the same place."""
    entry = node.entry
    return (
        before is not None
        and before.kind == entry.kind.value
        and (entry.kind is not Kind.FILE or (before.size, before.start) == (entry.size, node.start))
    )


def _stored(node: OtherNode, digests: Mapping[Extent, bytes]) -> StoredEntry:
    entry = node.entry
    if entry.kind is Kind.FILE:
        sha256 = digests.get((node.start, entry.size), b"") if entry.size else _NO_DATA
        entry = entry._replace(sha256=sha256)
    return stored_as(entry, node.start)


class _Digests:
    """Digests data by where they stand, each extent once; extents that overlap are not read twice."""

    def __init__(self, read: Read, start: int, sweep: Sweep, findings: _Findings) -> None:
        self._read = read
        self._start = start
        self._sweep = sweep
        self._findings = findings
        self._below = BadBlocks()  # of earlier sessions
        self._concerned: list[Extent] = []  # first and last block of unreadable spots in files
        self.of: dict[Extent, bytes] = {}

    def take(self, nodes: Iterable[OtherNode]) -> None:
        """Digest the data of all files, the session's own in one sweep to its end."""
        paths: dict[Extent, bytes] = {}
        for node in nodes:
            if node.start >= 0:
                paths.setdefault((node.start, node.entry.size), node.entry.path)
        rising = list(self._apart(sorted(paths), paths))
        chunks = _Rising(self._sweep.chunks())
        for extent in rising:
            own = extent[0] >= self._start
            source = chunks.pieces(*extent) if own else self._from_earlier(*extent)
            state = hashlib.sha256()
            for piece in source:
                state.update(piece)
            last = extent[0] + (extent[1] - 1) // BLOCK
            bad = (self._sweep.bad if own else self._below).within(extent[0], last)
            for first, end in bad:
                self._unreadable(paths[extent], first, end)
            if not bad:
                self.of[extent] = state.digest()
        chunks.finish()

    def _apart(self, extents: Sequence[Extent], paths: Mapping[Extent, bytes]) -> Iterator[Extent]:
        done = 0
        for start, size in extents:
            if start < done:
                detail = "its data overlap those of another file"
                self._findings.add(structure("/" + to_text(paths[start, size]), detail, start))
                continue
            done = start + -(-size // BLOCK)
            yield start, size

    def _from_earlier(self, start: int, size: int) -> Iterator[bytes]:
        end = start + -(-size // BLOCK)
        for block in range(start, end, CHUNK):
            count = min(CHUNK, end - block)
            try:
                data = self._read(block, count)
            except DamagedDisc:
                data = b""
            if len(data) < count * BLOCK:
                self._below.add(block, block + count - 1)
                return
            yield data[: size - (block - start) * BLOCK]

    def _unreadable(self, path: bytes, first: int, last: int) -> None:
        self._concerned.append((first, last))
        detail = "these blocks could not be read"
        self._findings.add(Finding(FindingKind.UNREADABLE, "/" + to_text(path), detail, first, last))

    def report_rest(self) -> None:
        """Say what else of the session could not be read."""
        concerned = set(self._concerned)
        for first, last in self._sweep.bad.ranges:
            if (first, last) not in concerned:
                self._findings.add(Finding(FindingKind.UNREADABLE, "", "no file stands here", first, last))


class _Rising:
    """A sweep's chunks as data at rising addresses."""

    def __init__(self, chunks: Iterator[tuple[int, bytes]]) -> None:
        self._chunks = chunks
        self._base, self._chunk = 0, b""

    def pieces(self, start: int, size: int) -> Iterator[memoryview]:
        """The data at an address, which is none before the last one."""
        while size > 0:
            while start >= self._base + len(self._chunk) // BLOCK:
                self._base, self._chunk = next(self._chunks)
            begin = (start - self._base) * BLOCK
            piece = memoryview(self._chunk)[begin : begin + size]
            yield piece
            size -= len(piece)
            start += len(piece) // BLOCK

    def finish(self) -> None:
        """Read what is left."""
        for _ in self._chunks:
            pass


def made_at(read: Read, start: int) -> datetime | None:
    """When a session was made, as its descriptor says (ECMA-119 8.4.26.1); None where it does not."""
    try:
        raw = read(start + DESCRIPTORS, 1)[813:830]
        moment = datetime.strptime(raw[:14].decode("ascii"), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        offset = timedelta(minutes=15 * int.from_bytes(raw[16:17], "little", signed=True))
        return (moment - offset).astimezone(timezone(offset)) if moment.year >= 1970 else None
    except (DamagedDisc, ValueError, OverflowError):
        return None


def compare_surveyed(
    expected: Mapping[bytes, StoredEntry], survey: Survey, start: int, known_map: bytes
) -> tuple[Finding, ...]:
    """What is not as it was when the session was read first."""
    findings = _Findings(survey.findings)
    found = {entry.path: entry for entry in survey.held}
    for path, was in sorted(expected.items()):
        if path not in found:
            findings.add(
                Finding(FindingKind.MISSING, "/" + to_text(path), "the disc's tree does not have it")
            )
        elif found[path] != was and not (was.sha256 and not found[path].sha256):  # unreadable was said
            findings.add(_difference(was, found[path]))
    for path in sorted(found.keys() - expected.keys()):
        findings.add(Finding(FindingKind.UNEXPECTED, "/" + to_text(path), "only the disc has it"))
    if known_map and known_map != survey.block_map and not findings:
        findings.extend(_other_blocks(known_map, survey, start))
    return tuple(findings)


def _difference(was: StoredEntry, now: StoredEntry) -> Finding:
    what = next(
        (
            text
            for text, same in (
                ("kind", was.kind == now.kind),
                ("size", was.size == now.size),
                ("modification time", was.mtime_ns == now.mtime_ns),
                ("place", was.start == now.start),
                ("content", was.sha256 == now.sha256),
            )
            if not same
        ),
        "mode, owner or target",
    )
    last = now.start + max(0, now.size - 1) // BLOCK if now.start >= 0 else -1
    detail = f"its {what} is not what it was when the disc was entered"
    return Finding(FindingKind.DIFFERENT, "/" + to_text(now.path), detail, now.start, last)


def _other_blocks(known: bytes, survey: Survey, start: int) -> Iterator[Finding]:
    if len(known) != len(survey.block_map):
        yield structure("", "the session has another size than when the disc was entered")
        return
    for at in range(0, len(known), _DIGEST):
        if known[at : at + _DIGEST] != survey.block_map[at : at + _DIGEST]:
            first = start + at // _DIGEST * CHUNK
            last = min(first + CHUNK, start + survey.blocks) - 1
            yield structure("", "these blocks are not as they were", first, last)
