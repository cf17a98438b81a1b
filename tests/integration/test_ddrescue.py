"""Maps of what is missing, as GNU ddrescue itself reads and writes them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from cedarchest.model.mapfile import BlockState, DiscMap, format_mapfile, parse_mapfile
from cedarchest.model.media import BLOCK


def test_ddrescue_goes_on_where_a_map_says_and_leaves_one_that_is_read(tmp_path: Path) -> None:
    if not shutil.which("ddrescue") and os.environ.get("CI") != "true":
        pytest.skip("ddrescue (package gddrescue) is not installed")
    disc, image, text = (tmp_path / name for name in ("disc", "image", "map"))
    disc.write_bytes(os.urandom(10 * BLOCK))
    found = DiscMap(0, 10)
    for first, blocks, state in (
        (0, 4, BlockState.READ),
        (4, 2, BlockState.BAD),
        (6, 4, BlockState.UNTRIMMED),
    ):
        found.mark(first, blocks, state)
    text.write_text(format_mapfile(found, ["a comment"]))
    image.write_bytes(b"x" * 4 * BLOCK)
    subprocess.run(["ddrescue", "-q", "-r1", "-b2048", disc, image, text], check=True, timeout=60)
    assert image.read_bytes() == b"x" * 4 * BLOCK + disc.read_bytes()[4 * BLOCK :]
    again, _ = parse_mapfile(text.read_text())
    assert (again.first, again.end, again.missing()) == (0, 10, [])
    assert subprocess.run(["ddrescuelog", "-D", text], check=False, timeout=60).returncode == 0
