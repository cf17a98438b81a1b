"""What packs an archive on its way into the file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cedarchest.adapters.packers import Bytes, Plain, packer
from cedarchest.config.choices import ArchiveFormat

UNPACK = {
    ArchiveFormat.TAR_GZ: "gzip",
    ArchiveFormat.TAR_BZ2: "bzip2",
    ArchiveFormat.TAR_XZ: "xz",
    ArchiveFormat.TAR_ZST: "zstd",
}
PIECES: list[Bytes] = [b"", b"one", os.urandom(1_000_000), bytes(3_000_000), memoryview(b"last")]

WITHOUT_MEMORY = """
import os, resource, sys
from cedarchest.adapters.packers import Plain, packer
from cedarchest.config.choices import ArchiveFormat
from cedarchest.errors import ToolFailed

data = os.urandom(1 << 20)
pages = int(open("/proc/self/statm").read().split()[0])
limit = pages * os.sysconf("SC_PAGE_SIZE") + (8 << 20)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    with open(sys.argv[1], "wb") as into, packer(ArchiveFormat.TAR_ZST, Plain(into, len)) as packing:
        for _ in range(100):
            packing.write(data)
        packing.end()
except ToolFailed as error:
    print(error)
"""


def forgotten(data: Bytes) -> None:
    """Nobody asks what was packed."""


@pytest.mark.parametrize("form", UNPACK)
def test_what_is_packed_is_what_its_program_unpacks(tmp_path: Path, form: ArchiveFormat) -> None:
    target = tmp_path / "packed"
    kept: list[bytes] = []
    with (
        target.open("w+b") as into,
        packer(form, Plain(into, lambda data: kept.append(bytes(data)))) as packing,
    ):
        for piece in PIECES:
            packing.write(piece)
        packing.end()
    assert target.read_bytes() == b"".join(kept)
    with target.open("rb") as packed:
        done = subprocess.run([UNPACK[form], "-dc"], stdin=packed, capture_output=True, check=True)
    assert done.stdout == b"".join(PIECES)


def test_a_file_packed_by_zstd_has_a_checksum_as_from_its_program(tmp_path: Path) -> None:
    target = tmp_path / "packed.zst"
    with target.open("w+b") as into, packer(ArchiveFormat.TAR_ZST, Plain(into, forgotten)) as packing:
        packing.write(b"content")
        packing.end()
    whole = bytearray(target.read_bytes())
    whole[-1] ^= 1
    target.write_bytes(whole)
    done = subprocess.run(["zstd", "-t", target], capture_output=True, text=True, check=False)
    assert "checksum" in done.stderr


def test_that_zstd_has_no_memory_is_said(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", WITHOUT_MEMORY, str(tmp_path / "packed.zst")]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("zstd cannot go on: ")
    assert "not enough memory" in done.stdout
