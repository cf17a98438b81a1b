"""`discs move`: where discs are kept, with the history of it, and what `discs` knows of each."""

from __future__ import annotations

from typing import Any

import pytest
from tests.cli.program import error_of, told
from tests.cli.test_json import assert_described
from tests.conftest import Project, Ran

DAY = "2026/11/22"
NIGHT, LATER = {"CEDARCHEST_NOW": "2026-11-22T23:00Z"}, {"CEDARCHEST_NOW": "2027-01-10T12:00Z"}
FIRST = "CC_20261122_001"


@pytest.fixture
def stored(project: Project) -> Project:
    project.stage(DAY)
    assert project.run("store", environ=NIGHT).status == 0
    return project


def details(ran: Ran) -> dict[str, Any]:
    (only,) = told(ran)["details"]
    assert isinstance(only, dict)
    return only


def test_a_disc_is_kept_where_it_was_put_and_its_earlier_places_are_known(stored: Project) -> None:
    assert details(stored.run("--json", "discs"))["place"] == ""
    assert stored.run("discs", "move", FIRST, "--to", "the shelf at home", environ=NIGHT).status == 0
    ran = stored.run("discs", "move", FIRST, "--to", "bank vault", environ=LATER)
    assert (ran.status, ran.out) == (0, f"{FIRST} is kept at bank vault\n")
    found = details(stored.run("--json", "discs"))
    assert found["place"] == "bank vault"
    assert found["places"] == [
        {"place": "the shelf at home", "since": "2026-11-22T23:00:00+00:00"},
        {"place": "bank vault", "since": "2027-01-10T12:00:00+00:00"},
    ]
    assert "kept at bank vault since 2027-01-10" in stored.run("discs").out
    assert "2026-11-22 23:00  put to the shelf at home" in stored.run("discs", FIRST).out


def test_a_disc_that_is_where_it_is_said_to_be_put_was_not_moved(stored: Project) -> None:
    for _ in range(2):
        assert stored.run("discs", "move", FIRST, "--to", " vault ").status == 0
    assert [each["place"] for each in details(stored.run("--json", "discs"))["places"]] == ["vault"]


def test_a_move_is_described_and_shows_nothing_that_a_terminal_obeys(stored: Project) -> None:
    ran = stored.run("--json", "discs", "move", FIRST, "--to", "a\x1b[31mb")
    assert_described(ran)
    assert told(ran)["discs"] == [FIRST]
    assert "a\\x1b[31mb" in stored.run("discs").out


def test_no_disc_is_moved_when_one_of_them_is_unknown(stored: Project) -> None:
    ran = stored.run("--json", "discs", "move", FIRST, "CC_OTHER", "--to", "vault")
    assert (ran.status, error_of(ran)["kind"]) == (8, "NoMedium")
    assert details(stored.run("--json", "discs"))["place"] == ""


@pytest.mark.parametrize(
    "words", [("move", FIRST), ("move", "--to", "vault"), (FIRST, "--to", "x"), ("move", FIRST, "--to", " ")]
)
def test_a_move_that_does_not_say_what_or_where_is_a_usage_error(project: Project, words: list[str]) -> None:
    ran = project.run("--json", "discs", *words)
    assert error_of(ran)["kind"] == "UsageError"
    assert "discs move LABEL --to PLACE" in ran.err


def test_discs_knows_age_last_check_and_free_space(stored: Project) -> None:
    before = details(stored.run("--json", "discs", environ=LATER))
    assert before["age_days"] == 48
    assert before["created_at"] == "2026-11-22T23:00:00+00:00"
    assert before["last_check"] == "2026-11-22T23:00:00+00:00"
    assert before["free_blocks"] == before["capacity_blocks"] - before["used_blocks"] > 0
    assert "48 days old" in stored.run("discs", environ=LATER).out
    assert stored.run("verify", environ=LATER).status == 0
    assert details(stored.run("--json", "discs"))["last_check"] == "2027-01-10T12:00:00+00:00"
    assert stored.run("seal", FIRST).status == 0
    assert details(stored.run("--json", "discs"))["free_blocks"] == 0
