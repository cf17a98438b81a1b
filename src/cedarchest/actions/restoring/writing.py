"""Writes what is restored, checked against its digest on the way; attributes as far as they are known.

A file gets its name only when it is what it should be. What is not is kept as `NAME.damaged` where that is
asked for.
"""

from __future__ import annotations

import contextlib
import hashlib
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import BytesIO

from cedarchest.actions.restoring.state import DAMAGED, Restoring
from cedarchest.errors import RestoreError
from cedarchest.model.archive_names import INDEX_SUFFIX
from cedarchest.model.index import Entry, Kind, index_lines, parse_record
from cedarchest.model.restoring import Source, Wanted
from cedarchest.ports.restoring import Chunk, Writing

LARGEST_INDEX = 1 << 30
"""Bytes of a packed index that are believed."""

MOST_ENTRIES = 5_000_000

_LARGEST_HOLE = 1 << 50
_ZEROS = bytes(1 << 20)


class Restorer:
    """Writes what of a restoration comes by; what is damaged is kept apart if that is asked for."""

    def __init__(self, state: Restoring, *, damaged: bool) -> None:
        self.state = state
        self._keeps_damaged = damaged
        self._linked: dict[bytes, bytes] = {}  # what an archive has as a further name, and of what

    def take_file(self, targets: Sequence[bytes], chunks: Iterable[Chunk]) -> bool:
        """Write a content to the paths that want it; whether it is what they want."""
        wanted = self.state.wanted[targets[0]]
        if wanted.size <= len(_ZEROS) and self.state.replaced.isdisjoint(targets):
            return self._put(targets, wanted, chunks)
        with contextlib.ExitStack() as opened:
            files: dict[bytes, Writing] = {}
            for target in targets:
                with self.state.at(target):
                    files[target] = opened.enter_context(self.state.folder.writing(target))
            size, digest = self._written(chunks, files, wanted.size)
            good = digest == wanted.sha256 if wanted.sha256 else bool(digest)
            for target in self.state.needs(files):
                with self.state.at(target):
                    self._keep(target, files[target], size, good=good)
        return good

    def _written(
        self, chunks: Iterable[Chunk], files: Mapping[bytes, Writing], whole: int
    ) -> tuple[int, bytes]:
        """Write a content to files; its size and digest, none where it is longer than it should be.

        Large stretches of zeros are left out. Where a file cannot be written that is its own trouble.
        """
        digest = hashlib.sha256()
        size = 0
        for offset, data in chunks:
            self.state.ports.interrupts.check()
            if offset + len(data) > whole:
                return whole, b""
            self._digest_zeros(digest, offset - size)
            digest.update(data)
            size = offset + len(data)
            if len(data) == len(_ZEROS) and data == _ZEROS:
                continue
            for target in self.state.needs(files):
                with self.state.at(target):
                    files[target].write(offset, data)
        self._digest_zeros(digest, whole - size)  # a hole at the end
        return whole, digest.digest()

    def _digest_zeros(self, digest: hashlib._Hash, count: int) -> None:
        if count > _LARGEST_HOLE:
            raise RestoreError("a hole in it is larger than any file")
        while count > 0:
            self.state.ports.interrupts.check()
            digest.update(memoryview(_ZEROS)[: min(count, len(_ZEROS))])
            count -= len(_ZEROS)

    def _put(self, targets: Sequence[bytes], wanted: Wanted, chunks: Iterable[Chunk]) -> bool:
        """Write a small content, of which all is known before, to paths where nothing is."""
        self.state.ports.interrupts.check()
        content = _joined(chunks, wanted.size)
        good = len(content) == wanted.size
        if good and wanted.sha256:
            good = hashlib.sha256(content).digest() == wanted.sha256
        for target in targets:
            with self.state.at(target):
                entry = self.state.attributes.get(target)
                if good:
                    self.state.folder.put(target, content, entry or self.state.unknown(target))
                    self.state.is_done(target, len(content), bare=entry is None)
                elif self._keeps_damaged and target not in self.state.written.damaged:
                    with self.state.folder.writing(target) as file:
                        file.write(0, content)
                        file.keep(len(content), entry or self.state.unknown(target), suffix=DAMAGED)
                    self.state.written.damaged.add(target)
        return good

    def _keep(self, target: bytes, file: Writing, size: int, *, good: bool) -> None:
        entry = self.state.attributes.get(target)
        if good:
            file.keep(size, entry or self.state.unknown(target))
            self.state.is_done(target, size, bare=entry is None)
        elif self._keeps_damaged and target not in self.state.written.damaged:
            file.keep(size, entry or self.state.unknown(target), suffix=DAMAGED)
            self.state.written.damaged.add(target)

    def take_empty(self) -> None:
        """Write the files that have no content, of which nothing has to be read."""
        for target in self.state.needs(self.state.wanted):
            wanted = self.state.wanted[target]
            if wanted.kind == Kind.FILE and not wanted.size and wanted.sha256:
                self.take_file([target], ())

    def take_members(self, source: Source, name: bytes, pieces: Iterable[bytes]) -> None:
        """Take what is wanted of an archive as its bytes come, and no more of it than is needed.

        Raises:
            RestoreError: it is damaged.
        """
        left = set(self.state.unread(target for targets in source.takes.values() for target in targets))
        members = self.state.ports.unpacker.members(name, pieces, source.size)
        with contextlib.closing(members):
            for member in members:
                targets = [target for target in source.takes.get(member.path, ()) if target in left]
                if not targets:
                    self.state.ports.interrupts.check()
                    continue
                for target in targets:
                    if target not in self.state.attributes and self.state.wanted[target].kind == member.kind:
                        self.state.attributes[target] = member.entry()._replace(path=target)
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
        for target in self.state.needs(target for targets in source.takes.values() for target in targets):
            first = self._linked.get(target)
            if first is not None and not any(
                each in self.state.written.done for each in source.takes.get(first, ())
            ):
                found.setdefault(first, []).append(target)
        return {first: tuple(targets) for first, targets in found.items()}

    def take_index(self, source: Source, content: bytes) -> list[Entry]:
        """Learn attributes from the index beside an archive; the entries that were asked for.

        Raises:
            RestoreError: it is not what it should be.
        """
        if hashlib.sha256(content).digest() != source.sha256:
            raise RestoreError("its content is not what was stored")
        try:
            self.state.ports.archives.head_in(content, source.path.removesuffix(INDEX_SUFFIX), source.head)
            lines = index_lines(BytesIO(content), at_most=MOST_ENTRIES)
            next(lines)
            return self.learn(map(parse_record, lines), source.takes)
        except (ValueError, OSError, EOFError, zlib.error) as error:
            raise RestoreError(f"it cannot be read: {error}") from error

    def learn(self, entries: Iterable[Entry], takes: Mapping[bytes, Sequence[bytes]]) -> list[Entry]:
        """Learn attributes of what is wanted from entries, by the paths that they are asked for.

        Those that were asked for are returned.
        """
        asked = [entry for entry in entries if entry.path in takes]
        for entry in asked:
            for target in takes[entry.path]:
                wanted = self.state.wanted[target]
                if entry.kind != wanted.kind or (entry.kind is Kind.FILE and _other(entry, wanted)):
                    continue
                self.state.attributes[target] = entry
                if target in self.state.written.done:
                    self.state.written.bare.add(target)
        return asked


def _other(entry: Entry, wanted: Wanted) -> bool:
    return bool(wanted.sha256 and entry.sha256 and entry.sha256 != wanted.sha256)


def as_chunks(pieces: Iterable[bytes]) -> Iterator[Chunk]:
    """A file as it comes, without stretches of nothing but zeros, which take no room."""
    offset = 0
    for piece in pieces:
        yield Chunk(offset, piece)
        offset += len(piece)


def _joined(chunks: Iterable[Chunk], whole: int) -> bytes:
    """A small content as one, holes filled; nothing where it is longer than it should be."""
    content = bytearray(whole)
    for offset, data in chunks:
        if offset + len(data) > whole:
            return b""
        if len(data) == whole:
            return data
        content[offset : offset + len(data)] = data
    return bytes(content)
