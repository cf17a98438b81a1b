"""The readers of the trees, on images made in memory: what they give, and what they withstand."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

import pytest
from tests.fakes.image import BLOCK, Session

from cedarchest.model.findings import Finding
from cedarchest.model.image.directories import Limits
from cedarchest.model.image.iso9660 import Node, RockRidgeReader
from cedarchest.model.image.joliet import JolietNode, JolietReader
from cedarchest.model.image.rockridge import BadField, read_xattrs
from cedarchest.model.image.volume import check_anchor, read_volume
from cedarchest.model.index import Entry, Kind

MTIME = 1_700_000_000
START = 32

Read = Callable[[int, int], bytes]


def entry(path: bytes, kind: Kind = Kind.FILE, **fields: object) -> Entry:
    values: dict[str, object] = {"size": 0, "mode": 0o644, "uid": 0, "gid": 0, "mtime_ns": MTIME * 10**9}
    values |= fields
    return Entry(path=path, kind=kind, **values)  # type: ignore[arg-type]


def reader(session: bytes, start: int = START) -> Read:
    def read(block: int, count: int) -> bytes:
        block -= start
        return session[max(0, block) * BLOCK : (block + count) * BLOCK]

    return read


def trees(session: bytes, start: int = START) -> tuple[list[Node], list[JolietNode], list[Finding]]:
    """All nodes of both trees and all findings."""
    findings: list[Finding] = []
    read, end = reader(session, start), start + len(session) // BLOCK
    volume = read_volume(read, start, findings.append)
    if volume is None:
        return [], [], findings
    rock_ridge = RockRidgeReader(read, volume.tree, start, end, findings.append)
    nodes = list(rock_ridge)
    rock_ridge.directories.check(read, volume.tree, end, findings.append)
    joliet_nodes: list[JolietNode] = []
    if volume.joliet:
        joliet = JolietReader(read, volume.joliet, start, end, findings.append)
        joliet_nodes = list(joliet)
        joliet.directories.check(read, volume.joliet, end, findings.append)
    return nodes, joliet_nodes, findings


SMALL = [entry(b"d", Kind.DIR, mode=0o755), entry(b"d/f", size=3)]


def small() -> bytearray:
    return bytearray(Session(SMALL, {b"d/f": b"abc"}).build())


def test_every_attribute_of_an_entry_comes_back() -> None:
    made = entry(
        b"f", size=3, mode=0o4755, uid=70_000, gid=1001, xattrs=((b"user.a", b"\0\xff"), (b"user.b", b""))
    )
    nodes, _, findings = trees(Session([made], {b"f": b"abc"}, access_time=5).build())
    assert findings == []
    assert nodes[0]._replace(block=0, extents=()) == Node(
        b"f", Kind.FILE, 0o4755, 1, 70_000, 1001, MTIME, 5, MTIME, 3, (), b"", 0, 2, made.xattrs, 0
    )


@pytest.mark.parametrize("size", [0, 1, 254, 255, 256, 3000, 70_000])
def test_an_attribute_of_any_size_comes_back(size: int) -> None:
    made = entry(b"f", xattrs=((b"user.a", bytes(size)),))
    nodes, _, findings = trees(Session([made], {b"f": b""}).build())
    assert (findings, nodes[0].xattrs) == ([], made.xattrs)


@pytest.mark.parametrize(
    "target",
    [b"a", b"/", b"/a/b", b"../x", b"./.", b"a//b", b"x" * 255, b"/" + b"y/" * 400 + b"z", b"\xff\n"],
)
def test_a_link_keeps_its_target(target: bytes) -> None:
    nodes, _, findings = trees(Session([entry(b"l", Kind.LINK, target=target, mode=0o777)], {}).build())
    assert (findings, nodes[0].target) == ([], target)


@pytest.mark.parametrize(
    "name", [b"new\nline", b"a=b", b"\xff\xfe", b"back\\slash", b"-dash", b"n" * 255, b"\xc3\xa4"]
)
def test_a_hostile_name_comes_back_as_it_was(name: bytes) -> None:
    nodes, _, findings = trees(Session([entry(name)], {name: b""}).build())
    assert (findings, nodes[0].path) == ([], name)


def test_a_device_keeps_its_number() -> None:
    nodes, _, findings = trees(Session([entry(b"null", Kind.CHAR, rdev=0x103)], {}).build())
    assert (findings, nodes[0].kind, nodes[0].rdev) == ([], Kind.CHAR, 0x103)


def test_forty_levels_come_back() -> None:
    paths = [b"/".join([b"level"] * depth) for depth in range(1, 41)]
    nodes, _, findings = trees(Session([entry(path, Kind.DIR) for path in paths], {}).build())
    assert (findings, [node.path for node in nodes]) == ([], paths)


def test_pieces_of_a_large_file_are_joined() -> None:
    content = bytes(5 * BLOCK + 1)
    nodes, joliet, findings = trees(
        Session([entry(b"big", size=len(content))], {b"big": content}, piece=2 * BLOCK).build()
    )
    assert (findings, nodes[0].size, len(nodes[0].extents)) == ([], len(content), 3)
    assert joliet[0].extents == nodes[0].extents


def test_names_that_became_equal_are_accepted_with_their_numbers() -> None:
    names = [b"a:b", b"a?b", b"a_b", b"A_B", *(b"same_beginning_of_a_long_name_%03d" % n for n in range(120))]
    nodes, _, findings = trees(Session([entry(name) for name in names], dict.fromkeys(names, b"")).build())
    assert (findings, {node.path for node in nodes}) == ([], set(names))


def test_a_session_may_stand_anywhere() -> None:
    nodes, joliet, findings = trees(Session(SMALL, {b"d/f": b"abc"}, start=70_000).build(), 70_000)
    assert (findings, len(nodes), len(joliet)) == ([], 2, 2)


def test_an_acl_in_the_form_of_aaip_becomes_that_of_the_kernel() -> None:
    aaip = bytes((0x17, 0xA7, 2, 0x03, 0xE8, 0x35, 0x54, 0x64))
    kernel = struct.pack("<I", 2)
    for row in (
        (1, 7, 0xFFFFFFFF),
        (2, 7, 1000),
        (4, 5, 0xFFFFFFFF),
        (16, 4, 0xFFFFFFFF),
        (32, 4, 0xFFFFFFFF),
    ):
        kernel += struct.pack("<HHI", *row)
    stream = b"\0\0\0" + bytes((len(aaip),)) + aaip
    assert read_xattrs(stream) == ((b"system.posix_acl_access", kernel),)


def test_two_forms_of_an_acl_that_disagree_are_refused() -> None:
    raw = b"\x02posix_acl_access"
    stream = b"\0\0\0\1\x17\0" + bytes((len(raw),)) + raw + b"\0\4\2\0\0\0"
    with pytest.raises(BadField):
        read_xattrs(stream)


def test_a_directory_that_contains_itself_ends() -> None:
    image = Session([entry(b"a", Kind.DIR), entry(b"a/b", Kind.DIR)], {})
    raw = bytearray(image.build())
    here = struct.pack("<I", image._by_path[b"a/b"].block[0]) + struct.pack(
        ">I", image._by_path[b"a/b"].block[0]
    )
    there = struct.pack("<I", image._root.block[0]) + struct.pack(">I", image._root.block[0])
    raw = bytearray(bytes(raw).replace(here, there))
    nodes, _, findings = trees(bytes(raw))
    assert len(nodes) == 2
    assert any("address of another one" in finding.detail for finding in findings)


@pytest.mark.parametrize("size", [0, 1, BLOCK + 1, 1 << 31, 0xFFFFF800])
def test_a_directory_with_a_lying_size_is_not_followed(size: int) -> None:
    image = Session(SMALL, {b"d/f": b"abc"})
    raw = image.build()
    block = image._by_path[b"d"].block[0]
    place = struct.pack("<I", block) + struct.pack(">I", block)
    old = place + struct.pack("<I", BLOCK) + struct.pack(">I", BLOCK)
    nodes, _, findings = trees(raw.replace(old, place + struct.pack("<I", size) + struct.pack(">I", size)))
    assert [node.path for node in nodes] == [b"d"]
    assert findings


def test_an_image_that_is_cut_off_is_a_finding_wherever_it_is_cut() -> None:
    raw = bytes(small())
    for blocks in range(16, len(raw) // BLOCK - 1):
        assert trees(raw[: blocks * BLOCK])[2], blocks


def test_an_empty_disc_has_no_volume() -> None:
    findings: list[Finding] = []
    assert read_volume(lambda *_: b"", 0, findings.append) is None
    assert len(findings) == 1


@pytest.mark.slow
def test_a_tree_with_more_entries_than_the_limit_ends() -> None:
    names = [b"%05d" % number for number in range(30_000)]
    raw = Session([entry(name) for name in names], dict.fromkeys(names, b"")).build()
    findings: list[Finding] = []
    volume = read_volume(reader(raw), START, findings.append)
    assert volume
    limits = Limits(entries=10)
    end = START + len(raw) // BLOCK
    nodes = list(RockRidgeReader(reader(raw), volume.tree, START, end, findings.append, limits))
    assert "the tree has too many entries" in {finding.detail for finding in findings}
    assert len(nodes) < 20_000


def test_noise_in_the_trees_never_raises() -> None:
    noise = random.Random(7)
    clean = bytes(small())
    for _ in range(300):
        raw = bytearray(clean)
        for _ in range(noise.randrange(1, 40)):
            raw[noise.randrange(16 * BLOCK, len(raw))] = noise.randrange(256)
        trees(bytes(raw))


def test_a_directory_of_noise_never_raises() -> None:
    noise = random.Random(8)
    image = Session(SMALL, {b"d/f": b"abc"})
    clean = image.build()
    for number in range(300):
        raw = bytearray(clean)
        at = (image._by_path[b"d"].block[number % 2] - START) * BLOCK
        raw[at : at + BLOCK] = noise.randbytes(BLOCK)
        trees(bytes(raw))


def test_the_copy_of_the_descriptors_at_block_0_is_compared() -> None:
    session = bytes(small())
    anchor = bytearray(session[: 19 * BLOCK].ljust(32 * BLOCK, b"\0"))
    size = START + struct.unpack_from("<I", session, 16 * BLOCK + 80)[0]
    for block in (16, 17):
        struct.pack_into("<I", anchor, block * BLOCK + 80, size)
        struct.pack_into(">I", anchor, block * BLOCK + 84, size)
    findings: list[Finding] = []
    check_anchor(reader(bytes(anchor) + session, 0), START, findings.append)
    assert findings == []
    anchor[20 * BLOCK] = 1
    check_anchor(reader(bytes(anchor) + session, 0), START, findings.append)
    assert [finding.first_block for finding in findings] == [20]
