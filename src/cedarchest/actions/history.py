"""The history action: what became of one path, version by version, and where each is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from cedarchest.actions.find import every_history
from cedarchest.model.disc import CheckRecord, DiscPlace
from cedarchest.model.history import History
from cedarchest.model.members import Listing
from cedarchest.model.names import from_text
from cedarchest.model.patterns import exactly
from cedarchest.ports import Ports


@dataclass(frozen=True, slots=True)
class KeptDisc:
    """A disc that holds something: where it is kept, and its checks, oldest first."""

    place: DiscPlace | None
    checks: tuple[CheckRecord, ...]

    def last_check(self, session: int) -> CheckRecord | None:
        """The newest of a session that judged it: one of a part says only what is bad."""
        of_session = (check for check in reversed(self.checks) if check.session == session)
        return next((check for check in of_session if check.whole or not check.passed), None)


@dataclass(frozen=True, slots=True)
class HistoryReport:
    """A path on each peer that had it, and by disc id the discs that hold it.

    `split` are the SHA-256 of contents that discs hold in parts, which only together are the file. `unread`
    archives may have it, too.
    """

    path: bytes
    histories: tuple[History, ...]
    discs: Mapping[str, KeptDisc]
    split: frozenset[bytes]
    unread: int
    now: datetime


def execute_history(path: bytes, peer: bytes = b"", *, ports: Ports) -> HistoryReport:
    """What became of a path; one that nothing is known of may be given as `find` shows it."""
    asked = path.strip(b"/")
    found = _of(asked, peer, ports)
    if not found and (shown := _unescaped(asked)):
        asked, found = (shown, again) if (again := _of(shown, peer, ports)) else (asked, found)
    holders = {copy.stand.disc_id for each in found for version in each.versions for copy in version.copies}
    digests = {version.member.sha256 for each in found for version in each.versions}
    digests |= {copy.archive for each in found for version in each.versions for copy in version.copies}
    catalog = ports.catalog
    unread = sum(each.listing in (Listing.UNREAD, Listing.BAD) for each in catalog.unread_archives())
    discs = {
        disc_id: KeptDisc(next(reversed(catalog.places(disc_id)), None), catalog.checks(disc_id))
        for disc_id in sorted(holders)
    }
    split = frozenset(catalog.splits(digests - {b""})) if digests - {b""} else frozenset[bytes]()
    return HistoryReport(asked, tuple(found), discs, split, unread, ports.clock.now())


def _of(path: bytes, peer: bytes, ports: Ports) -> list[History]:
    if not path:
        return []
    return [each for each in every_history(exactly(path), ports) if not peer or each.peer == peer]


def _unescaped(path: bytes) -> bytes:
    """The path whose readable form was given; empty where that is none, or the same."""
    try:
        found = from_text(path.decode())
    except ValueError:
        return b""
    return found if found != path else b""
