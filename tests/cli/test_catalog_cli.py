"""`catalog rebuild` as somebody runs it who has lost everything but the discs."""

from __future__ import annotations

import hashlib
import itertools
import shutil
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.cli.program import error_of, told
from tests.conftest import Project

from cedarchest.adapters.catalog import open_catalog
from cedarchest.model.disc import DiscRecord, SessionRecord, SessionStatus, StoredEntry

pytestmark = pytest.mark.slow

KIB = 1 << 10
FIRST, SECOND, SPANNED, LAST = (f"2026/11/{day}" for day in (16, 17, 18, 19))
Known = tuple[tuple[DiscRecord, ...], dict[str, tuple[SessionRecord, list[StoredEntry]]]]


def content(seed: str, size: int) -> bytes:
    return hashlib.shake_256(seed.encode()).digest(size)


def known(project: Project, state: str = "state") -> Known:
    """Discs, sessions and entries of a catalog."""
    with closing(open_catalog(f"sqlite:///{project.root}/{state}/catalog.sqlite", read_only=True)) as catalog:
        discs = catalog.discs()
        sessions = {
            f"{disc.label} {session.number}": (
                session,
                [in_seconds(entry) for entry in catalog.entries(disc.disc_id, session.number)],
            )
            for disc in discs
            for session in catalog.sessions(disc.disc_id)
        }
        return tuple(sorted(discs, key=lambda disc: disc.label)), sessions


def in_seconds(entry: StoredEntry) -> StoredEntry:
    """An entry as a disc tells it: of index and sums, which nothing lists, it has whole seconds."""
    if entry.path.startswith(b"CEDARCHEST/") and entry.path.endswith((b"/INDEX.jsonl.gz", b"/SHA256SUMS")):
        return entry._replace(mtime_ns=entry.mtime_ns // 10**9 * 10**9)
    return entry


def statuses(project: Project) -> set[SessionStatus]:
    return {session.status for session, _ in known(project)[1].values()}


def lose(project: Project) -> None:
    """Lose the catalog, and all else that is kept beside it."""
    shutil.move(project.root / "state", project.root / "lost")


def at(day: str) -> dict[str, str]:
    return {"CEDARCHEST_NOW": f"{day.replace('/', '-')}T23:00:00+00:00"}


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Days appended to a disc, a supplement, and a day over several discs, all on two copies."""
    made = Project(tmp_path_factory.mktemp("week") / "project")
    for folder in (made.staging, made.shelf):
        folder.mkdir(parents=True)
    made.configure(capacity="3 MiB", copies=2)
    for day in (FIRST, SECOND):
        made.stage(day, {"a": content(day, 30 * KIB), "sub/ünï\n\\": b"odd name"})
        assert made.run("store", environ=at(day)).status == 0
    (made.staging / SECOND / "cback.store").unlink()
    (made.staging / SECOND / "late").write_bytes(b"came late")
    assert made.run("store", environ=at(SECOND)).status == 0
    made.stage(SPANNED, {f"dir{number}/file": content(f"{number}", 600 * KIB) for number in range(8)})
    assert made.run("store", environ=at(SPANNED)).status == 0
    assert len(made.images()) >= 6
    return made


@pytest.fixture
def pool(week: Project, tmp_path: Path) -> Project:
    """The same week, to do with as one likes; its catalog is lost."""
    shutil.copytree(week.root, tmp_path / "project", symlinks=True)
    made = Project(tmp_path / "project")
    lose(made)
    return made


def test_from_discs_alone_comes_what_the_catalog_knew_all_of_it_claimed(pool: Project, week: Project) -> None:
    ran = pool.run("--json", "catalog", "rebuild")
    assert (ran.status, told(ran)["outcome"]) == (0, "ok"), ran.err
    assert told(ran)["days"] == [FIRST, SECOND, SPANNED]
    assert set(told(ran)["discs"]) == {image.stem for image in pool.images()}
    assert told(ran)["missing"] == []
    assert statuses(pool) == {SessionStatus.CLAIMED}
    discs, sessions = known(pool)
    before_discs, before = known(week)
    assert discs == before_discs
    assert sessions.keys() == before.keys()
    for name, (session, entries) in sessions.items():
        assert entries == before[name][1], name
        assert comparable(session, week, pool) == comparable(before[name][0], week, pool)


def comparable(session: SessionRecord, week: Project, pool: Project) -> dict[str, object]:
    """A session without what has to differ: the status, where the shelf is, the map that the newest lacks."""
    values = {name: getattr(session, name) for name in SessionRecord.__dataclass_fields__}
    for name in ("status", "block_map"):
        del values[name]
    values["drive"] = session.drive.replace(str(pool.root), str(week.root))
    return values


def test_what_is_claimed_becomes_proven_when_it_is_read_and_equals_what_was_lost(
    pool: Project, week: Project
) -> None:
    assert pool.run("catalog", "rebuild").status == 0
    assert pool.run("verify").status == 0
    assert statuses(pool) == {SessionStatus.VERIFIED}
    before = known(week)[1]
    for name, (session, entries) in known(pool)[1].items():
        assert entries == before[name][1]
        assert session.block_map == before[name][0].block_map
        assert comparable(session, week, pool) == comparable(before[name][0], week, pool)
    assert all(pool.is_marked(day) for day in (FIRST, SECOND, SPANNED))
    assert told(pool.run("--json", "store"))["outcome"] == "nothing-to-do"


def test_entering_the_same_discs_again_changes_nothing(pool: Project) -> None:
    assert pool.run("catalog", "rebuild").status == 0
    once = known(pool)
    ran = pool.run("--json", "catalog", "rebuild")
    assert (ran.status, told(ran)["outcome"]) == (0, "nothing-to-do")
    assert known(pool) == once
    assert pool.run("verify").status == 0
    proven = known(pool)
    assert pool.run("catalog", "rebuild").status == 0
    assert known(pool) == proven


def test_a_dry_run_says_what_it_would_enter_and_enters_nothing(pool: Project) -> None:
    ran = pool.run("--json", "catalog", "rebuild", "--dry-run")
    assert ran.status == 0
    assert [each["sessions"] for each in told(ran)["entered"]].count([1, 2, 3]) == 2
    assert told(pool.run("--json", "discs"))["discs"] == []


@pytest.mark.long
@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_the_order_of_discs_does_not_matter(pool: Project, data: st.DataObject) -> None:
    images = data.draw(st.permutations(pool.images()))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(images) - 1), max_size=2)))
    shutil.rmtree(pool.root / "state", ignore_errors=True)
    for first, last in itertools.pairwise([0, *cuts, len(images)]):
        assert pool.run("catalog", "rebuild", *map(str, images[first:last])).status in (0, 11)
    together = known(pool)
    shutil.rmtree(pool.root / "state")
    assert pool.run("catalog", "rebuild").status == 0
    assert known(pool) == together


def test_a_disc_of_a_set_that_is_missing_is_named_and_is_no_more_once_it_is_entered(pool: Project) -> None:
    of_set = [image for image in pool.images() if image.stem.startswith("CC_20261118_0")]
    first, *others = of_set
    hidden = pool.root / first.name
    first.rename(hidden)
    ran = pool.run("--json", "catalog", "rebuild")
    assert (ran.status, told(ran)["outcome"]) == (11, "partial")
    (missing,) = told(ran)["missing"]
    assert (missing["disc"], missing["days"]) == (first.stem, [SPANNED])
    assert (
        f"missing: {first.stem} (volume {missing['volume']} of {len(others) + 1})"
        in pool.run("catalog", "rebuild").out
    )
    ran = pool.run("--json", "catalog", "rebuild", str(hidden))
    assert (ran.status, told(ran)["missing"]) == (0, [])


def test_nothing_is_purged_before_the_discs_are_read_and_all_of_it_after(pool: Project) -> None:
    with pool.config.open("a") as stream:
        stream.write(f'[[purge.dir]]\npath = "{pool.root}/old"\nretain_days = 0\n')
    old = pool.root / "old"
    old.mkdir()
    for number in range(3):
        (old / f"file{number}").write_bytes(content(str(number), 600 * KIB))
    assert pool.run("catalog", "rebuild").status == 0
    pool.run("purge")
    assert len(list(old.iterdir())) == 3
    assert pool.run("verify").status == 0
    pool.run("purge")
    assert list(old.iterdir()) == []


def test_a_store_reads_the_disc_in_use_before_it_puts_anything_on_top(pool: Project) -> None:
    assert pool.run("catalog", "rebuild").status == 0
    pool.stage(LAST)
    dry = pool.run("store", "--dry-run")
    assert "only claims its session" in dry.err
    assert statuses(pool) == {SessionStatus.CLAIMED}
    ran = pool.run("--json", "store", environ=at(LAST))
    assert (ran.status, told(ran)["days"]) == (0, [LAST]), ran.err
    (volume, _) = told(ran)["volumes"]
    assert not volume["new_disc"]
    for session, _ in known(pool)[1].values():
        used = session.disc_id in {
            each.disc_id for each, _ in known(pool)[1].values() if any(day.day == LAST for day in each.days)
        }
        assert session.status is (SessionStatus.VERIFIED if used else SessionStatus.CLAIMED)
    assert pool.run("verify").status == 0


def test_a_day_that_is_due_and_claimed_is_read_and_marked_not_written_again(pool: Project) -> None:
    (pool.staging / FIRST / "cback.store").unlink()
    assert pool.run("catalog", "rebuild").status == 0
    sizes = {image: image.stat().st_size for image in pool.images()}
    assert pool.run("store").status == 0
    assert pool.is_marked(FIRST)
    assert {image: image.stat().st_size for image in pool.images()} == sizes


def test_a_session_whose_index_is_spoilt_is_named_and_the_others_are_entered(pool: Project) -> None:
    image = pool.images()[0]
    spoil(image, b'"format": "cedarchest-session"', number=2)
    ran = pool.run("--json", "catalog", "rebuild")
    assert (ran.status, told(ran)["outcome"]) == (11, "partial")
    (line,) = told(ran)["left_out"]
    assert line.startswith(f"{image.stem} session 2: what it wrote cannot be known: ")
    found = {name: session for name, (session, _) in known(pool)[1].items() if name.startswith(image.stem)}
    assert [found[name].status for name in sorted(found)] == [
        SessionStatus.CLAIMED,
        SessionStatus.BAD,
        SessionStatus.CLAIMED,
    ]
    disc = next(disc for disc in known(pool)[0] if disc.label == image.stem)
    assert not disc.accepts_sessions
    ran = pool.run("--json", "verify", image.stem)
    assert ran.status != 0
    found = {name: session for name, (session, _) in known(pool)[1].items() if name.startswith(image.stem)}
    assert [found[name].status for name in sorted(found)] == [
        SessionStatus.VERIFIED,
        SessionStatus.BAD,
        SessionStatus.VERIFIED,
    ]


def spoil(image: Path, needle: bytes, number: int) -> None:
    """Change a byte of the n-th occurrence of something in an image."""
    raw = bytearray(image.read_bytes())
    place = -1
    for _ in range(number):
        place = raw.index(needle, place + 1)
    raw[place + len(needle) + 30] ^= 1
    image.write_bytes(raw)


def test_an_image_that_is_not_ours_is_named_with_8_and_passed_over_on_a_shelf(
    pool: Project, tmp_path: Path
) -> None:
    foreign = pool.shelf / "FOREIGN.iso"
    subprocess.run(
        [
            "xorriso",
            "-no_rc",
            "-outdev",
            f"stdio:{foreign}",
            "-volid",
            "FOREIGN",
            "-map",
            str(pool.config),
            "/x",
        ],
        check=True,
        capture_output=True,
    )
    ran = pool.run("catalog", "rebuild")
    assert ran.status == 0
    assert f"{foreign} holds no disc of ours (FOREIGN): it is passed over" in ran.err
    ran = pool.run("--json", "catalog", "rebuild", str(foreign), str(pool.images()[0]))
    assert (ran.status, error_of(ran)["kind"]) == (8, "ForeignDisc")
    assert str(foreign) in error_of(ran)["message"]
    assert told(ran)["entered"][0]["disc"] == pool.images()[0].stem


def test_a_disc_of_another_pool_with_a_known_label_is_refused_and_the_others_are_entered(
    pool: Project, of_user: Project
) -> None:
    of_user.stage(FIRST)
    assert of_user.run("store", environ=at(FIRST)).status == 0
    (other,) = of_user.images()
    assert pool.run("catalog", "rebuild").status == 0
    before = known(pool)
    ran = pool.run("--json", "catalog", "rebuild", str(other))
    assert (ran.status, error_of(ran)["kind"]) == (6, "CatalogError")
    assert other.stem in error_of(ran)["message"]
    assert known(pool) == before


def test_a_file_in_parts_over_several_discs_is_not_written_again_once_its_discs_are_read(
    project: Project,
) -> None:
    project.configure(capacity="2 MiB")
    project.stage(FIRST, {"large": content("large", 3000 * KIB), "small": b"small"})
    assert project.run("store", environ=at(FIRST)).status == 0
    sizes = {image: image.stat().st_size for image in project.images()}
    assert len(sizes) == 2
    lose(project)
    (project.staging / FIRST / "cback.store").unlink()
    assert project.run("catalog", "rebuild").status == 0
    assert project.run("store").status == 0
    assert project.is_marked(FIRST)
    assert {image: image.stat().st_size for image in project.images()} == sizes
    assert statuses(project) == {SessionStatus.VERIFIED}


def test_a_mark_is_kept_until_all_that_claims_the_day_is_read_and_goes_if_that_is_too_little(
    pool: Project,
) -> None:
    of_set = [image for image in pool.images() if image.stem.startswith("CC_20261118_")]
    lost, first, *others = of_set
    lost.unlink()
    assert pool.run("catalog", "rebuild").status == 11
    assert pool.run("verify", first.stem).status == 0
    assert pool.is_marked(SPANNED)
    assert pool.run("verify", *[image.stem for image in others]).status == 0
    assert not pool.is_marked(SPANNED)
    assert all(pool.is_marked(day) for day in (FIRST, SECOND))


def test_what_is_only_claimed_is_not_copied_and_is_read_before_it_is_sealed(pool: Project) -> None:
    assert pool.run("catalog", "rebuild").status == 0
    label = "CC_20261118_001"  # full, and not appended to
    ran = pool.run("--json", "copy", label)
    assert (ran.status, error_of(ran)["advice"]) == (8, f"Run `cedarchest verify {label}` first.")
    assert pool.run("seal", label).status == 0
    disc = next(disc for disc in known(pool)[0] if disc.label == label)
    assert (disc.accepts_sessions, disc.reason) == (False, "it is sealed")
    found = {session.status for name, (session, _) in known(pool)[1].items() if name.startswith(label)}
    assert found == {SessionStatus.VERIFIED}


def test_a_claiming_disc_that_is_given_up_as_lost_counts_when_it_is_found_and_read(pool: Project) -> None:
    assert pool.run("catalog", "rebuild").status == 0
    label = "CC_20261118_001"
    assert pool.run("discs", "lost", label).status == 0
    ran = pool.run("--json", "catalog", "rebuild", str(pool.shelf / f"{label}.iso"))
    assert (ran.status, error_of(ran)["kind"]) == (6, "CatalogError")
    assert f"cedarchest verify {label}" in error_of(ran)["advice"]
    assert pool.run("verify", label).status == 0
    assert not next(disc for disc in known(pool)[0] if disc.label == label).given_up


def test_a_day_comes_back_by_the_discs_of_one_copy_however_the_other_was_cut(
    project: Project, tmp_path: Path
) -> None:
    """The index of a session tells of what its disc holds; those of the other copy are not needed."""
    files = {f"dir{number}/file": content(f"{number}", 600 * KIB) for number in range(8)}
    project.stage(SPANNED, files)
    project.configure(capacity="2 MiB")
    assert project.run("store", environ=at(SPANNED)).status == 0
    discs = [image.rename(tmp_path / image.name) for image in project.images()]
    project.configure(capacity="3 MiB", copies=2)
    (project.staging / SPANNED / "cback.store").unlink()
    assert project.run("store", environ=at(SPANNED)).status == 0
    lose(project)
    assert project.run("catalog", "rebuild", *map(str, [*project.images(), *discs])).status == 0
    assert project.run("verify").status == 0  # the other copy, which is trusted more then
    ran = None
    for image in discs:
        shutil.rmtree(project.shelf)
        project.shelf.mkdir()
        shutil.copy(image, project.shelf)
        ran = project.run("restore", "--day", SPANNED.replace("/", "-"), "--to", str(tmp_path / "back"))
    assert ran is not None
    assert ran.status == 0, (ran.out, ran.err)
    for name, data in files.items():
        assert (tmp_path / "back" / "alpha" / name).read_bytes() == data
