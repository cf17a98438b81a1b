"""`audit` as users run it: what is due, what is read, and what is said of it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.cli.program import error_of, told
from tests.cli.test_json import assert_described
from tests.conftest import Project, Ran

pytestmark = pytest.mark.slow

DAY, NEXT = "2026/11/22", "2026/11/23"
STORED = "2026-11-23T12:00+00:00"
Flip = Callable[[Path, int], None]
NEEDLE = b"needle in the stack " * 300


def at(project: Project, when: str, *arguments: str) -> Ran:
    """A run at a time, whose object is as described."""
    ran = project.run("--json", *arguments, environ={"CEDARCHEST_NOW": when})
    assert_described(ran)
    return ran


def audit(project: Project, *arguments: str, when: str = "2026-11-24T12:00+00:00") -> Ran:
    return at(project, when, "audit", *arguments)


def verdict(ran: Ran) -> dict[str, Any]:
    (found,) = told(ran)["verdicts"]
    assert isinstance(found, dict)
    return found


def disc(project: Project, when: str = "2026-11-24T12:00+00:00") -> dict[str, Any]:
    found = told(at(project, when, "discs"))["details"][0]
    assert isinstance(found, dict)
    return found


def due(project: Project, when: str) -> list[str]:
    return [each["disc"] for each in told(at(project, when, "status"))["checks_due"]]


def audits(project: Project) -> list[dict[str, Any]]:
    return [check for check in disc(project)["checks"] if check["kind"] == "audit"]


@pytest.fixture
def stored(project: Project) -> Project:
    """A project with a disc of some ten MiB."""
    project.stage(DAY, {"big": os.urandom(9 << 20), "a": NEEDLE, "b": b"beside it", "c": b"too"})
    assert project.run("store", environ={"CEDARCHEST_NOW": STORED}).status == 0
    return project


def label(project: Project, number: int = 0) -> str:
    return project.images()[number].stem


def place_of(image: Path, text: bytes = NEEDLE) -> int:
    """Where a byte of a staged file stands in an image."""
    return image.read_bytes().index(text) + 5


# -- what is read ------------------------------------------------------------------------------------------


def test_all_of_a_disc_is_read_and_found_good(stored: Project) -> None:
    ran = audit(stored)
    found = verdict(ran)
    assert (ran.status, told(ran)["outcome"], told(ran)["discs"]) == (0, "ok", [label(stored)])
    assert (found["passed"], found["whole"], found["left_blocks"], found["map"]) == (True, True, 0, "")
    (check,) = audits(stored)
    assert (check["whole"], check["passed"], check["blocks"]) == (True, True, found["blocks"])
    assert found["blocks"] == sum(each["blocks"] for each in disc(stored)["sessions"])
    assert sum(each["blocks"] for each in check["speeds"]) == check["blocks"]
    assert disc(stored)["last_full_read"].startswith("2026-11-24")
    text = stored.run("audit", label(stored)).out
    assert text.startswith(f"{label(stored)}: no problems found, all of it was read (")


def test_every_session_of_a_disc_is_read(stored: Project) -> None:
    stored.stage(NEXT)
    assert stored.run("store", environ={"CEDARCHEST_NOW": STORED}).status == 0
    assert verdict(audit(stored))["sessions"] == 2
    assert [check["session"] for check in audits(stored)] == [1, 2]


def test_samples_come_round_to_all_and_none_of_them_is_a_full_check(stored: Project) -> None:
    read = 0
    for month in range(1, 5):
        found = verdict(audit(stored, "--sample", "30%", when=f"2027-{month:02}-01T00:00+00:00"))
        assert (found["passed"], found["whole"]) == (True, False)
        read += found["blocks"]
        since = disc(stored)["last_full_read"]
        assert since.startswith("2026-11-23" if month < 4 else "2027-01-01")
    total = disc(stored)["sessions"][0]["blocks"]
    assert total <= read < total * 1.4
    assert all(not check["whole"] and check["blocks"] < total / 2 for check in audits(stored))


def test_the_share_and_the_time_of_the_configuration_count_unless_others_are_given(stored: Project) -> None:
    stored.config.write_text(stored.config.read_text() + '[audit]\nsample = "10 %"\ntime_limit = "1 h"\n')
    assert not verdict(audit(stored))["whole"]
    assert verdict(audit(stored, "--sample", "100%"))["whole"]


def test_the_sign_of_a_share_may_be_left_out_as_in_a_crontab(stored: Project) -> None:
    with_sign = verdict(audit(stored, "--sample", "10%"))["blocks"]
    assert verdict(audit(stored, "--sample", "10"))["blocks"] <= with_sign


# -- what is due -------------------------------------------------------------------------------------------


def test_a_disc_is_due_when_it_was_not_read_for_as_long_as_the_configuration_says(stored: Project) -> None:
    assert due(stored, "2027-11-23T00:00+00:00") == []
    assert due(stored, "2027-11-24T00:00+00:00") == [label(stored)]
    ran = audit(stored, "--due", when="2027-11-20T00:00+00:00")
    assert (ran.status, told(ran)["outcome"], told(ran)["verdicts"]) == (0, "nothing-to-do", [])
    assert verdict(audit(stored, "--due", when="2028-01-01T00:00+00:00"))["whole"]
    assert due(stored, "2028-12-30T00:00+00:00") == []
    assert disc(stored, "2028-12-30T00:00+00:00")["next_check"].startswith("2028-12-31")
    text = stored.run("status", environ={"CEDARCHEST_NOW": "2029-01-02T00:00+00:00"}).out
    assert f"due for a check (not read in full since 2028-01-01): {label(stored)}" in text
    text = stored.run("discs", environ={"CEDARCHEST_NOW": "2029-01-02T00:00+00:00"}).out
    assert "due for a check" in text


def test_a_medium_may_have_a_time_of_its_own(stored: Project) -> None:
    stored.config.write_text(
        stored.config.read_text() + '[audit]\nevery = "24 months"\n[audit.medium]\n"dvd+r" = "1 month"\n'
    )
    assert due(stored, "2026-12-23T00:00+00:00") == []
    assert due(stored, "2026-12-24T12:00+00:00") == [label(stored)]


def test_a_verify_of_all_counts_as_a_check(stored: Project) -> None:
    assert at(stored, "2027-11-01T00:00+00:00", "verify").status == 0
    assert due(stored, "2028-01-01T00:00+00:00") == []


def test_nightly_samples_of_what_is_due_end_when_all_was_read(stored: Project) -> None:
    runs = 0
    while told(audit(stored, "--due", "--sample", "40", when=f"2028-01-{runs + 1:02}T00:00+00:00"))[
        "verdicts"
    ]:
        runs += 1
    assert runs == 3


def test_what_was_read_longest_ago_is_read_first(project: Project) -> None:
    project.configure(new_disc="daily")
    for day, when in ((DAY, "2026-11-22T12:00+00:00"), (NEXT, "2026-11-23T12:00+00:00")):
        project.stage(day)
        assert project.run("store", environ={"CEDARCHEST_NOW": when}).status == 0
    first, second = label(project, 0), label(project, 1)
    assert told(audit(project))["discs"] == [first, second]
    audit(project, first, when="2026-11-25T12:00+00:00")
    assert told(audit(project, when="2026-11-26T12:00+00:00"))["discs"] == [second, first]
    assert told(audit(project, first, second))["discs"] == [first, second]


# -- what is wrong -----------------------------------------------------------------------------------------


def test_a_disc_that_differs_has_the_consequences_of_a_verify(stored: Project, flip: Flip) -> None:
    image = stored.images()[0]
    place = place_of(image)
    flip(image, place)
    ran = audit(stored)
    found = verdict(ran)
    assert (ran.status, error_of(ran)["kind"]) == (7, "VerifyError")
    assert (found["passed"], found["whole"]) == (False, True)
    (finding,) = found["findings"]
    assert finding.startswith(f"different: /{DAY}/alpha/a: its content is not what was written (blocks ")
    assert found["copy_wanted"]
    assert not stored.is_marked(DAY)
    state = told(at(stored, "2026-11-24T13:00+00:00", "status"))
    assert (state["due"], state["copies_wanted"]) == ([DAY], [label(stored)])
    assert f"another drive may read it: cedarchest audit {label(stored)}" in stored.run("status").out
    (check,) = audits(stored)
    (damaged,) = check["damaged"]
    assert damaged["first_block"] <= place // 2048 <= damaged["last_block"]
    flip(image, place)
    assert audit(stored, when="2026-11-25T12:00+00:00").status == 0
    assert stored.is_marked(DAY)
    assert [check["passed"] for check in audits(stored)] == [False, True]
    assert told(at(stored, "2026-11-25T13:00+00:00", "status"))["copies_wanted"] == []
    assert [path.name for path in stored.root.rglob("*.map")] == []


def test_of_a_large_file_the_blocks_that_changed_are_named(stored: Project, flip: Flip) -> None:
    image = stored.images()[0]
    big = (stored.staging / DAY / "alpha/big").read_bytes()
    place = image.read_bytes().index(big[5 << 20 : (5 << 20) + 100])
    flip(image, place)
    (finding,) = verdict(audit(stored))["findings"]
    assert f"/{DAY}/alpha/big: its content is not what was written" in finding


def test_what_no_file_owns_is_named_by_its_blocks(stored: Project, flip: Flip) -> None:
    image = stored.images()[0]
    flip(image, 32 * 2048 + 12 * 2048 + 77)  # a system area, or what stands in it
    found = verdict(audit(stored))
    assert not found["passed"]
    assert all(each.startswith(("structure: disc: ", "different: ")) for each in found["findings"])


def test_the_descriptors_at_the_beginning_of_an_image_are_looked_at(stored: Project, flip: Flip) -> None:
    flip(stored.images()[0], 16 * 2048 + 50)
    ran = audit(stored)
    assert ran.status in (7, 8)
    assert not verdict(ran)["passed"]


def test_a_sample_that_meets_the_damage_takes_the_copy_back_and_one_that_does_not_gives_nothing_back(
    stored: Project, flip: Flip
) -> None:
    image = stored.images()[0]
    place = place_of(image)
    flip(image, place)
    runs = [audit(stored, "--sample", "20%").status for _ in range(5)]  # two of ten MiB each
    assert sorted(runs) == [0, 0, 0, 0, 7]
    assert not stored.is_marked(DAY)
    flip(image, place)
    assert [audit(stored, "--sample", "20%").status for _ in range(5)] == [0] * 5
    assert not stored.is_marked(DAY)
    assert audit(stored).status == 0
    assert stored.is_marked(DAY)


def test_a_map_that_is_spoilt_is_named_and_holds_up_no_other_disc(project: Project, flip: Flip) -> None:
    project.configure(new_disc="daily")
    for day in (DAY, NEXT):
        project.stage(day, {"a": NEEDLE})
    assert project.run("store").status == 0
    image = project.images()[0]
    flip(image, place_of(image))
    assert project.run("audit").status == 7
    (spoilt,) = project.root.rglob(f"{image.stem}.map")
    spoilt.write_text("nothing of the kind")
    ran = audit(project)
    assert (ran.status, error_of(ran)["kind"]) == (6, "CatalogError")
    assert str(spoilt) in error_of(ran)["message"]
    assert [each["whole"] for each in told(ran)["verdicts"]] == [False, True]
    spoilt.unlink()
    assert audit(project).status == 7


def test_a_part_that_is_good_is_no_last_check_of_what_failed(stored: Project, flip: Flip) -> None:
    image = stored.images()[0]
    place = place_of(image)
    flip(image, place)
    audit(stored)
    flip(image, place)
    assert audit(stored, "--sample", "10%", when="2026-12-24T12:00+00:00").status == 0
    assert disc(stored)["last_check"].startswith("2026-11-24")
    assert ": bad, last read 2026-11-24" in stored.run("history", "a").out


def test_an_image_that_is_cut_short_or_gone_ends_with_8(stored: Project) -> None:
    image = stored.images()[0]
    whole = image.read_bytes()
    os.truncate(image, len(whole) // 2)
    ran = audit(stored)
    assert (ran.status, error_of(ran)["kind"]) == (8, "DamagedDisc")
    image.unlink()
    ran = audit(stored)
    assert (ran.status, error_of(ran)["kind"]) == (8, "NoMedium")
    image.write_bytes(whole)
    assert audit(stored).status == 0
    assert stored.is_marked(DAY)


def test_another_image_under_the_name_of_a_disc_is_not_audited_in_its_place(project: Project) -> None:
    project.configure(new_disc="daily")
    for day in (DAY, NEXT):
        project.stage(day)
    assert project.run("store", environ={"CEDARCHEST_NOW": STORED}).status == 0
    first, second = project.images()
    first.write_bytes(second.read_bytes())
    ran = audit(project, first.stem)
    assert (ran.status, error_of(ran)["kind"]) == (8, "WrongDisc")
    assert project.is_marked(DAY)


def test_a_block_map_of_another_size_is_found_out(stored: Project) -> None:
    catalog = stored.root / "state" / "catalog.sqlite"
    with closing(sqlite3.connect(catalog)) as connection:
        connection.execute("UPDATE sessions SET block_map = zeroblob(64)")
        connection.commit()
    ran = audit(stored)
    assert ran.status == 7
    assert verdict(ran)["findings"] == ["structure: disc: the block map is one of a session of another size"]


def test_a_block_map_that_lies_accuses_the_disc_and_a_verify_says_so(stored: Project) -> None:
    catalog = stored.root / "state" / "catalog.sqlite"
    with closing(sqlite3.connect(catalog)) as connection:
        connection.execute("UPDATE sessions SET block_map = zeroblob(length(block_map))")
        connection.commit()
    found = verdict(audit(stored))
    assert not found["passed"]
    assert len(found["findings"]) < 1010


def test_what_a_disc_only_claims_is_left_to_a_verify(stored: Project) -> None:
    for path in (stored.root / "state").iterdir():
        if path.name.startswith("catalog"):
            path.unlink()
    assert stored.run("catalog", "rebuild").status == 0
    ran = audit(stored)
    assert (ran.status, verdict(ran)["blocks"], verdict(ran)["unproven"]) == (11, 0, [1])
    assert told(ran)["left_out"] == [
        f"{label(stored)} session 1 was never proven: cedarchest verify {label(stored)}"
    ]
    assert stored.run("verify").status == 0
    assert audit(stored).status == 0


def test_a_session_that_is_burnt_and_unproven_is_left_to_a_verify(project: Project) -> None:
    project.configure(check="deferred")
    project.stage(DAY)
    assert project.run("store").status == 0
    ran = audit(project)
    assert (ran.status, told(ran)["outcome"]) == (11, "partial")
    assert not project.is_marked(DAY)


def test_labels_that_are_unknown_or_given_up_end_with_8(stored: Project) -> None:
    ran = audit(stored, "CC_19990101_001")
    assert (ran.status, error_of(ran)["kind"]) == (8, "NoMedium")
    assert stored.run("discs", "lost", label(stored)).status == 0
    ran = audit(stored, label(stored))
    assert (ran.status, error_of(ran)["kind"]) == (8, "NotAppendable")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--sample", "0"),
        ("--sample", "101%"),
        ("--sample", "-1"),
        ("--sample", "much"),
        ("--sample", "1e3"),
        ("--time-limit", "0s"),
        ("--time-limit", "soon"),
        ("--time-limit", "5"),
        ("--time-limit", "3 months"),
    ],
)
def test_shares_and_times_that_are_none_are_a_mistake_of_usage(
    project: Project, option: str, value: str
) -> None:
    ran = audit(project, option, value)
    assert (ran.status, error_of(ran)["kind"]) == (2, "UsageError")
    assert "write it as" in error_of(ran)["message"]


def test_an_empty_catalog_has_nothing_to_audit(project: Project) -> None:
    ran = audit(project)
    assert (ran.status, told(ran)["outcome"]) == (0, "nothing-to-do")


# -- a new copy --------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_disc_that_failed_is_copied_from_one_that_holds_the_same(project: Project, flip: Flip) -> None:
    project.configure(copies=2)
    project.stage(DAY, {"a": NEEDLE})
    assert project.run("store", environ={"CEDARCHEST_NOW": STORED}).status == 0
    image = project.shelf / "CC_20261123_001.iso"
    flip(image, place_of(image))
    ran = audit(project)
    assert ran.status == 7
    wanted = told(at(project, "2026-11-24T13:00+00:00", "status"))["copies_wanted"]
    assert wanted == ["CC_20261123_001"]
    ran = at(project, "2026-11-24T14:00+00:00", "copy", "CC_20261123_001")
    assert (ran.status, told(ran)["source"]) == (0, "CC_20261123_B001"), ran.err
    assert "CC_20261123_B001 holds the same and is copied" in ran.err
    assert told(at(project, "2026-11-24T15:00+00:00", "status"))["copies_wanted"] == []
    assert project.is_marked(DAY)
    (made,) = told(ran)["discs"]
    assert project.run("verify", made).status == 0


@pytest.mark.slow
def test_a_disc_that_differs_when_it_is_to_be_copied_is_copied_from_another(
    project: Project, flip: Flip
) -> None:
    project.configure(copies=2)
    project.stage(DAY, {"a": NEEDLE})
    assert project.run("store", environ={"CEDARCHEST_NOW": STORED}).status == 0
    image = project.shelf / "CC_20261123_001.iso"
    flip(image, place_of(image))
    ran = at(project, "2026-11-24T14:00+00:00", "copy", "CC_20261123_001")
    assert (ran.status, told(ran)["source"]) == (0, "CC_20261123_B001"), ran.err


def test_a_disc_that_failed_and_has_no_other_is_not_copied(stored: Project, flip: Flip) -> None:
    image = stored.images()[0]
    flip(image, place_of(image))
    assert audit(stored).status == 7
    ran = at(stored, "2026-11-24T14:00+00:00", "copy", image.stem)
    assert (ran.status, error_of(ran)["kind"]) == (8, "NotAppendable")
    assert "no other disc holds the same" in error_of(ran)["message"]
