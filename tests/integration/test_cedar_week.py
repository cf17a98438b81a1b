"""A configuration of Cedar Backup as it is, on an emulated burner: a week on one disc, and then the next."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.burner.burner import Burner
from tests.burner.preload import require
from tests.cli.program import program, told
from tests.conftest import Ran

pytestmark = pytest.mark.long

CONFIG = """<?xml version="1.0"?>
<cb_config>
<options><starting_day>monday</starting_day><working_dir>{top}/work</working_dir></options>
<peers><peer><name>here</name><type>local</type><collect_dir>{top}/collect</collect_dir></peer></peers>
<collect><collect_dir>{top}/collect</collect_dir><collect_mode>daily</collect_mode>
<archive_mode>tar</archive_mode><ignore_file>.no</ignore_file>
<dir><abs_path>{top}/home</abs_path></dir></collect>
<stage><staging_dir>{top}/stage</staging_dir></stage>
<store><source_dir>{top}/stage</source_dir><media_type>{media}</media_type><device_type>dvdwriter</device_type>
<target_device>/dev/sr0</target_device>{inside}</store>
<purge><dir><abs_path>{top}/stage</abs_path><retain_days>7</retain_days></dir></purge>
</cb_config>
"""


def night(top: Path, drive: Burner, day: str) -> Ran:
    """One run of `all`, with a file that changes."""
    (top / "home/a.txt").write_text(day)
    environ = {**drive.env(), "CEDARCHEST_NOW": f"{day}T23:00:00"}
    return program("--json", "-c", "cback3.conf", "all", cwd=top, environ=environ)


def discs(top: Path, drive: Burner) -> int:
    """How many discs are in use."""
    ran = program("--json", "-c", "cback3.conf", "discs", cwd=top, environ=drive.env())
    details = told(ran)["details"]
    assert isinstance(details, list)
    return len([each for each in details if not each["given_up"]])


@pytest.fixture
def here(tmp_path: Path) -> Path:
    require()
    (tmp_path / "home").mkdir()
    return tmp_path


@pytest.mark.slow
def test_a_weekly_disc_is_written_over_when_the_week_begins(here: Path) -> None:
    (here / "cback3.conf").write_text(CONFIG.format(top=here, media="dvd+rw", inside=""))
    with Burner(profile="dvd+rw") as drive:
        labels = []
        for day in ("2026-11-25", "2026-11-29", "2026-11-30", "2026-12-01"):
            ran = night(here, drive, day)
            assert ran.status == 0, ran.err
            labels.append(told(ran)["discs"])
            assert (here / "stage" / day.replace("-", "/") / "cback.store").exists()
        assert labels[0] == labels[1] != labels[2] == labels[3]
        assert discs(here, drive) == 1


@pytest.mark.slow
def test_a_disc_that_is_written_once_is_not_written_over(here: Path) -> None:
    (here / "cback3.conf").write_text(CONFIG.format(top=here, media="dvd+r", inside=""))
    with Burner(profile="dvd+r") as drive:
        assert night(here, drive, "2026-11-29").status == 0
        assert night(here, drive, "2026-11-30").status == 8
        assert not (here / "stage/2026/11/30/cback.store").exists()


@pytest.mark.slow
def test_blank_behavior_begins_a_disc_only_when_the_last_has_no_room(here: Path) -> None:
    blank = "<blank_behavior><mode>weekly</mode><factor>1.3</factor></blank_behavior>"
    (here / "cback3.conf").write_text(CONFIG.format(top=here, media="dvd+rw", inside=blank))
    with Burner(profile="dvd+rw") as drive:
        labels = []
        for day in ("2026-11-29", "2026-11-30"):
            ran = night(here, drive, day)
            assert ran.status == 0, ran.err
            labels.append(told(ran)["discs"])
        assert labels[0] == labels[1]
