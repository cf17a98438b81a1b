"""Images of Cedar Backup's discs: entered, compared, searched, whatever trees they have."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import jsonschema
import pytest
from tests.cedar_discs import (
    BLOCK,
    FIRST,
    FIRST_LABEL,
    SECOND,
    SECOND_LABEL,
    THIRD,
    grow,
    image,
    require_genisoimage,
    staged,
)
from tests.cli.program import SCHEMA, error_of, told
from tests.conftest import Project, Ran

from cedarchest.adapters.catalog import open_catalog
from cedarchest.model.disc import StoredEntry

pytestmark = pytest.mark.slow

TEXT = b"what stands in it\n" * 200


@pytest.fixture(autouse=True)
def _tool() -> None:
    require_genisoimage()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return staged(tmp_path / "day", {"Text.txt": TEXT, "folder/other": b"other"})


def on_shelf(project: Project, label: str = FIRST_LABEL) -> Path:
    return project.shelf / f"{label}.iso"


def rebuilt(project: Project, *arguments: str) -> Ran:
    """Rebuild; what it tells is what the schema says."""
    ran = project.run("--json", "catalog", "rebuild", *arguments)
    jsonschema.validate(told(ran), json.loads(SCHEMA.read_text()))
    return ran


def held(project: Project) -> dict[bytes, StoredEntry]:
    """All files that the catalog has, by path."""
    with closing(open_catalog(f"sqlite:///{project.root}/state/catalog.sqlite", read_only=True)) as catalog:
        return {
            entry.path: entry
            for disc in catalog.discs()
            for session in catalog.sessions(disc.disc_id)
            for entry in catalog.entries(disc.disc_id, session.number)
            if entry.kind == "file"
        }


def as_mkisofs(target: Path, day: str, folder: Path) -> None:
    """An image as xorriso makes it when it stands in for mkisofs."""
    argv = ["xorriso", "-no_rc", "-as", "mkisofs", "-quiet", "-V", FIRST_LABEL, "-graft-points", "-r"]
    subprocess.run([*argv, "-o", str(target), f"{day}/={folder}"], check=True, capture_output=True)


@pytest.mark.parametrize(
    ("trees", "name"),
    [
        ("-r", "Text.txt"),
        ("-R", "Text.txt"),
        ("-r -J", "Text.txt"),
        ("-J", "Text.txt"),
        ("-l", "TEXT.TXT"),
        ("xorriso", "Text.txt"),
    ],
)
def test_every_kind_of_tree_is_entered_with_digests_and_compared(
    project: Project, source: Path, trees: str, name: str
) -> None:
    if trees == "xorriso":
        as_mkisofs(on_shelf(project), FIRST, source)
    else:
        image(on_shelf(project), FIRST_LABEL, FIRST, source, trees=trees)
    ran = rebuilt(project)
    assert (ran.status, told(ran)["days"], told(ran)["discs"]) == (0, [FIRST], [FIRST_LABEL]), ran.err
    files = {path.lower(): entry for path, entry in held(project).items()}
    text = files[f"{FIRST}/mach/text.txt".encode()]
    assert (text.size, text.sha256) == (len(TEXT), hashlib.sha256(TEXT).digest())
    assert f"{FIRST}/mach/folder/other".encode() in files
    assert project.run("verify", FIRST_LABEL).status == 0
    (found,) = told(project.run("--json", "find", name))["found"]
    assert found["path"].lower() == "text.txt"
    detail = told(project.run("--json", "discs", FIRST_LABEL))["details"][0]
    assert [each["status"] for each in detail["sessions"]] == ["verified"]


def test_a_person_is_told_that_nothing_was_compared(project: Project, source: Path) -> None:
    image(on_shelf(project), FIRST_LABEL, FIRST, source)
    ran = project.run("catalog", "rebuild")
    assert "Cedar Backup wrote session 1, without an index: it was taken as it is" in ran.out
    assert "compared with nothing" in ran.out


def test_an_image_takes_no_session_and_the_shelf_begins_a_disc_of_its_own(
    project: Project, source: Path
) -> None:
    disc = image(on_shelf(project), FIRST_LABEL, FIRST, source)
    before = disc.read_bytes()
    assert rebuilt(project).status == 0
    project.stage(SECOND)
    ran = project.run("--json", "store")
    assert (ran.status, told(ran)["volumes"][0]["new_disc"]) == (0, True), ran.err
    assert disc.read_bytes() == before


def test_an_image_anywhere_is_entered_by_its_path_and_verified_once_it_is_on_the_shelf(
    project: Project, source: Path, tmp_path: Path
) -> None:
    elsewhere = image(tmp_path / "ripped.iso", FIRST_LABEL, FIRST, source)
    assert rebuilt(project, str(elsewhere)).status == 0
    assert project.run("verify", FIRST_LABEL).status == 8
    elsewhere.rename(on_shelf(project))
    assert project.run("verify", FIRST_LABEL).status == 0
    assert project.run("verify").status == 0


def test_an_image_that_is_named_by_its_path_is_not_judged_and_what_to_do_is_told(
    project: Project, source: Path, tmp_path: Path
) -> None:
    disc = image(tmp_path / "ripped.iso", FIRST_LABEL, FIRST, source)
    assert rebuilt(project, str(disc)).status == 0
    ran = project.run("--json", "verify", str(disc))
    assert (ran.status, error_of(ran)["kind"]) == (8, "ForeignDisc")
    then = f"on the shelf as '{FIRST_LABEL}.iso', cedarchest verify '{FIRST_LABEL}'"
    assert then in error_of(ran)["advice"]
    disc.rename(on_shelf(project))
    assert project.run("verify", FIRST_LABEL).status == 0


def test_two_discs_of_one_label_are_both_there(project: Project, source: Path, tmp_path: Path) -> None:
    image(on_shelf(project), FIRST_LABEL, FIRST, source)
    other = staged(tmp_path / "other", {"another": b"another"})
    second = image(tmp_path / "second.iso", FIRST_LABEL, SECOND, other)
    assert rebuilt(project).status == 0
    ran = rebuilt(project, str(second))
    assert (ran.status, told(ran)["days"]) == (0, [SECOND])
    (label,) = told(ran)["discs"]
    assert label.startswith(f"{FIRST_LABEL} ")
    assert told(rebuilt(project, str(second)))["outcome"] == "nothing-to-do"
    second.rename(on_shelf(project, label))
    assert project.run("verify").status == 0


def test_a_disc_that_grew_over_its_beginning_is_entered_as_it_is_now(
    project: Project, source: Path, tmp_path: Path
) -> None:
    disc = image(on_shelf(project), FIRST_LABEL, FIRST, source)
    assert rebuilt(project).status == 0
    grow(disc, SECOND_LABEL, SECOND, staged(tmp_path / "next", {"next": b"next" * 5000}))
    disc.rename(on_shelf(project, SECOND_LABEL))
    ran = rebuilt(project)
    assert (ran.status, told(ran)["days"]) == (0, [FIRST, SECOND]), ran.err
    assert f"cedarchest discs lost '{FIRST_LABEL}'" in told(ran)["warnings"][0]
    assert project.run("discs", "lost", FIRST_LABEL).status == 0
    assert project.run("verify").status == 0
    assert held(project)[f"{SECOND}/mach/next".encode()].sha256 == hashlib.sha256(b"next" * 5000).digest()


def test_a_disc_of_span_that_has_no_label_is_known_by_having_but_days(
    project: Project, source: Path, tmp_path: Path
) -> None:
    disc = image(tmp_path / "span.iso", "", FIRST, source)
    ran = rebuilt(project, str(disc))
    assert (ran.status, told(ran)["days"]) == (0, [FIRST]), ran.err
    (label,) = told(ran)["discs"]
    assert label.startswith("CEDAR BACKUP SPAN ")
    disc.rename(on_shelf(project, label))
    assert project.run("verify", label).status == 0
    assert told(rebuilt(project))["outcome"] == "nothing-to-do"


def test_a_disc_without_label_that_has_anything_else_is_foreign(
    project: Project, source: Path, tmp_path: Path
) -> None:
    flat = image(tmp_path / "flat.iso", "", "photos", source)
    assert rebuilt(project, str(flat)).status == 8


def cut_short(raw: bytearray) -> None:
    del raw[len(raw) // 2 :]


def without_root(raw: bytearray) -> None:
    root = int.from_bytes(raw[16 * BLOCK + 158 : 16 * BLOCK + 162], "little")
    raw[root * BLOCK : (root + 1) * BLOCK] = b"\xff" * BLOCK


@pytest.mark.parametrize(("spoil", "status"), [(cut_short, 8), (without_root, 11)])
def test_an_image_that_is_not_whole_is_no_empty_one(
    project: Project, source: Path, spoil: Callable[[bytearray], None], status: int
) -> None:
    disc = image(on_shelf(project), FIRST_LABEL, FIRST, source)
    raw = bytearray(disc.read_bytes())
    spoil(raw)
    disc.write_bytes(raw)
    ran = project.run("--json", "catalog", "rebuild")
    assert ran.status == status, ran.out
    assert held_or_nothing(project) == {}


def held_or_nothing(project: Project) -> dict[bytes, StoredEntry]:
    return held(project) if (project.root / "state/catalog.sqlite").exists() else {}


def test_days_that_are_staged_and_due_are_stored_though_such_a_disc_has_them(
    project: Project, source: Path
) -> None:
    image(on_shelf(project), FIRST_LABEL, THIRD, source)
    staged(project.staging / THIRD, {"Text.txt": TEXT, "folder/other": b"other"})
    assert rebuilt(project).status == 0
    assert project.run("verify").status == 0
    ran = project.run("--json", "store")
    assert (ran.status, told(ran)["days"]) == (0, [THIRD])
    assert project.is_marked(THIRD)


def test_a_disc_that_was_entered_and_verified_is_audited(
    project: Project, source: Path, flip: Callable[[Path, int], None]
) -> None:
    disc = image(on_shelf(project), FIRST_LABEL, FIRST, source)
    assert rebuilt(project).status == 0
    ran = audited(project)
    assert (ran.status, told(ran)["left_out"]) == (
        11,
        [f"{FIRST_LABEL} session 1 was never proven: cedarchest verify '{FIRST_LABEL}'"],
    )
    assert project.run("verify", FIRST_LABEL).status == 0
    ran = audited(project)
    assert (ran.status, told(ran)["verdicts"][0]["whole"]) == (0, True)
    place = disc.read_bytes().index(TEXT) + 7
    flip(disc, place)
    ran = audited(project)
    assert ran.status == 7
    (finding,) = told(ran)["verdicts"][0]["findings"]
    assert finding.lower().startswith(
        f"different: /{FIRST}/mach/text.txt: its content is not what was written"
    )
    flip(disc, place)
    assert audited(project).status == 0


def audited(project: Project) -> Ran:
    """An audit; what it tells is what the schema says."""
    ran = project.run("--json", "audit", FIRST_LABEL)
    jsonschema.validate(told(ran), json.loads(SCHEMA.read_text()))
    return ran
