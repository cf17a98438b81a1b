"""Which files are concerned where a disc is damaged."""

from __future__ import annotations

import hashlib

import pytest

from cedarchest.errors import DamagedDisc
from cedarchest.model.damage import MOST_READ, Damage, damage_findings
from cedarchest.model.disc import BlockRange, StoredEntry
from cedarchest.model.findings import Finding
from cedarchest.model.media import BLOCK

DATA = {start: bytes([start]) * 3 * BLOCK for start in (10, 20, 30)}
"""What stands on the disc: three files of three blocks, the last one a little shorter."""

SIZE = 3 * BLOCK - 7


def content(start: int) -> bytes:
    return DATA[start][:SIZE]


def entry(start: int, name: bytes = b"", sha256: bytes = b"") -> StoredEntry:
    digest = sha256 or hashlib.sha256(content(start)).digest()
    return StoredEntry(name or b"f%d" % start, "file", SIZE, 0, digest, start)


FILES = [entry(start) for start in DATA]


def read(start: int, count: int) -> bytes:
    return b"".join(
        DATA[block // 10 * 10][block % 10 * BLOCK :][:BLOCK] for block in range(start, start + count)
    )


def unread(start: int, count: int) -> bytes:
    raise DamagedDisc("bad")


def told(findings: tuple[Finding, ...]) -> list[tuple[str, str, int, int]]:
    return [(each.kind.value, each.path, each.first_block, each.last_block) for each in findings]


def test_without_damage_no_file_is_looked_at() -> None:
    assert damage_findings(iter(lambda: pytest.fail("looked"), 0), Damage(), unread, 10) == ()


def test_blocks_that_cannot_be_read_are_those_of_their_files_or_of_nobody() -> None:
    damage = Damage(unreadable=(BlockRange(12, 21), BlockRange(40, 41)))
    assert told(damage_findings(FILES, damage, unread, 10)) == [
        ("unreadable", "/f10", 12, 12),
        ("unreadable", "/f20", 20, 21),
        ("unreadable", "", 40, 41),
    ]


def test_a_file_whose_content_is_what_it_was_is_not_accused() -> None:
    spoilt = entry(20, sha256=b"x" * 32)
    damage = Damage(changed=(BlockRange(11, 31),))
    assert told(damage_findings([FILES[0], spoilt, FILES[2]], damage, read, 10)) == [
        ("different", "/f20", 20, 22)
    ]


def test_what_changed_is_judged_by_the_data_that_were_found_there() -> None:
    data = {10: DATA[10] + bytes(7 * BLOCK), 20: DATA[20]}
    damage = Damage(changed=(BlockRange(10, 22),), data=data)
    spoilt = [entry(10), entry(20, sha256=b"x" * 32)]
    assert told(damage_findings(spoilt, damage, unread, 10)) == [("different", "/f20", 20, 22)]


def test_changed_blocks_that_make_no_file_another_one_are_named() -> None:
    damage = Damage(changed=(BlockRange(10, 22),))
    assert told(damage_findings(FILES, damage, read, 10)) == [("structure", "", 10, 22)]


def test_a_file_that_cannot_be_read_or_is_too_large_to_be_read_once_more_is_named_with_care() -> None:
    damage = Damage(changed=(BlockRange(10, 10),))
    (finding,) = damage_findings(FILES, damage, unread, 10)
    assert finding.detail == "it stands among blocks that changed"
    large = StoredEntry(b"large", "file", (MOST_READ + 1) * BLOCK, 0, b"x" * 32, 10)
    (finding,) = damage_findings([large], damage, lambda *_: pytest.fail("read"), 10)
    assert (finding.path, finding.detail) == ("/large", "it stands among blocks that changed")


def test_there_are_no_more_findings_than_wanted() -> None:
    damage = Damage(unreadable=(BlockRange(0, 99),))
    findings = damage_findings([entry(10, b"%d" % number) for number in range(9)], damage, unread, 4)
    assert len(findings) == 5
    assert findings[-1].detail == "and 5 more findings"


def test_entries_without_data_are_passed_over() -> None:
    others = [entry(10)._replace(start=-1), entry(10)._replace(size=0)]
    assert told(damage_findings(others, Damage(unreadable=(BlockRange(10, 10),)), unread, 4)) == [
        ("unreadable", "", 10, 10)
    ]
