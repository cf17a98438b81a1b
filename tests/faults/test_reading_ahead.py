"""What goes on a new disc is looked at before it is known on which; only exactly that is burnt from there."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.burner.burner import Burner
from tests.burner.preload import require
from tests.conftest import Project
from tests.faults.test_staged_changes import REAL, on_disc, statuses

from cedarchest.adapters.xorriso import Xorriso
from cedarchest.adapters.xorriso_words import BurnOptions
from cedarchest.errors import MediumFull, ToolMissing
from cedarchest.ports import Graft, SessionSource

DAY = "2026/11/22"
BURNS = "-options_from_file"
DIRS = (b"/2026", b"/2026/11")
OLD_NS = 1


@dataclass
class Place:
    """A folder to burn, and an image to burn it into; `locks` are those that the run holds."""

    root: Path
    locks: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tool = Xorriso(inherited=lambda: tuple(self.locks))
        self.file = self.root / "day" / "file"
        self.file.parent.mkdir()
        self.file.write_bytes(b"content")
        self.image = self.root / "x.iso"

    @property
    def grafts(self) -> list[Graft]:
        return [Graft(bytes(self.file), b"/2026/11/22/file")]

    def ahead(self, grafts: Sequence[Graft] | None = None) -> contextlib.AbstractContextManager[None]:
        return self.tool.reading_ahead(DIRS, self.grafts if grafts is None else grafts)

    def burn(
        self,
        grafts: Sequence[Graft] | None = None,
        *,
        changed_ns: int = OLD_NS,
        confirm: Callable[[int], None] = lambda _: None,
    ) -> None:
        day = Graft(bytes(self.file.parent), b"/2026/11/22", single=True)
        source = SessionSource(
            "AHEAD",
            0,
            DIRS,
            self.grafts if grafts is None else grafts,
            (),
            1_700_000_000,
            later=iter([day]),
            changed_ns=changed_ns,
        )
        self.tool.burn(source, BurnOptions(f"stdio:{self.image}"), confirm, lambda _: None)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def burns(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], int]]:
    """How many burns were begun so far."""
    with caplog.at_level(logging.INFO):
        yield lambda: sum(line.startswith("running xorriso") and BURNS in line for line in caplog.messages)


def children() -> list[str]:
    """What of xorriso we have begun, and not ended."""
    begun = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return [each for each in begun if Path(f"/proc/{each}/comm").read_text() == "xorriso\n"]


def test_a_burn_of_just_that_goes_on_from_there(place: Place, burns: Callable[[], int]) -> None:
    with place.ahead():
        assert children() != []
        assert not place.image.exists()
        place.burn()
    assert burns() == 1
    assert children() == []
    assert on_disc(place.image, "/2026/11/22/file") == b"content"


def test_it_brings_the_same_as_a_burn_that_was_not_looked_at_ahead(place: Place) -> None:
    """But for the identifiers and times of making, which differ with each burn."""
    place.burn()
    alone = place.image.rename(place.root / "alone.iso").read_bytes()
    with place.ahead():
        place.burn()
    together = place.image.read_bytes()
    assert len(together) == len(alone)
    assert sum(left != right for left, right in zip(together, alone, strict=True)) < 200


def test_the_second_burn_begins_anew(place: Place, burns: Callable[[], int]) -> None:
    with place.ahead():
        place.burn()
        place.image.unlink()
        place.burn()
    assert burns() == 2
    assert on_disc(place.image, "/2026/11/22/file") == b"content"


def test_without_a_burn_nothing_is_left(place: Place) -> None:
    with place.ahead():
        assert children() != []
    assert children() == []
    assert not place.image.exists()


def test_after_an_error_nothing_is_left(place: Place) -> None:
    with pytest.raises(RuntimeError), place.ahead():
        raise RuntimeError
    assert children() == []


def test_a_burn_of_something_else_begins_anew(place: Place, burns: Callable[[], int]) -> None:
    other = place.root / "other"
    other.write_bytes(b"other")
    with place.ahead():
        place.burn([Graft(bytes(other), b"/2026/11/22/other")])
    assert burns() == 2
    assert children() == []
    assert on_disc(place.image, "/2026/11/22/other") == b"other"
    with pytest.raises(Exception, match="-extract"):
        on_disc(place.image, "/2026/11/22/file")


def test_a_burn_of_less_begins_anew(place: Place, burns: Callable[[], int]) -> None:
    other = place.root / "other"
    other.write_bytes(b"other")
    with place.ahead([*place.grafts, Graft(bytes(other), b"/2026/11/22/other")]):
        place.burn()
    assert burns() == 2
    with pytest.raises(Exception, match="-extract"):
        on_disc(place.image, "/2026/11/22/other")


def test_what_changed_meanwhile_is_looked_at_anew(place: Place, burns: Callable[[], int]) -> None:
    with place.ahead():
        time.sleep(0.3)  # it had the time to look
        place.file.write_bytes(b"content that has grown")
        place.burn(changed_ns=place.file.stat().st_ctime_ns)
    assert burns() == 2
    assert on_disc(place.image, "/2026/11/22/file") == b"content that has grown"


def test_what_changed_hardly_before_is_looked_at_anew(place: Place, burns: Callable[[], int]) -> None:
    """Change times come from a clock that lags."""
    began = time.time_ns()
    with place.ahead():
        place.burn(changed_ns=began - 5 * 10**6)
    assert burns() == 2


def test_a_lock_taken_meanwhile_goes_with_the_burn(
    place: Place, burns: Callable[[], int], tmp_path: Path
) -> None:
    with (tmp_path / "lock").open("w") as lock, place.ahead():
        place.locks.append(lock.fileno())
        place.burn()
    assert burns() == 2


def test_a_size_that_is_refused_ends_what_was_looked_at_ahead(place: Place) -> None:
    def refuse(_blocks: int) -> None:
        raise MediumFull("too much")

    with place.ahead():
        with pytest.raises(MediumFull):
            place.burn(confirm=refuse)
        assert children() == []
    assert not place.image.exists()


def test_more_than_a_pipe_takes_is_not_told_ahead(place: Place) -> None:
    many = [Graft(bytes(place.file), b"/2026/11/22/%0200d" % number) for number in range(200)]
    with place.ahead(many):
        assert children() == []


def test_without_the_tool_only_the_burn_fails(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(place.root))
    with place.ahead(), pytest.raises(ToolMissing):
        place.burn()


# -- as a user sees it --------------------------------------------------------------------------------


def burns_of(project: Project, drive: Burner | None = None, status: int = 0) -> int:
    """How many burns a store begins."""
    environ = {**(drive.env() if drive else {}), "CEDARCHEST_NOW": "2026-11-22T23:00"}
    ran = project.run("-v", "store", environ=environ)
    assert ran.status == status, ran.err
    assert project.is_marked(DAY)
    return sum("running xorriso" in line and BURNS in line for line in ran.err.splitlines())


def age(folder: Path) -> None:
    """A day that was staged some time ago."""
    assert folder.is_dir()
    time.sleep(0.2)


@pytest.mark.parametrize("names", [{"a": b"a", "s p": b"'", "b\\n": b"b", "*": b"*"}, None])
def test_a_store_on_a_new_disc_burns_what_was_looked_at_ahead(
    project: Project, names: dict[str, bytes] | None
) -> None:
    """Without an index and with one: the second is on a shelf that has no disc any more."""
    age(project.stage(DAY, names))
    assert burns_of(project) == 1
    (project.staging / DAY / "cback.store").unlink()
    assert project.run("-v", "store", "--full", "--day", DAY).err.count(BURNS) == 1
    assert statuses(project) == ["verified", "verified"]


@pytest.mark.parametrize("medium", ["cd-r", "dvd+r", "dvd+rw", "bd-r"])
def test_a_store_on_a_blank_disc_burns_what_was_looked_at_ahead(project: Project, medium: str) -> None:
    require()
    project.configure(device="/dev/sr0")
    with Burner(profile=medium) as drive:
        age(project.stage(DAY))
        assert burns_of(project, drive) == 1
        assert project.run("verify", environ=drive.env()).status == 0


def test_what_no_disc_can_hold_is_left_out_all_the_same(project: Project) -> None:
    folder = project.stage(DAY)
    (folder / "alpha" / "link").symlink_to("x" * 1100)
    age(folder)
    assert burns_of(project, status=11) == 2
    assert statuses(project) == ["verified"]


def test_a_supplement_is_not_looked_at_ahead(project: Project) -> None:
    folder = project.stage(DAY)
    age(folder)
    assert burns_of(project) == 1
    (folder / "alpha" / "late").touch()
    (folder / "cback.store").unlink()
    assert burns_of(project) == 1
    assert statuses(project) == ["verified", "verified"]


def test_what_changes_after_it_was_looked_at_ahead_is_seen_before_the_burn(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """xorriso is asked for its version when the day is indexed and planned."""
    staged = project.stage(DAY) / "alpha" / "a.txt"
    age(staged.parent)
    tools = tmp_path / "tools"
    tools.mkdir()
    change = f'[ -e "$0.done" ] || {{ echo more >>"{staged}"; touch "$0.done"; }}'
    script = f'#!/bin/sh\ncase "$*" in *-version*) {change};; esac\nexec {REAL} "$@"\n'
    (tools / "xorriso").write_text(script)
    (tools / "xorriso").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    ran = project.run("store")
    assert ran.status == 6, ran.err
    assert "alpha/a.txt" in ran.err
    assert statuses(project) == []
    (project.staging / DAY / "INDEX.jsonl.gz").unlink()
    again = project.run("store")
    assert again.status == 0, again.err
    assert project.is_marked(DAY)
    assert on_disc(project.images()[-1], f"/{DAY}/alpha/a.txt").endswith(b"more\n")


def test_whatever_stands_at_the_top_of_a_day_comes_as_it_is(project: Project) -> None:
    folder = project.stage(DAY)
    (folder / "link").symlink_to("alpha")
    (folder / "dangling").symlink_to("/nowhere")
    (folder / "file").write_bytes(b"content")
    (folder / "same").hardlink_to(folder / "alpha" / "a.txt")
    (folder / "empty").mkdir(mode=0o700)
    (folder / os.fsdecode(b"\xff 'q' \\ *")).mkdir()
    os.mkfifo(folder / "fifo")
    folder.chmod(0o750)
    age(folder)
    assert burns_of(project) == 1
    assert statuses(project) == ["verified"]
    assert project.run("verify", *map(str, project.images())).status == 0
