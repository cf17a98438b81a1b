"""The proof of a session, on images made in memory: what it accepts and what it notices."""

from __future__ import annotations

import hashlib
import random
from array import array
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fakes.image import BLOCK, Session

from cedarchest.errors import DamagedDisc
from cedarchest.model.check import SessionCheck, _Data, _Findings, check_session
from cedarchest.model.disc import StoredEntry
from cedarchest.model.findings import Finding, FindingKind
from cedarchest.model.index import Entry, Kind
from cedarchest.model.sweep import Sweep

START = 32
MTIME = 1_700_000_000
ATIME = 1_600_000_000
CHUNK = 512 * BLOCK

CONTENTS = {
    b"2026/a": b"alpha",
    b"2026/big": bytes(range(256)) * 9000,
    b"2026/c": b"",
    b"2026/z": b"omega" * 1000,
    b"2026/a name with \xc3\xa4 that is longer than thirty": b"x",
    b"2026/a:b": b"1",
    b"2026/a?b": b"22",
}


def file(path: bytes, content: bytes, **fields: object) -> Entry:
    values: dict[str, object] = {"mode": 0o640, "uid": 1000, "gid": 100, "mtime_ns": MTIME * 10**9 + 5}
    values |= {"size": len(content), "sha256": hashlib.sha256(content).digest()} | fields
    return Entry(path=path, kind=Kind.FILE, **values)  # type: ignore[arg-type]


def other(path: bytes, kind: Kind, **fields: object) -> Entry:
    values: dict[str, object] = {"size": 0, "mode": 0o755, "uid": 0, "gid": 0, "mtime_ns": MTIME * 10**9}
    return Entry(path=path, kind=kind, **(values | fields))  # type: ignore[arg-type]


def day() -> list[Entry]:
    entries = [other(b"2026", Kind.DIR), *(file(path, content) for path, content in CONTENTS.items())]
    entries.append(other(b"2026/link", Kind.LINK, target=b"/etc/passwd", mode=0o777))
    entries.append(other(b"2026/pipe", Kind.FIFO))
    entries.append(file(b"2026/same", CONTENTS[b"2026/a"], hardlink=b"2026/a", xattrs=((b"user.k", b"v"),)))
    return sorted(entries, key=lambda entry: entry.path)


def burn(entries: list[Entry], **fields: object) -> tuple[bytes, Session]:
    session = Session(entries, CONTENTS, start=START, access_time=ATIME, **fields)  # type: ignore[arg-type]
    return session.build(), session


def read_from(raw: bytes, bad: range = range(0)) -> Callable[[int, int], bytes]:
    def read(start: int, count: int) -> bytes:
        if any(block in bad for block in range(start, start + count)):
            raise DamagedDisc("scratched")
        return raw[(start - START) * BLOCK : (start - START + count) * BLOCK]

    return read


def check(raw: bytes, entries: list[Entry], **fields: object) -> SessionCheck:
    values: dict[str, object] = {"volume_id": "DISC_1", "progress": lambda _: None, "earlier": {}}
    values |= {"access_time": ATIME, "read": read_from(raw), "blocks": len(raw) // BLOCK} | fields
    return check_session(start=START, expected=entries, **values)  # type: ignore[arg-type]


def kinds(result: SessionCheck) -> set[tuple[FindingKind, str]]:
    return {(finding.kind, finding.path) for finding in result.findings}


def test_a_session_as_expected_has_no_findings() -> None:
    raw, _ = burn(day())
    assert check(raw, day()).findings == ()


def test_the_block_map_has_the_digest_of_each_mib() -> None:
    raw, _ = burn(day())
    digests = (hashlib.sha256(raw[at : at + CHUNK]).digest() for at in range(0, len(raw), CHUNK))
    assert check(raw, day()).block_map == b"".join(digests)


def test_each_block_is_read_once_and_in_rising_order() -> None:
    raw, _ = burn(day())
    calls: list[tuple[int, int]] = []

    def read(start: int, count: int) -> bytes:
        calls.append((start, count))
        return read_from(raw)(start, count)

    check(raw, day(), read=read)
    blocks = len(raw) // BLOCK
    expected = [(START + at, min(512, blocks - at)) for at in range(0, blocks, 512)]
    assert calls == expected


def test_progress_counts_blocks_up_to_all() -> None:
    raw, _ = burn(day())
    seen: list[int] = []
    check(raw, day(), progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == len(raw) // BLOCK


def test_stored_entries_say_where_the_data_stand() -> None:
    raw, session = burn(day())
    stored = {entry.path: entry for entry in check(raw, day()).entries}
    assert stored[b"2026/a"].start == session.addresses[b"2026/a"][0] == stored[b"2026/same"].start
    assert stored[b"2026/c"].start == stored[b"2026"].start == -1


@pytest.mark.parametrize(
    ("path", "change"),
    [
        (b"2026/a", {"mode": 0o600}),
        (b"2026/a", {"uid": 5}),
        (b"2026/a", {"gid": 5}),
        (b"2026/a", {"mtime_ns": 5}),
        (b"2026/a", {"size": 4}),
        (b"2026/a", {"sha256": bytes(32)}),
        (b"2026/a", {"xattrs": ((b"user.x", b""),)}),
        (b"2026/link", {"target": b"/etc/shadow"}),
        (b"2026/pipe", {"kind": Kind.DIR}),
        (b"2026", {"mode": 0o700}),
        (b"2026/same", {"xattrs": ()}),
        (b"2026/same", {"hardlink": b"2026/z"}),
    ],
)
def test_any_attribute_that_differs_is_a_finding(path: bytes, change: dict[str, object]) -> None:
    raw, _ = burn(day())
    entries = [entry._replace(**change) if entry.path == path else entry for entry in day()]  # type: ignore[arg-type]
    found = kinds(check(raw, entries))
    assert (FindingKind.DIFFERENT, "/" + path.decode()) in found


def test_an_access_time_that_differs_is_a_finding_but_for_what_we_made() -> None:
    raw, _ = burn(day())
    paths = {"/" + entry.path.decode() for entry in day()} - {"/2026"}
    found = check(raw, day(), access_time=ATIME + 1, loose={b"2026"}).findings
    assert {finding.path for finding in found} == paths


def test_what_only_the_index_has_is_missing() -> None:
    raw, _ = burn(day())
    assert (FindingKind.MISSING, "/2026/zz") in kinds(check(raw, [*day(), file(b"2026/zz", b"")]))


def test_what_only_the_disc_has_is_unexpected() -> None:
    raw, _ = burn([*day(), other(b"2026/more", Kind.FIFO)])
    assert kinds(check(raw, day())) == {(FindingKind.UNEXPECTED, "/2026/more")}


def test_another_label_is_a_finding() -> None:
    raw, _ = burn(day(), volume_id="DISC_2")
    assert len(check(raw, day()).findings) == 2


def earlier(start: int = 20, size: int = 5) -> dict[bytes, StoredEntry]:
    return {b"2026/old": StoredEntry(b"2026/old", "file", size, 0, bytes(32), start)}


def test_data_of_earlier_sessions_are_not_read() -> None:
    raw, _ = burn([*day(), file(b"2026/old", b"older")], kept={b"2026/old": (20, 5)})
    assert check(raw, day(), earlier=earlier()).findings == ()


@pytest.mark.parametrize("wrong", [earlier(start=21), earlier(size=6)])
def test_an_earlier_entry_that_moved_or_grew_is_a_finding(wrong: dict[bytes, StoredEntry]) -> None:
    raw, _ = burn([*day(), file(b"2026/old", b"older")], kept={b"2026/old": (20, 5)})
    assert kinds(check(raw, day(), earlier=wrong)) == {(FindingKind.DIFFERENT, "/2026/old")}


def test_an_earlier_entry_that_is_gone_is_missing() -> None:
    raw, _ = burn(day())
    assert kinds(check(raw, day(), earlier=earlier())) == {(FindingKind.MISSING, "/2026/old")}


def test_an_unreadable_block_is_named_with_the_file_it_hits() -> None:
    raw, session = burn(day())
    block = session.addresses[b"2026/big"][0] + 700
    result = check(raw, day(), read=read_from(raw, range(block, block + 3)))
    assert result.findings == (
        Finding(FindingKind.UNREADABLE, "/2026/big", "these blocks could not be read", block, block + 2),
    )


def test_an_unreadable_disc_ends_with_findings() -> None:
    raw, _ = burn(day())
    result = check(raw, day(), read=read_from(raw, range(10_000)))
    assert {finding.kind for finding in result.findings} >= {FindingKind.STRUCTURE, FindingKind.UNREADABLE}


def test_a_disc_that_ends_early_is_unreadable_from_there() -> None:
    raw, session = burn(day())
    end = session.addresses[b"2026/big"][0] + 1
    result = check(raw, day(), read=read_from(raw[: (end - START) * BLOCK]))
    assert (FindingKind.UNREADABLE, "/2026/big") in kinds(result)
    assert {finding.kind for finding in result.findings} == {FindingKind.UNREADABLE}


def test_a_mib_that_is_not_as_it_was_proven_is_a_finding() -> None:
    raw, _ = burn(day())
    known = check(raw, day()).block_map
    changed = b"\1" + raw[1:]
    assert check(changed, day()).findings == ()
    found = check(changed, day(), known_map=known).findings
    assert [(finding.first_block, finding.last_block) for finding in found] == [(START, START + 511)]


def test_a_change_that_is_found_otherwise_is_not_reported_twice() -> None:
    raw, session = burn(day())
    known = check(raw, day()).block_map
    at = (session.addresses[b"2026/a"][0] - START) * BLOCK
    changed = raw[:at] + b"A" + raw[at + 1 :]
    assert kinds(check(changed, day(), known_map=known)) == {
        (FindingKind.DIFFERENT, "/2026/a"),
        (FindingKind.DIFFERENT, "/2026/same"),
    }


def test_findings_end_at_the_limit_with_their_number() -> None:
    raw, _ = burn(day())
    found = check(raw, [], finding_limit=3).findings
    assert len(found) == 4
    assert "more findings" in found[-1].detail


def test_an_interruption_comes_through_and_leaves_no_thread() -> None:
    raw, _ = burn(day())

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check(raw, day(), progress=stop)


def test_files_that_overlap_are_findings_and_not_read_over_and_over() -> None:
    raw, session = burn(day())
    start, blocks = session.start, len(raw) // BLOCK
    count = 200
    entries = [file(b"f%03d" % number, b"", size=(blocks - count) * BLOCK) for number in range(count)]
    asked: list[int] = []

    def read(address: int, wanted: int) -> bytes:
        asked.append(wanted)
        return read_from(raw)(address, wanted)

    findings = _Findings(1000)
    with Sweep(read, start, blocks, lambda _: None) as sweep:
        starts = array("q", range(start, start + count))
        sizes = array("q", [entry.size for entry in entries])
        _Data(entries, starts, sizes, sweep, findings).compare(start, start + blocks)
    assert sum("overlap" in finding.detail for finding in findings.all()) == count - 1
    assert sum(asked) == blocks


def test_every_bit_of_the_data_counts() -> None:
    raw, session = burn(day())
    dice = random.Random(1)
    for path, (block, size) in session.addresses.items():
        for _ in range(5 if size else 0):
            changed = bytearray(raw)
            changed[(block - START) * BLOCK + dice.randrange(size)] ^= 1 << dice.randrange(8)
            found = {finding.path.encode() for finding in check(bytes(changed), day()).findings}
            assert any(name.startswith(b"/2026") for name in found), path


def _tree_end(raw: bytes, session: Session) -> int:
    return min(block for block, size in session.addresses.values() if size) - START


def test_a_last_record_that_takes_in_a_byte_of_what_follows_counts() -> None:
    """It reads as before: nothing but zeros follows."""
    changed = bytearray(Session(day(), CONTENTS, start=START).build())
    length = changed.index(b"\x04Z.;1") - 32
    changed[length] += 1
    assert check(bytes(changed), day(), access_time=None, one_time=True).findings


@pytest.mark.parametrize(("component", "bit"), [(b"\x08\0\0\x03etc", 8), (b"\0\x06passwd", 1)])
def test_what_leads_a_link_to_the_same_place_in_other_words_counts(component: bytes, bit: int) -> None:
    """A root that is an empty name, and a last part of a name that goes on."""
    changed = bytearray(Session(day(), CONTENTS, start=START).build())
    changed[changed.index(component)] ^= bit
    assert check(bytes(changed), day(), access_time=None, one_time=True).findings


@settings(max_examples=300)
@given(st.data())
@pytest.mark.long
def test_every_bit_of_the_trees_counts_when_all_times_are_known(data: st.DataObject) -> None:
    session = Session(day(), CONTENTS, start=START)
    raw = session.build()
    changed = bytearray(raw)
    at = data.draw(st.integers(18 * BLOCK, _tree_end(raw, session) * BLOCK - 1))
    changed[at] ^= 1 << data.draw(st.integers(0, 7))
    assert check(bytes(changed), day(), access_time=None, one_time=True).findings
