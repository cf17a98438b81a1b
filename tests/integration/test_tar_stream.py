"""Our reading of GNU tar's stream against that of Python's tarfile, on trees that tar itself archives."""

from __future__ import annotations

import hashlib
import io
import os
import random
import subprocess
import tarfile
from collections import deque
from pathlib import Path

import pytest

from cedarchest.adapters.tar_stream import end_of_archive, read_members
from cedarchest.errors import UnexpectedOutput


@pytest.mark.parametrize("seed", range(8))
def test_members_are_read_as_tarfile_reads_them(tmp_path: Path, seed: int) -> None:
    fill(tmp_path, random.Random(seed))
    stream = archived(tmp_path)
    passed_on = io.BytesIO()
    members = list(read_members(io.BytesIO(stream).readinto, passed_on.write))
    with tarfile.open(fileobj=io.BytesIO(stream)) as reference:
        expected = []
        for member in reference:
            name = os.fsencode(member.name)
            content = reference.extractfile(member) if member.isreg() else None
            digest = hashlib.sha256(content.read()).digest() if content else b""
            link = os.fsencode(member.linkname) if member.islnk() else b""
            expected.append((name, member.isreg(), member.size if member.isreg() else 0, digest, link))
    assert [tuple(member) for member in members] == expected
    whole = passed_on.getvalue()
    assert whole == stream[: len(whole)]
    assert whole + end_of_archive(len(whole)) == stream


@pytest.mark.parametrize("behind", [1, 2, 5])
@pytest.mark.parametrize("seed", range(4))
def test_what_is_passed_on_stays_as_it_is_for_so_many_more(tmp_path: Path, seed: int, behind: int) -> None:
    """So that a thread may take it in while more is read."""
    fill(tmp_path, random.Random(seed))
    stream = archived(tmp_path)
    kept: list[bytes] = []
    waiting: deque[memoryview] = deque()

    def keep_late(piece: memoryview) -> None:
        if len(waiting) == behind:
            kept.append(bytes(waiting.popleft()))
        waiting.append(piece)

    source = io.BytesIO(stream)
    list(read_members(lambda buffer: source.readinto(buffer[:100_000]), keep_late, behind=behind))
    whole = b"".join([*kept, *map(bytes, waiting)])
    assert len(kept) > 10
    assert whole + end_of_archive(len(whole)) == stream


def fill(top: Path, dice: random.Random) -> None:
    """Files of awkward sizes, with and without holes, links, folders, long and odd names."""
    sizes = [0, 1, 511, 512, 513, 1 << 20, (1 << 20) - 512, (1 << 20) + 1, dice.randrange(4 << 20)]
    for number, size in enumerate(dice.sample(sizes, 6)):
        folder = top / ("d" * dice.choice([1, 120, 255])) / str(number)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / os.fsdecode(dice.choice([b"f", b"\xff\xfe", b"new\nline", b"=" * 200]))
        path.write_bytes(dice.randbytes(size))
        os.link(path, folder / "twin")
        (folder / "link").symlink_to("x" * dice.choice([1, 150]))
    for number in range(4):
        with (top / f"sparse{number}").open("wb") as stream:
            for _ in range(dice.randrange(40)):
                stream.seek(dice.randrange(8 << 20))
                stream.write(dice.randbytes(dice.randrange(1, 20_000)))
            stream.truncate(dice.randrange(8 << 20))


def archived(top: Path) -> bytes:
    options = ["--format=pax", "--pax-option=delete=atime,delete=ctime", "--sparse"]
    done = subprocess.run(
        ["tar", "-c", *options, "-C", str(top), "-f", "-", "."], check=True, capture_output=True
    )
    return done.stdout


def test_a_stream_that_breaks_off_is_no_archive(tmp_path: Path) -> None:
    fill(tmp_path, random.Random(0))
    stream = archived(tmp_path).rstrip(b"\0")
    for cut in (0, 100, 512, 700, 5000, len(stream) // 2, len(stream)):
        with pytest.raises(EOFError):
            list(read_members(io.BytesIO(stream[:cut]).readinto, lambda _: None))
    with pytest.raises(UnexpectedOutput):
        list(read_members(io.BytesIO(b"x" * 2000).readinto, lambda _: None))
