"""Receipts: what the master leaves in a peer's collect dir once its files are proven to be on disc.

A receipt is of one day. It is written anew when the proof of that day changes, for better or worse, and
brought to the peer by whatever run reaches it first.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import timedelta

from cedarchest.actions.offers import Proven
from cedarchest.config.model import Config
from cedarchest.errors import CedarchestError, StagingError
from cedarchest.model.days import format_day
from cedarchest.model.disc import StoredEntry
from cedarchest.model.handover import Received, read_receipt, write_receipt
from cedarchest.model.index import Entry, Kind
from cedarchest.model.parts import part_paths, whole_path
from cedarchest.ports import DayIndex, Ports

log = logging.getLogger(__name__)

RECENT = timedelta(days=366)
"""How far back days get receipts: what a peer keeps longer than a year it keeps for itself.

Those that it has are corrected however old they are: by them it deletes, and leaves out of what is staged.
"""


def leave_receipts(config: Config, *, staged: DayIndex | None = None, ports: Ports) -> None:
    """Tell each peer what of its files is proven now; one that cannot be reached is told by a later run.

    Of a day that was just `staged` it is told what is on no disc yet as well, with no copies. What goes wrong
    is warned of: the action that it belongs to has done its work.
    """
    if not config.peer:
        return
    try:
        _write_all(config, staged, ports)
    except CedarchestError as error:
        ports.reporter.warn(f"{error.message}; receipts are written by a later run")
    _deliver(config, ports)


def _write_all(config: Config, staged: DayIndex | None, ports: Ports) -> None:
    oldest = format_day((ports.clock.now() - RECENT).date())
    days, proofs = ports.catalog.days(), ports.catalog.proofs()
    for day in days:
        if day >= oldest or ports.receipts.proof(day):
            on_top = staged if staged and staged.day == day else None
            _write(config, day, proofs.get(day, ()), on_top, ports)
    if staged and staged.day not in days:
        _write(config, staged.day, (), staged, ports)


def _deliver(config: Config, ports: Ports) -> None:
    for peer in config.peer:
        folder = ports.receipts.due(peer.name) if peer.receipts else None
        if folder is None:
            continue
        try:
            ports.peers.named(peer.name).put(folder)
            ports.receipts.delivered(peer.name)
        except CedarchestError as error:
            ports.reporter.warn(f"{error.message}; it gets its receipts from a later run")


def _write(
    config: Config, day: str, proven: Sequence[tuple[str, int]], staged: DayIndex | None, ports: Ports
) -> None:
    """The receipts of a day, if its proof is another one than they speak of."""
    proof = tuple(f"{label} {number}" for label, number in proven)
    if staged:
        proof += (f"staged {staged.digest.hex()}",)
    if proof == ports.receipts.proof(day):
        return
    of_peers: dict[str, list[Received]] = {peer.name: [] for peer in config.peer}
    prefix = len(day) + 1

    def tell(entry: StoredEntry | Entry, copies: int) -> None:
        name, _, path = entry.path[prefix:].partition(b"/")
        received = of_peers.get(name.decode("utf-8", "surrogateescape"))
        if received is not None and path:
            kind = Kind(entry.kind)
            received.append(Received(path, kind, entry.size, entry.mtime_ns, entry.sha256, copies))

    on_disc = ports.catalog.copies(day)
    in_parts = dict(_in_parts(on_disc, ports))
    for stored, copies in (*on_disc.items(), *in_parts.items()):
        tell(stored, copies)
    known = {(stored.path, stored.sha256) for stored in (*on_disc, *in_parts)}
    for entry in staged.entries if staged else ():
        if (entry.path, entry.sha256) not in known:
            tell(entry, 0)
    receipts = {
        name: write_receipt(name, day, proof, received)
        for name, received in of_peers.items()
        if received or ports.receipts.has(name, day)
    }
    ports.receipts.write(day, proof, receipts)


def _in_parts(on_disc: Mapping[StoredEntry, int], ports: Ports) -> Iterator[tuple[StoredEntry, int]]:
    """The files of which all parts are on discs, each as its peer knows it, on as few as one of its parts."""
    by_place = {(stored.path, stored.sha256): (stored, copies) for stored, copies in on_disc.items()}
    for sha256, splits in ports.catalog.splits().items():
        for split in splits:
            for stem in {whole_path(path) for path, digest in by_place if digest == split.digests[0]}:
                places = zip(part_paths(stem, len(split.digests)), split.digests, strict=True)
                found = [by_place[place] for place in places if stem and place in by_place]
                if stem and len(found) == len(split.digests):
                    size = sum(stored.size for stored, _ in found)
                    whole = found[0][0]._replace(path=stem, size=size, sha256=sha256)
                    yield whole, min(copies for _, copies in found)


def proven_files(config: Config, peer: str, ports: Ports) -> AbstractSet[Proven]:
    """What of a peer has a receipt; nothing where none can be read, so that all is staged once more."""
    copies = config.store.copies if config.store else 1
    try:
        return {
            (each.path, each.kind, each.size, each.mtime_ns // 10**9)
            for content in ports.receipts.held(peer)
            for each in read_receipt(content)
            if each.copies >= copies
        }
    except (StagingError, ValueError) as error:
        ports.reporter.warn(f"the receipts of {peer} are of no use, all of it is staged: {error}")
        return set()
