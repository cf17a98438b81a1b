"""What every catalog promises, asked of the one in memory and of the one in a database."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fakes.catalog import MemoryCatalog

from cedarchest.adapters.catalog import open_catalog
from cedarchest.errors import CatalogError
from cedarchest.model.disc import (
    BlockRange,
    CheckKind,
    CheckRecord,
    DayContent,
    DiscPlace,
    DiscRecord,
    SessionRecord,
    SessionStatus,
    Speed,
    StoredEntry,
)
from cedarchest.model.media import Medium
from cedarchest.model.members import GONE, ArchiveRecord, Holder, Listing, Member, Sighting, Stand, told_anew
from cedarchest.model.parts import Split, part_path
from cedarchest.model.patterns import PatternKind, exactly, path_pattern
from cedarchest.model.restoring import Held
from cedarchest.model.turns import Turns
from cedarchest.ports import Catalog

NOON = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = "2026/07/01"
A, B, C, D = (bytes([code]) * 32 for code in b"abcd")
LATER = NOON + HOUR

fixtures_are_factories = settings(
    max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@dataclass
class Shelfmark:
    """Where catalogs are had: `fresh` gives an empty one, `second` another reader of the same."""

    fresh: Callable[[], Catalog]
    second: Callable[[Catalog], Catalog]


@pytest.fixture(params=["memory", "sqlite"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shelfmark]:
    if request.param == "memory":
        yield Shelfmark(MemoryCatalog, lambda catalog: catalog)
        return
    opened: list[Catalog] = []
    urls: dict[int, str] = {}

    def open_at(url: str) -> Catalog:
        opened.append(open_catalog(url))
        urls[id(opened[-1])] = url
        return opened[-1]

    yield Shelfmark(
        lambda: open_at(f"sqlite:///{tmp_path}/{len(opened)}/catalog.db"),
        lambda catalog: open_at(urls[id(catalog)]),
    )
    for catalog in opened:
        catalog.close()


@pytest.fixture
def catalog(place: Shelfmark) -> Catalog:
    return place.fresh()


def a_disc(disc_id: str = "disc-1", **changes: object) -> DiscRecord:
    disc = DiscRecord(disc_id, disc_id.upper().replace("-", "_"), Medium.BD_R, 12_219_392, NOON)
    return replace(disc, **changes)  # type: ignore[arg-type]


def a_session(disc_id: str = "disc-1", number: int = 1, **changes: object) -> SessionRecord:
    session = SessionRecord(disc_id, number, number - 1, 0, 1000, "set-1", SessionStatus.VERIFIED, NOON)
    return replace(session, **changes)  # type: ignore[arg-type]


def a_check(disc_id: str = "disc-1", session: int = 1, **changes: object) -> CheckRecord:
    check = CheckRecord(
        disc_id, session, CheckKind.STORE, NOON, passed=True, drive="", tool="", blocks=9, seconds=1.5
    )
    return replace(check, **changes)  # type: ignore[arg-type]


def a_file(path: bytes, sha256: bytes = A) -> StoredEntry:
    return StoredEntry(path, "file", 5, 1_780_000_000_123_456_789, sha256, 400)


def copy_of(path: bytes, sha256: bytes = A) -> StoredEntry:
    """A file as copies are counted: wherever it stands."""
    return a_file(path, sha256)._replace(start=-1)


def a_day(day: str = DAY, **changes: object) -> DayContent:
    return replace(DayContent(day, B, 3, 10), **changes)  # type: ignore[arg-type]


def prove(catalog: Catalog, session: SessionRecord, *entries: StoredEntry) -> None:
    if session.disc_id not in {disc.disc_id for disc in catalog.discs()}:
        catalog.put_disc(a_disc(session.disc_id))
    catalog.record_proof(session, iter(entries), a_check(session.disc_id, session.number))


# What comes back is what went in.

anything = st.text(st.characters(codec="utf-8")) | st.binary().map(
    lambda raw: raw.decode("utf-8", "surrogateescape")
)
times = st.datetimes(
    datetime(1971, 1, 1),  # noqa: DTZ001 (hypothesis adds the zone)
    datetime(9000, 1, 1),  # noqa: DTZ001 (the same)
    timezones=st.integers(-14, 14).map(lambda hours: timezone(timedelta(hours=hours))),
)
big = st.integers(0, 2**62)
digests = st.just(b"") | st.binary(min_size=32, max_size=32)
disc_records = st.builds(
    DiscRecord,
    disc_id=anything,
    label=anything,
    medium=st.sampled_from(Medium),
    capacity=big,
    created_at=times,
    copy=st.integers(1, 99),
    accepts_sessions=st.booleans(),
    given_up=st.booleans(),
    reason=anything,
)
day_contents = st.builds(
    DayContent,
    day=st.dates().map(lambda date: f"{date:%Y/%m/%d}"),
    index_digest=digests,
    entries=big,
    data_bytes=big,
    partial=st.booleans(),
)
session_records = st.builds(
    SessionRecord,
    disc_id=st.just("disc-1"),
    number=st.integers(1, 1000),
    base=st.integers(0, 1000),
    start=big,
    blocks=big,
    volume_set=anything,
    status=st.sampled_from(SessionStatus),
    created_at=times,
    days=st.lists(day_contents, max_size=3).map(tuple),
    index_sha256=digests,
    sums_sha256=digests,
    tool=anything,
    drive_model=anything,
    medium_id=anything,
    speed_asked=st.sampled_from(["", "best", "8x"]),
    speed_used=st.integers(0, 10**6),
    drive=anything,
    reason=anything,
    block_map=st.binary(),
)
check_records = st.builds(
    CheckRecord,
    disc_id=st.just("disc-1"),
    session=st.just(1),
    kind=st.sampled_from(CheckKind),
    at=times,
    passed=st.booleans(),
    drive=anything,
    tool=anything,
    drive_model=anything,
    blocks=big,
    seconds=st.floats(0, 1e9),
    findings=st.lists(anything, max_size=3).map(tuple),
    whole=st.booleans(),
    speeds=st.lists(st.builds(Speed, big, big, big), max_size=3).map(tuple),
    slow=st.lists(st.builds(Speed, big, big, big), max_size=3).map(tuple),
    retries=st.integers(0, 2**31 - 1),
    damaged=st.lists(st.builds(BlockRange, big, big), max_size=3).map(tuple),
)
turn_times = st.lists(times, max_size=4).map(tuple)
turns_of_sessions = turn_times.flatmap(
    lambda known: st.builds(
        Turns,
        last=st.lists(st.integers(0, len(known)), min_size=1, max_size=20).map(tuple),
        times=st.just(known),
    )
).flatmap(
    lambda turns: st.frozensets(st.integers(0, len(turns.last) - 1)).map(
        lambda left: replace(turns, left=left)
    )
)
raw_paths = st.binary(min_size=1, max_size=30).filter(lambda path: b"\0" not in path)
stored_entries = st.builds(
    StoredEntry,
    path=raw_paths,
    kind=st.sampled_from(["file", "dir", "link"]),
    size=big,
    mtime_ns=st.integers(-(2**63) * 10**9, 2**63 * 10**9 - 1),
    sha256=digests,
    start=st.integers(-1, 2**40),
)


@fixtures_are_factories
@given(disc=disc_records)
def test_a_disc_comes_back_as_it_went_in(place: Shelfmark, disc: DiscRecord) -> None:
    catalog = place.fresh()
    catalog.put_disc(disc)
    assert place.second(catalog).discs() == (disc,)


@fixtures_are_factories
@given(session=session_records)
def test_a_session_comes_back_as_it_went_in(place: Shelfmark, session: SessionRecord) -> None:
    catalog = place.fresh()
    catalog.put_session(session, a_disc())
    assert place.second(catalog).sessions("disc-1") == (session,)


@fixtures_are_factories
@given(check=check_records)
def test_a_check_comes_back_as_it_went_in(place: Shelfmark, check: CheckRecord) -> None:
    catalog = place.fresh()
    catalog.put_session(a_session(), a_disc())
    catalog.add_check(check)
    assert place.second(catalog).checks("disc-1") == (check,)


@fixtures_are_factories
@given(turns=turns_of_sessions)
def test_what_audits_read_comes_back_as_it_went_in(place: Shelfmark, turns: Turns) -> None:
    catalog = place.fresh()
    catalog.put_session(a_session(), a_disc())
    catalog.put_turns("disc-1", {1: turns})
    assert place.second(catalog).turns("disc-1") == {1: turns}


@fixtures_are_factories
@given(entries=st.lists(stored_entries, unique_by=lambda entry: entry.path))
def test_entries_come_back_in_byte_order_of_their_raw_paths(
    place: Shelfmark, entries: list[StoredEntry]
) -> None:
    catalog = place.fresh()
    prove(catalog, a_session(), *entries)
    assert list(catalog.entries("disc-1", 1)) == sorted(entries, key=lambda entry: entry.path)


def test_times_come_back_with_an_offset_in_utc(catalog: Catalog) -> None:
    local = NOON.astimezone(timezone(-5 * HOUR))
    catalog.put_session(a_session(created_at=local), a_disc(created_at=local))
    assert catalog.discs()[0].created_at.utcoffset() == timedelta(0)
    assert catalog.sessions("disc-1")[0].created_at == local


def test_a_time_without_offset_is_refused(catalog: Catalog) -> None:
    with pytest.raises(CatalogError):
        catalog.put_disc(a_disc(created_at=NOON.replace(tzinfo=None)))
    assert catalog.discs() == ()


def test_digests_and_block_map_are_bytes(catalog: Catalog) -> None:
    catalog.put_session(a_session(block_map=b"\0\xff" * 16, days=(a_day(),)), a_disc())
    (session,) = catalog.sessions("disc-1")
    assert isinstance(session.block_map, bytes)
    assert isinstance(session.days[0].index_digest, bytes)


def test_states_and_kinds_come_back_as_enums(catalog: Catalog) -> None:
    prove(catalog, a_session())
    assert isinstance(catalog.discs()[0].medium, Medium)
    assert isinstance(catalog.sessions("disc-1")[0].status, SessionStatus)
    assert isinstance(catalog.checks("disc-1")[0].kind, CheckKind)


# An empty catalog.


def test_an_empty_catalog_answers_everything_with_nothing(catalog: Catalog) -> None:
    assert not catalog.discs()
    assert not catalog.sessions("x")
    assert not catalog.open_sessions()
    assert not catalog.checks("x")
    assert not catalog.turns("x")
    assert not catalog.contents(DAY)
    assert not catalog.days()
    assert not catalog.proofs()
    assert list(catalog.entries("x", 1)) == []
    assert dict(catalog.copies(DAY)) == {}


# Discs.


def test_a_disc_is_updated_by_its_id(catalog: Catalog) -> None:
    catalog.put_disc(a_disc())
    changed = a_disc(label="OTHER", capacity=7, accepts_sessions=False, given_up=True)
    catalog.put_disc(changed)
    assert catalog.discs() == (changed,)


def test_two_discs_cannot_have_one_label(catalog: Catalog) -> None:
    catalog.put_disc(a_disc("disc-1", label="SAME"))
    with pytest.raises(CatalogError, match="SAME"):
        catalog.put_disc(a_disc("disc-2", label="SAME"))
    assert catalog.discs() == (a_disc("disc-1", label="SAME"),)


def test_a_disc_cannot_take_the_label_of_another(catalog: Catalog) -> None:
    catalog.put_disc(a_disc("disc-1", label="ONE"))
    catalog.put_disc(a_disc("disc-2", label="TWO"))
    with pytest.raises(CatalogError, match="ONE"):
        catalog.put_disc(a_disc("disc-2", label="ONE"))
    assert [disc.label for disc in catalog.discs()] == ["ONE", "TWO"]


def test_discs_come_oldest_first_and_as_they_came_when_of_one_age(catalog: Catalog) -> None:
    catalog.put_disc(a_disc("z"))
    catalog.put_disc(a_disc("a"))
    catalog.put_disc(a_disc("m", created_at=NOON - HOUR))
    catalog.put_disc(a_disc("z", capacity=1))
    assert [disc.disc_id for disc in catalog.discs()] == ["m", "z", "a"]


# Places of discs.


def test_a_disc_has_every_place_it_was_kept_at_the_last_one_last(catalog: Catalog) -> None:
    catalog.put_disc(a_disc("disc-1"))
    catalog.put_disc(a_disc("disc-2"))
    bank, home = DiscPlace("bank vault\n\udcff", NOON + HOUR), DiscPlace("home", NOON)
    catalog.add_place("disc-1", bank)
    catalog.add_place("disc-1", home)
    catalog.add_place("disc-1", replace(home, place="shelf"))
    assert catalog.places("disc-1") == (home, replace(home, place="shelf"), bank)
    assert catalog.places("disc-2") == ()


def test_a_place_of_an_unknown_disc_is_refused(catalog: Catalog) -> None:
    with pytest.raises(CatalogError):
        catalog.add_place("disc-1", DiscPlace("home", NOON))
    assert catalog.places("disc-1") == ()


def test_a_time_of_a_place_without_offset_is_refused(catalog: Catalog) -> None:
    catalog.put_disc(a_disc())
    with pytest.raises(CatalogError):
        catalog.add_place("disc-1", DiscPlace("home", NOON.replace(tzinfo=None)))
    assert catalog.places("disc-1") == ()


# Sessions.


def test_sessions_come_by_number_and_of_their_disc_alone(catalog: Catalog) -> None:
    catalog.put_session(a_session(number=10), a_disc())
    catalog.put_session(a_session(number=2))
    catalog.put_session(a_session("disc-2", 1), a_disc("disc-2"))
    assert [session.number for session in catalog.sessions("disc-1")] == [2, 10]


def test_a_session_is_updated_with_its_days_replaced(catalog: Catalog) -> None:
    intent = a_session(status=SessionStatus.INTENDED, days=(a_day(), a_day("2026/07/02")))
    catalog.put_session(intent, a_disc())
    bad = a_session(status=SessionStatus.BAD, reason="unreadable", days=(a_day("2026/07/03"),))
    catalog.put_session(bad)
    assert catalog.sessions("disc-1") == (bad,)
    assert catalog.days() == ("2026/07/03",)


def test_updating_a_session_keeps_its_entries_and_checks(catalog: Catalog) -> None:
    prove(catalog, a_session(), a_file(b"x"))
    catalog.put_session(a_session(status=SessionStatus.BAD))
    assert list(catalog.entries("disc-1", 1)) == [a_file(b"x")]
    assert catalog.checks("disc-1") == (a_check(),)


def test_a_session_of_an_unknown_disc_is_refused(catalog: Catalog) -> None:
    with pytest.raises(CatalogError):
        catalog.put_session(a_session())
    with pytest.raises(CatalogError):
        catalog.put_session(a_session(), a_disc("disc-2"))
    assert not catalog.sessions("disc-1")
    assert not catalog.discs()


def test_a_session_is_not_put_when_its_disc_has_anothers_label(catalog: Catalog) -> None:
    catalog.put_disc(a_disc("disc-1", label="SAME"))
    with pytest.raises(CatalogError, match="SAME"):
        catalog.put_session(a_session("disc-2"), a_disc("disc-2", label="SAME"))
    assert catalog.sessions("disc-2") == ()


def test_open_sessions_are_the_intended_and_burnt_of_all_discs_oldest_first(catalog: Catalog) -> None:
    catalog.put_disc(a_disc("disc-1"))
    catalog.put_disc(a_disc("disc-2"))
    for number, status in enumerate(SessionStatus, start=1):
        catalog.put_session(a_session("disc-1", number, status=status, created_at=NOON + number * HOUR))
        catalog.put_session(a_session("disc-2", number, status=status, created_at=NOON - number * HOUR))
    found = [(session.disc_id, session.status.value) for session in catalog.open_sessions()]
    assert found == [("disc-2", "burnt"), ("disc-2", "intended"), ("disc-1", "intended"), ("disc-1", "burnt")]


def test_open_sessions_leave_out_discs_given_up(catalog: Catalog) -> None:
    catalog.put_session(a_session(status=SessionStatus.BURNT), a_disc())
    assert len(catalog.open_sessions()) == 1
    catalog.put_disc(a_disc(given_up=True))
    assert catalog.open_sessions() == ()


def test_open_sessions_of_one_age_come_as_they_came(catalog: Catalog) -> None:
    for disc_id in ("z", "a", "m"):
        catalog.put_session(a_session(disc_id, status=SessionStatus.BURNT), a_disc(disc_id))
    assert [session.disc_id for session in catalog.open_sessions()] == ["z", "a", "m"]


# Proofs.


def test_a_proof_records_outcome_entries_and_check(catalog: Catalog) -> None:
    catalog.put_session(a_session(status=SessionStatus.BURNT), a_disc())
    proven = a_session(block_map=A, days=(a_day(),))
    catalog.record_proof(proven, (a_file(b"b"), a_file(b"a")), a_check())
    assert catalog.sessions("disc-1") == (proven,)
    assert [entry.path for entry in catalog.entries("disc-1", 1)] == [b"a", b"b"]
    assert catalog.checks("disc-1") == (a_check(),)


def test_a_proof_inserts_a_session_that_was_not_recorded(catalog: Catalog) -> None:
    catalog.put_disc(a_disc())
    catalog.record_proof(a_session(), (), a_check())
    assert catalog.sessions("disc-1") == (a_session(),)


def test_a_second_proof_replaces_the_entries_and_adds_a_check(catalog: Catalog) -> None:
    prove(catalog, a_session(), a_file(b"old"), a_file(b"both", A))
    prove(catalog, a_session(number=2), a_file(b"other"))
    prove(catalog, a_session(), a_file(b"both", B))
    assert list(catalog.entries("disc-1", 1)) == [a_file(b"both", B)]
    assert list(catalog.entries("disc-1", 2)) == [a_file(b"other")]
    assert len(catalog.checks("disc-1")) == 3


class Interruption(Exception):
    pass


def test_entries_that_fail_half_way_leave_everything_as_it_was(catalog: Catalog) -> None:
    def failing() -> Iterator[StoredEntry]:
        for number in range(10_000):
            yield a_file(b"new/%d" % number)
        raise Interruption

    before = a_session(status=SessionStatus.BURNT, days=(a_day(),))
    catalog.put_disc(a_disc())
    catalog.record_proof(before, (a_file(b"old"),), a_check())
    with pytest.raises(Interruption):
        catalog.record_proof(a_session(reason="new"), failing(), a_check(passed=False))
    assert catalog.sessions("disc-1") == (before,)
    assert list(catalog.entries("disc-1", 1)) == [a_file(b"old")]
    assert catalog.checks("disc-1") == (a_check(),)


def test_a_path_that_comes_twice_is_refused_and_nothing_changes(catalog: Catalog) -> None:
    prove(catalog, a_session(), a_file(b"old"))
    with pytest.raises(CatalogError):
        prove(catalog, a_session(), a_file(b"x"), a_file(b"x", B))
    assert list(catalog.entries("disc-1", 1)) == [a_file(b"old")]


def test_a_proof_with_the_check_of_an_unknown_session_changes_nothing(catalog: Catalog) -> None:
    catalog.put_disc(a_disc())
    with pytest.raises(CatalogError):
        catalog.record_proof(a_session(), (a_file(b"x"),), a_check(session=9))
    assert catalog.sessions("disc-1") == ()


def test_entries_may_be_read_while_a_proof_is_recorded_from_them(catalog: Catalog) -> None:
    prove(catalog, a_session(), a_file(b"x"), a_file(b"y"))
    catalog.record_proof(a_session(number=2), catalog.entries("disc-1", 1), a_check(session=2))
    assert list(catalog.entries("disc-1", 2)) == [a_file(b"x"), a_file(b"y")]


# What discs claim.


def test_a_claimed_session_comes_with_its_disc_and_entries_and_proves_nothing(catalog: Catalog) -> None:
    claimed = a_session(status=SessionStatus.CLAIMED, days=(a_day(),))
    catalog.enter(claimed, iter((a_file(b"%s/b" % DAY.encode()), a_file(b"a"))), a_disc())
    assert (catalog.discs(), catalog.sessions("disc-1")) == ((a_disc(),), (claimed,))
    assert [entry.path for entry in catalog.entries("disc-1", 1)] == [b"%s/b" % DAY.encode(), b"a"]
    assert catalog.contents(DAY) == ((claimed, a_day()),)
    assert (catalog.proven({A}), catalog.copies(DAY), catalog.open_sessions()) == ({}, {}, ())


def test_what_is_entered_again_replaces_the_session_its_entries_and_its_disc(catalog: Catalog) -> None:
    catalog.enter(a_session(status=SessionStatus.CLAIMED), (a_file(b"old"),), a_disc())
    bad = a_session(status=SessionStatus.BAD)
    catalog.enter(bad, (a_file(b"new"),), a_disc(accepts_sessions=False))
    assert catalog.discs() == (a_disc(accepts_sessions=False),)
    assert (catalog.sessions("disc-1"), list(catalog.entries("disc-1", 1))) == ((bad,), [a_file(b"new")])


def test_entering_changes_nothing_when_it_fails_half_way(catalog: Catalog) -> None:
    def failing() -> Iterator[StoredEntry]:
        for number in range(10_000):
            yield a_file(b"new/%d" % number)
        raise Interruption

    with pytest.raises(Interruption):
        catalog.enter(a_session(status=SessionStatus.CLAIMED), failing(), a_disc())
    assert (catalog.discs(), catalog.sessions("disc-1")) == ((), ())
    catalog.put_disc(a_disc())
    with pytest.raises(CatalogError):
        catalog.enter(a_session("disc-2"), (), a_disc("disc-2", label="DISC_1"))
    assert [disc.disc_id for disc in catalog.discs()] == ["disc-1"]


# Checks.


def test_a_check_of_an_unknown_session_is_refused(catalog: Catalog) -> None:
    catalog.put_disc(a_disc())
    with pytest.raises(CatalogError):
        catalog.add_check(a_check())


def test_checks_come_oldest_first_and_of_their_disc_alone(catalog: Catalog) -> None:
    prove(catalog, a_session())
    prove(catalog, a_session("disc-2"))
    late, early = a_check(at=NOON + HOUR, passed=False, findings=("é\n",)), a_check(at=NOON - HOUR)
    catalog.add_check(late)
    catalog.add_check(early)
    assert catalog.checks("disc-1") == (early, a_check(), late)


# What audits have read.


def test_what_audits_read_is_of_its_session_and_replaced_alone(catalog: Catalog) -> None:
    prove(catalog, a_session())
    prove(catalog, a_session(number=2))
    prove(catalog, a_session("disc-2"))
    first, second = Turns((1, 0), (NOON,), frozenset({1})), Turns.none(513)
    catalog.put_turns("disc-1", {1: first, 2: second})
    catalog.put_turns("disc-2", {1: second})
    catalog.put_turns("disc-1", {1: second})
    assert catalog.turns("disc-1") == {1: second, 2: second}
    assert catalog.turns("disc-2") == {1: second}


def test_what_was_read_of_an_unknown_session_is_refused_and_nothing_changes(catalog: Catalog) -> None:
    prove(catalog, a_session())
    with pytest.raises(CatalogError):
        catalog.put_turns("disc-1", {1: Turns.none(1), 2: Turns.none(1)})
    assert not catalog.turns("disc-1")


# Days, contents, copies.


def test_days_are_those_of_all_sessions_once_and_oldest_first(catalog: Catalog) -> None:
    catalog.put_session(a_session(days=(a_day("2026/07/02"), a_day("2025/12/31"))), a_disc())
    catalog.put_session(a_session(number=2, days=(a_day("2026/07/02"),)))
    assert catalog.days() == ("2025/12/31", "2026/07/02")


def test_a_day_is_proven_by_verified_sessions_on_discs_that_count(catalog: Catalog) -> None:
    first, second = a_day("2026/07/01"), a_day("2026/07/02")
    prove(catalog, a_session(days=(first, second)))
    catalog.put_session(a_session(number=2, status=SessionStatus.BURNT, days=(first,)))
    prove(catalog, a_session(number=3, days=(second,)))
    assert catalog.proofs() == {
        first.day: (("DISC_1", 1),),
        second.day: (("DISC_1", 1), ("DISC_1", 3)),
    }
    catalog.put_disc(a_disc(given_up=True))
    assert not catalog.proofs()


def test_the_days_of_a_session_keep_their_order(catalog: Catalog) -> None:
    days = (a_day("2026/07/02"), a_day("2026/07/01", partial=True))
    catalog.put_session(a_session(days=days), a_disc())
    assert catalog.sessions("disc-1")[0].days == days


def test_contents_are_of_any_status_oldest_session_first(catalog: Catalog) -> None:
    other = a_day("2026/07/02")
    new = a_session("disc-1", 1, status=SessionStatus.BAD, days=(other, a_day(partial=True)))
    old = a_session("disc-2", 1, days=(a_day(),), created_at=NOON - HOUR)
    catalog.put_session(new, a_disc("disc-1"))
    catalog.put_session(old, a_disc("disc-2"))
    catalog.put_session(a_session("disc-2", 2, days=(other,)))
    assert catalog.contents(DAY) == ((old, a_day()), (new, a_day(partial=True)))


def test_contents_leave_out_discs_given_up(catalog: Catalog) -> None:
    catalog.put_session(a_session(days=(a_day(),)), a_disc())
    catalog.put_disc(a_disc(given_up=True))
    assert catalog.contents(DAY) == ()


def test_digests_are_proven_by_files_of_verified_discs_alone(catalog: Catalog) -> None:
    file, other = a_file(b"x/a"), a_file(b"x/b")._replace(sha256=b"o" * 32)
    prove(catalog, a_session("disc-1", 1), file)
    prove(catalog, a_session("disc-1", 2), file._replace(path=b"y/a"), other)
    prove(catalog, a_session("disc-2", 1), file)
    wanted = {file.sha256, other.sha256, b"n" * 32}
    assert catalog.proven(wanted) == {file.sha256: 2, other.sha256: 1}
    assert catalog.proven({other.sha256}) == {other.sha256: 1}
    assert catalog.proven(set()) == {}
    catalog.put_disc(a_disc("disc-2", given_up=True))
    assert catalog.proven(wanted) == {file.sha256: 1, other.sha256: 1}
    catalog.put_session(a_session("disc-1", 2, status=SessionStatus.BAD))
    assert catalog.proven(wanted) == {file.sha256: 1}


def test_copies_are_counted_by_disc_and_not_by_session(catalog: Catalog) -> None:
    path = DAY.encode() + b"/peer/file"
    prove(catalog, a_session("disc-1", 1), a_file(path))
    prove(catalog, a_session("disc-1", 2), a_file(path))
    prove(catalog, a_session("disc-2", 1), a_file(path))
    assert dict(catalog.copies(DAY)) == {copy_of(path): 2}


def test_what_a_later_verified_session_replaced_is_no_copy(catalog: Catalog) -> None:
    path, kept = DAY.encode() + b"/peer/file", DAY.encode() + b"/peer/kept"
    first, second = (a_session("disc-1", number, days=(a_day(),)) for number in (1, 2))
    prove(catalog, first, a_file(path, A), a_file(kept))
    prove(catalog, second, a_file(path, B))
    assert dict(catalog.copies(DAY)) == {copy_of(path, B): 1, copy_of(kept): 1}
    prove(catalog, a_session("disc-2", days=(a_day(),)), a_file(path, A))
    assert dict(catalog.copies(DAY)) == {copy_of(path, A): 1, copy_of(path, B): 1, copy_of(kept): 1}
    catalog.put_session(replace(second, status=SessionStatus.BAD))
    assert dict(catalog.copies(DAY)) == {copy_of(path, A): 2, copy_of(kept): 1}
    prove(catalog, a_session("disc-1", 3, days=(a_day(),)), a_file(path, A))
    assert dict(catalog.copies(DAY)) == {copy_of(path, A): 2, copy_of(kept): 1}


def test_copies_with_other_attributes_are_other_copies(catalog: Catalog) -> None:
    path = DAY.encode() + b"/peer/file"
    other = a_file(path)._replace(traits=b"12345678")
    prove(catalog, a_session("disc-1"), a_file(path))
    prove(catalog, a_session("disc-2"), other)
    assert dict(catalog.copies(DAY)) == {copy_of(path): 1, other._replace(start=-1): 1}


def test_copies_with_another_digest_are_other_copies(catalog: Catalog) -> None:
    path = DAY.encode() + b"/peer/file"
    prove(catalog, a_session("disc-1"), a_file(path, A))
    prove(catalog, a_session("disc-2"), a_file(path, B))
    assert dict(catalog.copies(DAY)) == {copy_of(path): 1, copy_of(path, B): 1}


def test_copies_are_of_the_day_and_what_lies_below_it_alone(catalog: Catalog) -> None:
    inside = [DAY.encode(), DAY.encode() + b"/peer", DAY.encode() + b"/\xff", DAY.encode() + b"/\x01\\_%"]
    outside = [b"2026", b"2026/07", b"2026/07/010", b"2026/07/01.x", b"2026/07/01-x", b"2026/07/02/a", b"x"]
    prove(catalog, a_session(), *(a_file(path, b"") for path in inside + outside))
    assert dict(catalog.copies(DAY)) == {copy_of(path, b""): 1 for path in inside}


@pytest.mark.parametrize("status", [status for status in SessionStatus if status != "verified"])
def test_only_verified_sessions_are_copies(catalog: Catalog, status: SessionStatus) -> None:
    prove(catalog, a_session(), a_file(DAY.encode()))
    catalog.put_session(a_session(status=status))
    assert dict(catalog.copies(DAY)) == {}


def test_a_disc_given_up_holds_no_copies(catalog: Catalog) -> None:
    prove(catalog, a_session("disc-1"), a_file(DAY.encode()))
    prove(catalog, a_session("disc-2"), a_file(DAY.encode()))
    catalog.put_disc(a_disc("disc-1", given_up=True))
    assert dict(catalog.copies(DAY)) == {copy_of(DAY.encode()): 1}


# Several readers.


def test_a_second_reader_sees_what_was_recorded_meanwhile(place: Shelfmark) -> None:
    catalog = place.fresh()
    second = place.second(catalog)
    assert second.discs() == ()
    prove(catalog, a_session(), a_file(DAY.encode()))
    assert second.discs() == catalog.discs() == (a_disc(),)
    assert dict(second.copies(DAY)) == {copy_of(DAY.encode()): 1}


def test_closing_twice_is_harmless(catalog: Catalog) -> None:
    catalog.close()
    catalog.close()


# Paths.

HERE = f"{DAY}/alpha/".encode()


def stand(path: bytes, disc_id: str = "disc-1", session: int = 1, **changes: object) -> Stand:
    label = disc_id.upper().replace("-", "_")
    where = Stand(HERE + path, disc_id, label, session, SessionStatus.VERIFIED)
    return where._replace(**changes)  # type: ignore[arg-type]


def found(catalog: Catalog, text: str, kind: PatternKind = PatternKind.GLOB) -> dict[bytes, list[Sighting]]:
    """What a search finds; no path may come twice."""
    answers = list(catalog.find(path_pattern(text, kind)))
    assert len({path for path, _ in answers}) == len(answers)
    return {path: list(sightings) for path, sightings in answers}


def as_member(path: bytes, sha256: bytes = A) -> Member:
    return Member(path, "file", 5, 1_780_000_000_123_456_789, sha256)


def test_what_stands_in_a_day_is_found_apart_from_day_and_peer(catalog: Catalog) -> None:
    prove(catalog, a_session(), a_file(HERE + b"sub/a.txt"), a_file(HERE + b"b"), a_file(b"CEDARCHEST/a.txt"))
    sighting = Sighting(as_member(b"sub/a.txt"), b"", stand(b"sub/a.txt"))
    assert found(catalog, "*.txt") == {b"sub/a.txt": [sighting]}
    assert found(catalog, "/b") == {b"b": [Sighting(as_member(b"b"), b"", stand(b"b"))]}
    assert found(catalog, "CEDARCHEST/*") == {}


def test_a_path_is_found_in_every_session_that_has_it(catalog: Catalog) -> None:
    prove(catalog, a_session(), a_file(HERE + b"a"))
    prove(catalog, a_session("disc-2"), a_file(HERE + b"a", B))
    catalog.put_disc(a_disc("disc-2", given_up=True))
    assert found(catalog, "a")[b"a"] == [
        Sighting(as_member(b"a"), b"", stand(b"a")),
        Sighting(as_member(b"a", B), b"", stand(b"a", "disc-2", given_up=True)),
    ]


def test_what_a_later_proof_has_no_more_is_not_found(catalog: Catalog) -> None:
    prove(catalog, a_session(), a_file(HERE + b"old"), a_file(HERE + b"both"), a_file(HERE + b"x.tar"))
    prove(catalog, a_session(), a_file(HERE + b"both", B))
    assert found(catalog, "old") == {}
    assert [each.member.sha256 for each in found(catalog, "both")[b"both"]] == [B]
    assert catalog.unread_archives() == ()


def test_an_archive_that_could_not_be_read_is_not_taken_for_others_that_could_not(catalog: Catalog) -> None:
    prove(catalog, a_session(), a_file(HERE + b"one.tar", b""), a_file(HERE + b"two.tar", b""))
    assert catalog.unread_archives() == ()
    assert set(found(catalog, "one.tar")) == {b"one.tar"}


def test_an_archive_that_stands_somewhere_is_unread_until_its_members_are_known(catalog: Catalog) -> None:
    prove(catalog, a_session(), a_file(HERE + b"etc.tar.gz"), a_file(HERE + b"a.txt", B))
    unread = ArchiveRecord(A, stands=(stand(b"etc.tar.gz"),))
    assert catalog.unread_archives() == (unread,)
    catalog.put_members(ArchiveRecord(A, Listing.BAD, "no tar"), ())
    assert catalog.unread_archives() == (unread._replace(listing=Listing.BAD, reason="no tar"),)
    known = ArchiveRecord(A, Listing.TAR)
    catalog.put_members(known, [Member(b"etc/fstab", "file", 5, 7, B)])
    assert catalog.unread_archives() == ()
    assert catalog.archives([A, B]) == {A: known._replace(stands=(stand(b"etc.tar.gz"),))}
    assert catalog.line(b"alpha/etc") == (known._replace(stands=(stand(b"etc.tar.gz"),)),)
    assert catalog.line(b"alpha/et") == ()


def test_what_could_not_be_read_when_an_archive_was_made_is_kept(catalog: Catalog) -> None:
    prove(catalog, a_session(), a_file(HERE + b"etc.tar"))
    record = ArchiveRecord(A, Listing.INDEX, unread=frozenset({b"etc/shadow", b"odd\n\xff"}))
    catalog.put_members(record, [Member(b"etc/fstab", "file", 5, 7, B)])
    assert catalog.archives([A])[A].unread == record.unread
    catalog.put_members(record._replace(unread=frozenset()), ())
    assert catalog.archives([A])[A].unread == frozenset()


@pytest.mark.parametrize("count", [99, 100, 101, 250])
def test_of_many_members_each_is_found_as_it_was_entered_first(catalog: Catalog, count: int) -> None:
    members = [Member(b"m/%03d.x" % number, "file", number, number, B) for number in range(count)]
    catalog.put_members(
        ArchiveRecord(A, Listing.TAR), [*members, *(each._replace(size=9999) for each in members)]
    )
    assert found(catalog, "*.x") == {each.path: [Sighting(each, A)] for each in members}


def test_members_of_an_archive_are_found_wherever_it_stands(catalog: Catalog) -> None:
    member = Member(b"etc/fstab", "file", 5, -7, B)
    catalog.put_members(ArchiveRecord(A, Listing.TAR), [member, Member(b"etc", "dir")])
    assert found(catalog, "fstab") == {b"etc/fstab": [Sighting(member, A)]}
    prove(catalog, a_session(), a_file(HERE + b"etc.tar"))
    prove(catalog, a_session("disc-2"), a_file(HERE + b"other.tar.zst"))
    assert found(catalog, "etc/fstab") == {b"etc/fstab": [Sighting(member, A)]}
    where = [(each.disc_id, each.line) for each in catalog.archives([A])[A].stands]
    assert where == [("disc-1", b"alpha/etc"), ("disc-2", b"alpha/other")]


def test_members_that_are_put_again_take_the_place_of_what_was(catalog: Catalog) -> None:
    catalog.put_members(ArchiveRecord(A, Listing.TAR), [Member(b"old", "file"), Member(b"both", "file", 1)])
    catalog.put_members(ArchiveRecord(A, Listing.INDEX), [Member(b"both", "file", 2)])
    assert found(catalog, "old") == {}
    assert catalog.listing(A) == {b"both": Member(b"both", "file", 2)}


def test_members_that_fail_half_way_change_nothing(catalog: Catalog) -> None:
    def failing() -> Iterator[Member]:
        for number in range(10_000):
            yield Member(b"new/%d" % number, "file")
        raise Interruption

    catalog.put_members(ArchiveRecord(A, Listing.TAR), [Member(b"old", "file")])
    with pytest.raises(Interruption):
        catalog.put_members(ArchiveRecord(A, Listing.INDEX), failing())
    assert catalog.listing(A) == {b"old": Member(b"old", "file")}
    assert found(catalog, "new/*") == {}


def test_members_cannot_rest_on_an_archive_that_is_unknown(catalog: Catalog) -> None:
    with pytest.raises(CatalogError):
        catalog.put_members(ArchiveRecord(A, Listing.INDEX, rests_on=B), ())
    assert catalog.listing(A) == {}


def test_files_in_parts_are_found_as_the_wholes_that_they_are(catalog: Catalog) -> None:
    parts = (b"1" * 32, b"2" * 32)
    catalog.put_split(A, Split(3, parts))
    halves = [a_file(part_path(HERE + b"big.tar", n, 2), parts[n - 1])._replace(size=3) for n in (1, 2)]
    prove(catalog, a_session(), halves[0])
    prove(catalog, a_session("disc-2"), halves[1])
    first, second = found(catalog, "big.tar")[b"big.tar"]
    assert (first.member.size, first.member.sha256, first.stand) == (3, A, stand(b"big.tar"))
    assert (second.member.size, second.stand) == (6, stand(b"big.tar", "disc-2"))
    (archive,) = catalog.unread_archives()
    assert archive.sha256 == A
    assert {(each.disc_id, each.path) for each in archive.stands} == {
        ("disc-1", halves[0].path),
        ("disc-2", halves[1].path),
    }
    assert {each.line for each in archive.stands} == {b"alpha/big"}


inner_names = st.binary(min_size=1, max_size=4).filter(
    lambda name: b"\0" not in name and b"/" not in name and name.strip(b".")
)
inner_paths = st.lists(inner_names, min_size=1, max_size=3).map(b"/".join)
some_paths = st.lists(inner_paths | st.sampled_from([b"etc/a", b"etc/b.c", b"e/tc"]), max_size=8, unique=True)
pattern_texts = st.text("etcab*?[]./\\-\x00\xff\udcff%_", min_size=1, max_size=6)


@fixtures_are_factories
@given(in_archive=some_paths, in_day=some_paths, text=pattern_texts, kind=st.sampled_from(PatternKind))
def test_exactly_what_matches_is_found(
    place: Shelfmark, in_archive: list[bytes], in_day: list[bytes], text: str, kind: PatternKind
) -> None:
    catalog = place.fresh()
    catalog.put_members(ArchiveRecord(A, Listing.TAR), [Member(path, "file") for path in in_archive])
    prove(catalog, a_session(), *(a_file(HERE + path) for path in in_day))
    try:
        pattern = path_pattern(text, kind)
    except ValueError:
        return
    for each in (pattern, *map(exactly, in_day[:1])):
        expected = {path for path in (*in_archive, *in_day) if each.matches(path)}
        assert {path for path, _ in catalog.find(each)} == expected


members_of = st.dictionaries(
    st.sampled_from([b"a", b"a/b", b"a/c", b"d\n", b"\xff"]),
    st.builds(Member, st.just(b""), st.sampled_from(["file", "dir"]), st.integers(0, 2), st.integers(0, 1)),
)


@fixtures_are_factories
@given(states=st.lists(members_of, min_size=1, max_size=4), held=st.data())
def test_all_that_there_was_is_told_from_what_was_kept_of_each_archive(
    place: Shelfmark, states: list[dict[bytes, Member]], held: st.DataObject
) -> None:
    """A whole archive and increments on top of it: of each only what is new is kept."""
    catalog = place.fresh()
    before = b""
    for number, state in enumerate(states):
        listed = {
            path: member._replace(path=path, held=not number or held.draw(st.booleans()))
            for path, member in state.items()
        }
        rows = told_anew(listed.values(), catalog.listing(before) if before else {})
        sha256 = bytes([number]) * 32
        catalog.put_members(ArchiveRecord(sha256, Listing.INDEX, rests_on=before), rows)
        assert {path: one._replace(held=True) for path, one in catalog.listing(sha256).items()} == {
            path: one._replace(held=True) for path, one in listed.items()
        }
        before = sha256


def test_of_a_listing_only_what_is_new_is_kept() -> None:
    same, other = Member(b"same", "file", 1, 1, A), Member(b"other", "file", 1, 1, A)
    before = {b"same": same, b"other": other, b"gone": Member(b"gone", "file")}
    listed = [same._replace(held=False), other._replace(mtime_ns=2, held=False)]
    assert list(told_anew(listed, before)) == [listed[1], Member(b"gone", GONE, held=False)]
    assert next(told_anew([same], before)) == same


# -- for a restore ----------------------------------------------------------------------------------


def held(found: Iterable[Held]) -> list[tuple[bytes, str, int, SessionStatus]]:
    return [(each.entry.path, each.label, each.session, each.status) for each in found]


def test_what_discs_hold_at_a_path_and_below_it_comes_newest_last(catalog: Catalog) -> None:
    catalog.put_disc(a_disc())
    later = a_session(number=2, created_at=LATER, days=(a_day("2026/11/22"),), status=SessionStatus.BURNT)
    prove(
        catalog, a_session(days=(a_day("2026/11/22"),)), a_file(b"2026/11/22/p/a"), a_file(b"2026/11/22/pq/a")
    )
    prove(catalog, later, a_file(b"2026/11/22/p/a", B), a_file(b"2026/11/22/p/d/b"))
    found = list(catalog.held_at(b"2026/11/22/p"))
    assert held(found) == [
        (b"2026/11/22/p/a", a_disc().label, 1, SessionStatus.VERIFIED),
        (b"2026/11/22/p/a", a_disc().label, 2, SessionStatus.BURNT),
        (b"2026/11/22/p/d/b", a_disc().label, 2, SessionStatus.BURNT),
    ]
    assert found[1].entry == a_file(b"2026/11/22/p/a", B)
    assert held(catalog.held_at(b"2026/11/22/pq/a")) == [
        (b"2026/11/22/pq/a", a_disc().label, 1, SessionStatus.VERIFIED)
    ]


@pytest.mark.parametrize("status", [SessionStatus.INTENDED, SessionStatus.ABANDONED])
def test_what_is_not_on_a_disc_is_held_nowhere(catalog: Catalog, status: SessionStatus) -> None:
    catalog.put_disc(a_disc())
    prove(catalog, a_session(days=(a_day("2026/11/22"),)), a_file(b"2026/11/22/p/a"))
    catalog.put_session(a_session(days=(a_day("2026/11/22"),), status=status))
    assert list(catalog.held_at(b"2026/11/22")) == []
    catalog.put_session(a_session(days=(a_day("2026/11/22"),), status=SessionStatus.CLAIMED))
    catalog.put_disc(a_disc(given_up=True))
    assert list(catalog.held_at(b"2026/11/22")) == []
    assert list(catalog.held_of(b"p", "2026/11/30")) == []
    assert list(catalog.copies_of({A})) == []


def test_what_is_held_of_a_peer_is_of_that_peer_and_of_days_up_to_one(catalog: Catalog) -> None:
    catalog.put_disc(a_disc())
    days = (a_day("2026/11/22"), a_day("2026/11/23"), a_day("2026/11/24"))
    paths = [
        b"2026/11/%d/%s/f" % (day, peer) for day in (24, 23, 22) for peer in (b"p", b"x/p", b"p%", b"pp")
    ]
    prove(catalog, a_session(days=days), *map(a_file, sorted(paths)))
    assert [each.entry.path for each in catalog.held_of(b"p", "2026/11/23")] == [
        b"2026/11/22/p/f",
        b"2026/11/23/p/f",
    ]
    assert catalog.peers() == (b"p", b"p%", b"pp", b"x")


def test_layers_of_a_listing_come_oldest_first(catalog: Catalog) -> None:
    catalog.put_disc(a_disc())
    prove(catalog, a_session(), a_file(b"2026/11/22/p/x.tar", A), a_file(b"2026/11/23/p/x.tar", B))
    first, second = Member(b"f", "file", 1, 1, C), Member(b"g", "file", 1, 1, C)
    catalog.put_members(ArchiveRecord(A, Listing.INDEX), [first])
    catalog.put_members(ArchiveRecord(B, Listing.INDEX, rests_on=A), [second])
    assert [(archive, tuple(layer)) for archive, layer in catalog.layers(B)] == [
        (A, (first,)),
        (B, (second,)),
    ]
    assert list(catalog.layers(C)) == []


def test_archives_of_a_peer_are_those_that_stand_in_its_folders(catalog: Catalog) -> None:
    catalog.put_disc(a_disc())
    prove(catalog, a_session(), a_file(b"2026/11/22/p/x.tar", A), a_file(b"2026/11/22/pp/y.tar", B))
    assert [each.sha256 for each in catalog.archives_of(b"p")] == [A]
    assert catalog.archives_of(b"nobody") == ()


def test_a_content_is_found_as_a_file_and_in_the_archives_that_hold_it(catalog: Catalog) -> None:
    catalog.put_disc(a_disc())
    prove(catalog, a_session(), a_file(b"2026/11/22/p/x.tar", A), a_file(b"2026/11/22/p/y.tar", B))
    prove(catalog, a_session(number=2), a_file(b"2026/11/23/p/plain", C))
    catalog.put_members(ArchiveRecord(A, Listing.TAR), [Member(b"d/f", "file", 1, 1, C)])
    catalog.put_members(ArchiveRecord(B, Listing.INDEX), [Member(b"d/f", "file", 1, 1, C, held=False)])
    assert list(catalog.holders({C, D})) == [Holder(C, A, b"d/f")]
    assert [each.entry.path for each in catalog.copies_of({C})] == [b"2026/11/23/p/plain"]
