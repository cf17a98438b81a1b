"""Damaged discs under a restore: what any copy has comes back; what none has is named, and nothing else."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Project
from tests.pool import peers

pytestmark = pytest.mark.long

DAY = "2026/11/23"
FILES = 40
SIZE = 60_000
BLOCK = 2048


@dataclass
class Copies:
    """A machine stored on two discs, each on a shelf of its own."""

    project: Project
    home: Path
    content: Mapping[str, bytes]

    @property
    def images(self) -> list[Path]:
        return [next((self.project.root / shelf).glob("*.iso")) for shelf in ("one", "two")]

    def restore(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """To the folder `back`; status, and what was told."""
        to = str(self.project.root / "back")
        ran = self.project.run("--json", "restore", "--as-of", DAY, "--to", to, *arguments)
        return ran.status, json.loads(ran.out)

    def back(self) -> dict[str, bytes]:
        """What came back of the home folder, by name."""
        top = self.project.root / "back/here" / str(self.home)[1:]
        return {path.name: path.read_bytes() for path in top.rglob("*") if path.is_file()}

    def lost(self, told: Mapping[str, Any]) -> set[str]:
        return {Path(each["path"]).name for each in told["lost"]}

    def spans(self, image: Path) -> dict[str, tuple[int, int]]:
        """Where on a disc the content of each file stands, as it does in an archive that is not packed."""
        data = image.read_bytes()
        return {
            name: ((at := data.index(content)), at + len(content)) for name, content in self.content.items()
        }


@pytest.fixture
def copies(project: Project, request: pytest.FixtureRequest) -> Copies:
    form = getattr(request, "param", "tar")
    dice = random.Random(7)
    home = project.root / "home"
    home.mkdir()
    content = {f"f{number:02}": dice.randbytes(SIZE) for number in range(FILES)}
    for name, data in content.items():
        (home / name).write_bytes(data)
    peers(project, {"name": "here"})
    text = project.config.read_text().replace(
        'device = "shelf:shelf"', 'device = ["shelf:one", "shelf:two"]\ncopies = 2'
    )
    text += f'[collect]\ndir = "{project.root}/collect/here"\narchive = "{form}"\n'
    project.config.write_text(text + f'[[collect.source]]\npath = "{home}"\n')
    project.environ["CEDARCHEST_NOW"] = f"{DAY.replace('/', '-')}T03:00"
    ran = project.run("all")
    assert ran.status == 0, ran.out + ran.err
    return Copies(project, home, content)


def destroy(image: Path, spans: Iterable[tuple[int, int]]) -> None:
    with image.open("r+b") as disc:
        for begin, end in spans:
            disc.seek(begin)
            inverted = bytes(0xFF ^ byte for byte in disc.read(end - begin))
            disc.seek(begin)
            disc.write(inverted)


def test_whole_discs_give_everything(copies: Copies) -> None:
    status, told = copies.restore()
    assert (status, told["lost"]) == (0, [])
    assert copies.back() == copies.content


@pytest.mark.parametrize("copies", ["tar", "tar.zst", "tar.gz"], indirect=True)
@pytest.mark.parametrize("bad", [0, 1])
def test_what_is_destroyed_on_one_copy_comes_from_the_other(copies: Copies, bad: int) -> None:
    dice = random.Random(bad)
    image = copies.images[bad]
    size = image.stat().st_size
    spans = [(at, at + dice.choice([1, 5000])) for at in dice.sample(range(size // 3, size - 5000), 20)]
    destroy(image, spans)
    status, told = copies.restore()
    assert (status, told["lost"]) == (0, [])
    assert copies.back() == copies.content


@pytest.mark.parametrize("copies", ["tar", "tar.zst"], indirect=True)
def test_what_is_destroyed_on_both_in_other_places_is_put_together(copies: Copies) -> None:
    """The block maps tell which MiB of which disc is good, though no drive says that any is bad."""
    one, two = copies.images
    size = one.stat().st_size
    destroy(one, [(size // 2 + 20_000, size // 2 + 21_000)])
    destroy(two, [(size - 200_000, size - 199_000)])
    status, told = copies.restore()
    assert (status, told["lost"]) == (0, [])
    assert copies.back() == copies.content
    assert not list((copies.project.root / "back").glob(".cedarchest*"))


def test_what_is_destroyed_on_both_is_named_and_nothing_else(copies: Copies) -> None:
    hit = {"f03", "f17", "f31"}
    for image in copies.images:
        spans = copies.spans(image)
        destroy(image, [(spans[name][0] + 1000, spans[name][0] + 1010) for name in hit])
    status, told = copies.restore("--damaged")
    assert (status, copies.lost(told)) == (11, hit)
    assert all("damaged on every disc" in each["reason"] for each in told["lost"])
    found = copies.back()
    assert {f"{name}.damaged" for name in hit} == {Path(each).name for each in told["damaged"]}
    assert {name: data for name, data in found.items() if not name.endswith(".damaged")} == {
        name: data for name, data in copies.content.items() if name not in hit
    }
    kept = found["f03.damaged"]
    assert (len(kept), kept[:1000], kept[1010:]) == (
        SIZE,
        copies.content["f03"][:1000],
        copies.content["f03"][1010:],
    )


def test_a_destroyed_header_costs_its_file_and_no_other(copies: Copies) -> None:
    for image in copies.images:
        begin, _ = copies.spans(image)["f08"]
        destroy(image, [(begin - 512, begin)])
    status, told = copies.restore()
    assert (status, copies.lost(told)) == (11, {"f08"})
    assert copies.back().keys() == copies.content.keys() - {"f08"}


def test_where_nothing_can_be_had_the_run_fails(copies: Copies) -> None:
    for image in copies.images:
        spans = copies.spans(image)
        destroy(image, [(spans["f05"][0], spans["f05"][0] + 1)])
    status, told = copies.restore(f"{copies.home}/f05")
    assert status == 7
    assert copies.lost(told) == {"f05"}


def test_an_image_that_is_cut_short_gives_what_it_has(copies: Copies) -> None:
    one, two = copies.images
    two.unlink()
    begin, _ = copies.spans(one)["f20"]
    with one.open("r+b") as disc:
        disc.truncate(begin // BLOCK * BLOCK)
    status, _ = copies.restore()
    assert status in (7, 8, 11)
    assert copies.back().items() <= copies.content.items()


def test_a_second_run_after_damage_gets_what_another_disc_has(copies: Copies) -> None:
    """One copy is away at first; nothing that came then is read again."""
    one, two = copies.images
    spans = copies.spans(one)
    destroy(one, [(spans["f10"][0], spans["f10"][0] + 10)])
    away = two.rename(copies.project.root / "away.iso")
    status, told = copies.restore()
    assert (status, copies.lost(told)) == (8, {"f10"})
    assert two.stem in told["error"]["message"]
    away.rename(two)
    status, told = copies.restore()
    assert (status, told["lost"], told["restored"]) == (0, [], 1)
    assert copies.back() == copies.content


def test_a_content_that_another_archive_has_as_well_comes_from_there(project: Project) -> None:
    home = project.root / "home"
    home.mkdir()
    (home / "f").write_bytes(random.Random(1).randbytes(SIZE))
    peers(project, {"name": "here"})
    text = project.config.read_text().replace(
        'device = "shelf:shelf"', 'device = "shelf:shelf"\nnew_disc = "daily"'
    )
    text += f'[collect]\ndir = "{project.root}/collect/here"\narchive = "tar"\nmode = "daily"\n'
    project.config.write_text(text + f'[[collect.source]]\npath = "{home}"\n')
    for day in (23, 24):
        project.environ["CEDARCHEST_NOW"] = f"2026-11-{day}T03:00"
        (home / "other").write_text(str(day))
        assert project.run("all").status == 0
    content = (home / "f").read_bytes()
    newest = max(project.images())
    begin = newest.read_bytes().index(content)
    destroy(newest, [(begin, begin + 10)])
    back = project.root / "back"
    ran = project.run("--json", "restore", "--as-of", "2026/11/24", "--to", str(back))
    assert (ran.status, json.loads(ran.out)["lost"]) == (0, []), ran.err
    assert (back / "here" / str(home)[1:] / "f").read_bytes() == content
    assert (back / "here" / str(home)[1:] / "other").read_text() == "24"


def test_a_size_that_no_disc_has_room_for_is_not_believed(project: Project) -> None:
    """What the catalog was told by a disc may be anything; it costs the file, and neither time nor memory."""
    project.stage(DAY, {"lied": b"x" * 5000, "honest": b"y" * 5000})
    assert project.run("store").status == 0
    with sqlite3.connect(project.root / "state/catalog.sqlite") as catalog:
        changed = catalog.execute("update entries set size = ? where path like '%/lied'", (1 << 60,))
        assert changed.rowcount == 1
    catalog.close()
    back = project.root / "back"
    ran = project.run("--json", "restore", "--day", DAY, "--to", str(back), timeout=30)
    assert ran.status == 11
    assert [Path(each["path"]).name for each in json.loads(ran.out)["lost"]] == ["lied"]
    assert (next(back.rglob("honest"))).read_bytes() == b"y" * 5000


def test_without_block_maps_the_copy_that_is_whole_is_found(copies: Copies) -> None:
    """As after the catalog was made anew: nothing but the digest of the whole tells what is good."""
    one, two = copies.images
    spans = copies.spans(one)
    destroy(one, [(spans["f05"][0], spans["f05"][0] + 10), (spans["f30"][0], spans["f30"][0] + 10)])
    spans = copies.spans(two)
    destroy(two, [(spans["f05"][0] + 500, spans["f05"][0] + 510)])
    with sqlite3.connect(copies.project.root / "state/catalog.sqlite") as catalog:
        catalog.execute("update sessions set block_map = ''")
    catalog.close()
    status, told = copies.restore()
    assert (status, copies.lost(told)) == (11, {"f05"})
    assert copies.back().keys() == copies.content.keys() - {"f05"}
