"""Discs made to do harm: `catalog rebuild` and `verify` meet loops, bombs, overlaps and lies within limits.

They are laid out in memory as this program would write them, and then spoilt by bytes.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import sys
import tracemalloc
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.fakes.image import Session, twice
from tests.fakes.ports import RecordingReporter, memory_config, memory_ports
from tests.fakes.writer import MemoryDisc, MemoryDrives, MemoryWriter, Recorded, Tray

from cedarchest.actions.catalog_rebuild import CatalogReport, execute_catalog_rebuild
from cedarchest.actions.store import write_image
from cedarchest.actions.verify import VerifyReport, execute_verify
from cedarchest.errors import NotAppendable
from cedarchest.model.disc import DayContent, DiscRecord, SessionRecord, SessionStatus, TocEntry
from cedarchest.model.image.shown import read_shown
from cedarchest.model.index import Entry, Kind, read_index, write_index
from cedarchest.model.media import BLOCK, Medium
from cedarchest.model.session import disc_json, session_json, session_sums
from cedarchest.ports import Ports, Writer

DAY = "2026/11/22"
AT = datetime(2026, 11, 22, 23, 0, tzinfo=UTC)
SECONDS = int(AT.timestamp()) * 10**9
DEVICE = "/dev/sr0"
FOLDER = b"CEDARCHEST/sessions/001"
Change = Callable[[bytearray, Session], None]


def unchanged(_raw: bytearray, _session: Session) -> None:
    pass


def a_dir(path: bytes) -> Entry:
    return Entry(path, Kind.DIR, 0, 0o755, 0, 0, SECONDS)


def a_file(path: bytes, content: bytes) -> Entry:
    return Entry(path, Kind.FILE, len(content), 0o644, 0, 0, SECONDS, sha256=hashlib.sha256(content).digest())


def index_of(entries: list[Entry], header: dict[str, object] | None = None) -> tuple[bytes, bytes]:
    """An index file and the digest of its records."""
    stream = io.BytesIO()
    digest = write_index(stream, header or {}, sorted(entries))
    return stream.getvalue(), digest


DISC = DiscRecord(str(uuid.UUID(int=7)), "CC_20261122_001", Medium.DVD_PLUS_R, 2**20, AT)


@dataclass
class Forged:
    """A disc with one session that claims a whole day; what stands in any file may be another's."""

    files: Mapping[bytes, bytes] = field(default_factory=lambda: {b"alpha/a": b"data" * 3000})
    day_digest: bytes = b""
    replaced: Mapping[bytes, bytes] = field(default_factory=dict)
    disc: DiscRecord = DISC
    elsewhere: tuple[bytes, ...] = ()  # files whose data are not there

    def contents(self) -> tuple[list[Entry], dict[bytes, bytes]]:
        """What the disc shows, and what stands in its files."""
        day = f"{DAY}/".encode()
        contents = {day + path: content for path, content in self.files.items()}
        listed = [a_file(path[len(day) :], content) for path, content in contents.items()]
        folders = {path.rpartition(b"/")[0] for path in self.files if b"/" in path}
        index, digest = index_of([*listed, *map(a_dir, folders)])
        contents.setdefault(day + b"INDEX.jsonl.gz", index)
        claimed = DayContent(DAY, self.day_digest or digest, len(listed) + len(folders), 9)
        session = SessionRecord(
            self.disc.disc_id, 1, 0, 0, 0, "set-1", SessionStatus.BURNT, AT, (claimed,), tool="forged"
        )
        contents[b"CEDARCHEST/disc.json"] = disc_json(self.disc)
        contents[FOLDER + b"/session.json"] = session_json(
            self.disc, session, joliet_missing=(), joliet_renamed=(), left_out=(), replaces=()
        )
        contents |= {path: raw for path, raw in self.replaced.items() if path in contents}
        entries = [a_file(path, content) for path, content in contents.items()]
        above = {path[:at] for path in contents for at in range(len(path)) if path[at : at + 1] == b"/"}
        entries += map(a_dir, above)
        own = {FOLDER + b"/INDEX.jsonl.gz": index_of(entries)[0]} | dict(self.replaced)
        own_index = a_file(FOLDER + b"/INDEX.jsonl.gz", own[FOLDER + b"/INDEX.jsonl.gz"])
        own.setdefault(FOLDER + b"/SHA256SUMS", b"".join(session_sums([*sorted(entries), own_index])))
        contents |= own
        known = {entry.path for entry in entries}
        entries += [a_file(path, content) for path, content in own.items() if path not in known]
        return entries, contents

    def burnt(self, change: Change = unchanged) -> MemoryDisc:
        """The disc, its blocks changed."""
        entries, contents = self.contents()
        kept = {path: (0, len(contents[path])) for path in self.elsewhere}
        session = Session(entries, contents, start=0, volume_id=self.disc.label, kept=kept)
        raw = bytearray(session.build())
        change(raw, session)
        disc = MemoryDisc(capacity=2**20)
        disc.record(0, bytes(raw))
        disc.sessions.append(Recorded(TocEntry(1, 0, len(raw) // BLOCK, self.disc.label)))
        return disc


def rebuilt(root: Path, disc: MemoryDisc) -> tuple[CatalogReport, Ports]:
    ports = memory_ports(root, Tray(disc=disc))
    return execute_catalog_rebuild(memory_config(root), (DEVICE,), ports=ports), ports


def verified(root: Path, ports: Ports) -> VerifyReport:
    return execute_verify(memory_config(root), (), ports=ports)


def status(ports: Ports) -> SessionStatus:
    (disc,) = ports.catalog.discs()
    (session,) = ports.catalog.sessions(disc.disc_id)
    return session.status


def record_of(raw: bytearray, session: Session, path: bytes) -> int:
    """Where the directory record of an entry stands in the Rock Ridge tree."""
    item = session._by_path[path]
    assert item.parent is not None
    begin = item.parent.block[0] * BLOCK
    needle = item.identifiers[0]
    at = raw.index(bytes((len(needle),)) + needle, begin)
    return at - 32


def test_a_forged_disc_that_does_no_harm_is_entered_and_verified(tmp_path: Path) -> None:
    report, ports = rebuilt(tmp_path, Forged().burnt())
    assert report.problems == ()
    assert (report.discs[0].entered, report.discs[0].wrong, status(ports)) == (
        (1,),
        (),
        SessionStatus.CLAIMED,
    )
    assert verified(tmp_path, ports).problems == ()
    assert status(ports) is SessionStatus.VERIFIED


def loop(raw: bytearray, session: Session) -> None:
    """A directory below the root is the root again."""
    at = record_of(raw, session, b"2026")
    raw[at + 2 : at + 10] = twice(session._root.block[0])


def overlap(raw: bytearray, session: Session) -> None:
    """A directory begins within another one, and claims all the rest of the disc."""
    at = record_of(raw, session, b"2026")
    raw[at + 2 : at + 10] = twice(session._root.block[0] + 1)
    raw[at + 10 : at + 18] = twice((len(raw) // BLOCK - session._root.block[0] - 1) * BLOCK)


def beyond(raw: bytearray, session: Session) -> None:
    """A directory lies past the end of the disc."""
    at = record_of(raw, session, b"2026")
    raw[at + 2 : at + 10] = twice(2**32 - 2)


def endless(raw: bytearray, session: Session) -> None:
    """A directory, the volume and a file say that they have as many bytes as can be said."""
    at = record_of(raw, session, b"2026")
    raw[at + 10 : at + 18] = twice(2**32 - BLOCK)
    at = record_of(raw, session, FOLDER + b"/SHA256SUMS")
    raw[at + 10 : at + 18] = twice(2**32 - 1)
    for block in (16, 17):
        raw[block * BLOCK + 80 : block * BLOCK + 88] = twice(2**32 - 1)


@pytest.mark.parametrize("change", [loop, overlap, beyond, endless])
def test_trees_that_lead_nowhere_are_said_to_be_damaged_and_prove_nothing(
    tmp_path: Path, change: Change
) -> None:
    tracemalloc.start()
    try:
        report, ports = rebuilt(tmp_path, Forged().burnt(change))
        verdict = verified(tmp_path, ports)
        by_itself = execute_verify(None, (DEVICE,), ports=ports)
        assert tracemalloc.get_traced_memory()[1] < 32 << 20
    finally:
        tracemalloc.stop()
    assert report.discs[0].wrong
    assert verdict.problems
    assert by_itself.problems
    assert status(ports) is SessionStatus.BAD
    assert ports.catalog.proven({hashlib.sha256(b"data" * 3000).digest()}) == {}


def bomb(entries: int) -> bytes:
    """An index of some kilobytes that tells of very many folders."""
    lines = (
        b'{"path":"d%09d","type":"dir","mode":"0755","uid":0,"gid":0,"mtime_ns":0}\n' % number
        for number in range(entries)
    )
    head = json.dumps({"format": "cedarchest-index", "version": 1}).encode() + b"\n"
    return gzip.compress(head + b"".join(lines), 9)


@pytest.mark.parametrize(
    "index",
    [
        pytest.param(lambda: bomb(400_000), id="very many records"),
        pytest.param(lambda: gzip.compress(b"x" * (256 << 20), 9), id="a header without end"),
        pytest.param(
            lambda: gzip.compress(
                b'{"format": "cedarchest-index", "version": 1}\n{"path":"' + b"x" * (256 << 20), 9
            ),
            id="a record without end",
        ),
    ],
)
def test_an_index_that_grows_without_end_is_given_up(tmp_path: Path, index: Callable[[], bytes]) -> None:
    disc = Forged(replaced={FOLDER + b"/INDEX.jsonl.gz": index()}).burnt()
    tracemalloc.start()
    try:
        report, ports = rebuilt(tmp_path, disc)
        by_itself = execute_verify(None, (DEVICE,), ports=ports)
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()
    assert "session 1: what it wrote cannot be known: " in report.discs[0].wrong[0]
    assert by_itself.problems
    assert status(ports) is SessionStatus.BAD


def test_the_index_of_a_day_that_grows_without_end_proves_no_day(tmp_path: Path) -> None:
    path = f"{DAY}/INDEX.jsonl.gz".encode()
    report, ports = rebuilt(tmp_path, Forged(replaced={path: bomb(400_000)}).burnt())
    assert report.discs[0].entered == (1,)
    tracemalloc.start()
    try:
        assert verified(tmp_path, ports).problems == ()
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()
    ((session, content),) = ports.catalog.contents(DAY)
    assert (session.status, content.partial, content.index_digest) == (SessionStatus.VERIFIED, True, b"")


@pytest.mark.parametrize("name", [b"CEDARCHEST/disc.json", FOLDER + b"/session.json"])
@pytest.mark.parametrize("content", [b"[" * 200_000, b"9" * 100_000, b"", b"null", b'{"format": {}}'])
def test_json_that_is_none_of_ours_is_not_believed(tmp_path: Path, name: bytes, content: bytes) -> None:
    report, ports = rebuilt(tmp_path, Forged(replaced={name: content}).burnt())
    if name == b"CEDARCHEST/disc.json":
        assert [problem.kind for problem in report.problems] == ["ForeignDisc"]
        assert ports.catalog.discs() == ()
    else:
        assert "session 1: what it wrote cannot be known: " in report.discs[0].wrong[0]


def test_names_that_would_lead_elsewhere_are_not_believed(tmp_path: Path) -> None:
    for label in ("../../etc", "a\nb", "", "X" * 17):
        raw = disc_json(Forged().disc).replace(b"CC_20261122_001", json.dumps(label)[1:-1].encode())
        report, _ = rebuilt(tmp_path, Forged(replaced={b"CEDARCHEST/disc.json": raw}).burnt())
        assert [problem.kind for problem in report.problems] == ["ForeignDisc"]


def test_long_names_in_great_number_end_the_tree() -> None:
    files = {b"alpha/" + b"n" * 200 + b"%d" % number: b"" for number in range(50)}
    disc = Forged(files).burnt()

    def read(start: int, count: int) -> bytes:
        return bytes(disc.blocks[start * BLOCK : (start + count) * BLOCK])

    toc = disc.sessions[0].toc
    whole = read_shown(read, toc)
    assert (whole.findings, len(whole.entries) > 50) == ([], True)
    cut = read_shown(read, toc, paths_at_most=5000)
    assert len(cut.entries) < 50
    assert "its names are longer than can be believed" in str(cut.findings[0])


def test_a_tree_deeper_than_can_be_believed_ends(tmp_path: Path) -> None:
    deep = b"/".join([b"d"] * 1100) + b"/file"
    usual = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)  # the tree is laid out by recursion; it is not read so
    try:
        disc = Forged({deep: b"deep"}).burnt()
    finally:
        sys.setrecursionlimit(usual)
    report, _ = rebuilt(tmp_path, disc)
    assert "this directory is too deep" in report.discs[0].wrong[0]
    assert "it has more than" in report.discs[0].wrong[0]


# Lies about a day: nothing but what was read proves it.


def staged(root: Path, ports: Ports) -> bytes:
    """Stage a day; the digest of its index."""
    folder = root / "staging" / DAY
    (folder / "alpha").mkdir(parents=True)
    (folder / "alpha" / "a").write_bytes(b"what is staged")
    (folder / "cback.stage").touch()
    return ports.staging.index(folder, DAY).digest


def test_a_disc_that_claims_a_staged_day_without_holding_it_gives_it_no_mark(tmp_path: Path) -> None:
    ports = memory_ports(tmp_path, Tray(disc=Forged().burnt()))
    digest = staged(tmp_path, ports)
    index = (tmp_path / "staging" / DAY / "INDEX.jsonl.gz").read_bytes()
    assert read_index(io.BytesIO(index)).digest == digest
    for forged in (
        Forged(day_digest=digest),
        Forged(day_digest=digest, replaced={f"{DAY}/INDEX.jsonl.gz".encode(): index}),
    ):
        ports = memory_ports(tmp_path, Tray(disc=forged.burnt()))
        report = execute_catalog_rebuild(memory_config(tmp_path), (DEVICE,), ports=ports)
        assert (report.discs[0].entered, report.discs[0].wrong) == ((1,), ())
        assert verified(tmp_path, ports).problems == ()
        assert status(ports) is SessionStatus.VERIFIED
        assert not (tmp_path / "staging" / DAY / "cback.store").exists()
        reporter = ports.reporter
        assert isinstance(reporter, RecordingReporter)
        assert any("is not the whole day that it claims" in line for line in reporter.warnings)


PART = b"part of a file " * 1000


def in_parts(parts: int, whole: bytes) -> Forged:
    """A day whose index has a file that stands there in parts."""
    files = {b"alpha/big.part-%03d-of-%03d" % (number + 1, parts): PART for number in range(parts)}
    index, digest = index_of([a_dir(b"alpha"), a_file(b"alpha/big", whole)])
    return Forged({**files, b"INDEX.jsonl.gz": index}, day_digest=digest)


def test_a_file_in_parts_is_known_once_they_were_read_joined(tmp_path: Path) -> None:
    whole = PART * 3
    _, ports = rebuilt(tmp_path, in_parts(3, whole).burnt())
    assert ports.catalog.proven({hashlib.sha256(whole).digest()}) == {}
    assert verified(tmp_path, ports).problems == ()
    assert ports.catalog.proven({hashlib.sha256(whole).digest()}) == {hashlib.sha256(whole).digest(): 1}
    ((_, content),) = ports.catalog.contents(DAY)
    assert not content.partial


def test_a_file_that_its_parts_do_not_make_is_not_proven_by_them(tmp_path: Path) -> None:
    whole = b"another file  " * 3000 + b"...." * 750
    assert len(whole) == 3 * len(PART)
    _, ports = rebuilt(tmp_path, in_parts(3, whole).burnt())
    assert verified(tmp_path, ports).problems == ()
    assert ports.catalog.proven({hashlib.sha256(whole).digest()}) == {}
    ((_, content),) = ports.catalog.contents(DAY)
    assert content.partial


def test_parts_that_are_all_one_are_not_read_beyond_the_size_of_their_session(tmp_path: Path) -> None:
    def one_extent(raw: bytearray, session: Session) -> None:
        first = session.addresses[f"{DAY}/alpha/big.part-001-of-300".encode()][0]
        for tree in (0, 1):
            for path, item in session._by_path.items():
                if b".part-" in path:
                    name = bytes((len(item.identifiers[tree]),)) + item.identifiers[tree]
                    assert item.parent is not None
                    at = raw.index(name, item.parent.block[tree] * BLOCK) - 32
                    raw[at + 2 : at + 10] = twice(first)

    forged = in_parts(300, PART * 300)
    day = f"{DAY}/".encode()
    forged.elsewhere = tuple(day + path for path in forged.files if b".part-" in path)[1:]
    disc = forged.burnt(one_extent)
    _, ports = rebuilt(tmp_path, disc)
    drives = CountingDrives(Tray(disc=disc))
    verified(tmp_path, replace(ports, drives=drives))
    assert status(ports) is SessionStatus.VERIFIED
    assert drives.blocks < 8 * len(disc.blocks) // BLOCK


class CountingDrives(MemoryDrives):
    """Counts the blocks that are read."""

    blocks = 0

    def open_path(self, path: Path) -> Writer:
        counting = self

        class Counting(MemoryWriter):
            def read(self, start: int, count: int) -> bytes:
                counting.blocks += count
                return super().read(start, count)

        return Counting(self._trays[str(path)])


def test_nothing_is_written_on_top_of_what_a_disc_only_claims(tmp_path: Path) -> None:
    disc = Forged().burnt()
    _, ports = rebuilt(tmp_path, disc)
    staged(tmp_path, ports)
    before = bytes(disc.blocks)
    with pytest.raises(NotAppendable, match="was entered as the disc claims it"):
        write_image(memory_config(tmp_path), False, {tmp_path / "staging" / DAY: DAY}, ports=ports)
    assert bytes(disc.blocks) == before
