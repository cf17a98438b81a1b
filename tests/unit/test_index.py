"""The index format: what is written is read back, damage is noticed."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cedarchest.model.index import (
    Entry,
    Kind,
    format_record,
    is_plain_path,
    parse_record,
    read_index,
    write_index,
)

PARTS = st.binary(min_size=1, max_size=12).filter(
    lambda part: b"/" not in part and b"\0" not in part and part not in (b".", b"..")
)
PATHS = st.lists(PARTS, min_size=1, max_size=4).map(b"/".join)


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    kind = draw(st.sampled_from(Kind))
    return Entry(
        path=draw(PATHS),
        kind=kind,
        size=draw(st.integers(0, 2**40)) if kind is Kind.FILE else 0,
        mode=draw(st.integers(0, 0o7777)),
        uid=draw(st.integers(0, 2**32 - 1)),
        gid=draw(st.integers(0, 2**32 - 1)),
        mtime_ns=draw(st.integers(-(2**60), 2**62)),
        user=draw(st.text(max_size=8)),
        group=draw(st.text(max_size=8)),
        sha256=draw(st.binary(min_size=32, max_size=32)) if kind is Kind.FILE else b"",
        target=draw(st.binary(min_size=1, max_size=30)) if kind is Kind.LINK else b"",
        hardlink=draw(PATHS) if kind is Kind.FILE and draw(st.booleans()) else b"",
        xattrs=tuple(sorted(draw(st.dictionaries(PARTS, st.binary(max_size=20), max_size=2)).items())),
        rdev=draw(st.integers(0, 2**32)) if kind in (Kind.CHAR, Kind.BLOCK) else 0,
    )


@given(entries())
def test_a_record_gives_its_entry_back(entry: Entry) -> None:
    assert parse_record(format_record(entry)) == entry


@given(st.lists(entries(), max_size=8, unique_by=lambda entry: entry.path))
def test_an_index_gives_its_entries_back(some: list[Entry]) -> None:
    ordered = sorted(some, key=lambda entry: entry.path)
    stream = io.BytesIO()
    digest = write_index(stream, {"day": "2026/11/22"}, ordered)
    stream.seek(0)
    index = read_index(stream)
    assert (list(index.entries), index.digest, index.header["day"]) == (ordered, digest, "2026/11/22")


@pytest.mark.parametrize("at_once", [1, 7, 150])
def test_records_are_read_across_the_pieces_that_they_come_in(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cedarchest.model.index._PIECE", at_once)
    names = (b".hidden/file", b"..dots", b"a line\nin it", b'a "quoted" name', b"x/.y/z", b"\xff")
    some = [plain(name) for name in sorted(names)]
    stream = io.BytesIO()
    write_index(stream, {}, some)
    stream.seek(0)
    assert list(read_index(stream).entries) == some


def test_the_same_entries_make_the_same_bytes() -> None:
    one, two = io.BytesIO(), io.BytesIO()
    for stream in (one, two):
        write_index(stream, {"day": "2026/11/22"}, [plain(b"a")])
    assert one.getvalue() == two.getvalue()


def test_the_digest_is_that_of_the_records_alone() -> None:
    stream = io.BytesIO()
    digest = write_index(stream, {"anything": "else"}, [plain(b"a"), plain(b"b")])
    assert digest == hashlib.sha256(format_record(plain(b"a")) + format_record(plain(b"b"))).digest()


def test_paths_are_put_below_a_prefix() -> None:
    stream = io.BytesIO()
    write_index(stream, {}, [plain(b"a", hardlink=b"0")])
    stream.seek(0)
    (entry,) = read_index(stream, prefix=b"2026/11/22/").entries
    assert (entry.path, entry.hardlink) == (b"2026/11/22/a", b"2026/11/22/0")


@pytest.mark.parametrize(
    "path", [b"", b"/a", b"a/", b"a//b", b".", b"a/..", b"./a", b"a\0b", b"../etc/passwd"]
)
def test_a_path_that_could_lead_elsewhere_is_none(path: bytes) -> None:
    assert not is_plain_path(path)


@pytest.mark.parametrize(
    "change",
    [
        {"path": "../x"},
        {"type": "door"},
        {"size": -1},
        {"sha256": "00"},
        {"mode": "9"},
        {"xattrs": {"user.a": "%%%"}},
        {"path": None},
    ],
)
def test_a_record_that_is_none_is_refused(change: dict[str, object]) -> None:
    record = {**json.loads(format_record(plain(b"a"))), **change}
    with pytest.raises(ValueError, match=r".+"):
        parse_record(json.dumps(record).encode())


def test_records_out_of_order_are_refused() -> None:
    lines = [json.dumps({"format": "cedarchest-index", "version": 1}).encode() + b"\n"]
    lines += [format_record(plain(b"b")), format_record(plain(b"a"))]
    with pytest.raises(ValueError, match="out of order"):
        read_index(io.BytesIO(gzip.compress(b"".join(lines))))


def test_an_index_of_a_later_version_says_so() -> None:
    header = json.dumps({"format": "cedarchest-index", "version": 2}).encode() + b"\n"
    with pytest.raises(ValueError, match="version 2"):
        read_index(io.BytesIO(gzip.compress(header)))


def plain(path: bytes, hardlink: bytes = b"") -> Entry:
    return Entry(path, Kind.FILE, 3, 0o644, 0, 0, 0, sha256=bytes(32), hardlink=hardlink)


def test_a_foreign_index_is_read_no_further_than_it_may_be_believed() -> None:
    stream = io.BytesIO()
    entries = [Entry(b"a%04d" % number, Kind.DIR, 0, 0o755, 0, 0, 0) for number in range(100)]
    write_index(stream, {}, entries)
    stream.seek(0)
    assert len(read_index(stream, at_most=100).entries) == 100
    stream.seek(0)
    with pytest.raises(ValueError, match="more than 99"):
        read_index(stream, at_most=99)


def test_a_bomb_in_place_of_an_index_is_not_unpacked_whole() -> None:
    head = b'{"format":"cedarchest-index","version":1}\n'
    bomb = io.BytesIO(gzip.compress(head + b"x" * (300 << 20)))
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"too long|larger than"):
            read_index(bomb, at_most=1000)
        assert tracemalloc.get_traced_memory()[1] < 40 << 20
    finally:
        tracemalloc.stop()
