"""`verify` and `discs` as users run them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.program import error_of, program, told
from tests.conftest import Project

pytestmark = pytest.mark.slow

DAYS = ("2026/11/21", "2026/11/22")
NEEDLE = b"needle in the stack " * 300
Flip = Callable[[Path, int], None]


@pytest.fixture
def stored(project: Project) -> Project:
    """A project with two days on a disc each."""
    project.configure(new_disc="daily")
    for day in DAYS:
        project.stage(day, {"a": NEEDLE})
    assert project.run("store").status == 0
    return project


def place_of(image: Path) -> int:
    """Where a byte of a staged file stands in an image."""
    return image.read_bytes().index(NEEDLE) + 1000


def test_without_argument_every_disc_of_the_shelf_is_read(stored: Project) -> None:
    ran = stored.run("verify")
    assert ran.status == 0
    labels = [image.stem for image in stored.images()]
    assert [line.partition(": no problems found (1 session, ")[0] for line in ran.out.splitlines()] == labels


def test_a_disc_named_by_its_label_is_read_alone(stored: Project) -> None:
    label = stored.images()[1].stem
    assert told(stored.run("--json", "verify", label))["discs"] == [label]


def test_several_discs_are_read_in_the_order_they_are_named(stored: Project) -> None:
    labels = [image.stem for image in stored.images()][::-1]
    assert told(stored.run("--json", "verify", *labels))["discs"] == labels


def test_labels_and_paths_may_be_mixed(stored: Project) -> None:
    first, second = stored.images()
    ran = stored.run("--json", "verify", first.stem, str(second))
    assert sorted(told(ran)["discs"]) == sorted([first.stem, str(second)])


def test_a_label_that_is_unknown_ends_with_8(stored: Project) -> None:
    ran = stored.run("--json", "verify", stored.images()[0].stem, "CC_19990101_001")
    assert (ran.status, error_of(ran)["kind"]) == (8, "NoMedium")
    assert "CC_19990101_001" in error_of(ran)["message"]


def test_a_disc_that_is_missing_on_the_shelf_ends_with_8_and_the_others_are_read(stored: Project) -> None:
    missing, _ = stored.images()
    missing.rename(stored.root / "elsewhere.iso")
    ran = stored.run("--json", "verify")
    assert ran.status == 8
    assert missing.stem in error_of(ran)["message"]
    assert [each["passed"] for each in told(ran)["verdicts"]] == [False, True]
    assert stored.is_marked(DAYS[0])


def test_nothing_to_verify_is_nothing_to_do(project: Project) -> None:
    ran = project.run("verify")
    assert (ran.status, ran.out) == (0, "there is nothing to verify\n")


@pytest.mark.slow
def test_a_disc_that_differs_takes_the_mark_away_and_one_that_is_whole_again_gives_it_back(
    stored: Project, flip: Flip
) -> None:
    image = stored.images()[0]
    place = place_of(image)
    flip(image, place)
    ran = stored.run("verify", image.stem)
    assert ran.status == 7
    assert f"  different: /{DAYS[0]}/alpha/a: " in ran.out
    assert [stored.is_marked(day) for day in DAYS] == [False, True]
    flip(image, place)
    assert stored.run("verify", image.stem).status == 0
    assert [stored.is_marked(day) for day in DAYS] == [True, True]


@pytest.mark.slow
def test_a_day_is_due_again_when_only_its_supplement_is_spoilt(project: Project, flip: Flip) -> None:
    day = project.stage(DAYS[0])
    project.run("store")
    (day / "cback.store").unlink()
    (day / "beta").mkdir()
    (day / "beta/late").write_bytes(NEEDLE)
    project.run("store")
    (image,) = project.images()
    flip(image, place_of(image))
    assert project.run("verify").status == 7
    assert not project.is_marked(DAYS[0])
    assert told(project.run("--json", "status"))["due"] == [DAYS[0]]


def test_a_day_that_is_no_longer_staged_is_verified_all_the_same(stored: Project) -> None:
    for path in sorted(stored.staging.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    assert stored.run("verify").status == 0
    assert list(stored.staging.iterdir()) == []


@pytest.mark.parametrize("named", ["absolute", "relative", "by its name alone"])
def test_an_image_named_by_its_path_needs_no_configuration(stored: Project, named: str) -> None:
    image = stored.images()[0]
    target = {"absolute": str(image), "relative": f"./{image.name}", "by its name alone": image.name}[named]
    ran = program("verify", target, cwd=stored.shelf)
    assert ran.status == 0, ran.err
    assert "no problems found" in ran.out


def test_an_image_named_by_its_path_that_differs_changes_nothing_in_the_catalog(
    stored: Project, flip: Flip
) -> None:
    image = stored.images()[0]
    flip(image, place_of(image))
    ran = stored.run("--json", "verify", str(image))
    assert (ran.status, error_of(ran)["kind"]) == (7, "VerifyError")
    assert stored.is_marked(DAYS[0])
    assert told(stored.run("--json", "status"))["due"] == []


def test_an_image_that_is_cut_short_ends_with_8(stored: Project) -> None:
    image = stored.images()[0]
    with image.open("r+b") as stream:
        stream.truncate(image.stat().st_size // 2)
    for target in (str(image), image.stem):
        ran = stored.run("--json", "verify", target)
        assert (ran.status, error_of(ran)["kind"]) == (8, "DamagedDisc")


def test_a_file_that_is_no_disc_is_named(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_bytes(b"Dear reader, " * 9000)
    ran = program("verify", "--json", "./letter.txt", cwd=tmp_path)
    assert ran.status == 8
    assert "letter.txt" in error_of(ran)["message"]


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    ran = program("verify", "--json", "./absent.iso", cwd=tmp_path)
    assert ran.status in (8, 9)
    assert "absent.iso" in error_of(ran)["message"]


@pytest.mark.parametrize(
    ("named", "sentence"),
    [
        ("nope.iso", "there is no device or image {root}/nope.iso"),
        ("cc_1", "there is no device or image {root}/cc_1"),
        ("/dev/no-such-drive", "there is no device or image /dev/no-such-drive"),
        ("shelf", "{root}/shelf is a folder, not a disc"),
        ("cedarchest.toml", "{root}/cedarchest.toml is no whole disc image"),
    ],
)
def test_what_is_neither_disc_nor_label_is_said_so(stored: Project, named: str, sentence: str) -> None:
    ran = program("verify", named, cwd=stored.root)
    assert ran.status in (8, 9)
    assert sentence.format(root=stored.root) in ran.err


def test_an_image_in_the_current_folder_needs_no_slash_even_beside_a_label(stored: Project) -> None:
    first, second = stored.images()
    second.rename(stored.root / "good.iso")
    ran = stored.run("--json", "verify", "good.iso", first.stem)
    assert sorted(told(ran)["discs"]) == sorted([first.stem, f"{stored.root}/good.iso"])


def test_verifying_by_path_leaves_nothing_behind(stored: Project) -> None:
    scratch = stored.root / "scratch"
    scratch.mkdir()
    before = sorted(stored.shelf.iterdir())
    program("verify", *map(str, stored.images()), cwd=stored.shelf, environ={"TMPDIR": str(scratch)})
    assert sorted(stored.shelf.iterdir()) == before
    assert list(scratch.iterdir()) == []


def test_discs_lists_every_disc_in_a_line(stored: Project) -> None:
    lines = stored.run("discs").out.splitlines()
    assert [line.split()[:3] for line in lines] == [[i.stem, "dvd+r", "1"] for i in stored.images()]


def test_discs_tells_all_about_one(stored: Project) -> None:
    stored.run("verify")
    image = stored.images()[1]
    ran = stored.run("--json", "discs", image.stem)
    (disc,) = told(ran)["details"]
    assert (disc["label"], disc["days"], disc["accepts_sessions"]) == (image.stem, [DAYS[1]], True)
    assert [check["kind"] for check in disc["checks"]] == ["store", "verify"]
    assert all(check["passed"] for check in disc["checks"])
    text = stored.run("discs", image.stem).out
    assert disc["disc_id"] in text
    assert f"verified  {DAYS[1]}" in text


def test_discs_does_not_know_every_label(stored: Project) -> None:
    ran = stored.run("--json", "discs", "NO_SUCH_DISC")
    assert (ran.status, error_of(ran)["kind"]) == (8, "NoMedium")


def test_an_empty_catalog_lists_nothing(project: Project) -> None:
    ran = project.run("discs")
    assert (ran.status, ran.out) == (0, "the catalog knows no disc yet\n")
