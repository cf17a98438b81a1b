"""Trees that other programs wrote, made to do harm: nothing raises, loops or gets out of the disc."""

from __future__ import annotations

import functools
import hashlib
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cedar_discs import BLOCK, FIRST, FIRST_LABEL, image, require_genisoimage, staged

from cedarchest.errors import DamagedDisc
from cedarchest.model.disc import StoredEntry, TocEntry
from cedarchest.model.image.directories import Limits
from cedarchest.model.image.identity import cedar_identity
from cedarchest.model.image.other_tree import OtherTree
from cedarchest.model.image.susp import System, read_system
from cedarchest.model.image.volume import Read, read_volume
from cedarchest.model.survey import Survey, compare_surveyed, survey_session

CONTENT = hashlib.shake_256(b"content").digest(9000)


@functools.cache
def sound(trees: str = "-r") -> bytes:
    """An image with a file, a link, a long name and a deep folder."""
    require_genisoimage()
    with tempfile.TemporaryDirectory() as folder:
        day = staged(
            Path(folder) / "day", {"file": CONTENT, "a/b/c/d/e/f/g/deep": b"deep", "n" * 250: b"long"}
        )
        (day / "mach/link").symlink_to("../../etc/../target/" + "x" * 200)
        return image(Path(folder) / "image", FIRST_LABEL, FIRST, day, trees=trees).read_bytes()


def reading(raw: bytes) -> Read:
    return lambda start, count: raw[start * BLOCK : (start + count) * BLOCK]


def surveyed(raw: bytes, read: Read | None = None) -> Survey:
    return survey_session(read or reading(raw), TocEntry(1, 0, len(raw) // BLOCK, FIRST_LABEL), {})


def by_path(survey: Survey) -> dict[bytes, StoredEntry]:
    return {entry.path: entry for entry in survey.held}


def record_of(raw: bytes | bytearray, name: bytes) -> int:
    """Where the directory record of a name begins."""
    at = raw.index(name)
    return max(start for start in range(at - 250, at) if _fits(raw, start, at))


def _fits(raw: bytes | bytearray, start: int, at: int) -> bool:
    address, size = raw[start + 2 : start + 10], raw[start + 10 : start + 18]
    return (
        raw[start] > at - start
        and address[:4] == address[:3:-1]
        and size[:4] == size[:3:-1]
        and any(address)
        and raw[start + 28 : start + 32] == b"\1\0\0\1"
    )


def both(number: int) -> bytes:
    return struct.pack("<I", number) + struct.pack(">I", number)


FILE, FOLDER = f"{FIRST}/mach/file".encode(), f"{FIRST}/mach/a".encode()


def test_names_links_and_deep_folders_come_as_they_were() -> None:
    found = by_path(surveyed(sound()))
    assert found[FILE].sha256 == hashlib.sha256(CONTENT).digest()
    assert found[FIRST.encode() + b"/mach/" + b"n" * 250].size == 4
    assert found[FIRST.encode() + b"/mach/a/b/c/d/e/f/g/deep"].size == 4
    assert found[FIRST.encode() + b"/mach/link"].kind == "link"


def test_a_links_target_is_put_together_from_its_components() -> None:
    raw = sound()
    volume = read_volume(reading(raw), 0, lambda _finding: None)
    assert volume is not None
    tree = OtherTree(reading(raw), volume, len(raw) // BLOCK, lambda _finding: None)
    nodes = {node.entry.path: node.entry for node in tree}
    assert nodes[FIRST.encode() + b"/mach/link"].target == b"../../etc/../target/" + b"x" * 200


@pytest.mark.parametrize("trees", ["-J", "-l", "-r -J"])
def test_what_has_no_rock_ridge_comes_by_joliet_or_bare_names(trees: str) -> None:
    names = {path.lower() for path in by_path(surveyed(sound(trees)))}
    assert FILE in names


# Harm


def changed(name: bytes, change: Callable[[bytearray, int], None]) -> Survey:
    raw = bytearray(sound())
    change(raw, record_of(raw, name))
    return surveyed(bytes(raw))


def test_a_folder_that_is_its_own_parent_ends_there() -> None:
    def loop(raw: bytearray, at: int) -> None:
        root = raw[16 * BLOCK + 158 : 16 * BLOCK + 166]
        raw[at + 2 : at + 10] = root

    survey = changed(b"NM\x06\x01\x00a", loop)
    assert any("address of another" in str(finding) for finding in survey.findings)


def test_data_outside_the_disc_are_not_asked_for() -> None:
    def far(raw: bytearray, at: int) -> None:
        raw[at + 2 : at + 10] = both(2**31)

    survey = changed(b"NM\x09\x01\x00file", far)
    assert by_path(survey)[FILE].sha256 == b""
    assert any("outside the disc" in str(finding) for finding in survey.findings)


def test_a_file_that_says_it_is_huge_takes_no_memory() -> None:
    def huge(raw: bytearray, at: int) -> None:
        raw[at + 10 : at + 18] = both(2**32 - 1)

    assert by_path(changed(b"NM\x09\x01\x00file", huge))[FILE].sha256 == b""


@pytest.mark.parametrize("name", [b"..", b"a/b", b"\0ab"])
def test_names_that_would_lead_elsewhere_are_left_out(name: bytes) -> None:
    raw = bytearray(sound())
    at = raw.index(b"NM\x09\x01\x00file")
    raw[at : at + 9] = b"NM" + bytes([5 + len(name)]) + b"\1\0" + name + b"\0" * (4 - len(name))
    survey = surveyed(bytes(raw))
    assert any("impossible name" in str(finding) for finding in survey.findings)
    assert not any(b".." in path or b"\0" in path for path in by_path(survey))


def test_data_that_overlap_are_read_once() -> None:
    raw = bytearray(sound())
    file, deep = record_of(raw, b"NM\x09\x01\x00file"), record_of(raw, b"NM\x09\x01\x00deep")
    start = int.from_bytes(raw[file + 2 : file + 6], "little")
    raw[deep + 2 : deep + 10] = both(start + 1)
    survey = surveyed(bytes(raw))
    assert any("overlap" in str(finding) for finding in survey.findings)


def test_limits_end_a_tree_that_is_too_large() -> None:
    raw = sound()
    volume = read_volume(reading(raw), 0, lambda _finding: None)
    assert volume is not None
    findings: list[object] = []
    tree = OtherTree(reading(raw), volume, len(raw) // BLOCK, findings.append, Limits(entries=3))
    assert len(list(tree)) == 3
    assert "larger than can be believed" in str(findings[-1])


def test_system_fields_that_continue_for_ever_end() -> None:
    again = b"CE\x1c\x01" + both(5) + both(0) + both(28)
    asked: list[int] = []

    def continuation(block: int, _offset: int, _size: int) -> bytes:
        asked.append(block)
        return again

    assert read_system(again, continuation) == System()
    assert len(asked) < 100


@given(st.binary(max_size=300))
def test_system_fields_of_any_bytes_are_taken_or_let_be(raw: bytes) -> None:
    read_system(raw, lambda _block, _offset, size: raw[:size])


@given(st.lists(st.tuples(st.integers(16 * BLOCK, 60 * BLOCK), st.integers(1, 255)), min_size=1, max_size=20))
def test_any_bytes_changed_give_findings_or_entries_and_no_failure(changes: list[tuple[int, int]]) -> None:
    raw = bytearray(sound())
    for at, mask in changes:
        raw[at % len(raw)] ^= mask
    survey = surveyed(bytes(raw))
    for entry in survey.held:
        assert not entry.path.startswith(b"/")
        assert b".." not in entry.path.split(b"/")
        assert entry.start < len(raw) // BLOCK


@given(st.integers(16, 60))
def test_any_block_that_cannot_be_read_is_a_finding_and_costs_no_other_file(block: int) -> None:
    raw = sound()

    def read(start: int, count: int) -> bytes:
        if start <= block < start + count:
            raise DamagedDisc("scratched")
        return reading(raw)(start, count)

    survey = surveyed(raw, read)
    assert survey.findings
    whole = by_path(surveyed(raw))
    for path, entry in by_path(survey).items():
        assert not entry.sha256 or entry.sha256 == whole[path].sha256


# What is compared


def test_what_was_surveyed_twice_is_the_same() -> None:
    survey = surveyed(sound())
    assert compare_surveyed(by_path(survey), survey, 0, survey.block_map) == ()


def test_any_bit_of_the_session_that_changes_is_found() -> None:
    first = surveyed(sound())
    for at in range(17 * BLOCK, first.blocks * BLOCK, 1501):
        raw = bytearray(sound())
        raw[at] ^= 4
        assert compare_surveyed(by_path(first), surveyed(bytes(raw)), 0, first.block_map), at


def test_only_discs_of_that_label_have_an_identity_and_another_time_is_another_disc() -> None:
    raw = bytearray(sound())
    sessions = [TocEntry(1, 0, len(raw) // BLOCK, FIRST_LABEL)]
    one = cedar_identity(reading(bytes(raw)), sessions)
    assert one is not None
    raw[16 * BLOCK + 828] ^= 1
    other = cedar_identity(reading(bytes(raw)), sessions)
    assert other is not None
    assert other.disc_id != one.disc_id
    assert cedar_identity(reading(bytes(raw)), [TocEntry(1, 0, 100, "FAMILY PHOTOS")]) is None
