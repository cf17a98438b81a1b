"""The documented names of the store action, on configuration objects of Cedar's shape."""

from __future__ import annotations

import gc
import importlib
import inspect
import io
import logging
import os
import signal
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pycdlib
import pytest
from tests.conftest import Project

YESTERDAY, DAY, TOMORROW = "2026/11/21", "2026/11/22", "2026/11/23"  # Saturday, Sunday, Monday
SIGNATURES = {
    "executeStore": ["configPath", "options", "config"],
    "createWriter": ["config"],
    "writeImage": ["config", "newDisc", "stagingDirs"],
    "writeImageBlankSafe": ["config", "rebuildMedia", "todayIsStart", "blankBehavior", "stagingDirs"],
    "writeStoreIndicator": ["config", "stagingDirs"],
    "consistencyCheck": ["config", "stagingDirs"],
}
PLAIN, FULL = SimpleNamespace(full=False), SimpleNamespace(full=True)
LOCKED = 10

Names = ModuleType
Config = SimpleNamespace


@pytest.fixture(params=[pytest.param("CedarBackup2", marks=pytest.mark.slow), "CedarBackup3"])
def names(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Names:
    monkeypatch.setenv("CEDARCHEST_NOW", "2026-11-22T23:00")
    return importlib.import_module(f"{request.param}.actions.store")


@pytest.fixture
def config(project: Project) -> Config:
    """Everything that is needed, and nothing else."""
    return SimpleNamespace(
        options=SimpleNamespace(workingDir=str(project.root / "working")),
        stage=SimpleNamespace(targetDir=str(project.staging)),
        store=SimpleNamespace(devicePath=f"shelf:{project.shelf}", deviceType="dvdwriter", checkData=True),
    )


def contents(image: Path, day: str) -> dict[str, bytes]:
    """The files of peer alpha of a day as another reader finds them on a disc."""
    disc = pycdlib.PyCdlib()
    disc.open(str(image))
    found: dict[str, bytes] = {}
    try:
        for child in disc.list_children(rr_path=f"/{day}/alpha"):
            if child.is_file():
                name = child.rock_ridge.name().decode()
                stream = io.BytesIO()
                disc.get_file_from_iso_fp(stream, rr_path=f"/{day}/alpha/{name}")
                found[name] = stream.getvalue()
    finally:
        disc.close()
    return found


# What the modules offer


@pytest.mark.parametrize("name", SIGNATURES)
def test_each_documented_function_has_its_arguments(names: Names, name: str) -> None:
    assert list(inspect.signature(getattr(names, name)).parameters) == SIGNATURES[name]


@pytest.mark.parametrize("name", SIGNATURES)
def test_each_documented_function_says_what_it_does(names: Names, name: str) -> None:
    assert inspect.getdoc(getattr(names, name))


def test_the_module_offers_the_documented_names_and_no_others(names: Names) -> None:
    assert sorted(names.__all__) == sorted([*SIGNATURES, "logger"])


def test_the_logger_is_below_that_of_its_package(names: Names) -> None:
    assert isinstance(names.logger, logging.Logger)
    assert names.logger.name == f"{names.__name__.partition('.')[0]}.log.actions.store"


# One step after the other


def test_image_check_and_indicator_work_one_after_the_other(
    names: Names, config: Config, project: Project
) -> None:
    staged = {str(project.stage(DAY)): DAY}
    names.writeImage(config, True, staged)
    names.consistencyCheck(config, staged)
    names.writeStoreIndicator(config, staged)
    assert project.is_marked(DAY)


@pytest.mark.parametrize("name", ["a=b", "new\nline", "back\\slash", "=", "b;c 'd\""])
def test_another_reader_finds_a_file_by_its_date_whatever_its_name(
    names: Names, config: Config, project: Project, name: str
) -> None:
    staged = {str(project.stage(DAY, {name: b"content"})): DAY}
    names.writeImage(config, True, staged)
    names.consistencyCheck(config, staged)
    assert contents(project.images()[0], DAY) == {name: b"content"}


def test_a_directory_with_an_equals_sign_in_its_name_is_stored(
    names: Names, config: Config, project: Project
) -> None:
    project.stage(DAY, {"peer=1/file": b"1"})
    names.executeStore(None, PLAIN, config)
    assert project.is_marked(DAY)


def test_directories_anywhere_may_be_written(names: Names, config: Config, project: Project) -> None:
    elsewhere = project.root / "else=where"
    (elsewhere / "alpha").mkdir(parents=True)
    (elsewhere / "alpha" / "a.txt").write_bytes(b"1")
    staged = {str(elsewhere): DAY}
    names.writeImage(config, True, staged)
    names.consistencyCheck(config, staged)
    names.writeStoreIndicator(config, staged)
    assert (elsewhere / "cback.store").is_file()
    assert contents(project.images()[0], DAY) == {"a.txt": b"1"}


def test_several_days_go_into_one_image(names: Names, config: Config, project: Project) -> None:
    staged = {str(project.stage(day, {"day": day.encode()})): day for day in (YESTERDAY, DAY)}
    names.writeImage(config, True, staged)
    names.consistencyCheck(config, staged)
    names.writeStoreIndicator(config, staged)
    assert [contents(project.images()[0], day) for day in (YESTERDAY, DAY)] == [
        {"day": YESTERDAY.encode()},
        {"day": DAY.encode()},
    ]


def test_images_written_before_a_check_all_stay_visible(
    names: Names, config: Config, project: Project
) -> None:
    first = {str(project.stage(YESTERDAY, {"a": b"1"})): YESTERDAY}
    second = {str(project.stage(DAY, {"b": b"2"})): DAY}
    names.writeImage(config, True, first)
    names.writeImage(config, False, second)
    names.consistencyCheck(config, {**first, **second})
    (image,) = project.images()
    assert (contents(image, YESTERDAY), contents(image, DAY)) == ({"a": b"1"}, {"b": b"2"})


def test_an_image_on_a_new_disc_leaves_the_disc_before_it_as_it_is(
    names: Names, config: Config, project: Project
) -> None:
    names.writeImage(config, True, {str(project.stage(YESTERDAY)): YESTERDAY})
    before = project.images()[0].read_bytes()
    names.writeImage(config, True, {str(project.stage(DAY)): DAY})
    assert len(project.images()) == 2
    assert project.images()[0].read_bytes() == before


BLANK = SimpleNamespace


@pytest.mark.parametrize(
    ("rebuild", "start", "behavior", "is_new"),
    [
        (False, False, None, False),
        (False, True, None, True),
        (True, False, None, True),
        (True, False, BLANK(blankMode="daily", blankFactor="0"), True),
        (False, False, BLANK(blankMode="daily", blankFactor="1e9"), True),
        (False, False, BLANK(blankMode="daily", blankFactor="1.3"), False),
        (False, False, BLANK(blankMode="weekly", blankFactor="1e9"), False),
        (False, True, BLANK(blankMode="weekly", blankFactor="1e9"), True),
        (False, True, BLANK(blankMode="weekly", blankFactor=1.3), False),
    ],
)
def test_a_disc_is_begun_where_it_is_wanted_and_little_room_is_left(
    names: Names, config: Config, project: Project, rebuild: bool, start: bool, behavior: object, is_new: bool
) -> None:
    names.writeImage(config, True, {str(project.stage(YESTERDAY)): YESTERDAY})
    names.writeImageBlankSafe(config, rebuild, start, behavior, {str(project.stage(DAY)): DAY})
    assert len(project.images()) == (2 if is_new else 1)


@pytest.mark.parametrize("factor", [None, "much", "-1"])
def test_a_blanking_factor_that_is_none_is_refused(
    names: Names, config: Config, project: Project, factor: object
) -> None:
    staged = {str(project.stage(DAY)): DAY}
    with pytest.raises(ValueError, match="blankFactor"):
        names.writeImageBlankSafe(config, False, True, BLANK(blankMode="daily", blankFactor=factor), staged)
    assert project.images() == []


def test_a_stage_section_is_not_needed_where_directories_are_named(
    names: Names, config: Config, project: Project
) -> None:
    del config.stage
    staged = {str(project.stage(DAY)): DAY}
    names.writeImage(config, True, staged)
    names.consistencyCheck(config, staged)
    names.writeStoreIndicator(config, staged)
    assert project.is_marked(DAY)


def test_a_check_without_problems_says_so_in_the_log(
    names: Names, config: Config, project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, names.logger.name)
    staged = {str(project.stage(DAY)): DAY}
    names.writeImage(config, True, staged)
    names.consistencyCheck(config, staged)
    assert f"the check of {DAY} found no problems" in caplog.messages


def test_a_changed_bit_on_the_disc_is_a_value_error(
    names: Names, config: Config, project: Project, flip: Callable[[Path, int], None]
) -> None:
    staged = {str(project.stage(DAY, {"a": b"needle" * 100})): DAY}
    names.writeImage(config, True, staged)
    image = project.images()[0]
    flip(image, image.read_bytes().index(b"needle"))
    with pytest.raises(ValueError, match="differs"):
        names.consistencyCheck(config, staged)


def test_a_bit_that_changed_after_a_good_check_is_found_by_the_next(
    names: Names, config: Config, project: Project, flip: Callable[[Path, int], None]
) -> None:
    staged = {str(project.stage(DAY, {"a": b"needle" * 100})): DAY}
    names.writeImage(config, True, staged)
    names.consistencyCheck(config, staged)
    image = project.images()[0]
    flip(image, image.read_bytes().index(b"needle"))
    with pytest.raises(ValueError, match="differs"):
        names.consistencyCheck(config, staged)


def test_a_staged_file_that_changed_after_the_burn_is_a_value_error(
    names: Names, config: Config, project: Project
) -> None:
    folder = project.stage(DAY, {"a": b"before"})
    names.writeImage(config, True, {str(folder): DAY})
    (folder / "alpha" / "a").write_bytes(b"after it")
    with pytest.raises(ValueError, match="alpha/a"):
        names.consistencyCheck(config, {str(folder): DAY})


def test_a_disc_that_is_gone_is_an_io_error(names: Names, config: Config, project: Project) -> None:
    staged = {str(project.stage(DAY)): DAY}
    names.writeImage(config, True, staged)
    project.images()[0].unlink()
    with pytest.raises(OSError, match="no disc"):
        names.consistencyCheck(config, staged)


def test_a_day_that_was_never_written_has_nothing_to_check(
    names: Names, config: Config, project: Project
) -> None:
    with pytest.raises(OSError, match="on no disc"):
        names.consistencyCheck(config, {str(project.stage(DAY)): DAY})


def test_an_indicator_without_a_check_is_refused(names: Names, config: Config, project: Project) -> None:
    staged = {str(project.stage(DAY)): DAY}
    names.writeImage(config, True, staged)
    with pytest.raises(ValueError, match="does not prove"):
        names.writeStoreIndicator(config, staged)
    assert not project.is_marked(DAY)


def test_an_indicator_after_a_bad_check_is_refused(
    names: Names, config: Config, project: Project, flip: Callable[[Path, int], None]
) -> None:
    staged = {str(project.stage(DAY, {"a": b"needle" * 100})): DAY}
    names.writeImage(config, True, staged)
    image = project.images()[0]
    flip(image, image.read_bytes().index(b"needle"))
    with pytest.raises(ValueError, match="differs"):
        names.consistencyCheck(config, staged)
    with pytest.raises(ValueError, match="does not prove"):
        names.writeStoreIndicator(config, staged)
    assert not project.is_marked(DAY)


def test_a_check_covers_every_session_of_a_day_and_takes_the_mark_of_a_bad_one(
    names: Names, config: Config, project: Project, flip: Callable[[Path, int], None]
) -> None:
    folder = project.stage(DAY, {"a": b"needle" * 100})
    staged = {str(folder): DAY}
    names.executeStore("/etc/cback3.conf", PLAIN, config)
    (folder / "alpha" / "late").write_bytes(b"late")
    (folder / "cback.store").unlink()
    names.executeStore("/etc/cback3.conf", PLAIN, config)
    names.consistencyCheck(config, staged)
    image = project.images()[0]
    flip(image, image.read_bytes().index(b"needle"))
    with pytest.raises(ValueError, match="differs"):
        names.consistencyCheck(config, staged)
    assert not project.is_marked(DAY)
    names.executeStore("/etc/cback3.conf", PLAIN, config)
    assert project.is_marked(DAY)


# Which day is stored


def test_a_day_is_stored_once(names: Names, config: Config, project: Project) -> None:
    project.stage(DAY)
    names.executeStore("/etc/cback3.conf", PLAIN, config)
    assert project.is_marked(DAY)
    with pytest.raises(OSError, match="no staged day"):
        names.executeStore("/etc/cback3.conf", PLAIN, config)


def test_today_comes_before_the_days_beside_it(names: Names, config: Config, project: Project) -> None:
    for day in (YESTERDAY, DAY, TOMORROW):
        project.stage(day)
    names.executeStore(None, PLAIN, config)
    assert [project.is_marked(day) for day in (YESTERDAY, DAY, TOMORROW)] == [False, True, False]


def test_yesterday_comes_before_tomorrow(names: Names, config: Config, project: Project) -> None:
    for day in (YESTERDAY, TOMORROW):
        project.stage(day)
    names.executeStore(None, PLAIN, config)
    assert [project.is_marked(day) for day in (YESTERDAY, TOMORROW)] == [True, False]


def test_after_midnight_the_day_before_is_stored(
    names: Names, config: Config, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CEDARCHEST_NOW", "2026-11-23T00:20")
    project.stage(DAY)
    names.executeStore(None, PLAIN, config)
    assert project.is_marked(DAY)


def test_tomorrow_is_stored_when_nothing_else_waits(names: Names, config: Config, project: Project) -> None:
    project.stage(TOMORROW)
    names.executeStore(None, PLAIN, config)
    assert project.is_marked(TOMORROW)


def test_a_day_two_days_away_is_not_taken(names: Names, config: Config, project: Project) -> None:
    project.stage("2026/11/20")
    with pytest.raises(OSError, match="no staged day"):
        names.executeStore(None, PLAIN, config)


def test_a_day_without_its_stage_indicator_is_not_taken(
    names: Names, config: Config, project: Project
) -> None:
    (project.stage(DAY) / "cback.stage").unlink()
    with pytest.raises(OSError, match="no staged day"):
        names.executeStore(None, PLAIN, config)


@pytest.mark.parametrize("wished", [True, False, None])
def test_a_day_across_midnight_is_warned_of_when_that_is_wished(
    names: Names, config: Config, project: Project, caplog: pytest.LogCaptureFixture, wished: bool | None
) -> None:
    config.store.warnMidnite = wished
    project.stage(YESTERDAY)
    names.executeStore(None, PLAIN, config)
    warned = [each for each in caplog.records if each.levelno == logging.WARNING]
    assert ["midnight" in each.getMessage() for each in warned] == ([True] if wished else [])


def test_a_full_store_takes_today_again_on_a_new_disc(names: Names, config: Config, project: Project) -> None:
    project.stage(DAY)
    names.executeStore(None, PLAIN, config)
    names.executeStore(None, FULL, config)
    assert len(project.images()) == 2


def test_a_full_store_takes_no_other_day_than_today(names: Names, config: Config, project: Project) -> None:
    project.stage(YESTERDAY)
    with pytest.raises(OSError, match="no staged day"):
        names.executeStore(None, FULL, config)
    assert not project.images()


def test_options_without_full_mean_a_plain_store(names: Names, config: Config, project: Project) -> None:
    project.stage(DAY)
    names.executeStore(None, None, config)
    assert project.is_marked(DAY)


def test_without_data_check_the_disc_is_checked_all_the_same(
    names: Names, config: Config, project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    config.store.checkData = None
    project.stage(DAY)
    names.executeStore(None, PLAIN, config)
    assert "checkData is off" in caplog.text
    assert "no problems found" in caplog.text


# Which disc it goes to


def store_on(names: Names, config: Config, project: Project, *days: str) -> None:
    """Each day stored on its own date."""
    for day in days:
        project.stage(day)
        os.environ["CEDARCHEST_NOW"] = f"{day.replace('/', '-')}T23:00"  # undone by the fixture
        names.executeStore(None, PLAIN, config)


def test_without_a_blanking_behavior_a_week_has_its_disc(
    names: Names, config: Config, project: Project
) -> None:
    config.options.startingDay = "monday"
    store_on(names, config, project, YESTERDAY, DAY, TOMORROW)
    assert len(project.images()) == 2


def test_the_starting_day_is_the_configured_one(names: Names, config: Config, project: Project) -> None:
    config.options.startingDay = "saturday"
    store_on(names, config, project, YESTERDAY, DAY, TOMORROW)
    assert len(project.images()) == 1


def test_a_blanking_behavior_begins_a_disc_each_day(names: Names, config: Config, project: Project) -> None:
    config.store.blankBehavior = SimpleNamespace(blankMode="daily", blankFactor=None)
    store_on(names, config, project, YESTERDAY, DAY)
    assert len(project.images()) == 2


@pytest.mark.parametrize("factor", [1.3, "1.3"])
def test_a_blanking_factor_keeps_a_disc_that_has_room(
    names: Names, config: Config, project: Project, factor: object
) -> None:
    config.store.blankBehavior = SimpleNamespace(blankMode="daily", blankFactor=factor)
    store_on(names, config, project, YESTERDAY, DAY)
    assert len(project.images()) == 1


# The writer


@pytest.mark.parametrize(
    ("media", "blocks"), [("cdr-74", 333_000), ("cdrw-80", 359_424), ("dvd+r", 2_295_104)]
)
def test_a_writer_over_a_shelf_has_discs_of_the_media_type(
    names: Names, config: Config, media: str, blocks: int
) -> None:
    config.store.mediaType = media
    assert names.createWriter(config).load_blank("CC_X").capacity == blocks


def test_a_writer_for_a_medium_that_came_after_cedar_is_made(names: Names, config: Config) -> None:
    config.store.mediaType = "bd-r"
    assert names.createWriter(config).load_blank("CC_X").medium == "bd-r"


def test_a_writer_makes_no_files(names: Names, config: Config, project: Project) -> None:
    names.createWriter(config)
    assert not (project.root / "working").exists()


def test_a_writer_that_is_held_keeps_other_runs_off_its_device(
    names: Names, config: Config, project: Project
) -> None:
    project.stage(DAY)
    writer = names.createWriter(config)
    assert project.run("store").status == LOCKED
    del writer
    gc.collect()
    assert project.run("store").status == 0


def test_a_writer_that_is_held_does_not_hold_up_its_holder(
    names: Names, config: Config, project: Project
) -> None:
    project.stage(DAY)
    writer, another = names.createWriter(config), names.createWriter(config)
    names.executeStore(None, PLAIN, config)
    assert writer.labels() == another.labels() == (project.images()[0].stem,)


def test_a_writer_leaves_signals_as_they_were(names: Names, config: Config) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    writer = names.createWriter(config)
    assert writer.device
    assert before == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]


def test_an_interrupt_is_a_keyboard_interrupt_after_the_session_and_nothing_is_burnt_twice(
    names: Names, config: Config, project: Project
) -> None:
    class PressCtrlC(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.getMessage().startswith("writing "):
                signal.raise_signal(signal.SIGINT)

    project.stage(DAY)
    handler, level = PressCtrlC(), names.logger.level
    names.logger.addHandler(handler)
    names.logger.setLevel(logging.INFO)
    try:
        with pytest.raises(KeyboardInterrupt):
            names.executeStore(None, PLAIN, config)
    finally:
        names.logger.removeHandler(handler)
        names.logger.setLevel(level)
    written = project.images()[0].read_bytes()
    names.executeStore(None, PLAIN, config)
    assert project.is_marked(DAY)
    assert project.images()[0].read_bytes() == written


# What makes no sense


def test_a_missing_device_is_an_io_error(names: Names, config: Config, project: Project) -> None:
    config.store.devicePath = str(project.root / "no-such-drive")
    with pytest.raises(OSError, match="no-such-drive"):
        names.createWriter(config)


def test_a_scsi_address_is_ignored_with_a_warning(
    names: Names, config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    config.store.deviceScsiId = "0,0,0"
    names.createWriter(config)
    assert "deviceScsiId is ignored" in caplog.text


@pytest.mark.parametrize("section", ["options", "stage", "store"])
def test_a_configuration_without_a_section_is_a_value_error(
    names: Names, config: Config, section: str
) -> None:
    setattr(config, section, None)
    with pytest.raises(ValueError, match=f"no {section} section"):
        names.executeStore(None, PLAIN, config)


@pytest.mark.parametrize("empty", [None, object()])
def test_no_configuration_is_a_value_error(names: Names, empty: object) -> None:
    with pytest.raises(ValueError, match="configuration"):
        names.executeStore(None, PLAIN, empty)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("options.workingDir", None),
        ("options.workingDir", "relative"),
        ("options.workingDir", 7),
        ("options.startingDay", "moonday"),
        ("stage.targetDir", ""),
        ("stage.targetDir", "relative"),
        ("store.devicePath", None),
        ("store.devicePath", "sr0"),
        ("store.devicePath", "nul\0"),
        ("store.deviceType", "tapewriter"),
        ("store.deviceType", "shelf"),
        ("store.deviceType", ["dvdwriter"]),
        ("store.mediaType", "dvd-ram-2"),
        ("store.mediaType", ["dvd+r"]),
        ("store.driveSpeed", 0),
        ("store.driveSpeed", "fast"),
        ("store.driveSpeed", object()),
        ("store.refreshMediaDelay", -1),
        ("store.refreshMediaDelay", object()),
        ("store.checkData", "N"),
        ("store.checkMedia", "maybe"),
        ("store.warnMidnite", []),
        ("store.blankBehavior.blankMode", "never"),
        ("store.blankBehavior.blankMode", 3),
        ("store.blankBehavior.blankFactor", -1.0),
        ("store.blankBehavior.blankFactor", float("nan")),
        ("store.blankBehavior.blankFactor", "much"),
    ],
)
def test_a_value_that_makes_no_sense_is_a_value_error_that_says_so(
    names: Names, config: Config, place: str, value: object
) -> None:
    config.store.blankBehavior = SimpleNamespace(blankMode="weekly", blankFactor=1.0)
    *holders, name = place.split(".")
    holder = config
    for each in holders:
        holder = getattr(holder, each)
    setattr(holder, name, value)
    told = {"store.deviceType": "device type", "store.mediaType": "media type"}
    with pytest.raises(ValueError, match=told.get(place, place)):
        names.executeStore(None, PLAIN, config)


def test_a_medium_that_the_device_type_does_not_write_is_a_value_error(
    names: Names, config: Config, project: Project
) -> None:
    config.store.devicePath, config.store.deviceType = str(project.root / "sr0"), "cdwriter"
    config.store.mediaType = "dvd+r"
    with pytest.raises(ValueError, match="does not write"):
        names.createWriter(config)


@pytest.mark.parametrize(
    "staging_dirs",
    [
        None,
        {},
        ["/staging/2026/11/22"],
        {"relative": DAY},
        {7: DAY},
        {"/staging": None},
        {"/staging": "2026/11"},
        {"/staging": "2026/02/30"},
        {"/staging": "../../etc"},
        {"/one": DAY, "/two": DAY},
    ],
)
@pytest.mark.parametrize("name", ["writeImage", "writeStoreIndicator", "consistencyCheck"])
def test_staging_directories_that_make_no_sense_are_a_value_error(
    names: Names, config: Config, project: Project, name: str, staging_dirs: object
) -> None:
    function = getattr(names, name)
    with pytest.raises(ValueError, match=r"stagingDirs|staging directory|date of"):
        function(config, *([True] if name == "writeImage" else []), staging_dirs)
    assert not project.images()


def test_a_staging_directory_that_is_not_there_is_refused(
    names: Names, config: Config, project: Project
) -> None:
    with pytest.raises((ValueError, OSError), match="nowhere"):
        names.writeImage(config, True, {str(project.root / "nowhere"): DAY})
    assert not project.images()


def test_a_day_that_does_not_fit_on_a_disc_is_an_io_error(
    names: Names, config: Config, project: Project
) -> None:
    config.store.mediaType = "cdr-74"
    folder = project.stage(DAY)
    with (folder / "alpha" / "large").open("wb") as stream:
        stream.truncate(700 << 20)
    with pytest.raises(OSError, match="needs"):
        names.writeImage(config, True, {str(folder): DAY})
    assert not project.is_marked(DAY)
