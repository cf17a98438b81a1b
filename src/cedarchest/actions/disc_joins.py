"""Archives in parts, joined while the discs with the parts come by: then they are known as what they are.

What parts make together is believed only when all of them were read. They are digested one behind another,
over several discs where the discs come in the order of their parts, as they were written. A copy of a part
that was read already is passed over.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from cedarchest.errors import DamagedDisc, StagingError
from cedarchest.model.disc import StoredEntry
from cedarchest.model.parts import Split
from cedarchest.ports import Ports

Data = Callable[[Sequence[StoredEntry]], Iterator[bytes]]
"""Gives the data of files on the loaded disc."""


@dataclass
class Join:
    """A file in parts, as far as it was read; `why` says what ended it."""

    path: bytes
    label: str
    count: int
    state: hashlib._Hash = field(default_factory=hashlib.sha256)
    digests: list[bytes] = field(default_factory=list)
    part_bytes: int = 0
    size: int = 0
    discs: set[str] = field(default_factory=set)
    why: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether all parts were read."""
        return len(self.digests) == self.count and not self.why

    @property
    def sha256(self) -> bytes:
        """The digest of what was read."""
        return self.state.digest()

    @property
    def reason(self) -> str:
        """Why it is not whole."""
        missing = f"part {len(self.digests) + 1} of {self.count} was not at hand when it was wanted"
        return self.why or f"{missing}: enter all discs of it together"


class Joins:
    """The files in parts of a run."""

    def __init__(self) -> None:
        self._joins: dict[tuple[bytes, int], Join] = {}
        self._read = 0

    def of(self, path: bytes, count: int, label: str) -> Join:
        """The one of a path, begun at the disc of a label where it is new."""
        return self._joins.setdefault((path, count), Join(path, label, count))

    def unfinished(self) -> Iterator[Join]:
        """Those that did not become whole."""
        return (join for _, join in sorted(self._joins.items()) if not join.is_whole)

    def whole(self) -> Iterator[Join]:
        """Those of which all parts were read."""
        return (join for _, join in sorted(self._joins.items()) if join.is_whole)

    def went_on(self) -> bool:
        """Whether parts were read since this was asked last: an earlier disc may have the next one."""
        read = sum(len(join.digests) for join in self._joins.values())
        more, self._read = read > self._read, read
        return more


def take_parts(join: Join, parts: Mapping[int, StoredEntry], data: Data, disc_id: str, ports: Ports) -> bool:
    """Read the parts of a file that a disc has and that are wanted next; whether it is whole then."""
    join.discs.add(disc_id)
    while not join.why and (part := parts.get(len(join.digests) + 1)) is not None:
        if not part.sha256:
            join.why = f"part {len(join.digests) + 1} of {join.count} could not be read"
            break
        state = join.state.copy()
        done = 0
        ports.reporter.phase(f"joining part {len(join.digests) + 1} of {join.count}", part.size)
        try:
            for chunk in data([part]):
                ports.interrupts.check()
                state.update(chunk)
                done += len(chunk)
                ports.reporter.advance(done)
        except (StagingError, DamagedDisc):
            break  # another copy of it may come
        join.state = state
        join.part_bytes = join.part_bytes or part.size
        join.size += part.size
        join.digests.append(part.sha256)
    return join.is_whole


def record_join(join: Join, ports: Ports) -> None:
    """Have a file that was read whole known as that, wherever parts of it stand."""
    ports.catalog.put_split(join.sha256, Split(join.part_bytes, tuple(join.digests)))
    for disc in ports.catalog.discs():
        for session in ports.catalog.sessions(disc.disc_id) if disc.disc_id in join.discs else ():
            entries = list(ports.catalog.entries(disc.disc_id, session.number))
            if any(entry.sha256 in join.digests for entry in entries):
                ports.catalog.enter(session, entries, disc)
