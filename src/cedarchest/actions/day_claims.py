"""Whether a disc holds the days that it claims: the index of each day, as read, against what is there.

The digest of a day's index proves a staged day whole (`facts.is_stored`). One that a disc merely claims
proves nothing, until the index itself has that digest and the session that was just read holds each of its
entries.
"""

from __future__ import annotations

import hashlib
import io
import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace

from cedarchest.actions.facts import is_same
from cedarchest.actions.own_files import LARGEST_INDEX, NO_FILE_OF_OURS
from cedarchest.errors import CedarchestError
from cedarchest.model.disc import DayContent, SessionRecord, StoredEntry
from cedarchest.model.holdable import unholdable
from cedarchest.model.image.directories import LIMITS
from cedarchest.model.image.identity import find_nodes, read_node
from cedarchest.model.index import Entry, Kind, index_entries
from cedarchest.model.media import BLOCK
from cedarchest.model.parts import PartSeries, Split
from cedarchest.model.session import INDEX_NAME
from cedarchest.ports import Ports, Writer

log = logging.getLogger(__name__)

_PIECE_BLOCKS = 512


def days_that_agree(
    writer: Writer, session: SessionRecord, entries: Iterable[StoredEntry], ports: Ports
) -> tuple[DayContent, ...]:
    """The days of a session whose entries were just read; those not held as claimed are whole no more.

    Files in parts that all stand there are read once more, joined: what they are parts of is known then.

    Raises:
        DamagedDisc, ToolError: the drive could not read again what it had just read.
    """
    whole = any(not content.partial for content in session.days)
    held = {entry.path: entry for entry in entries} if whole else {}
    reading = _Held(writer, session, held, ports)
    checked = []
    for content in session.days:
        if content.partial or reading.agrees(content):
            checked.append(content)
        else:
            ports.reporter.warn(
                f"what session {session.number} holds of {content.day} is not the whole day that it claims:"
                " it counts entry by entry"
            )
            checked.append(replace(content, partial=True, index_digest=b""))
    return tuple(checked)


class _Held:
    """What a session holds, and the files that its parts are joined to; read no more than it is large."""

    def __init__(
        self, writer: Writer, session: SessionRecord, held: Mapping[bytes, StoredEntry], ports: Ports
    ) -> None:
        self._writer = writer
        self._session = session
        self._held = held
        self._ports = ports
        self._left = session.blocks
        self._series = PartSeries(held)

    def agrees(self, content: DayContent) -> bool:
        """Whether the index of a day is the one of the claim, and all of it is held."""
        prefix = f"{content.day}/".encode()
        path = prefix + INDEX_NAME.encode()
        try:
            node = find_nodes(self._writer.read, self._session.start, [path]).get(path)
            raw = read_node(self._writer.read, node, LARGEST_INDEX) if node and path in self._held else None
            if raw is None or hashlib.sha256(raw).digest() != self._held[path].sha256:
                return False
            digest = hashlib.sha256()
            at_most = min(content.entries, LIMITS.entries)
            listed = index_entries(io.BytesIO(raw), digest.update, prefix, at_most=at_most)
            return all(map(self._holds, listed)) and digest.digest() == content.index_digest
        except CedarchestError:
            raise
        except NO_FILE_OF_OURS as error:
            log.info("the index of %s cannot be read: %s", content.day, error)
            return False

    def _holds(self, entry: Entry) -> bool:
        """Whether an entry is held, whole or in parts; what no disc can hold lives in the index."""
        if unholdable(entry) or is_same(entry, self._held.get(entry.path)):
            return True
        parts = self._parts(entry) if entry.kind is Kind.FILE else []
        if not parts:
            return False
        state = hashlib.sha256()
        for part in parts:
            self._read(part, state)
        if state.digest() != entry.sha256:
            return False
        digests = tuple(part.sha256 for part in parts)
        self._ports.catalog.put_split(entry.sha256, Split(parts[0].size, digests))
        return True

    def _parts(self, entry: Entry) -> list[StoredEntry]:
        """The parts of a file in their order, all of them; none where any is missing, or too much is said."""
        parts = [self._held[path] for path in self._series.of(entry.path) if path in self._held]
        blocks = sum(-(-part.size // BLOCK) for part in parts)
        if sum(part.size for part in parts) != entry.size or blocks > self._left:
            return []
        self._left -= blocks
        return parts

    def _read(self, part: StoredEntry, state: hashlib._Hash) -> None:
        """Have the data of a part digested."""
        start, left = part.start, part.size
        while left > 0:
            self._ports.interrupts.check()
            count = min(_PIECE_BLOCKS, -(-left // BLOCK))
            state.update(self._writer.read(start, count)[:left])
            start, left = start + count, left - count * BLOCK
