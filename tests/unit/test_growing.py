"""What a program writes into a file, as it is read from there meanwhile."""

from __future__ import annotations

import os
import resource
import subprocess
from pathlib import Path

import pytest

from cedarchest.adapters.growing import GrowingFile

BEFORE = b"what stood there before"


def read_behind(path: Path, script: str, *, at_once: int = 1 << 20) -> tuple[bytes, int]:
    """What is read of what a script writes behind what stands in a file, and the script's end."""
    path.write_bytes(BEFORE)
    file = os.open(path, os.O_RDWR)
    try:
        os.lseek(file, 0, os.SEEK_END)
        growing = GrowingFile(file)
        buffer, pieces = memoryview(bytearray(at_once)), []
        with subprocess.Popen(["sh", "-c", script], stdout=file) as process:
            while count := growing.readinto(buffer, process.poll):
                pieces.append(bytes(buffer[:count]))
            assert growing.readinto(buffer, process.poll) == 0
            return b"".join(pieces), process.wait()
    finally:
        os.close(file)


@pytest.mark.parametrize("at_once", [1000, 1 << 20])
def test_what_comes_in_its_time_is_given_and_stands_in_the_file(tmp_path: Path, at_once: int) -> None:
    content = os.urandom(3_000_001)
    (tmp_path / "content").write_bytes(content)
    script = f"echo first; sleep 0.1; cat {tmp_path}/content; sleep 0.1; echo last"
    given, status = read_behind(tmp_path / "file", script, at_once=at_once)
    assert (given, status) == (b"first\n" + content + b"last\n", 0)
    assert (tmp_path / "file").read_bytes() == BEFORE + given


def test_what_a_program_wrote_that_failed_is_given_as_well(tmp_path: Path) -> None:
    assert read_behind(tmp_path / "file", "echo some; exit 3") == (b"some\n", 3)
    assert (tmp_path / "file").read_bytes() == BEFORE + b"some\n"


def test_a_program_that_failed_for_want_of_room_is_told_from_others(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            read_behind(tmp_path / "file", "exec cat /dev/zero")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
