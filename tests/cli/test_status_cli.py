"""`status` as users run it: days, discs, what is due, what to insert."""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from typing import Any

import pytest
from tests.cli.program import told
from tests.conftest import Project

from cedarchest.actions.status import DayStatus, StatusReport
from cedarchest.report.text import status

FIRST, SECOND, THIRD = "2026/11/20", "2026/11/21", "2026/11/22"


def test_with_nothing_staged_there_is_nothing_to_tell(project: Project) -> None:
    ran = project.run("status")
    assert (ran.status, ran.out) == (0, "nothing is staged and nothing is stored\n")


def test_a_machine_that_only_collects_has_its_runs(project: Project) -> None:
    home = project.root / "home"
    home.mkdir()
    project.config.write_text(
        f'[options]\nstate_dir = "state"\n[collect]\ndir = "collect"\n[[collect.source]]\npath = "{home}"\n'
    )
    assert project.run("collect").status == 0
    found = told(ran := project.run("--json", "status"))
    assert (ran.status, found["last_run"]["action"], found["drive_problem"]) == (0, "collect", "")


@pytest.mark.slow
def test_every_day_has_its_line(project: Project) -> None:
    project.stage(FIRST)
    project.stage(SECOND)
    project.run("store")
    shutil.rmtree(project.staging / FIRST)
    project.stage(THIRD)
    (project.stage("2026/11/23") / "cback.stage").unlink()
    lines = project.run("status").out.splitlines()
    label = project.images()[0].stem
    assert lines[:4] == [
        f"{FIRST}  stored on {label}  (no longer staged)",
        f"{SECOND}  stored on {label}",
        f"{THIRD}  due",
        "2026/11/23  not staged yet",
    ]
    assert lines[4].startswith(f"{label} has 4.7 GB left, about ")
    assert lines[5].startswith(f"would store {THIRD} on {label}: up to ")


def test_days_that_went_to_discs_long_ago_have_one_line() -> None:
    def passed(number: int, **more: object) -> DayStatus:
        day = (date(2026, 1, 1) + timedelta(number)).strftime("%Y/%m/%d")
        plain: dict[str, Any] = {"staged": False, "stored": True, "discs": (f"D{number // 10}",)}
        return DayStatus(day, **{**plain, **more})

    days = [passed(number) for number in range(100)]
    days[3] = passed(3, stored=False, discs=(), was_on=("D0",))
    days[5] = passed(5, staged=True)
    found = status(StatusReport(tuple(days), None, "", 0, None))
    assert found.text[:3] == [
        "2026/01/01 to 2026/03/10  67 days stored on 7 discs  (no longer staged)",
        "2026/01/04  LOST: was on D0, proven no more  (no longer staged)",
        "2026/01/06  stored on D0",
    ]
    assert [line[:10] for line in found.text[3:34]] == [day.day for day in days[-31:]]
    table = found.figures["table"]
    assert isinstance(table, list)
    assert len(table) == 100
    few = status(StatusReport(tuple(days[6:40]), None, "", 0, None))
    assert [line[:10] for line in few.text[:34]] == [day.day for day in days[6:40]]


def test_the_table_says_what_is_due_and_where_it_would_go(project: Project) -> None:
    project.stage(FIRST)
    project.run("store")
    project.stage(SECOND)
    found = told(project.run("--json", "status"))
    label = project.images()[0].stem
    assert found["table"] == [
        {
            "day": FIRST,
            "staged": True,
            "stored": True,
            "proven": True,
            "discs": [label],
            "unproven": [],
            "was_on": [],
        },
        {
            "day": SECOND,
            "staged": True,
            "stored": False,
            "proven": False,
            "discs": [],
            "unproven": [],
            "was_on": [],
        },
    ]
    assert (found["due"], found["current"], found["discs"]) == ([SECOND], label, [label])
    assert [(each["disc"], each["days"]) for each in found["volumes"]] == [(label, [SECOND])]
    assert found["days_until_full"] > 10


def test_a_day_that_is_not_proven_yet_is_due_and_says_where_it_stands(project: Project) -> None:
    project.configure(check="deferred")
    project.stage(FIRST)
    project.run("store")
    label = project.images()[0].stem
    said = project.run("status").out
    assert f"{FIRST}  due, not proven on {label}" in said
    assert "would store" not in said
    dry = project.run("store", "--dry-run")
    assert (dry.status, dry.out) == (0, "nothing to store\n")
    assert f"an earlier run left {FIRST} unproven; a store looks at that disc first" in dry.err
    (row,) = told(project.run("--json", "status"))["table"]
    assert (row["stored"], row["discs"], row["unproven"]) == (False, [], [label])


def test_a_disc_that_is_not_there_is_part_of_the_answer(project: Project) -> None:
    project.stage(FIRST)
    project.run("store")
    project.stage(SECOND)
    (image,) = project.images()
    image.rename(project.root / "elsewhere.iso")
    found = told(ran := project.run("--json", "status"))
    assert ran.status == 0
    assert image.stem in found["drive_problem"]
    assert found["insert"] == (
        f"Put {image.name} back on the shelf. If it is lost: cedarchest discs lost {image.stem};"
        " the days of it that are staged are then due on another disc."
    )
    assert found["due"] == [SECOND]


def test_a_drive_that_is_not_there_is_part_of_the_answer(project: Project) -> None:
    project.configure(device="/dev/nothing-like-it")
    project.stage(FIRST)
    ran = project.run("status")
    assert ran.status == 0
    assert f"{FIRST}  due" in ran.out
    assert "/dev/nothing-like-it" in ran.out


def test_a_disc_that_is_nearly_full_says_so(project: Project) -> None:
    project.configure(capacity="2 MiB")
    project.stage(FIRST, {"half": bytes(1 << 20)})
    project.run("store")
    found = told(project.run("--json", "status"))
    assert found["days_until_full"] == 0
    assert 0 < found["free_blocks"] < 512


def test_looking_writes_nothing(project: Project) -> None:
    project.stage(FIRST)
    before = sorted(project.root.rglob("*"))
    for action in ("status", "discs", "validate"):
        assert project.run(action).status == 0
    assert sorted(project.root.rglob("*")) == before
