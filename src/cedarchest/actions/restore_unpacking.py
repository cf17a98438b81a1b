"""Takes what is wanted of files whose content only shows when they are decrypted or joined."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from cedarchest.actions.restore_packed import plain_name
from cedarchest.actions.restore_state import Restoring
from cedarchest.actions.restore_writing import Restorer
from cedarchest.errors import RestoreError, StagingError
from cedarchest.model.index import Kind
from cedarchest.model.names import to_text
from cedarchest.model.restoring import Packed, Restoration, Wanted


def target_of(restoration: Restoration, packed: Packed) -> bytes:
    """Where a file is restored to that was packed, if it is no archive; else what it is called there."""
    return restoration.prefix + plain_name(packed.name)


def take_packed(restorer: Restorer, packed: Packed, pieces: Iterator[bytes]) -> None:
    """Take what is selected of what was packed, unless something newer had it.

    Raises:
        RestoreError: it cannot be decrypted or unpacked.
    """
    state = restorer.state
    if not packed.is_tar:
        _take_decrypted(state, packed, pieces)
        return
    with contextlib.closing(
        state.ports.unpacker.members(packed.source.path, pieces, packed.source.size)
    ) as members:
        for member in members:
            state.ports.interrupts.check()
            target = state.restoration.prefix + member.path
            if target in state.wanted or not state.restoration.selects(member.path):
                continue
            entry = member.entry()._replace(path=target)
            state.attributes[target] = entry
            state.wanted[target] = Wanted(target, entry.kind, entry.size, entry.mtime_ns, b"", member.path)
            with state.at(target):
                state.look(target, state.wanted[target])
            if entry.kind is Kind.FILE and not entry.hardlink and state.needs([target]):
                restorer.take_file([target], member.chunks)


def _take_decrypted(state: Restoring, packed: Packed, pieces: Iterator[bytes]) -> None:
    """Write a file as it was before it was encrypted, or cut."""
    target = target_of(state.restoration, packed)
    name = b"file" + packed.name[len(plain_name(packed.name)) :]
    wanted = Wanted(target, Kind.FILE, -1, packed.mtime_ns, b"", packed.name)
    state.wanted[target] = wanted
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
