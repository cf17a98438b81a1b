"""A disc that failed, put together from what is still read of it and what audits kept of its bad places.

No single drive may read all of it: what counts is that each MiB is what it was when it was proven.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence

from cedarchest.actions.audits_due import turns_of
from cedarchest.actions.facts import base_chain
from cedarchest.errors import DamagedDisc, VerifyError
from cedarchest.model.disc import DiscRecord, SessionRecord, SessionStatus
from cedarchest.model.mapfile import DiscMap
from cedarchest.model.media import BLOCK
from cedarchest.model.names import label_word
from cedarchest.model.rounding import DIGEST, STEP
from cedarchest.model.sweep import CHUNK
from cedarchest.ports import Ports, Writer


def rescued_chain(disc: DiscRecord, ports: Ports) -> tuple[SessionRecord, ...]:
    """The sessions that make up what a failed disc showed, if drives together read all of them; else none."""
    sessions = ports.catalog.sessions(disc.disc_id)
    judged = turns_of(disc, sessions, ports.catalog.checks(disc.disc_id), ports)
    written = [each for each in sessions if each.status is not SessionStatus.ABANDONED]
    merged = ports.rescues.merged(disc.label)
    if not written or merged is None:
        return ()
    chain = tuple(base_chain(sessions, written[-1].number))
    is_there = all(each.number in judged and merged[1].is_read(each.start, each.blocks) for each in chain)
    return chain if is_there else ()


def rescued_pieces(
    writer: Writer,
    disc: DiscRecord,
    chain: Sequence[SessionRecord],
    ports: Ports,
    progress: Callable[[int], None],
) -> Iterator[tuple[int, bytes]]:
    """The sessions of a disc by byte offsets, each MiB as it was proven; `progress` gets the bytes so far.

    Raises:
        DamagedDisc: blocks are neither read in this drive nor kept.
        VerifyError: what was put together is not what it was.
    """
    kept = ports.rescues.kept(disc.label)
    done = 0
    for session in chain:
        for mib, first in enumerate(range(session.start, session.start + session.blocks, CHUNK)):
            ports.interrupts.check()
            count = min(CHUNK, session.start + session.blocks - first)
            data = _mib(writer, disc, first, count, kept, ports)
            if hashlib.sha256(data).digest() != session.block_map[mib * DIGEST : (mib + 1) * DIGEST]:
                raise VerifyError(
                    f"blocks {first} to {first + count - 1} of {disc.label} are not what they were",
                    advice=f"Run `cedarchest audit {label_word(disc.label)}`, in another drive too;"
                    " then copy it again.",
                    label=disc.label,
                )
            yield first * BLOCK, data
            done += len(data)
            progress(done)


def _mib(writer: Writer, disc: DiscRecord, first: int, count: int, kept: DiscMap, ports: Ports) -> bytes:
    """A MiB from the drive; where that fails, with what is kept of it."""
    try:
        return writer.read(first, count)
    except DamagedDisc:
        starts = range(first, first + count, STEP)
        sizes = (min(STEP, first + count - start) for start in starts)
        pairs = zip(starts, sizes, strict=True)
        return b"".join(_step(writer, disc, start, size, kept, ports) for start, size in pairs)


def _step(writer: Writer, disc: DiscRecord, first: int, count: int, kept: DiscMap, ports: Ports) -> bytes:
    if kept.is_read(first, count):
        return ports.rescues.read(disc.label, first, count)
    try:
        return writer.read(first, count)
    except DamagedDisc as error:
        if count == 1:
            error.advice = (
                f"Put {disc.label} into the drive that could read these blocks, or run `cedarchest audit"
                f" {label_word(disc.label)}` there: it keeps what it can read of bad places."
            )
            raise
        return b"".join(_step(writer, disc, first + at, 1, kept, ports) for at in range(count))
