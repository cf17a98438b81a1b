"""A bit flipped anywhere on a disc: found by a verify, the mark taken back, the day stored elsewhere."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.conftest import Project

FIRST, SECOND = "2026/11/22", "2026/11/23"
BLOCK = 2048
CONTENT = b"Everyone is permitted to copy and distribute verbatim copies. " * 300

Flip = Callable[[Path, int], None]


def sessions(project: Project) -> list[tuple[str, int, str]]:
    """Label, number and status of all sessions."""
    details = project.run("--json", "discs").json["details"]
    assert isinstance(details, list)
    return [(disc["label"], each["number"], each["status"]) for disc in details for each in disc["sessions"]]


def stage(project: Project, day: str) -> None:
    project.stage(day, {"letter.txt": CONTENT + day.encode(), "sub/other": b"other"})


def own_file(name: str) -> Callable[[Project, bytes], int]:
    """Where a file of ours stands, found by its content as the state folder keeps it."""

    def find(project: Project, image: bytes) -> int:
        (path,) = (project.root / "state" / "sessions").glob(f"*/001/**/{name}")
        return image.index(path.read_bytes()) + 30

    return find


@dataclass(frozen=True)
class Place:
    """A place on the disc: how it is found, and what a verify says when it is damaged."""

    find: Callable[[Project, bytes], int]
    named: str


PLACES = {
    "file data": Place(lambda _, image: image.index(CONTENT) + 9000, "/alpha/letter.txt"),
    "name in the Rock Ridge tree": Place(
        lambda _, image: image.index(b"NM\x0f\x01\x00letter.txt") + 7, "letter.txt"
    ),
    "record of a file": Place(lambda _, image: image.index(b"NM\x0f\x01\x00letter.txt") - 33, "letter.txt"),
    "name in the Joliet tree": Place(
        lambda _, image: image.index("letter.txt".encode("utf-16-be")) + 3, "Joliet"
    ),
    "session.json": Place(own_file("session.json"), "001/session.json"),
    "disc.json": Place(own_file("disc.json"), "disc.json"),
    "INDEX.jsonl.gz": Place(own_file("INDEX.jsonl.gz"), "001/INDEX.jsonl.gz"),
    "SHA256SUMS": Place(own_file("SHA256SUMS"), "001/SHA256SUMS"),
    "README.txt": Place(own_file("README.txt"), "README.txt"),
    "restore.sh": Place(own_file("restore.sh"), "restore.sh"),
    "descriptor at block 16": Place(lambda *_: 16 * BLOCK + 600, "blocks 16 to 16"),
    "Joliet descriptor at block 17": Place(lambda *_: 17 * BLOCK + 600, "blocks 17 to 17"),
    "descriptor of the session": Place(lambda *_: (32 + 16) * BLOCK + 600, "descriptor"),
    "Joliet descriptor of the session": Place(lambda *_: (32 + 17) * BLOCK + 600, "descriptor"),
    "root record in the session's descriptor": Place(lambda *_: (32 + 16) * BLOCK + 160, ""),
    "path table": Place(
        lambda _, image: int.from_bytes(image[48 * BLOCK + 140 :][:4], "little") * BLOCK + 12, "path table"
    ),
}
places = pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)


@places
def test_a_flip_before_the_first_check_makes_no_day_stored(
    project: Project, flip: Flip, place: Place
) -> None:
    project.configure(check="deferred")
    stage(project, FIRST)
    assert project.run("store").status == 0
    image = project.images()[0]
    flip(image, place.find(project, image.read_bytes()))
    ran = project.run("verify")
    assert ran.status == 7, ran
    assert image.stem in ran.err
    assert place.named in ran.err + ran.out
    assert not project.is_marked(FIRST)
    assert sessions(project) == [(image.stem, 1, "bad")]
    project.configure()
    assert project.run("store").status == 0
    assert project.is_marked(FIRST)
    assert len(project.images()) == 2
    assert sessions(project)[-1][2] == "verified"


@places
def test_a_flip_after_the_proof_takes_the_mark_back_until_it_is_undone(
    project: Project, flip: Flip, place: Place
) -> None:
    stage(project, FIRST)
    assert project.run("store").status == 0
    image = project.images()[0]
    where = place.find(project, image.read_bytes())
    flip(image, where)
    ran = project.run("verify")
    assert ran.status == 7, ran
    assert place.named in ran.err + ran.out
    assert not project.is_marked(FIRST)
    assert project.run("--json", "status").json["due"] == [FIRST]
    flip(image, where)
    assert project.run("verify").status == 0
    assert project.is_marked(FIRST)
    assert sessions(project) == [(image.stem, 1, "verified")]


def test_a_day_whose_disc_went_bad_is_stored_on_another_disc(project: Project, flip: Flip) -> None:
    stage(project, FIRST)
    assert project.run("store").status == 0
    image = project.images()[0]
    flip(image, image.read_bytes().index(CONTENT) + 100)
    damaged = image.read_bytes()
    assert project.run("verify").status == 7
    assert project.run("store").status == 0
    assert project.is_marked(FIRST)
    assert image.read_bytes() == damaged
    second = project.images()[1]
    assert sessions(project) == [(image.stem, 1, "bad"), (second.stem, 1, "verified")]
    again = project.run("verify")
    assert again.status == 0, again.err
    assert f"{image.stem}: no new problems" in again.out
    assert project.is_marked(FIRST)


def test_a_flip_of_the_label_is_never_passed_over(project: Project, flip: Flip) -> None:
    """The disc may then be another one: damaged or wrong, but never good."""
    stage(project, FIRST)
    assert project.run("store").status == 0
    image = project.images()[0]
    for block in (16, 17, 48, 49):
        flip(image, block * BLOCK + 45)
        ran = project.run("verify")
        assert ran.status in (7, 8), ran
        assert image.stem in ran.err
        flip(image, block * BLOCK + 45)
    assert project.run("verify").status == 0
    assert project.is_marked(FIRST)


def test_a_flip_in_an_unproven_second_session_leaves_the_first_good_and_visible(
    project: Project, flip: Flip
) -> None:
    stage(project, FIRST)
    assert project.run("store").status == 0
    project.configure(check="deferred")
    stage(project, SECOND)
    assert project.run("store").status == 0
    image = project.images()[0]
    flip(image, image.read_bytes().index(SECOND.encode(), image.read_bytes().rindex(CONTENT)))
    assert project.run("verify").status == 7
    assert project.is_marked(FIRST)
    assert not project.is_marked(SECOND)
    assert [each[1:] for each in sessions(project)] == [(1, "verified"), (2, "bad"), (3, "verified")]
    assert visible_years(image) == [FIRST]
    project.configure()
    assert project.run("store").status == 0
    assert project.is_marked(SECOND)
    assert len(project.images()) == 2


def visible_years(image: Path) -> list[str]:
    """The days a person sees who mounts the image."""
    import pycdlib

    iso = pycdlib.PyCdlib()
    iso.open(str(image))
    found = [
        "/".join(path.split("/")[-3:])
        for path, _, _ in iso.walk(rr_path="/")
        if path.count("/") == 3 and path.startswith("/2")
    ]
    iso.close()
    return found


def test_a_flip_in_a_proven_second_session_leaves_the_first_day_stored(project: Project, flip: Flip) -> None:
    for day in (FIRST, SECOND):
        stage(project, day)
        assert project.run("store").status == 0
    image = project.images()[0]
    where = image.read_bytes().rindex(CONTENT) + 500
    flip(image, where)
    ran = project.run("verify")
    assert ran.status == 7
    assert f"/{SECOND}/alpha/letter.txt" in ran.err
    assert (project.is_marked(FIRST), project.is_marked(SECOND)) == (True, False)
    flip(image, where)
    assert project.run("verify").status == 0
    assert (project.is_marked(FIRST), project.is_marked(SECOND)) == (True, True)


def test_a_flip_in_a_first_session_leaves_the_second_day_stored(project: Project, flip: Flip) -> None:
    for day in (FIRST, SECOND):
        stage(project, day)
        assert project.run("store").status == 0
    image = project.images()[0]
    flip(image, image.read_bytes().index(CONTENT) + 500)
    assert project.run("verify").status == 7
    assert (project.is_marked(FIRST), project.is_marked(SECOND)) == (False, True)
    assert project.run("store").status == 0
    assert project.is_marked(FIRST)


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_a_flip_anywhere_is_found(project: Project, flip: Flip, seed: int) -> None:
    """Blocks 0 to 31 and all of both sessions; what fills up to the next session belongs to nobody."""
    for day in (FIRST, SECOND):
        stage(project, day)
        assert project.run("store").status == 0
    details = project.run("--json", "discs").json["details"]
    extents = [(each["start"], each["blocks"]) for each in details[0]["sessions"]]  # type: ignore[index]
    blocks = [*range(32), *(start + at for start, count in extents for at in range(count))]
    assert len(extents) == 2
    image = project.images()[0]
    dice = random.Random(seed)
    missed = []
    for _ in range(30):
        where = dice.choice(blocks) * BLOCK + dice.randrange(BLOCK)
        flip(image, where)
        if project.run("verify").status not in (7, 8):
            missed.append(divmod(where, BLOCK))
        flip(image, where)
    assert missed == []
    assert project.run("verify").status == 0
    assert project.is_marked(FIRST)
    assert project.is_marked(SECOND)


@pytest.mark.slow
def test_a_flip_anywhere_is_found_without_a_catalog_but_where_nothing_stands(
    project: Project, flip: Flip
) -> None:
    """The disc against itself: session 1 has its block map in session 2, the newest has none."""
    for day in (FIRST, SECOND):
        stage(project, day)
        assert project.run("store").status == 0
    details = project.run("--json", "discs").json["details"]
    first, second = [(each["start"], each["blocks"]) for each in details[0]["sessions"]]  # type: ignore[index]
    raw = project.images()[0].read_bytes()
    used = [at for at in range(second[0], sum(second)) if any(raw[at * BLOCK : (at + 1) * BLOCK])]
    image = project.root / "copy.iso"
    image.write_bytes(raw)
    dice = random.Random(3)
    missed = []
    for _ in range(40):
        block = dice.choice([*range(first[0], sum(first)), *used])
        data = raw[block * BLOCK : (block + 1) * BLOCK].rstrip(b"\0")
        where = block * BLOCK + dice.randrange(max(1, len(data)))
        flip(image, where)
        if project.run("verify", str(image)).status not in (7, 8):
            missed.append(divmod(where, BLOCK))
        flip(image, where)
    assert missed == []
    assert image.read_bytes() == raw
