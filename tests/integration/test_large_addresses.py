"""Addresses and sizes past what 32 bits of bytes hold: far out on a disc, and in a single file."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest
from tests.cli.program import told
from tests.conftest import Project

from cedarchest.model.media import BLOCK

pytestmark = pytest.mark.long

DAY, NEXT = "2026/11/22", "2026/11/23"
FAR = 52_000_000
"""A block past 100 GB."""

OVER_4_GIB = (4 << 30) + 12_345


def test_a_session_is_appended_and_proven_past_100_gb(project: Project) -> None:
    """The first session claims to reach that far; the image is as long, and sparse."""
    project.configure(media="bd-r", capacity="128 GB")
    project.stage(DAY)
    assert project.run("store").status == 0
    (image,) = project.images()
    with image.open("r+b") as stream:
        for start in (0, 32):
            for descriptor in range(16, 20):
                _claim_blocks(stream.fileno(), start + descriptor, FAR - start)
    os.truncate(image, FAR * BLOCK)
    project.stage(NEXT, {"letter": b"far out", "dir/large": bytes(300_000)})
    ran = project.run("--json", "store")
    assert (ran.status, told(ran)["days"], len(project.images())) == (0, [NEXT], 1)
    sessions = told(project.run("--json", "discs"))["details"][0]["sessions"]
    assert [session["status"] for session in sessions] == ["verified", "verified"]
    assert sessions[1]["start"] >= FAR
    with image.open("rb") as stream:
        stream.seek(FAR * BLOCK)
        assert b"far out" in stream.read()
    listed = ["xorriso", "-no_rc", "-indev", f"stdio:{image}", "-find", f"/{NEXT}", "--", "-rollback_end"]
    assert f"/{NEXT}/alpha/letter" in subprocess.check_output(listed, text=True, stderr=subprocess.DEVNULL)
    assert image.stat().st_blocks * 512 < 100 << 20


def _claim_blocks(descriptor: int, block: int, blocks: int) -> None:
    """Have a volume descriptor say so (ECMA-119 8.4.8), if one stands there."""
    raw = os.pread(descriptor, BLOCK, block * BLOCK)
    if raw[1:6] == b"CD001" and raw[0] in (1, 2):
        both = blocks.to_bytes(4, "little") + blocks.to_bytes(4, "big")
        os.pwrite(descriptor, both, block * BLOCK + 80)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_file_over_4_gib_is_stored_in_parts_that_others_read(project: Project, tmp_path: Path) -> None:
    needed = 2 * OVER_4_GIB
    status = os.statvfs(tmp_path)
    if status.f_bavail * status.f_frsize < needed:
        pytest.skip(f"{tmp_path} has not the {needed} bytes that this wants")
    project.configure(media="bd-r", portable=True)
    folder = project.stage(DAY)
    with (folder / "alpha" / "large").open("wb") as stream:
        stream.truncate(OVER_4_GIB)
        for offset in (0, (1 << 32) - 3, OVER_4_GIB - 5):
            stream.seek(offset)
            stream.write(b"here!")
    ran = project.run("--json", "store", timeout=900)
    assert (ran.status, told(ran)["days"]) == (0, [DAY])
    assert project.is_marked(DAY)
    (image,) = project.images()
    digest = hashlib.sha256()
    for number in (1, 2):
        name = f"{DAY}/alpha/large.part-{number:03}-of-002"
        with subprocess.Popen(["bsdtar", "-xOf", str(image), name], stdout=subprocess.PIPE) as reader:
            assert reader.stdout is not None
            while piece := reader.stdout.read(1 << 20):
                digest.update(piece)
        assert reader.returncode == 0
    with (folder / "alpha" / "large").open("rb") as stream:
        assert hashlib.file_digest(stream, "sha256").digest() == digest.digest()
