"""What goes into the next archive of a source, what the archives are called, and what a state keeps."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as some

from cedarchest.model.archive_names import archive_names, name_below
from cedarchest.model.increments import (
    Archive,
    Held,
    Increment,
    Seen,
    State,
    attempt,
    compare,
    deleted,
    next_state,
    read_state,
    write_state,
)
from cedarchest.model.index import Entry, Fingerprint, Kind, read_index

MONDAY, TUESDAY = date(2026, 11, 23), date(2026, 11, 24)


def file(path: bytes, size: int = 5, inode: int = 1, ctime_ns: int = 7, **more: Any) -> Seen:
    entry = Entry(path, Kind.FILE, size, 0o644, 0, 0, 1000)._replace(**more)
    return Seen(entry, Fingerprint(inode, ctime_ns))


def folder(path: bytes, ctime_ns: int = 7) -> Seen:
    return Seen(Entry(path, Kind.DIR, 0, 0o755, 0, 0, 1000), Fingerprint(9, ctime_ns))


def sha(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def held(seen: Seen, content: bytes = b"", archive: int = 0) -> Held:
    digest = sha(content) if seen.entry.kind is Kind.FILE else b""
    return Held(seen.entry._replace(sha256=digest), seen.fingerprint, archive)


def state(*all_held: Held, archives: tuple[bytes, ...] = (b"first",)) -> State:
    made = tuple(Archive(b"x.tar.zst", MONDAY, sha(name)) for name in archives)
    return State(MONDAY, MONDAY, made, {each.entry.path: each for each in all_held})


def never(_seen: Seen) -> bytes | None:
    raise AssertionError("it was read")


def by_path(*several: Seen) -> dict[bytes, Seen]:
    return {one.entry.path: one for one in several}


def compared(
    *several: Seen,
    base: State | None,
    later: tuple[State, ...] = (),
    unseen: tuple[bytes, ...] = (),
    digest: Callable[[Seen], bytes | None] = never,
) -> Increment:
    return compare(by_path(*several), unseen, base, later, digest)


def gone(*states: State, present: Mapping[bytes, Kind]) -> tuple[bytes, ...]:
    """What has to be taken away, of all that any of these states has."""
    increment = compare({}, (), states[0], states[1:], never)
    return deleted(increment.kinds, increment.kinds, present, present)


def test_without_a_base_everything_is_archived() -> None:
    seen = by_path(folder(b"d"), file(b"d/f"))
    assert compare(seen, (b"x",), None, (), never).members == seen


def test_what_was_known_when_it_was_looked_at_is_held_but_has_no_digest_once_it_is_archived_again() -> None:
    """A look gives the very entries of the base; where a later state disagrees, they are read again."""
    base = state(held(file(b"f"), b"f"), held(file(b"g"), b"g"))
    known = {path: Seen(each.entry, each.fingerprint) for path, each in base.held.items()}
    later = state(held(file(b"f"), b"f"), held(file(b"g"), b"other"))
    increment = compare(known, (), base, (later,), never)
    assert increment.kept == {b"f": base.held[b"f"]}
    assert increment.members == by_path(file(b"g"))
    assert compare(known, (), None, (), never).members == by_path(file(b"f"), file(b"g"))


def test_a_file_that_is_as_it_was_is_not_read() -> None:
    base = state(held(folder(b"d")), held(file(b"d/f"), b"f"))
    increment = compared(folder(b"d"), file(b"d/f"), base=base)
    assert (increment.members, increment.altered) == ({}, frozenset())
    assert increment.kept == base.held


@pytest.mark.parametrize(
    "changed", [file(b"f", size=6), file(b"f", hardlink=b"e"), Seen(folder(b"f").entry, Fingerprint(1, 7))]
)
def test_a_file_of_another_size_or_kind_is_archived_unread(changed: Seen) -> None:
    assert compared(changed, base=state(held(file(b"f"), b"f"))).members == by_path(changed)


@pytest.mark.parametrize("changed", [file(b"f", inode=2), file(b"f", ctime_ns=8), file(b"f", mtime_ns=1)])
def test_a_file_of_other_times_is_judged_by_its_content(changed: Seen) -> None:
    base = state(held(file(b"f"), b"same"))
    same = compared(changed, base=base, digest=lambda _: sha(b"same"))
    assert (same.members, list(same.kept)) == ({}, [b"f"])
    assert bool(same.altered) == (changed.entry.mtime_ns != 1000)
    assert same.kept[b"f"].fingerprint == changed.fingerprint
    assert compared(changed, base=base, digest=lambda _: sha(b"other")).members == by_path(changed)
    assert compared(changed, base=base, digest=lambda _: None).members == by_path(changed)


def test_a_folder_that_changed_is_archived() -> None:
    changed = folder(b"d", ctime_ns=8)
    assert compared(changed, base=state(held(folder(b"d")))).members == by_path(changed)


def test_all_names_of_a_file_go_together() -> None:
    one, two, three = file(b"a"), file(b"b", hardlink=b"a"), file(b"c", hardlink=b"a")
    base = state(held(one, b"f"), held(two, b"f"))
    assert list(compared(one, two, three, base=base).members) == [b"a", b"b", b"c"]


def test_what_is_below_a_folder_that_cannot_be_looked_at_is_taken_to_be_there() -> None:
    base = state(*(held(file(name), b"f") for name in (b"d/f", b"d/g/h", b"dd", b"e")))
    increment = compared(file(b"e"), base=base, unseen=(b"d", b"dx"))
    assert list(increment.kept) == [b"e", b"d/f", b"d/g/h"]


def test_what_a_later_state_had_otherwise_is_archived_again() -> None:
    """Its archive may be on disc: what it took away, or has in another version, is in the increment."""
    seen = [file(b"a"), file(b"b"), file(b"c")]
    base = state(*(held(each, b"1") for each in seen))
    later = state(held(file(b"b"), b"2"), held(file(b"c"), b"1"))
    assert list(compared(*seen, base=base, later=(later, base)).members) == [b"a", b"b"]
    attempted = attempt(TUESDAY, base, compared(file(b"a", size=6), file(b"c"), base=base))
    assert not attempted.is_complete
    assert list(compared(*seen, base=base, later=(attempted,)).members) == [b"a", b"b"]


DIR, FILE, LINK = Kind.DIR, Kind.FILE, Kind.LINK


def link(path: bytes) -> Seen:
    return Seen(Entry(path, Kind.LINK, 0, 0o777, 0, 0, 1000, target=b"x"), Fingerprint(3, 7))


def test_deletions_are_told_against_all_states_that_may_have_come_to_be_on_disc() -> None:
    base, later = state(held(folder(b"d")), held(file(b"d/f"))), state(held(file(b"new")))
    assert gone(base, later, present={b"d": DIR}) == (b"new", b"d/f")
    assert gone(base, later, present={b"d": DIR, b"d/f": FILE, b"new": FILE}) == ()


def test_a_folder_that_something_is_in_is_never_deleted() -> None:
    """It may be named no more because it is a link now that is followed."""
    base = state(held(folder(b"d")), held(folder(b"d/e")), held(file(b"d/e/f")), held(file(b"d/g")))
    assert gone(base, present={b"d/e/f": FILE}) == (b"d/g",)


def test_no_deletion_leads_through_a_link() -> None:
    base = state(held(folder(b"d")), held(file(b"d/f")))
    later = state(held(link(b"d")))
    assert gone(base, later, present={b"d": LINK}) == (b"d",)
    assert gone(base, later, present={}) == (b"d",)
    assert gone(base, present={b"d": LINK}) == (b"d",)


def test_what_is_of_another_kind_is_taken_away_first() -> None:
    base = state(held(link(b"d")), held(file(b"e")))
    assert gone(base, present={b"d": DIR, b"d/f": FILE, b"e": FILE}) == (b"d",)
    assert gone(base, present={b"d/f": FILE, b"e": FILE}) == (b"d",)  # a link that is followed now


def test_a_state_names_only_the_archives_that_it_still_needs() -> None:
    base = state(held(file(b"a"), b"a", 0), held(file(b"b"), b"b", 1), held(file(b"c"), b"c", 2),
                 archives=(b"third", b"second", b"first"))  # fmt: skip
    kept = [base.held[b"a"], base.held[b"c"]]
    new = [
        (Archive(name, TUESDAY, sha(name)), [held(file(path), b"B")])
        for name, path in ((b"x", b"b"), (b"y", b"d"))
    ]
    made = next_state(TUESDAY, base, new, kept)
    assert [each.sha256 for each in made.archives] == [sha(b"x"), sha(b"y"), sha(b"third"), sha(b"first")]
    assert [(each.entry.path, each.archive) for each in made.held.values()] == [
        (b"a", 2), (b"b", 0), (b"c", 3), (b"d", 1),
    ]  # fmt: skip
    assert (made.day, made.whole_day) == (TUESDAY, MONDAY)


def test_a_state_is_proven_when_all_of_its_archives_are_with_what_goes_with_them() -> None:
    made = state(archives=(b"new", b"old"))
    told = {sha(b"new"): 1, sha(b"old"): 2}
    assert not made.is_proven({sha(b"new"): 2}, 1)
    assert made.is_proven(told, 1)
    assert not made.is_proven(told, 2)
    assert not replace(made, is_complete=False).is_proven(told, 1)
    beside = replace(made, archives=(made.archives[0]._replace(beside=(sha(b"index"),)), made.archives[1]))
    assert not beside.is_proven(told, 1)
    assert beside.is_proven({**told, sha(b"index"): 1}, 1)
    assert not State(MONDAY, MONDAY).is_proven({}, 0)


def test_a_state_comes_back_as_it_was_and_reads_as_an_index() -> None:
    made = state(held(folder(b"d")), held(file(b"d/\xff\n"), b"x", 1), archives=(b"new", b"old"))
    first = made.archives[0]._replace(beside=(sha(b"index"), sha(b"deleted")))
    made = replace(made, archives=(first, made.archives[1]), is_complete=False)
    stream = io.BytesIO()
    write_state(stream, made, fingerprints=True)
    stream.seek(0)
    assert read_state(stream) == made
    stream.seek(0)
    assert read_state(stream, head_only=True) == replace(made, held={})
    stream = io.BytesIO()
    write_state(stream, made, fingerprints=False)
    stream.seek(0)
    assert list(read_index(stream).entries) == [each.entry for each in made.held.values()]
    for damaged in (b"", stream.getvalue()[:-20], stream.getvalue()):  # the last has no fingerprints
        with pytest.raises(ValueError, match=r"damaged|fingerprint|inode"):
            read_state(io.BytesIO(damaged))


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (b"/etc", b"etc"),
        (b"/var/lib/x", b"var-lib-x"),
        (b"/", b"_"),
        (b"/.hidden/x", b"_hidden-x"),
        (b"/a b\t:c\\d", b"a_b__c-d"),
        (b"/new\nline", b"new_line"),
        (b"/cback.x", b"_cback.x"),
        (b"/\xff", b"\xff"),
    ],
)
def test_archives_have_the_names_that_cedar_backup_gives_them(path: bytes, name: bytes) -> None:
    assert archive_names([path])[path] == name


absolute = some.lists(
    some.text(some.sampled_from("ab-_. :\\\n"), min_size=1, max_size=4).filter(
        lambda name: name not in "..."
    ),
    min_size=1,
    max_size=4,
).map(lambda names: b"/" + "/".join(names).encode())


@given(some.sets(absolute, min_size=1, max_size=6), some.sets(absolute, max_size=6))
@example({b"/a", b"/a-b", b"/"}, {b"/b/a", b"/a"})
@example({b"/a", b"/a/b"}, {b"/b/a", b"/a"})
def test_no_two_archives_share_a_name(configured: set[bytes], below: set[bytes]) -> None:
    names = archive_names(configured)
    further = [
        name_below(source.rstrip(b"/") + path, source, names)
        for source in configured
        for path in below
        if source.rstrip(b"/") + path not in configured
    ]
    everything = [*names.values(), *further]
    assert len(set(everything)) == len(everything)
    for name in everything:
        assert name == PurePosixPath(name.decode()).name.encode()
        assert not name.startswith((b".", b"cback."))


@given(absolute, absolute)
@example(b"/", b"/_")
@example(b"/c-d", b"/c/d")
@example(b"/.a", b"/_a")
@example(b"/a b", b"/a_b")
def test_names_by_path_are_told_apart_over_all_runs(one: bytes, other: bytes) -> None:
    names = [archive_names([path], by_path=True)[path] for path in (one, other)]
    assert (names[0] == names[1]) == (one == other)
    assert archive_names([one, b"/x"], by_path=True)[one] == names[0]


def test_a_name_by_path_is_plain_where_no_other_path_has_it() -> None:
    assert archive_names([b"/home/ann/letters"], by_path=True) == {b"/home/ann/letters": b"home-ann-letters"}


def test_folders_below_a_source_have_the_names_that_cedar_backup_gives_them() -> None:
    names = archive_names([b"/srv/my-data", b"/etc"])
    assert name_below(b"/srv/my-data/a/.b", b"/srv/my-data", names) == b"srv-my-data-a-.b"
    assert name_below(b"/srv/my-data/a-b", b"/srv/my-data", names).startswith(b"srv-my-data-a-b-")


def test_long_paths_have_names_that_a_file_system_takes() -> None:
    one, two = (b"/" + b"x" * 250 + b"/" + end for end in (b"a", b"b"))
    names = archive_names([one, two])
    assert names[one] != names[two]
    assert max(map(len, names.values())) < 200
