"""Writes what is restored, checked against its digest on the way; attributes as far as they are known.

A file gets its name only when it is what it should be. What is not is kept as `NAME.damaged` where that is
asked for.
"""

from __future__ import annotations

import contextlib
import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO

from cedarchest.actions.restore_packed import plain_name
from cedarchest.errors import DiskFull, Interrupted, RestoreError, StagingError
from cedarchest.model.archive_names import INDEX_SUFFIX
from cedarchest.model.index import Entry, Kind, index_lines, parse_record
from cedarchest.model.names import to_text
from cedarchest.model.restoring import Packed, Restoration, Source, Wanted
from cedarchest.ports import Ports
from cedarchest.ports.restoring import Chunk, RestoreFolder, There, Writing

DAMAGED = b".damaged"

LARGEST_INDEX = 1 << 30
"""Bytes of a packed index that are believed."""

MOST_ENTRIES = 5_000_000

_ZEROS = bytes(1 << 20)
_UNKNOWN_MODE = 0o600


@dataclass(slots=True)
class Written:
    """What has been restored so far, and what has not, by path.

    `bare` are those whose attributes were not known when they were written. `left` are those in whose place
    something else stands, `failed` those that cannot be had or written.
    """

    done: set[bytes] = field(default_factory=set)
    before: set[bytes] = field(default_factory=set)  # it was there already
    bare: set[bytes] = field(default_factory=set)
    left: dict[bytes, str] = field(default_factory=dict)
    failed: dict[bytes, str] = field(default_factory=dict)
    damaged: set[bytes] = field(default_factory=set)
    size: int = 0


class Restorer:
    """Writes to one folder what of a restoration comes by."""

    def __init__(
        self,
        restoration: Restoration,
        folder: RestoreFolder,
        ports: Ports,
        *,
        replaces: Callable[[Wanted, There], str],
        damaged: bool,
    ) -> None:
        self._wanted = dict(restoration.wanted)
        self._restoration = restoration
        self._folder = folder
        self._ports = ports
        self._replaces = replaces
        self._keeps_damaged = damaged
        self._replaced: set[bytes] = set()
        self._linked: dict[bytes, bytes] = {}  # what an archive has as a further name, and of what
        self.attributes: dict[bytes, Entry] = dict(restoration.attributes)
        self.written = Written()

    # -- what is there already -----------------------------------------------------------------------

    @property
    def wanted(self) -> Mapping[bytes, Wanted]:
        """All that is wanted, with what showed to be in what was packed."""
        return self._wanted

    def look_around(self) -> None:
        """See what of it is there already, and what stands in its way."""
        total = sum(each.size for each in self._wanted.values())
        self._ports.reporter.phase("looking at what is there", total)
        seen = 0
        absent: set[bytes] = set()  # folders that are not there, nor anything in them
        for target, wanted in self._wanted.items():
            self._ports.interrupts.check()
            if target.rpartition(b"/")[0] in absent:
                if wanted.kind == Kind.DIR:
                    absent.add(target)
                continue
            with self._at(target):
                if not self._look(target, wanted) and wanted.kind == Kind.DIR:
                    absent.add(target)
            seen += wanted.size
            self._ports.reporter.advance(seen)

    def _look(self, target: bytes, wanted: Wanted) -> bool:
        """See what is at a path; whether anything is."""
        there = self._folder.look(target)
        if there is not None and not (there.kind is Kind.DIR and wanted.kind == Kind.DIR):
            self._judge(target, wanted, there)
        return there is not None

    def _judge(self, target: bytes, wanted: Wanted, there: There) -> None:
        """Whether what is there is it already, stays, or is replaced."""
        if self._is_it(target, wanted, there):
            self.written.before.add(target)
            self.written.done.add(target)
            self.written.bare.add(target)
            return
        if there.kind == wanted.kind != Kind.FILE:
            return  # whether it is the same is seen when it is made
        if there.unfinished:
            self._folder.remove(target)
        elif there.kind is Kind.DIR:
            self.written.left[target] = "a folder is there"
        elif reason := self._replaces(wanted, there):
            self.written.left[target] = reason
        else:
            self._replaced.add(target)

    def _is_it(self, target: bytes, wanted: Wanted, there: There) -> bool:
        if wanted.kind != Kind.FILE or there.kind is not Kind.FILE:
            return False
        if not wanted.sha256:  # of what is packed nothing else is known
            return there.mtime_ns == wanted.mtime_ns and wanted.size in (there.size, -1)
        if there.size != wanted.size:
            return False
        return bool(wanted.sha256) and self._folder.digest(target, lambda _done: None) == wanted.sha256

    # -- content -------------------------------------------------------------------------------------

    def needs(self, targets: Iterable[bytes]) -> list[bytes]:
        """Of some paths those that are still to be restored."""
        written = self.written
        return [
            target
            for target in targets
            if target not in written.done and target not in written.left and target not in written.failed
        ]

    def take_file(self, targets: Sequence[bytes], chunks: Iterable[Chunk]) -> bool:
        """Write a content to the paths that want it; whether it is what they want."""
        wanted = self._wanted[targets[0]]
        if wanted.size <= len(_ZEROS) and self._replaced.isdisjoint(targets):
            return self._put(targets, wanted, chunks)
        with contextlib.ExitStack() as opened:
            files: dict[bytes, Writing] = {}
            for target in targets:
                with self._at(target):
                    files[target] = opened.enter_context(self._folder.writing(target))
            size, digest = _written(chunks, list(files.values()), wanted.size, self._ports)
            good = digest == wanted.sha256 if wanted.sha256 else size == wanted.size
            for target, file in files.items():
                with self._at(target):
                    self._keep(target, file, size, good=good)
        return good

    def _put(self, targets: Sequence[bytes], wanted: Wanted, chunks: Iterable[Chunk]) -> bool:
        """Write a small content, of which all is known before, to paths where nothing is."""
        self._ports.interrupts.check()
        content = _joined(chunks, wanted.size)
        good = len(content) == wanted.size
        if good and wanted.sha256:
            good = hashlib.sha256(content).digest() == wanted.sha256
        for target in targets:
            with self._at(target):
                entry = self.attributes.get(target)
                if good:
                    self._folder.put(target, content, entry or self._unknown(target))
                    self._is_done(target, len(content), bare=entry is None)
                elif self._keeps_damaged and target not in self.written.damaged:
                    with self._folder.writing(target) as file:
                        file.write(0, content)
                        file.keep(len(content), entry or self._unknown(target), suffix=DAMAGED)
                    self.written.damaged.add(target)
        return good

    def _is_done(self, target: bytes, size: int, *, bare: bool) -> None:
        """A file is there as it should be, but for attributes that are not known yet."""
        written = self.written
        if target in written.damaged:
            self._folder.remove(target + DAMAGED)
            written.damaged.discard(target)
        written.done.add(target)
        written.size += size
        if bare:
            written.bare.add(target)

    def _keep(self, target: bytes, file: Writing, size: int, *, good: bool) -> None:
        entry = self.attributes.get(target)
        if good:
            file.keep(size, entry or self._unknown(target))
            self._is_done(target, size, bare=entry is None)
        elif self._keeps_damaged and target not in self.written.damaged:
            file.keep(size, entry or self._unknown(target), suffix=DAMAGED)
            self.written.damaged.add(target)

    def _unknown(self, target: bytes) -> Entry:
        """An entry of which nothing is known but what the catalog says."""
        wanted = self._wanted[target]
        kind = Kind(wanted.kind)
        mode = 0o700 if kind is Kind.DIR else _UNKNOWN_MODE
        return Entry(target, kind, wanted.size, mode, -1, -1, wanted.mtime_ns)

    def take_empty(self) -> None:
        """Write the files that have no content, of which nothing has to be read."""
        for target in self.needs(self._wanted):
            wanted = self._wanted[target]
            if wanted.kind == Kind.FILE and not wanted.size and wanted.sha256:
                self.take_file([target], ())

    def take_members(self, source: Source, name: bytes, pieces: Iterable[bytes]) -> None:
        """Take what is wanted of an archive as its bytes come, and no more of it than is needed.

        Raises:
            RestoreError: it is damaged.
        """
        left = set(self.needs(target for targets in source.takes.values() for target in targets))
        members = self._ports.unpacker.members(name, pieces, source.size)
        with contextlib.closing(members):
            for member in members:
                targets = [target for target in source.takes.get(member.path, ()) if target in left]
                if not targets:
                    self._ports.interrupts.check()
                    continue
                for target in targets:
                    if target not in self.attributes and self._wanted[target].kind == member.kind:
                        self.attributes[target] = member.entry()._replace(path=target)
                if member.hardlink:
                    self._linked.update(dict.fromkeys(targets, member.hardlink))
                elif member.kind is Kind.FILE and not self.take_file(targets, member.chunks):
                    continue
                left.difference_update(targets)
                if not left:
                    return

    def linked_in(self, source: Source) -> dict[bytes, tuple[bytes, ...]]:
        """What an archive has as further names of members that nobody wanted, by those members."""
        found: dict[bytes, list[bytes]] = {}
        for target in self.needs(target for targets in source.takes.values() for target in targets):
            first = self._linked.get(target)
            if first is not None and not any(
                each in self.written.done for each in source.takes.get(first, ())
            ):
                found.setdefault(first, []).append(target)
        return {first: tuple(targets) for first, targets in found.items()}

    def target_of(self, packed: Packed) -> bytes:
        """Where a file is restored to that was packed, if it is no archive; else what it is called there."""
        return self._restoration.prefix + plain_name(packed.name)

    def take_packed(self, packed: Packed, pieces: Iterator[bytes]) -> None:
        """Take what is selected of what was packed, unless something newer had it.

        Raises:
            RestoreError: it cannot be decrypted or unpacked.
        """
        if not packed.is_tar:
            self._take_decrypted(packed, pieces)
            return
        with contextlib.closing(
            self._ports.unpacker.members(packed.source.path, pieces, packed.source.size)
        ) as members:
            for member in members:
                self._ports.interrupts.check()
                target = self._restoration.prefix + member.path
                if target in self._wanted or not self._restoration.selects(member.path):
                    continue
                entry = member.entry()._replace(path=target)
                self.attributes[target] = entry
                self._wanted[target] = Wanted(
                    target, entry.kind, entry.size, entry.mtime_ns, b"", member.path
                )
                with self._at(target):
                    self._look(target, self._wanted[target])
                if entry.kind is Kind.FILE and not entry.hardlink and self.needs([target]):
                    self.take_file([target], member.chunks)

    def _take_decrypted(self, packed: Packed, pieces: Iterator[bytes]) -> None:
        """Write a file as it was before it was encrypted, or cut."""
        target = self.target_of(packed)
        name = b"file" + packed.name[len(plain_name(packed.name)) :]
        wanted = Wanted(target, Kind.FILE, -1, packed.mtime_ns, b"", packed.name)
        self._wanted[target] = wanted
        with self._at(target):
            self._look(target, wanted)
        if not self.needs([target]):
            return
        try:
            with self._ports.unpacking.opened(name, pieces) as stream, self._folder.writing(target) as file:
                size = 0
                while piece := stream.read(1 << 20):
                    file.write(size, piece)
                    size += len(piece)
                file.keep(size, self._unknown(target)._replace(size=size))
        except StagingError as error:
            raise RestoreError(
                f"{to_text(packed.source.path)}: {error.message}", advice=error.advice
            ) from error
        self._is_done(target, size, bare=False)

    def take_index(self, source: Source, content: bytes) -> None:
        """Learn attributes from the index beside an archive.

        Raises:
            RestoreError: it is not what it should be.
        """
        if hashlib.sha256(content).digest() != source.sha256:
            raise RestoreError("its content is not what was stored")
        try:
            self._ports.archives.head_in(content, source.path.removesuffix(INDEX_SUFFIX), source.head)
            lines = index_lines(BytesIO(content), at_most=MOST_ENTRIES)
            next(lines)
            self.learn(map(parse_record, lines), source.takes)
        except (ValueError, OSError, EOFError, zlib.error) as error:
            raise RestoreError(f"it cannot be read: {error}") from error

    def learn(self, entries: Iterable[Entry], takes: Mapping[bytes, Sequence[bytes]]) -> None:
        """Learn attributes of what is wanted from entries, by the paths that they are asked for."""
        for entry in entries:
            for target in takes.get(entry.path, ()):
                wanted = self._wanted[target]
                if entry.kind != wanted.kind or (entry.kind is Kind.FILE and _other(entry, wanted)):
                    continue
                self.attributes[target] = entry
                if target in self.written.done:
                    self.written.bare.add(target)

    # -- the end -------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Make what has no content, join names of one file, and give everything its attributes."""
        self._join_links()
        folders = []
        for target, wanted in self._wanted.items():
            entry = self.attributes.get(target)
            if wanted.kind == Kind.DIR:
                folders.append(target)
            elif wanted.kind != Kind.FILE:
                if self.needs([target]):
                    self._make(target, entry)
            elif target in self.written.bare and target in self.written.done and entry is not None:
                with self._at(target):
                    self._folder.finish(target, entry)
        for target in folders:
            with self._at(target):
                self._folder.folder(target)
                if not self._folder.made(target):
                    self.written.before.add(target)
        for target in sorted(folders, reverse=True):
            if target not in self._restoration.above or self._folder.made(target):
                entry = self.attributes.get(target) or self._unknown(target)
                with self._at(target):
                    self._folder.finish(target, entry)
            if target not in self.written.failed:
                self.written.done.add(target)

    def _make(self, target: bytes, entry: Entry | None) -> None:
        if entry is None:
            self.written.failed[target] = "what it was is in an index that could not be read"
            return
        with self._at(target):
            there = self._folder.look(target)
            if there is not None and there.kind is entry.kind:
                if there.target == entry.target:
                    self.written.before.add(target)
                    self.written.done.add(target)
                    self._folder.finish(target, entry)
                    return
                if reason := self._replaces(self._wanted[target], there):
                    self.written.left[target] = reason
                    return
                self._replaced.add(target)
            if not self._folder.make(target, entry, replace=target in self._replaced):
                self.written.failed[target] = "a device is made only when asked: --privileged"
                return
            self.written.done.add(target)

    def _join_links(self) -> None:
        """Files of several names that are wanted are one file again."""
        prefix = self._restoration.prefix
        for target, wanted in self._wanted.items():
            entry = self.attributes.get(target)
            if wanted.kind != Kind.FILE or entry is None or not entry.hardlink or target in self.written.left:
                continue
            other = prefix + entry.hardlink
            if other == target or other not in self.written.done:
                continue
            if self._wanted[other].sha256 != wanted.sha256:
                continue
            with self._at(target):
                replace = target in self.written.done or target in self._replaced
                self._folder.join(target, other, replace=replace)
                self.written.done.add(target)
                self.written.bare.discard(target)

    @contextlib.contextmanager
    def _at(self, target: bytes) -> Iterator[None]:
        """What fails at a path does not hold up the others."""
        try:
            yield
        except (Interrupted, DiskFull):
            raise
        except RestoreError as error:
            self.written.failed[target] = error.message
            self.written.done.discard(target)


def _other(entry: Entry, wanted: Wanted) -> bool:
    return bool(wanted.sha256 and entry.sha256 and entry.sha256 != wanted.sha256)


def as_chunks(pieces: Iterable[bytes]) -> Iterator[Chunk]:
    """A file as it comes, without stretches of nothing but zeros, which take no room."""
    offset = 0
    for piece in pieces:
        yield Chunk(offset, piece)
        offset += len(piece)


def _joined(chunks: Iterable[Chunk], whole: int) -> bytes:
    """A small content as one, holes filled; longer than it should be at most by a chunk."""
    several = list(chunks)
    if len(several) == 1 and not several[0].offset and len(several[0].data) >= whole:
        return several[0].data
    content = bytearray(whole)
    for offset, data in several:
        content[offset : offset + len(data)] = data
    return bytes(content)


def _written(
    chunks: Iterable[Chunk], files: Sequence[Writing], whole: int, ports: Ports
) -> tuple[int, bytes]:
    """Write a content to files; its size and digest. Large stretches of zeros are left out."""
    digest = hashlib.sha256()
    size = 0
    for offset, data in chunks:
        ports.interrupts.check()
        _digest_zeros(digest, offset - size)
        digest.update(data)
        size = offset + len(data)
        if len(data) == len(_ZEROS) and data == _ZEROS:
            continue
        for file in files:
            file.write(offset, data)
    _digest_zeros(digest, whole - size)  # a hole at the end
    return max(size, whole), digest.digest()


def _digest_zeros(digest: hashlib._Hash, count: int) -> None:
    while count > 0:
        digest.update(memoryview(_ZEROS)[: min(count, len(_ZEROS))])
        count -= len(_ZEROS)
