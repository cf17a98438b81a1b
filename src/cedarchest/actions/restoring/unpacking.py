"""Takes what is wanted of files whose content only shows when they are decrypted or joined."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence

from cedarchest.actions.restoring.packed import plain_name
from cedarchest.actions.restoring.state import Restoring
from cedarchest.actions.restoring.writing import Restorer
from cedarchest.errors import RestoreError, StagingError
from cedarchest.model.index import Kind
from cedarchest.model.names import to_text
from cedarchest.model.restoring import Packed, Restoration, Wanted
from cedarchest.ports.restoring import Unpacked


def target_of(restoration: Restoration, packed: Packed) -> bytes:
    """Where a file is restored to that was packed, if it is no archive; else what it is called there."""
    return restoration.prefix + plain_name(packed.name)


def take_packed(restorer: Restorer, packed: Packed, pieces: Callable[[], Iterator[bytes]]) -> None:
    """Take what is selected of what was packed, unless something newer had it.

    Raises:
        RestoreError: it cannot be decrypted or unpacked.
    """
    state = restorer.state
    if not packed.is_tar:
        _take_decrypted(state, packed, pieces())
        return
    links: dict[bytes, list[bytes]] = {}  # further names, by the path of the member that has the content
    for member in _members(state, packed, pieces()):
        target = state.restoration.prefix + member.path
        if not state.restoration.selects(member.path) or not state.is_older(target, packed.day, packed):
            continue
        entry = member.entry()._replace(path=target)
        state.attributes[target] = entry
        state.wanted[target] = Wanted(target, entry.kind, entry.size, entry.mtime_ns, b"", member.path)
        if target not in state.replaced:
            with state.at(target):
                state.look(target, state.wanted[target])
        if entry.hardlink:
            links.setdefault(entry.hardlink, []).append(target)
        elif entry.kind is Kind.FILE and state.needs([target]):
            restorer.take_file([target], member.chunks)
    _take_links(restorer, packed, links, pieces)


def _members(state: Restoring, packed: Packed, pieces: Iterator[bytes]) -> Iterator[Unpacked]:
    unpacked = state.ports.unpacker.members(packed.source.path, pieces, packed.source.size)
    with contextlib.closing(unpacked) as members:
        for member in members:
            state.ports.interrupts.check()
            yield member


def _take_links(
    restorer: Restorer,
    packed: Packed,
    links: Mapping[bytes, Sequence[bytes]],
    pieces: Callable[[], Iterator[bytes]],
) -> None:
    """Content for further names whose first one did not come from here: it is read once more."""
    state = restorer.state
    alone = {
        first: state.needs(targets)
        for first, targets in links.items()
        if not state.is_from(state.restoration.prefix + first, packed)
    }
    if not any(alone.values()):
        return
    for member in _members(state, packed, pieces()):
        targets = alone.pop(member.path, [])
        if targets and member.kind is Kind.FILE and not member.hardlink:
            size = member.entry().size
            for target in targets:
                state.wanted[target] = state.wanted[target]._replace(size=size)
                state.attributes[target] = state.attributes[target]._replace(hardlink=b"")
            restorer.take_file(targets, member.chunks)


def _take_decrypted(state: Restoring, packed: Packed, pieces: Iterator[bytes]) -> None:
    """Write a file as it was before it was encrypted, or cut."""
    target = target_of(state.restoration, packed)
    name = b"file" + packed.name[len(plain_name(packed.name)) :]
    if not state.is_older(target, packed.day, packed):
        return
    wanted = Wanted(target, Kind.FILE, -1, packed.mtime_ns, b"", packed.name)
    state.wanted[target] = wanted
    if target not in state.replaced:
        with state.at(target):
            state.look(target, wanted)
    if not state.needs([target]):
        return
    try:
        with state.ports.unpacking.opened(name, pieces) as stream, state.folder.writing(target) as file:
            size = 0
            while piece := stream.read(1 << 20):
                file.write(size, piece)
                size += len(piece)
            file.keep(size, state.unknown(target)._replace(size=size))
    except StagingError as error:
        raise RestoreError(f"{to_text(packed.source.path)}: {error.message}", advice=error.advice) from error
    state.is_done(target, size, bare=False)
