"""The size that plans go by is never less than what xorriso makes of the same tree."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.conftest import Project

from cedarchest.adapters.scan import scan
from cedarchest.adapters.xorriso_words import BurnOptions, burn_script
from cedarchest.model.media import TRAITS, Medium
from cedarchest.model.size import Tally, session_blocks, tally
from cedarchest.ports import Graft, SessionSource

pytestmark = pytest.mark.long

NAMES = st.binary(min_size=1, max_size=250).filter(
    lambda name: b"/" not in name and b"\0" not in name and name not in (b".", b"..")
)
TREES = st.dictionaries(
    st.lists(NAMES, min_size=1, max_size=3).map(lambda parts: tuple(part[:80] for part in parts)),
    st.one_of(st.integers(0, 70_000), st.binary(min_size=1, max_size=900).filter(lambda t: b"\0" not in t)),
    max_size=25,
)


def make(root: Path, tree: dict[tuple[bytes, ...], int | bytes]) -> None:
    """Files of a size, and links to a target, as far as their names do not collide."""
    for parts, what in tree.items():
        path = os.path.join(os.fsencode(root), *parts)  # noqa: PTH118 - a path of bytes
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
            if isinstance(what, int):
                with open(path, "wb") as stream:  # noqa: PTH123
                    stream.truncate(what)
            else:
                os.symlink(what, path)  # noqa: PTH211
        except OSError:
            continue


def size_by_xorriso(folder: Path, *, md5: bool, padding: int, image: Path) -> int:
    source = SessionSource("SIZE", 0, (b"/2026", b"/2026/11"), (Graft(bytes(folder), b"/2026/11/22"),), (), 0)
    script = b"".join(burn_script(source, BurnOptions(f"stdio:{image}", padding_blocks=padding, md5=md5)))
    done = subprocess.run(
        ["xorriso", "-no_rc", "-pkt_output", "on", "-options_from_file", "/dev/stdin", "-rollback_end"],
        input=script,
        capture_output=True,
        check=True,
    )
    found = re.search(rb"Image size\s*: (\d+)s", done.stdout)
    assert found, done.stdout
    return int(found[1])


@pytest.mark.slow
@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(tree=TREES, md5=st.booleans())
def test_no_tree_becomes_larger_than_its_bound(
    tmp_path_factory: pytest.TempPathFactory, tree: dict[tuple[bytes, ...], int | bytes], md5: bool
) -> None:
    folder = tmp_path_factory.mktemp("tree")
    make(folder, tree)
    entries = [found.entry for found in scan(folder, prefix=b"2026/11/22/")]
    bound = session_blocks(tally(entries), Tally(), TRAITS[Medium.DVD_PLUS_R])
    assert size_by_xorriso(folder, md5=md5, padding=0, image=folder.parent / "none.iso") <= bound


@pytest.mark.slow
@settings(max_examples=20, suppress_health_check=list(HealthCheck))
@given(trees=st.lists(TREES, min_size=1, max_size=3))
def test_no_session_becomes_larger_than_its_plan_said(
    tmp_path_factory: pytest.TempPathFactory, trees: list[dict[tuple[bytes, ...], int | bytes]]
) -> None:
    """Our own files, the marks and the descriptions of earlier sessions included."""
    project = Project(tmp_path_factory.mktemp("project"))
    project.shelf.mkdir()
    project.configure()
    for number, tree in enumerate(trees):
        make(project.stage(f"2026/11/{20 + number}") / "beta", tree)
        (volume,) = planned(project)
        assert project.run("store").status in (0, 11)
        assert written(project) <= volume


def test_no_session_of_many_small_files_becomes_larger_than_its_plan_said(project: Project) -> None:
    project.stage("2026/11/20", {f"folder{number % 9}/{number}": b"%d" % number for number in range(2000)})
    (volume,) = planned(project)
    assert project.run("store").status == 0
    assert written(project) <= volume < 1.3 * written(project)


def test_a_supplement_is_planned_by_what_the_disc_does_not_have_yet(project: Project) -> None:
    project.configure(capacity="8 MB")
    folder = project.stage("2026/11/20", {"large": bytes(5_000_000)})
    assert project.run("store").status == 0
    (folder / "alpha" / "late").write_bytes(b"late")
    (folder / "cback.store").unlink()
    (volume,) = planned(project)
    assert project.run("store").status == 0
    assert written(project) <= volume < 300
    assert len(project.images()) == 1


def planned(project: Project) -> list[int]:
    """Blocks of the volumes that a store would write."""
    volumes = project.run("--json", "store", "--dry-run").json["volumes"]
    assert isinstance(volumes, list)
    return [each["blocks_at_most"] for each in volumes]


def written(project: Project) -> int:
    """Blocks of the newest session."""
    details = project.run("--json", "discs").json["details"]
    assert isinstance(details, list)
    blocks = details[-1]["sessions"][-1]["blocks"]
    assert isinstance(blocks, int)
    return blocks


def test_the_bound_of_many_small_files_is_not_far_off(tmp_path: Path) -> None:
    for number in range(3000):
        path = tmp_path / "tree" / f"folder{number % 20}" / f"a-file-with-a-name-{number}.dat"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(number % 4000))
    entries = [found.entry for found in scan(tmp_path / "tree", prefix=b"2026/11/22/")]
    bound = session_blocks(replace(tally(entries), own_bytes=0), Tally(), TRAITS[Medium.DVD_PLUS_R])
    real = size_by_xorriso(tmp_path / "tree", md5=False, padding=0, image=tmp_path / "none.iso")
    assert real <= bound < 1.2 * real


def test_padding_is_in_the_bound(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "a").write_bytes(b"a")
    entries = [found.entry for found in scan(tmp_path / "tree", prefix=b"2026/11/22/")]
    bound = session_blocks(tally(entries), Tally(), TRAITS[Medium.CD_R])
    assert size_by_xorriso(tmp_path / "tree", md5=True, padding=150, image=tmp_path / "none.iso") <= bound
