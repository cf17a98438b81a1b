"""Archives are taken apart as they come: those of every tar program, broken ones, and hostile ones."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cedarchest.adapters.unpacker import StreamUnpacker
from cedarchest.adapters.unpacking import Unpackers
from cedarchest.errors import DamagedDisc, RestoreError
from cedarchest.model.index import Kind
from cedarchest.ports.restoring import Chunk, Unpacked


def pieces(data: bytes, size: int = 7_000) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def contents(data: bytes) -> dict[bytes, bytes]:
    """Every file with what it holds, holes filled."""
    found: dict[bytes, bytes] = {}
    for member in StreamUnpacker(Unpackers()).members(b"x.tar", pieces(data), len(data)):
        if member.kind is Kind.FILE and not member.hardlink:
            whole = bytearray(member.entry().size)
            for offset, piece in member.chunks:
                whole[offset : offset + len(piece)] = piece
            found[member.path] = bytes(whole)
    return found


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    top = tmp_path / "tree"
    (top / "d").mkdir(parents=True)
    (top / "d/small").write_bytes(b"small")
    (top / "d/large").write_bytes(os.urandom(3_000_000))
    (top / ("n" * 120)).write_bytes(b"a long name")
    (top / "link").symlink_to("l" * 150)
    (top / "other").hardlink_to(top / "d/small")
    with (top / "holes").open("wb") as stream:
        stream.seek(1_000_000)
        stream.write(b"middle")
        stream.truncate(4_000_000)
    return top


def tar(tree: Path, *options: str) -> bytes:
    return subprocess.run(
        ["tar", *options, "-C", str(tree), "-cf", "-", "."], check=True, capture_output=True
    ).stdout


@pytest.mark.parametrize(
    "options",
    [
        ["--format=pax", "--sparse"],
        ["--format=gnu", "--sparse"],
        ["--format=pax", "--sparse", "--sparse-version=0.1"],
        ["--format=gnu"],
        ["--zstd"],
        ["--gzip", "--format=oldgnu"],
        ["--bzip2"],
        ["--xz"],
    ],
    ids=" ".join,
)
def test_what_any_tar_wrote_is_what_comes(tree: Path, options: list[str]) -> None:
    found = contents(tar(tree, "--sort=name", *options))
    files = {
        os.fsencode(path.relative_to(tree)): path.read_bytes()
        for path in tree.rglob("*")
        if path.is_file() and not path.is_symlink() and path.name != "other"
    }
    assert found == files


def read(data: bytes, size: int) -> Iterator[bytes]:
    """The paths of the members as they come, each read to its end."""
    for member in StreamUnpacker(Unpackers()).members(b"x.tar", pieces(data), size):
        list(member.chunks)
        yield member.path


def test_members_have_their_attributes(tree: Path) -> None:
    os.utime(tree / "d/small", ns=(1, 981_173_106_123_456_789))
    (tree / "d/small").chmod(0o4751)
    os.setxattr(tree / "d/small", "user.color", b"\xff\0blue")
    data = tar(tree, "--format=pax", "--xattrs", "--sort=name")
    found = {
        m.path: (m, m.entry()) for m in StreamUnpacker(Unpackers()).members(b"x.tar", pieces(data), len(data))
    }
    small = found[b"d/small"][1]
    assert (small.mode, small.mtime_ns, small.size) == (0o4751, 981_173_106_123_456_789, 5)
    assert small.xattrs == ((b"user.color", b"\xff\0blue"),)
    assert found[b"link"][1].target == b"l" * 150
    assert found[b"other"][0].hardlink == b"d/small"


def test_what_is_not_read_is_passed_over(tree: Path) -> None:
    data = tar(tree, "--sort=name")
    names = [m.path for m in StreamUnpacker(Unpackers()).members(b"x.tar", pieces(data), len(data))]
    assert names == sorted(names)
    assert len(names) == 7


def test_whoever_stops_early_leaves_no_thread_and_no_process(tree: Path) -> None:
    before = threading.active_count()
    members = StreamUnpacker(Unpackers()).members(b"x.tar", pieces(tar(tree, "--zstd")), 1)
    next(members)
    members.close()
    end = time.monotonic() + 10
    while threading.active_count() > before and time.monotonic() < end:  # what it said is still heard
        time.sleep(0.01)
    assert threading.active_count() == before


def test_what_the_pieces_raise_comes_through(tree: Path) -> None:
    data = tar(tree, "--sort=name")

    def failing() -> Iterator[bytes]:
        yield data[:20_000]
        raise DamagedDisc("the drive is gone")

    with pytest.raises((DamagedDisc, RestoreError)):
        list(StreamUnpacker(Unpackers()).members(b"x.tar", failing(), len(data)))


@pytest.mark.parametrize("packed", ["--zstd", "--gzip", "--bzip2", "--xz"])
def test_an_archive_that_breaks_off_gives_what_is_before_and_says_so(tree: Path, packed: str) -> None:
    data = tar(tree, "--sort=name", packed)
    whole = len(data) * 2 // 3
    got: list[bytes] = []
    with pytest.raises(RestoreError, match="is damaged"):
        got.extend(read(data[:whole], len(data)))
    assert b"d" in got


def test_damaged_headers_cost_their_members_alone(tree: Path) -> None:
    data = bytearray(tar(tree, "--sort=name", "--format=ustar", "--exclude=link", "--exclude=n*"))
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        at = archive.getmember("./d/small").offset
    data[at : at + 512] = os.urandom(512)
    found = contents(bytes(data))
    assert b"d/small" not in found
    assert found[b"d/large"] == (tree / "d/large").read_bytes()
    assert found[b"holes"] == (tree / "holes").read_bytes()


def test_noise_is_no_archive() -> None:
    with pytest.raises(RestoreError):
        contents(os.urandom(50_000))


def test_paths_that_lead_elsewhere_are_not_told() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name in ("../up", "a/../../b", "/abs", "good"):
            info = tarfile.TarInfo(name)
            info.size = 1
            archive.addfile(info, io.BytesIO(b"x"))
    assert contents(out.getvalue()) == {b"abs": b"x", b"good": b"x"}


def test_a_bomb_meets_a_limit(monkeypatch: pytest.MonkeyPatch, tree: Path) -> None:
    monkeypatch.setattr("cedarchest.adapters.unpacker.LEAST_LIMIT", 1 << 20)
    data = tar(tree, "--gzip")
    monkeypatch.setattr("cedarchest.adapters.unpacker.LARGEST_RATIO", 0)
    with pytest.raises(RestoreError, match="unpacks to more than"):
        contents(data)


def test_chunks_and_members_are_tuples() -> None:
    assert Chunk(0, b"") == (0, b"")
    assert Unpacked._fields[:3] == ("path", "kind", "hardlink")
