"""What a peer offers to be staged, and what of it arrives: asked and fetched from one peer at a time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cedarchest.config.model import Peer
from cedarchest.errors import PeerError
from cedarchest.model.handover import COLLECTED_LIST, COLLECTED_MARK, Collected, is_own, read_collected
from cedarchest.model.index import Entry, Fingerprint, Kind
from cedarchest.model.names import to_text
from cedarchest.model.size import shown_bytes
from cedarchest.ports import Handover, PeerItem, Ports

_TAKEN = (Kind.FILE, Kind.DIR, Kind.LINK)
"""What is staged; of the others nothing could be kept but their names."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a peer has that is to be staged.

    `listed` is what its collect says of its files; `mode` is that of its collect dir; `ask_for` are paths
    that bring all there is to `take`.
    """

    handover: Handover
    listed: Mapping[bytes, Collected]
    mode: int
    take: tuple[PeerItem, ...]
    ask_for: tuple[bytes, ...]
    left_out: tuple[str, ...]

    @property
    def data_bytes(self) -> int:
        """Bytes of all files."""
        return sum(item.size for item in self.take)


@dataclass(frozen=True, slots=True)
class Fetched:
    """What of an offer arrived and is as the peer digested it."""

    entries: Sequence[tuple[Entry, Fingerprint]]
    left_out: tuple[str, ...]


def ask(peer: Peer, day: str, staged: Mapping[bytes, Entry], ports: Ports) -> Offer:
    """What a peer has that is not among what is `staged` of the day.

    Raises:
        PeerError: it is not ready or not to be read, or has more than it may.
    """
    folder = ports.peers.named(peer.name)
    handover = folder.handover()
    if handover is None:
        raise PeerError(
            f"{peer.name} is not ready: there is no {COLLECTED_MARK} in {peer.collect_dir}",
            advice="Once its collect has ended, run the command again: what is late comes into the same day.",
            peer=peer.name,
        )
    listed = _listed(peer, handover)
    seen = folder.look()
    items = tuple(item for item in seen.items if not is_own(item.path))
    present = {item.path for item in items}
    if absent := [path for path in listed if path not in present]:
        raise PeerError(
            f"{peer.name} lists {to_text(absent[0])} in {COLLECTED_LIST}, and it is not there",
            advice="Let the peer collect again, then run the command again.",
            peer=peer.name,
        )
    prefix = f"{day}/{peer.name}/".encode()
    new = _new(items, lambda path: staged.get(prefix + path), listed)
    odd = tuple(f"{to_text(item.path)}: a {item.kind}" for item in new if item.kind not in _TAKEN)
    take = tuple(item for item in new if item.kind in _TAKEN)
    offer = Offer(handover, listed, seen.mode, take, _whole(items, take), (*seen.problems, *odd))
    if peer.max_size is not None and offer.data_bytes > peer.max_size:
        raise PeerError(
            f"{peer.name} has {shown_bytes(offer.data_bytes)} to stage, more than its max_size of"
            f" {shown_bytes(peer.max_size)}",
            advice="See what grew there; raise max_size if it is wanted.",
            peer=peer.name,
        )
    return offer


def _listed(peer: Peer, handover: Handover) -> Mapping[bytes, Collected]:
    try:
        return read_collected(handover.listed)
    except ValueError as error:
        raise PeerError(
            f"{COLLECTED_LIST} of {peer.name} cannot be used: {error}",
            advice="Let the peer collect again, or remove the list there.",
            peer=peer.name,
        ) from error


def _new(
    items: Collection[PeerItem],
    staged: Callable[[bytes], Entry | None],
    listed: Mapping[bytes, Collected],
) -> list[PeerItem]:
    """What the day has not as it is at the peer, and the folders that it is in."""

    def is_there(item: PeerItem) -> bool:
        entry = staged(item.path)
        if entry is None or entry.kind is not item.kind:
            return False
        if item.kind is Kind.DIR:
            return True
        if item.kind is Kind.FILE and item.path in listed and entry.sha256:
            return entry.sha256 == listed[item.path].sha256
        return (entry.size, entry.mtime_ns // 10**9) == (item.size, item.mtime)

    wanted = {item.path for item in items if not is_there(item)}
    needed = {folder for path in wanted for folder in _folders_of(path)} | wanted
    return sorted((item for item in items if item.path in needed), key=lambda item: item.path)


def _whole(items: Collection[PeerItem], take: Sequence[PeerItem]) -> tuple[bytes, ...]:
    """The fewest paths that bring what is to be taken: a folder of which all is wanted stands for it."""
    wanted = {item.path for item in take}
    broken = {
        folder
        for item in items
        if item.path not in wanted and item.kind in _TAKEN
        for folder in (*_folders_of(item.path), b".")
    }
    if b"." not in broken:
        return (b".",)
    found: list[bytes] = []
    for item in take:
        if item.path in broken or any(folder not in broken for folder in _folders_of(item.path)):
            continue
        found.append(item.path)
    return tuple(found)


def _folders_of(path: bytes) -> Iterator[bytes]:
    while b"/" in path:
        path = path.rpartition(b"/")[0]
        yield path


def fetch(name: str, offer: Offer, root: Path, arrived: Callable[[int], None], ports: Ports) -> Fetched:
    """What was offered, once it arrived; a file that is not what the peer digested is thrown away."""
    folder = ports.peers.named(name)
    wanted = {item.path for item in offer.take}
    into = ports.arrivals.folder(root, name, offer.mode)
    lines = folder.fetch(offer.ask_for, into, arrived)
    if folder.handover() != offer.handover:
        raise PeerError(
            f"{name} collected again while it was staged; nothing of it was taken",
            advice="Once its collect has ended, run the command again.",
            peer=name,
        )
    entries = []
    troubles = list(lines)
    for entry, fingerprint in ports.arrivals.entries(root, name):
        promised = offer.listed.get(entry.path)
        if entry.path not in wanted:
            continue
        wanted.discard(entry.path)
        if promised and promised.sha256 != entry.sha256:
            ports.arrivals.discard(root, name, entry.path)
            troubles.append(f"{to_text(entry.path)}: not what {name} collected, by its SHA-256")
        else:
            entries.append((entry, fingerprint))
    if wanted and not lines:
        troubles += [f"{to_text(path)}: did not arrive" for path in sorted(wanted)]
    if troubles and not any(entry.kind is not Kind.DIR for entry, _ in entries):
        raise PeerError(
            f"nothing of {name} could be had: {troubles[0]}",
            advice="Look at that file on the peer, then run the command again.",
            peer=name,
        )
    return Fetched(entries, (*offer.left_out, *troubles))
