"""What every writer promises, asked of the one in memory, of the shelf and of burners with many discs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.burner.burner import Burner
from tests.burner.preload import require
from tests.fakes.writer import MemoryDisc, MemoryWriter, Tray

from cedarchest.adapters.optical import OpticalDrive
from cedarchest.adapters.shelf import Shelf
from cedarchest.adapters.xorriso import Xorriso
from cedarchest.errors import DamagedDisc, MediumFull, NoMedium, NotAppendable, WrongDisc
from cedarchest.model.disc import DiscRecord, DiscState, Observation
from cedarchest.model.image.identity import find_nodes, read_node
from cedarchest.model.image.volume import DESCRIPTORS
from cedarchest.model.media import BLOCK, TRAITS, Medium
from cedarchest.model.session import DISC_FILE, disc_json
from cedarchest.ports import Graft, SessionSource, Writer

LABEL = "CC_20261122_001"
DISC_ID = "6c0d8c2e-0a8b-4f5c-9a51-2f6a3a1f7d10"
FIRST, SECOND, THIRD = "2026/11/20", "2026/11/21", "2026/11/22"
SMALL = 24_000
"""Blocks of a disc here; so little that a test can overfill it, enough for the gaps of a CD."""

OPTICAL = {
    "dvd+r": Medium.DVD_PLUS_R,
    "cd-r": Medium.CD_R,
    "cd-rw": Medium.CD_RW,
    "dvd-r": Medium.DVD_R,
    "dvd-rw": Medium.DVD_RW,
    "dvd-rw-overwrite": Medium.DVD_RW_OVERWRITE,
    "dvd-ram": Medium.DVD_RAM,
    "dvd+rw": Medium.DVD_PLUS_RW,
    "dvd+r-dl": Medium.DVD_PLUS_R_DL,
    "bd-r": Medium.BD_R,
    "bd-re": Medium.BD_RE,
}
"""Discs of the emulated burner that take several sessions, and what a drive says that they are."""

SINGLE = {"dvd-r-dl": Medium.DVD_R_DL, "dvd-rw-minimal": Medium.DVD_RW}
"""Those that take one."""

EVERY_TIME = "dvd+r"


def places() -> Iterator[object]:
    """Writers by kind, disc and medium; all but one burner only where there is time."""
    for kind in ("memory", "shelf"):
        for medium in (Medium.DVD_PLUS_R, Medium.DVD_PLUS_RW):
            yield pytest.param((kind, str(medium), medium), id=f"{kind}-{medium}")
    for disc, medium in OPTICAL.items():
        marks = () if disc == EVERY_TIME else (pytest.mark.slow,)
        yield pytest.param(("optical", disc, medium), id=f"optical-{disc}", marks=marks)


@dataclass
class Place:
    """A drive with a blank disc, and things to burn."""

    root: Path
    medium: Medium
    open: Callable[[], Writer]
    raw: Callable[[], bytes]  # all that stands on the disc
    opened: list[Writer] = field(default_factory=list)

    def writer(self) -> Writer:
        """A writer that has the disc, or a blank one, loaded."""
        self.opened.append(self.open())
        writer = self.opened[-1]
        if writer.loads_itself:
            _ = writer.load(LABEL) if LABEL in writer.labels() else writer.load_blank(LABEL)
        return writer

    def staged(self, day: str, size: int = 3000) -> Path:
        folder = self.root / "staging" / day
        if not folder.exists():
            (folder / "alpha").mkdir(parents=True)
            (folder / "alpha" / "letter").write_bytes(content(day, size))
            (folder / "alpha" / "unwanted").write_bytes(b"x")
        return folder

    def source(self, day: str, base: int = 0, size: int = 3000, **changes: object) -> SessionSource:
        """A session of one day; the first on a disc brings its identity."""
        moment = datetime(2026, 11, 22, tzinfo=UTC)
        identity = self.root / "disc.json"
        identity.write_bytes(disc_json(DiscRecord(DISC_ID, LABEL, self.medium, 0, moment)))
        grafts = [Graft(bytes(self.staged(day, size)), f"/{day}".encode())]
        if not base:
            grafts.append(Graft(bytes(identity), f"/{DISC_FILE}".encode(), single=True))
        values: dict[str, object] = {
            "volume_id": LABEL,
            "base": base,
            "made_dirs": () if base else (b"/CEDARCHEST", b"/2026", b"/2026/11"),
            "grafts": grafts,
            "removed": (),
            "made_at": 1_700_000_000,
        }
        return SessionSource(**(values | changes))  # type: ignore[arg-type]


def content(day: str, size: int = 3000) -> bytes:
    return (day.encode() * size)[:size]


@pytest.fixture(params=places())
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    kind, disc, medium = request.param
    with contextlib.ExitStack() as stack:
        if kind == "memory":
            tray = Tray(disc=MemoryDisc(medium, SMALL))
            made = Place(tmp_path, medium, lambda: MemoryWriter(tray), lambda: _bytes_of(tray))
        elif kind == "shelf":
            image = tmp_path / "shelf" / f"{LABEL}.iso"
            made = Place(tmp_path, medium, lambda: _shelf(image.parent, medium), image.read_bytes)
        else:
            made = stack.enter_context(burner_with(disc, medium, tmp_path))
        yield made
        for writer in made.opened:
            writer.close()


@pytest.fixture(params=list(SINGLE.items()), ids=list(SINGLE))
def single(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A burner with a disc that takes one session."""
    disc, medium = request.param
    with burner_with(disc, medium, tmp_path) as made:
        yield made
        for writer in made.opened:
            writer.close()


@contextlib.contextmanager
def burner_with(disc: str, medium: Medium, root: Path) -> Iterator[Place]:
    """A burner that this process sees, with a small disc."""
    require()
    with Burner(disc, blocks=SMALL) as burner, burner.attached():
        yield Place(root, medium, _optical, burner.data_path.read_bytes)


def _bytes_of(tray: Tray) -> bytes:
    assert tray.disc is not None
    return bytes(tray.disc.blocks)


def _shelf(folder: Path, medium: Medium) -> Writer:
    return Shelf(folder, Xorriso(), medium=medium, capacity=SMALL, progress=lambda _: None)


def _optical() -> Writer:
    return OpticalDrive(Path("/dev/sr0"), Xorriso(), speed="", progress=lambda _: None)


def burn(writer: Writer, source: SessionSource) -> int:
    """Burn a session; the size that was to be confirmed."""
    sizes: list[int] = []
    burnt = writer.write(source, sizes.append)
    assert not burnt.input_changed
    assert len(sizes) == 1
    return sizes[0]


def letter(writer: Writer, seen: Observation, day: str, session: int = 0) -> bytes | None:
    """The letter of a day as a session's tree shows it, the newest without a number."""
    entry = seen.sessions[session - 1] if session else seen.sessions[-1]
    path = f"{day}/alpha/letter".encode()
    node = find_nodes(writer.read, entry.start, [path]).get(path)
    return read_node(writer.read, node, 1 << 20) if node else None


# -- a blank disc -------------------------------------------------------------------------------------


def test_a_blank_disc_is_seen_as_blank_and_stays_so(place: Place) -> None:
    for _ in range(2):
        seen = place.writer().observe()
        assert (seen.state, seen.medium) == (DiscState.BLANK, place.medium)
        assert (seen.sessions, seen.identity, seen.label) == ((), None, "")


def test_a_blank_disc_has_its_whole_capacity_free(place: Place) -> None:
    seen = place.writer().observe()
    assert SMALL - 200 <= seen.capacity <= SMALL
    assert 0 <= seen.capacity - seen.free <= 32


def test_a_blank_disc_is_one_to_begin_on(place: Place) -> None:
    writer = place.writer()
    assert writer.load_blank("CC_20261122_002").state is DiscState.BLANK


def test_no_label_can_be_loaded_from_a_blank_disc(place: Place) -> None:
    writer = place.writer()
    with pytest.raises((WrongDisc, NoMedium)):
        writer.load(LABEL)


# -- a first session ----------------------------------------------------------------------------------


def test_the_first_session_is_found_with_label_place_and_identity(place: Place) -> None:
    announced = place.writer().observe().next_address
    burn(place.writer(), place.source(FIRST))
    seen = place.writer().observe()
    assert seen.state is DiscState.APPENDABLE
    assert [(each.number, each.start, each.volume_id) for each in seen.sessions] == [
        (1, seen.sessions[0].start, LABEL)
    ]
    assert seen.sessions[0].start >= announced
    assert seen.identity is not None
    assert (seen.identity.disc_id, seen.identity.label) == (DISC_ID, LABEL)


def test_what_is_burnt_is_read_back(place: Place) -> None:
    burn(place.writer(), place.source(FIRST))
    writer = place.writer()
    assert letter(writer, writer.observe(), FIRST) == content(FIRST)


def test_the_size_is_to_be_confirmed_before_anything_is_written(place: Place) -> None:
    burn(place.writer(), place.source(FIRST))
    before = place.raw()
    at_confirmation: list[bytes] = []
    place.writer().write(place.source(SECOND, base=1), lambda _blocks: at_confirmation.append(place.raw()))
    assert at_confirmation == [before]
    assert place.raw() != before


def test_a_size_that_is_refused_leaves_a_blank_disc_blank(place: Place) -> None:
    class Refused(Exception):
        """Nobody else raises it."""

    def refuse(_blocks: int) -> None:
        raise Refused

    with pytest.raises(Refused):
        place.writer().write(place.source(FIRST), refuse)
    assert place.writer().observe().state is DiscState.BLANK


def test_a_size_that_is_refused_leaves_a_written_disc_as_it_was(place: Place) -> None:
    class Refused(Exception):
        """Nobody else raises it."""

    def refuse(_blocks: int) -> None:
        raise Refused

    burn(place.writer(), place.source(FIRST))
    before = place.writer().observe()
    with pytest.raises(Refused):
        place.writer().write(place.source(SECOND, base=1), refuse)
    assert place.writer().observe() == before


def test_no_session_is_larger_than_was_confirmed(place: Place) -> None:
    sizes = [burn(place.writer(), place.source(FIRST, size=100_000))]
    sizes.append(burn(place.writer(), place.source(SECOND, base=1, size=100_000)))
    seen = place.writer().observe()
    for size, entry in zip(sizes, seen.sessions, strict=True):
        assert size - 300 <= entry.blocks <= size


def test_what_is_excluded_does_not_show(place: Place) -> None:
    unwanted = bytes(place.staged(FIRST)) + b"/alpha/unwanted"
    absent = bytes(place.staged(FIRST)) + b"/alpha/absent"
    burn(place.writer(), place.source(FIRST, excluded=(unwanted, absent)))
    writer = place.writer()
    paths = [f"{FIRST}/alpha/{name}".encode() for name in ("letter", "unwanted")]
    assert list(find_nodes(writer.read, writer.observe().sessions[0].start, paths)) == paths[:1]


def test_what_is_removed_makes_room_for_something_else(place: Place) -> None:
    burn(place.writer(), place.source(FIRST))
    file = place.root / "file"
    file.write_bytes(b"x")
    alpha = f"/{FIRST}/alpha".encode()
    graft = Graft(bytes(file), alpha, single=True)
    burn(place.writer(), place.source(SECOND, base=1, removed=(alpha,), grafts=[graft]))
    writer = place.writer()
    start = writer.observe().sessions[1].start
    found = find_nodes(writer.read, start, [alpha[1:], alpha[1:] + b"/letter"])
    assert {path: node.size for path, node in found.items()} == {alpha[1:]: 1}


# -- further sessions ---------------------------------------------------------------------------------


def test_a_further_session_leaves_the_earlier_ones_in_place(place: Place) -> None:
    burn(place.writer(), place.source(FIRST))
    before = place.writer().observe()
    burn(place.writer(), place.source(SECOND, base=1))
    writer = place.writer()
    seen = writer.observe()
    assert seen.sessions[0] == before.sessions[0]
    assert seen.sessions[1].start >= before.next_address
    assert seen.free < before.free
    assert letter(writer, seen, FIRST, session=1) == content(FIRST)


def test_the_newest_tree_shows_all_days(place: Place) -> None:
    burn(place.writer(), place.source(FIRST))
    burn(place.writer(), place.source(SECOND, base=1))
    writer = place.writer()
    seen = writer.observe()
    assert [letter(writer, seen, day) for day in (FIRST, SECOND)] == [content(FIRST), content(SECOND)]
    assert seen.identity is not None


def test_a_session_on_an_older_one_shows_the_older_tree(place: Place) -> None:
    burn(place.writer(), place.source(FIRST))
    burn(place.writer(), place.source(SECOND, base=1))
    burn(place.writer(), place.source(THIRD, base=1))
    writer = place.writer()
    seen = writer.observe()
    shown = [letter(writer, seen, day) for day in (FIRST, SECOND, THIRD)]
    assert shown == [content(FIRST), None, content(THIRD)]


def test_a_session_on_none_begins_an_empty_tree(place: Place) -> None:
    burn(place.writer(), place.source(FIRST))
    burn(place.writer(), place.source(SECOND))
    writer = place.writer()
    seen = writer.observe()
    assert [letter(writer, seen, day) for day in (FIRST, SECOND)] == [None, content(SECOND)]


def test_what_does_not_fit_is_refused_and_nothing_is_written(place: Place) -> None:
    burn(place.writer(), place.source(FIRST))
    before = place.writer().observe()
    with pytest.raises(MediumFull):
        place.writer().write(
            place.source(SECOND, base=1, size=(before.free + 1) * BLOCK), lambda _blocks: None
        )
    assert place.writer().observe() == before


def test_a_first_session_that_does_not_fit_leaves_the_disc_blank(place: Place) -> None:
    with pytest.raises(MediumFull):
        place.writer().write(place.source(FIRST, size=(SMALL + 1) * BLOCK), lambda _blocks: None)
    assert place.writer().observe().state is DiscState.BLANK


# -- loading ------------------------------------------------------------------------------------------


def test_a_disc_is_loaded_by_its_label(place: Place) -> None:
    burn(place.writer(), place.source(FIRST))
    writer = place.writer()
    assert writer.labels() == (LABEL,)
    assert writer.load(LABEL).label == LABEL


def test_a_disc_of_another_label_is_not_there(place: Place) -> None:
    burn(place.writer(), place.source(FIRST))
    writer = place.writer()
    with pytest.raises((WrongDisc, NoMedium)):
        writer.load("CC_20261122_002")


def test_a_written_disc_is_none_to_begin_on(place: Place) -> None:
    burn(place.writer(), place.source(FIRST))
    writer = place.writer()
    with pytest.raises(NotAppendable):
        writer.load_blank(LABEL)


# -- reading ------------------------------------------------------------------------------------------


def test_reads_in_pieces_give_what_one_read_gives(place: Place) -> None:
    burn(place.writer(), place.source(FIRST, size=1_500_000))
    writer = place.writer()
    entry = writer.observe().sessions[0]
    whole = writer.read(entry.start, entry.blocks)
    assert len(whole) == entry.blocks * BLOCK
    pieces = [writer.read(at, min(100, entry.end - at)) for at in range(entry.start, entry.end, 100)]
    assert b"".join(pieces) == whole
    assert whole[DESCRIPTORS * BLOCK + 1 :].startswith(b"CD001")
    assert content(FIRST, 1_500_000) in whole


def test_behind_the_end_of_the_disc_there_is_nothing(place: Place) -> None:
    burn(place.writer(), place.source(FIRST))
    writer = place.writer()
    capacity = writer.observe().capacity
    assert writer.read(capacity + 64, 8) == b""


def test_a_read_over_the_end_is_short_or_an_error_and_never_longer(place: Place) -> None:
    burn(place.writer(), place.source(FIRST))
    writer = place.writer()
    seen = writer.observe()
    overwritable = TRAITS[place.medium].overwritable
    last = (seen.capacity if overwritable and not writer.loads_itself else seen.sessions[0].end) - 1
    try:
        found = writer.read(last, 600)
    except DamagedDisc:
        return
    assert len(found) % BLOCK == 0
    assert len(found) < 600 * BLOCK


def test_a_session_that_another_program_burnt_is_seen_after_a_reload(place: Place) -> None:
    burn(place.writer(), place.source(FIRST))
    writer = place.writer()
    first = writer.observe().sessions[0]
    writer.read(first.start, first.blocks)
    burn(place.writer(), place.source(SECOND, base=1))
    writer.reload()
    seen = writer.observe()
    assert len(seen.sessions) == 2
    writer.reload()
    assert letter(writer, seen, SECOND) == content(SECOND)


# -- erasing ------------------------------------------------------------------------------------------


def test_only_a_rewritable_disc_is_erased(place: Place) -> None:
    burn(place.writer(), place.source(FIRST))
    before = place.writer().observe()
    writer = place.writer()
    if TRAITS[place.medium].rewritable:
        writer.blank()
        assert writer.observe().state is DiscState.BLANK
    else:
        with pytest.raises(NotAppendable):
            writer.blank()
        assert place.writer().observe() == before


def test_an_erased_disc_is_burnt_anew(place: Place) -> None:
    if not TRAITS[place.medium].rewritable:
        return
    burn(place.writer(), place.source(FIRST))
    erased = place.writer()
    erased.blank()
    burn(erased, place.source(SECOND))
    writer = place.writer()
    seen = writer.observe()
    assert len(seen.sessions) == 1
    assert [letter(writer, seen, day) for day in (FIRST, SECOND)] == [None, content(SECOND)]


# -- discs for one session ----------------------------------------------------------------------------


def test_a_disc_for_one_session_says_so_while_it_is_blank(single: Place) -> None:
    seen = single.writer().observe()
    assert (seen.state, seen.medium, seen.single) == (DiscState.BLANK, single.medium, True)


def test_a_disc_for_one_session_is_closed_with_it(single: Place) -> None:
    size = burn(single.writer(), single.source(FIRST))
    writer = single.writer()
    seen = writer.observe()
    assert (seen.state, seen.free, seen.label) == (DiscState.CLOSED, 0, LABEL)
    assert size - 300 <= seen.sessions[0].blocks <= size
    assert letter(writer, seen, FIRST) == content(FIRST)
    assert seen.identity is not None


def test_a_disc_for_one_session_takes_no_second_one(single: Place) -> None:
    burn(single.writer(), single.source(FIRST))
    before = single.raw()
    with pytest.raises(NotAppendable):
        single.writer().write(single.source(SECOND, base=1), lambda _blocks: None)
    assert single.raw() == before


def test_a_size_that_is_refused_leaves_a_disc_for_one_session_blank(single: Place) -> None:
    with pytest.raises(MediumFull):
        single.writer().write(single.source(FIRST, size=(SMALL + 1) * BLOCK), lambda _blocks: None)
    assert single.writer().observe().state is DiscState.BLANK


def test_a_dvd_rw_for_one_session_takes_several_once_it_is_erased(single: Place) -> None:
    burn(single.writer(), single.source(FIRST))
    writer = single.writer()
    if single.medium is Medium.DVD_R_DL:
        with pytest.raises(NotAppendable):
            writer.blank()
        return
    writer.blank()
    assert not writer.observe().single
    burn(writer, single.source(SECOND))
    assert writer.observe().state is DiscState.APPENDABLE
