"""`store` and `rebuild` as users run them: which day goes on which disc, and when."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.cli.program import error_of, told
from tests.conftest import Project

MONDAY = "2026/11/16"
WEDNESDAY = "2026/11/18"
SUNDAY = "2026/11/22"
NEXT_MONDAY = "2026/11/23"


def days_of_discs(project: Project) -> dict[str, list[str]]:
    """What the catalog says of each disc, oldest first."""
    details: list[dict[str, Any]] = told(project.run("--json", "discs"))["details"]
    return {disc["label"]: disc["days"] for disc in details}


def sessions(project: Project) -> list[list[str]]:
    """The days of each session of the only disc."""
    (disc,) = told(project.run("--json", "discs"))["details"]
    return [session["days"] for session in disc["sessions"]]


def snapshot(root: Path) -> dict[str, tuple[int, int]]:
    """Every path below a folder with size and time of change."""
    seen = {str(path): path.lstat() for path in sorted(root.rglob("*"))}
    return {path: (status.st_size, status.st_mtime_ns) for path, status in seen.items()}


def sums_of_session(image: Path, number: int) -> list[bytes]:
    """The paths in the sums of a session, as they stand on the disc."""
    target = image.with_suffix(f".{number}")
    path = f"/CEDARCHEST/sessions/{number:03d}/SHA256SUMS"
    argv = ["xorriso", "-no_rc", "-osirrox", "on", "-indev", f"stdio:{image}", "-extract", path, str(target)]
    subprocess.run(argv, check=True, capture_output=True)
    try:
        return [line[66:] for line in target.read_bytes().splitlines()]
    finally:
        target.unlink()


def test_every_staged_day_goes_on_the_disc_and_is_marked(project: Project) -> None:
    project.stage(MONDAY)
    project.stage(SUNDAY)
    ran = project.run("store")
    assert ran.out.splitlines() == [
        f"stored {MONDAY}, {SUNDAY} on {project.images()[0].stem}",
        "no problems found: every entry was read back from the disc and matches",
    ]
    assert project.is_marked(MONDAY)
    assert project.is_marked(SUNDAY)


def test_a_day_without_its_stage_indicator_waits(project: Project) -> None:
    (project.stage(MONDAY) / "cback.stage").unlink()
    assert project.run("store").out == "nothing to store\n"
    assert not project.images()
    assert not project.is_marked(MONDAY)


def test_an_empty_staging_folder_is_nothing_to_do(project: Project) -> None:
    ran = project.run("--json", "store")
    assert (ran.status, told(ran)["outcome"], told(ran)["volumes"]) == (0, "nothing-to-do", [])
    assert not project.images()


@pytest.mark.slow
def test_a_day_that_is_stored_is_not_written_again(project: Project) -> None:
    project.stage(MONDAY)
    project.run("store")
    before = project.images()[0].read_bytes()
    assert project.run("store").out == "nothing to store\n"
    assert project.run("store", "--day", "2026-11-16").out == "nothing to store\n"
    assert project.images()[0].read_bytes() == before


def test_only_the_days_that_are_asked_for_are_stored(project: Project) -> None:
    for day in (MONDAY, WEDNESDAY, SUNDAY):
        project.stage(day)
    ran = project.run("--json", "store", "--day", "2026-11-22", "--day", "2026/11/16", "--day", "2026-11-16")
    assert told(ran)["days"] == [MONDAY, SUNDAY]
    assert not project.is_marked(WEDNESDAY)


def test_a_day_that_is_unknown_holds_up_the_others_before_anything_is_written(project: Project) -> None:
    project.stage(MONDAY)
    ran = project.run("--json", "store", "--day", "2026-11-16", "--day", "2026-11-17")
    assert (ran.status, error_of(ran)["day"]) == (6, "2026/11/17")
    assert not project.images()


@pytest.mark.slow
def test_full_stores_today_again_on_a_new_disc(project: Project) -> None:
    today = {"CEDARCHEST_NOW": "2026-11-22T03:00:00+00:00", "TZ": "UTC"}
    project.stage(MONDAY)
    project.stage(SUNDAY)
    project.run("store", environ=today)
    ran = project.run("--json", "store", "--full", environ=today)
    assert told(ran)["days"] == [SUNDAY]
    assert list(days_of_discs(project).values()) == [[MONDAY, SUNDAY], [SUNDAY]]


def test_full_says_when_today_is_not_staged(project: Project) -> None:
    project.stage(MONDAY)
    ran = project.run("--json", "store", "--full", environ={"CEDARCHEST_NOW": "2026-11-22T03:00:00"})
    assert (ran.status, error_of(ran)["day"]) == (6, SUNDAY)


@pytest.mark.parametrize("arguments", [("store",), ("store", "--full", "--day", "2026-11-16"), ("rebuild",)])
def test_a_dry_run_says_what_would_be_done_and_writes_nothing(
    project: Project, arguments: tuple[str, ...]
) -> None:
    project.stage(MONDAY)
    before = snapshot(project.root)
    ran = project.run(*arguments, "--dry-run")
    assert ran.status == 0
    assert ran.out.startswith(f"would store {MONDAY} on a new disc: up to ")
    assert snapshot(project.root) == before


@pytest.mark.slow
def test_a_dry_run_after_a_store_writes_nothing_either(project: Project) -> None:
    project.stage(MONDAY)
    project.run("store")
    project.stage(SUNDAY)
    before = snapshot(project.root)
    ran = project.run("store", "--dry-run")
    assert f"would store {SUNDAY} on {project.images()[0].stem}: " in ran.out
    assert snapshot(project.root) == before


def test_weekly_discs_hold_a_week_each(project: Project) -> None:
    project.configure(new_disc="weekly")
    for day in ("2026/11/15", MONDAY, SUNDAY, NEXT_MONDAY):
        project.stage(day)
    assert project.run("store").status == 0
    assert list(days_of_discs(project).values()) == [["2026/11/15"], [MONDAY, SUNDAY], [NEXT_MONDAY]]


def test_a_week_begins_on_the_day_that_is_configured(project: Project) -> None:
    project.configure(new_disc="weekly")
    text = project.config.read_text()
    project.config.write_text(text.replace("[options]\n", '[options]\nstarting_day = "sunday"\n'))
    for day in ("2026/11/15", MONDAY, SUNDAY, NEXT_MONDAY):
        project.stage(day)
    assert project.run("store").status == 0
    assert list(days_of_discs(project).values()) == [["2026/11/15", MONDAY], [SUNDAY, NEXT_MONDAY]]


def test_daily_discs_hold_a_day_each(project: Project) -> None:
    project.configure(new_disc="daily")
    for day in (MONDAY, WEDNESDAY):
        project.stage(day)
    assert project.run("store").status == 0
    assert list(days_of_discs(project).values()) == [[MONDAY], [WEDNESDAY]]


@pytest.mark.slow
def test_without_a_rule_one_disc_takes_all_weeks(project: Project) -> None:
    for day in ("2026/11/08", MONDAY, NEXT_MONDAY):
        project.stage(day)
        assert project.run("store").status == 0
    assert list(days_of_discs(project).values()) == [["2026/11/08", MONDAY, NEXT_MONDAY]]


@pytest.mark.slow
def test_a_run_after_midnight_on_the_first_day_of_a_week_appends_to_the_old_weeks_disc(
    project: Project,
) -> None:
    project.configure(new_disc="weekly")
    project.stage(WEDNESDAY)
    project.run("store", environ={"CEDARCHEST_NOW": "2026-11-18T23:00:00"})
    project.stage(SUNDAY)
    after_midnight = {"CEDARCHEST_NOW": "2026-11-23T00:30:00"}
    assert project.run("store", environ=after_midnight).status == 0
    assert list(days_of_discs(project).values()) == [[WEDNESDAY, SUNDAY]]
    project.stage(NEXT_MONDAY)
    assert project.run("store", environ=after_midnight).status == 0
    assert list(days_of_discs(project).values()) == [[WEDNESDAY, SUNDAY], [NEXT_MONDAY]]


def test_a_clock_that_is_no_time_is_refused_before_anything_is_written(project: Project) -> None:
    project.stage(MONDAY)
    assert project.run("store", environ={"CEDARCHEST_NOW": "2026-11-31T00:00:00"}).status == 4
    assert not project.images()


@pytest.mark.parametrize(("wished", "warnings"), [(True, 1), (False, 0)])
def test_a_day_stored_after_its_midnight_is_warned_of_when_that_is_wished(
    project: Project, wished: bool, warnings: int
) -> None:
    project.configure(warn_midnight=wished)
    for day in (SUNDAY, NEXT_MONDAY):
        project.stage(day)
    ran = project.run("--json", "store", environ={"CEDARCHEST_NOW": "2026-11-23T00:30:00"})
    said = [each for each in told(ran)["warnings"] if "midnight" in each]
    assert (ran.status, len(said)) == (0, warnings)
    assert all(SUNDAY in each and each in ran.err for each in said)


@pytest.mark.parametrize(("least", "warned"), [("100 %", None), ("99 %", True), ("1 MiB", False)])
def test_a_disc_with_less_room_than_is_wished_is_warned_of(
    project: Project, least: str, warned: bool | None
) -> None:
    project.configure(warn_free=least, capacity="12 MiB")
    project.stage("2026/11/22")
    ran = project.run("store", "--json")
    if warned is None:
        assert ran.status == 4
        return
    assert ran.status == 0
    lines = [line for line in told(ran)["warnings"] if "have another disc ready" in line]
    assert len(lines) == (1 if warned else 0)
    assert all("less than 99 %;" in line for line in lines)


def supplement(project: Project, day: str) -> None:
    """Another peer is staged into a day, as stage does it: the mark is taken away."""
    path = project.staging / day / "beta/late.bin"
    path.parent.mkdir()
    path.write_bytes(os.urandom(3000))
    (project.staging / day / "cback.store").unlink()


@pytest.mark.slow
def test_what_is_staged_later_into_a_stored_day_is_a_further_session_of_that_alone(
    project: Project,
) -> None:
    project.stage(MONDAY)
    project.run("store")
    supplement(project, MONDAY)
    assert told(project.run("--json", "status"))["due"] == [MONDAY]
    assert project.run("store").status == 0
    assert project.is_marked(MONDAY)
    assert sessions(project) == [[MONDAY], [MONDAY]]
    (image,) = project.images()
    first = [path for path in sums_of_session(image, 1) if path.startswith(MONDAY.encode())]
    second = [path for path in sums_of_session(image, 2) if path.startswith(MONDAY.encode())]
    assert f"{MONDAY}/alpha/a.txt".encode() in first
    ours = {f"{MONDAY}/{name}".encode() for name in ("SHA256SUMS", "INDEX.jsonl.gz")}
    assert set(second) - ours == {f"{MONDAY}/beta/late.bin".encode()}
    assert project.run("verify").status == 0
    assert project.is_marked(MONDAY)


@pytest.mark.slow
def test_a_verify_between_a_supplement_and_its_store_does_not_mark_the_day(project: Project) -> None:
    project.stage(MONDAY)
    project.run("store")
    supplement(project, MONDAY)
    assert project.run("verify").status == 0
    assert not project.is_marked(MONDAY)
    project.run("store")
    assert project.is_marked(MONDAY)
    assert sessions(project) == [[MONDAY], [MONDAY]]


@pytest.mark.slow
def test_a_supplement_whose_check_was_deferred_is_marked_by_verify(project: Project) -> None:
    project.stage(MONDAY)
    project.run("store")
    project.configure(check="deferred")
    supplement(project, MONDAY)
    project.run("store")
    assert not project.is_marked(MONDAY)
    assert project.run("verify").status == 0
    assert project.is_marked(MONDAY)


@pytest.mark.slow
def test_a_week_day_by_day_and_then_its_rebuild_on_one_new_disc(project: Project) -> None:
    week = [f"2026/11/{day}" for day in range(16, 23)]
    project.stage("2026/11/15")
    for day in week:
        project.stage(day)
        ran = project.run("store", environ={"CEDARCHEST_NOW": day.replace("/", "-") + "T23:30:00"})
        assert ran.status == 0, ran.err
    ran = project.run("--json", "rebuild")
    assert (ran.status, told(ran)["days"]) == (0, week)
    assert list(days_of_discs(project).values()) == [["2026/11/15", *week], week]
    ran = project.run("--json", "verify")
    assert [(each["passed"], each["sessions"]) for each in told(ran)["verdicts"]] == [(True, 7), (True, 1)]


def test_a_rebuild_of_nothing_ends_with_6(project: Project) -> None:
    ran = project.run("--json", "rebuild")
    assert (ran.status, error_of(ran)["kind"]) == (6, "StagingError")


def test_a_day_for_which_no_disc_has_room_is_refused_with_the_numbers(project: Project) -> None:
    project.configure(capacity="2 MiB", margin="1900 KiB")
    project.stage(MONDAY)
    assert project.run("store", "--dry-run").status == 8
    assert not project.images()
    ran = project.run("--json", "store")
    error = error_of(ran)
    assert (ran.status, error["kind"], error["day"]) == (8, "MediumFull", MONDAY)
    assert error["needed"] > error["free"]
    assert str(error["needed"]) in error["message"]
    assert str(error["free"]) in error["message"]
    assert not project.is_marked(MONDAY)
    assert f"{MONDAY} needs up to" in project.run("status").out
    project.configure(capacity="2 MiB")
    assert project.run("store").status == 0


def test_two_days_of_which_the_first_fits_go_on_two_discs(project: Project) -> None:
    project.configure(capacity="2 MiB")
    for day in (MONDAY, WEDNESDAY):
        project.stage(day, {"half": bytes(1 << 20)})
    ran = project.run("--json", "store")
    assert (ran.status, told(ran)["days"]) == (0, [MONDAY, WEDNESDAY])
    assert list(days_of_discs(project).values()) == [[MONDAY], [WEDNESDAY]]
    assert all(image.stat().st_size <= 2 << 20 for image in project.images())


@pytest.mark.slow
def test_a_full_disc_is_followed_by_a_new_one_in_the_next_run(project: Project) -> None:
    project.configure(capacity="2 MiB")
    for day in (MONDAY, WEDNESDAY):
        project.stage(day, {"half": bytes(1 << 20)})
        ran = project.run("--json", "store")
        assert told(ran)["volumes"][0]["new_disc"] is True
    assert "left" in told(ran)["volumes"][0]["why"]


def test_a_deferred_check_leaves_the_day_unmarked_until_verify_ran(project: Project) -> None:
    project.configure(check="deferred")
    project.stage(MONDAY)
    ran = project.run("store")
    assert ran.status == 0
    assert "not proven yet: run `cedarchest verify`" in ran.out
    assert not project.is_marked(MONDAY)
    assert project.run("verify").status == 0
    assert project.is_marked(MONDAY)


@pytest.mark.slow
def test_a_store_after_a_deferred_check_proves_first_and_writes_nothing_twice(project: Project) -> None:
    project.configure(check="deferred")
    project.stage(MONDAY)
    project.run("store")
    project.stage(WEDNESDAY)
    assert project.run("store").status == 0
    assert project.is_marked(MONDAY)
    assert sessions(project) == [[MONDAY], [WEDNESDAY]]


def test_a_day_that_is_again_as_it_was_is_due_where_the_disc_shows_something_else(project: Project) -> None:
    """Its first version stands on the disc, in a session whose tree a later one replaced."""
    letter = project.staging / SUNDAY / "alpha/letter"
    for content in (b"one", b"two", b"one"):
        project.stage(SUNDAY, {"letter": content})
        for path in (letter, letter.parent, letter.parents[1] / "cback.stage"):
            os.utime(path, (1_700_000_000, 1_700_000_000 + (content == b"two")))
        for name in ("cback.store", "INDEX.jsonl.gz", "SHA256SUMS"):
            (letter.parents[1] / name).unlink(missing_ok=True)
        assert project.run("store").status == 0
        (image,) = project.images()
        shown = subprocess.check_output(
            ["bsdtar", "-xOf", str(image), f"{SUNDAY}/alpha/letter"], stderr=subprocess.DEVNULL
        )
        assert shown == content
    assert project.is_marked(SUNDAY)
