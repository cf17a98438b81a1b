"""What a peer offers to be staged, and what of it arrives: asked and fetched from one peer at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

from cedarchest.config.model import Peer
from cedarchest.errors import PeerError, StagingError
from cedarchest.model.handover import (
    COLLECTED_LIST,
    COLLECTED_MARK,
    Collected,
    is_own,
    is_receipt,
    read_collected,
)
from cedarchest.model.index import Entry, Fingerprint, Kind
from cedarchest.model.names import to_text
from cedarchest.model.size import shown_bytes
from cedarchest.ports import Arriving, Handover, PeerItem, Ports

_TAKEN = (Kind.FILE, Kind.DIR, Kind.LINK)
"""What is staged; of the others nothing could be kept but their names."""


Proven = tuple[bytes, Kind, int, int | None]
"""Something of a peer that has a receipt: path in the collect dir, kind, size, whole second of change."""


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


def ask(
    peer: Peer,
    root: Path,
    day: str,
    staged: Mapping[bytes, Entry],
    proven: AbstractSet[Proven],
    ports: Ports,
) -> Offer:
    """What a peer has that is not among what is `staged` of the day below `root`.

    What is `proven` to be on disc is not taken again, unless a collect
    lists it as its own.

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
    seen = folder.look()
    items = tuple(item for item in seen.items if not is_own(item.path))
    listed = _listed(peer, handover, seen.items)
    prefix = f"{day}/{peer.name}/".encode()
    longest = LONGEST_PATH - len(os.fsencode(root)) - len(prefix)
    odd = {item.path: why for item in items if (why := _odd(item, longest))}
    due = [
        item
        for item in items
        if item.path not in odd
        and (item.path in listed or (item.path, item.kind, item.size, item.mtime) not in proven)
    ]
    take = _new(items, due, lambda path: staged.get(prefix + path), listed)
    odd |= {item.path: "in a folder with a name of ours" for item in seen.items if _is_hidden(item)}
    left_out = (*seen.problems, *(f"{_shortened(path)}: {why}" for path, why in odd.items()))
    offer = Offer(handover, listed, seen.mode, take, _whole(items, take), left_out)
    if peer.max_size is not None and offer.data_bytes > peer.max_size:
        raise PeerError(
            f"{peer.name} has {shown_bytes(offer.data_bytes)} to stage, more than its max_size of"
            f" {shown_bytes(peer.max_size)}",
            advice="See what grew there; raise max_size if it is wanted.",
            peer=peer.name,
        )
    return offer


WORTH_RESUMING = 1 << 20
"""Bytes of a file of which a part is worth keeping, should the line break; a smaller one comes anew."""

LONGEST_PATH = 4095 - 32
"""PATH_MAX without its NUL (limits.h), and without what rsync adds to a name while a file arrives."""


def _odd(item: PeerItem, longest: int) -> str:
    """Why something cannot be taken; empty when it can."""
    if item.kind not in _TAKEN:
        return f"a {item.kind}"
    return "its path is too long to be staged" if len(item.path) > longest else ""


def _is_hidden(item: PeerItem) -> bool:
    """Whether it is data, though its folder is named like marks of ours."""
    return is_own(item.path) and b"/" in item.path and item.kind is not Kind.DIR and not is_receipt(item.path)


def _shortened(path: bytes) -> str:
    text = to_text(path)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


_SHOWN = 200


def _listed(peer: Peer, handover: Handover, items: Collection[PeerItem]) -> Mapping[bytes, Collected]:
    """The files that a collect lists, all of which are there; none where it makes no list."""
    kinds = {item.path: item.kind for item in items}
    try:
        listed = read_collected(handover.listed)
        if not handover.listed and COLLECTED_LIST.encode() in kinds:
            raise ValueError("it is empty, too large, or no file")
        for path in listed:
            if kinds.get(path) is not Kind.FILE:
                raise ValueError(f"it names {to_text(path)}, and there is no such file")
    except ValueError as error:
        raise PeerError(
            f"{COLLECTED_LIST} of {peer.name} cannot be used: {error}",
            advice="Let the peer collect again, or remove the list there.",
            peer=peer.name,
        ) from error
    return listed


def _new(
    items: Collection[PeerItem],
    due: Collection[PeerItem],
    staged: Callable[[bytes], Entry | None],
    listed: Mapping[bytes, Collected],
) -> tuple[PeerItem, ...]:
    """Of what is due that which the day has not as it is at the peer, and the folders that it is in.

    A folder that holds something comes with it, and not for its own sake.
    """

    def is_there(item: PeerItem) -> bool:
        entry = staged(item.path)
        if entry is None or entry.kind is not item.kind:
            return False
        if item.kind is Kind.DIR:
            return True
        if item.kind is Kind.LINK:
            return entry.target == item.target
        if item.kind is Kind.FILE and item.path in listed and entry.sha256:
            return entry.sha256 == listed[item.path].sha256
        return (entry.size, entry.mtime_ns // 10**9) == (item.size, item.mtime)

    holding = {folder for item in items for folder in _folders_of(item.path)}
    wanted = {item.path for item in due if item.path not in holding and not is_there(item)}
    needed = {folder for path in wanted for folder in _folders_of(path)} | wanted
    return tuple(sorted((item for item in items if item.path in needed), key=lambda item: item.path))


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
    with ports.arrivals.arriving(root, name) as arriving:

        def came(path: bytes, size: int) -> None:
            arriving.came(path)
            arrived(size)

        large = any(item.size >= WORTH_RESUMING for item in offer.take)
        lines = folder.fetch(offer.ask_for, into, came, resumable=large)
        if folder.handover() != offer.handover:
            raise PeerError(
                f"{name} collected again while it was staged; nothing of it was taken",
                advice="Once its collect has ended, run the command again.",
                peer=name,
            )
        found = _arrived(name, arriving, root, ports)
    entries = []
    troubles = list(lines)
    for entry, fingerprint in found:
        promised = offer.listed.get(entry.path)
        if entry.path not in wanted:
            continue
        wanted.discard(entry.path)
        if promised and promised.sha256 != entry.sha256:
            if entry.kind is not Kind.DIR:
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


def _arrived(
    name: str, arriving: Arriving, root: Path, ports: Ports
) -> tuple[tuple[Entry, Fingerprint], ...]:
    """All that is there of a peer; where that cannot be read, the next run begins anew."""
    try:
        return arriving.entries()
    except StagingError:
        ports.arrivals.drop(root, name)
        raise
