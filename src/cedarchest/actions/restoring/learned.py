"""What indexes told of attributes, kept until nothing is missing: their disc is not asked for again."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Sequence

from cedarchest.model.index import Entry, format_record, parse_record
from cedarchest.model.restoring import Source
from cedarchest.ports.restoring import RestoreFolder

_DIGEST_SIZE = 32


class LearnedEntries:
    """Entries that runs of a restore learned, by the index that they are from, beside what is restored."""

    def __init__(self, folder: RestoreFolder, *, at_most: int) -> None:
        self._folder = folder
        self._at_most = at_most
        self._kept: set[bytes] = set()

    def recall(self, source: Source) -> Sequence[Entry]:
        """What an earlier run learned from an index, if that is all that it is asked for; else nothing."""
        name = _name(source)
        with self._folder.spool(name) as spool:
            content = spool.read(0, self._at_most)
            digest, records = content[:_DIGEST_SIZE], content[_DIGEST_SIZE:]
            entries: list[Entry] = []
            if hashlib.sha256(records).digest() == digest:
                with contextlib.suppress(ValueError):  # by another version of this program
                    entries = [parse_record(line) for line in records.splitlines()]
            if not source.takes.keys() <= {entry.path for entry in entries}:
                spool.drop()
                return ()
        self._kept.add(name)
        return entries

    def keep(self, source: Source, entries: Iterable[Entry]) -> None:
        """Keep what was learned from an index."""
        name = _name(source)
        records = b"".join(map(format_record, entries))
        with self._folder.spool(name) as spool:
            spool.write(0, hashlib.sha256(records).digest() + records)
        self._kept.add(name)

    def drop(self) -> None:
        """None of it is needed any more."""
        for name in self._kept:
            with self._folder.spool(name) as spool:
                spool.drop()
        self._kept.clear()


def _name(source: Source) -> bytes:
    digest = hashlib.sha256(b"learned from " + source.path)
    for piece in source.pieces:
        digest.update(piece.sha256)
        for place in piece.places:
            digest.update(f"{place.disc_id} {place.session}".encode())
    return digest.hexdigest().encode()
