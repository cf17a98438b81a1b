"""How much of a disc is read for what it says are archives."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

from tests.fakes.ports import memory_ports
from tests.fakes.writer import MemoryDisc, MemoryWriter, Tray

from cedarchest.actions.disc_archives import index_from_disc
from cedarchest.actions.disc_joins import Joins
from cedarchest.model.disc import DiscRecord, SessionRecord, SessionStatus, StoredEntry
from cedarchest.model.media import BLOCK, Medium

AT = datetime(2026, 11, 22, tzinfo=UTC)
DISC = DiscRecord("disc", "CC_1", Medium.BD_R, 1000, AT)


class Counting(MemoryWriter):
    """A writer that counts the blocks it read."""

    blocks = 0

    def read(self, start: int, count: int) -> bytes:
        self.blocks += count
        return super().read(start, count)


def test_archives_that_are_all_the_same_data_are_not_read_beyond_the_size_of_their_disc(
    tmp_path: Path,
) -> None:
    disc = MemoryDisc()
    disc.record(0, bytes(100 * BLOCK))
    ports = memory_ports(tmp_path, Tray(disc=disc))
    session = SessionRecord("disc", 1, 0, 0, 100, "set", SessionStatus.CLAIMED, AT)
    entries = [
        StoredEntry(
            b"2026/11/22/alpha/%d.tar" % number,
            "file",
            90 * BLOCK,
            0,
            hashlib.sha256(b"%d" % number).digest(),
            0,
        )
        for number in range(50)
    ]
    ports.catalog.enter(session, sorted(entries), DISC)
    writer = Counting(Tray(disc=disc))
    found = index_from_disc(writer, DISC, Joins(), ports)
    assert (found.archives, len(found.left)) == (0, 50)
    assert writer.blocks <= 200
    assert "larger than the disc" in found.left[-1].why
    assert "is not what the disc says that it is" in found.left[0].why
