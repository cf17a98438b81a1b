"""What goes into the next archive of a source, what the archives are called, and what a state keeps."""

from __future__ import annotations

import hashlib
import io
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
    Seen,
    State,
    compare,
    deleted_since,
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


def paths(several: tuple[Seen, ...] | tuple[Held, ...]) -> list[bytes]:
    return [each.entry.path for each in several]


def test_without_a_base_everything_is_archived() -> None:
    seen = [folder(b"d"), file(b"d/f")]
    assert compare(seen, (), None, never) == compare(seen, (b"x",), None, never)
    assert compare(seen, (), None, never).members == tuple(seen)


def test_a_file_that_is_as_it_was_is_not_read() -> None:
    base = state(held(folder(b"d")), held(file(b"d/f"), b"f"))
    increment = compare([folder(b"d"), file(b"d/f")], (), base, never)
    assert (increment.members, increment.altered) == ((), False)
    assert increment.kept == tuple(base.held.values())


@pytest.mark.parametrize(
    "changed", [file(b"f", size=6), file(b"f", hardlink=b"e"), Seen(folder(b"f").entry, Fingerprint(1, 7))]
)
def test_a_file_of_another_size_or_kind_is_archived_unread(changed: Seen) -> None:
    assert compare([changed], (), state(held(file(b"f"), b"f")), never).members == (changed,)


@pytest.mark.parametrize("changed", [file(b"f", inode=2), file(b"f", ctime_ns=8), file(b"f", mtime_ns=1)])
def test_a_file_of_other_times_is_judged_by_its_content(changed: Seen) -> None:
    base = state(held(file(b"f"), b"same"))
    same = compare([changed], (), base, lambda _: sha(b"same"))
    assert (same.members, paths(same.kept)) == ((), [b"f"])
    assert same.altered == (changed.entry.mtime_ns != 1000)
    assert same.kept[0].fingerprint == changed.fingerprint
    assert compare([changed], (), base, lambda _: sha(b"other")).members == (changed,)
    assert compare([changed], (), base, lambda _: None).members == (changed,)


def test_a_folder_that_changed_is_archived() -> None:
    changed = folder(b"d", ctime_ns=8)
    assert compare([changed], (), state(held(folder(b"d"))), never).members == (changed,)


def test_all_names_of_a_file_go_together() -> None:
    one, two = file(b"a"), file(b"b", hardlink=b"a")
    base = state(held(one, b"f"), held(two, b"f"))
    three = file(b"c", hardlink=b"a")
    assert paths(compare([one, two, three], (), base, never).members) == [b"a", b"b", b"c"]


def test_what_is_below_a_folder_that_cannot_be_looked_at_is_taken_to_be_there() -> None:
    base = state(*(held(file(name), b"f") for name in (b"d/f", b"d/g/h", b"dd", b"e")))
    increment = compare([file(b"e")], (b"d", b"dx"), base, never)
    assert paths(increment.kept) == [b"e", b"d/f", b"d/g/h"]
    assert deleted_since([base], paths(increment.kept)) == (b"dd",)


def test_deletions_are_told_against_all_states_that_may_have_come_to_be_on_disc() -> None:
    base, pending = state(held(folder(b"d")), held(file(b"d/f"))), state(held(file(b"new")))
    assert deleted_since([base, pending], [b"d"]) == (b"new", b"d/f")
    assert deleted_since([base, pending], [b"d", b"d/f", b"new"]) == ()


def test_a_state_names_only_the_archives_that_it_still_needs() -> None:
    base = state(held(file(b"a"), b"a", 0), held(file(b"b"), b"b", 1), held(file(b"c"), b"c", 2),
                 archives=(b"third", b"second", b"first"))  # fmt: skip
    kept = [base.held[b"a"], base.held[b"c"]]
    made = next_state(TUESDAY, base, Archive(b"n", TUESDAY, sha(b"new")), kept, [held(file(b"b"), b"B")])
    assert [each.sha256 for each in made.archives] == [sha(b"new"), sha(b"third"), sha(b"first")]
    assert [(each.entry.path, each.archive) for each in made.held.values()] == [
        (b"a", 1), (b"b", 0), (b"c", 2),
    ]  # fmt: skip
    assert (made.day, made.whole_day) == (TUESDAY, MONDAY)


def test_a_state_is_proven_when_each_of_its_archives_is() -> None:
    made = state(archives=(b"new", b"old"))
    assert not made.is_proven({sha(b"new"): 2}, 1)
    assert made.is_proven({sha(b"new"): 1, sha(b"old"): 2}, 1)
    assert not made.is_proven({sha(b"new"): 1, sha(b"old"): 2}, 2)
    assert not State(MONDAY, MONDAY).is_proven({}, 0)


def test_a_state_comes_back_as_it_was_and_reads_as_an_index() -> None:
    made = state(held(folder(b"d")), held(file(b"d/\xff\n"), b"x", 1), archives=(b"new", b"old"))
    stream = io.BytesIO()
    write_state(stream, made, fingerprints=True)
    stream.seek(0)
    assert read_state(stream) == made
    stream.seek(0)
    assert read_state(stream, head_only=True) == State(made.day, made.whole_day, made.archives)
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


def test_folders_below_a_source_have_the_names_that_cedar_backup_gives_them() -> None:
    names = archive_names([b"/srv/my-data", b"/etc"])
    assert name_below(b"/srv/my-data/a/.b", b"/srv/my-data", names) == b"srv-my-data-a-.b"
    assert name_below(b"/srv/my-data/a-b", b"/srv/my-data", names).startswith(b"srv-my-data-a-b-")


def test_long_paths_have_names_that_a_file_system_takes() -> None:
    one, two = (b"/" + b"x" * 250 + b"/" + end for end in (b"a", b"b"))
    names = archive_names([one, two])
    assert names[one] != names[two]
    assert max(map(len, names.values())) < 200
