"""The documented names of the store action, on configuration objects of Cedar's shape."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from tests.conftest import Project

DAY = "2026/11/22"
SIGNATURES = {
    "executeStore": ["configPath", "options", "config"],
    "createWriter": ["config"],
    "writeImage": ["config", "newDisc", "stagingDirs"],
    "writeStoreIndicator": ["config", "stagingDirs"],
    "consistencyCheck": ["config", "stagingDirs"],
}


@pytest.fixture(params=["CedarBackup2", "CedarBackup3"])
def names(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setenv("CEDARCHEST_NOW", "2026-11-22T23:00")
    return importlib.import_module(f"{request.param}.actions.store")


@pytest.fixture
def config(project: Project) -> SimpleNamespace:
    store = SimpleNamespace(
        sourceDir=str(project.staging),
        mediaType="dvd+r",
        deviceType="dvdwriter",
        devicePath=f"shelf:{project.shelf}",
        checkData=True,
    )
    return SimpleNamespace(
        options=SimpleNamespace(workingDir=str(project.root / "working"), startingDay="monday"),
        stage=SimpleNamespace(targetDir=str(project.staging)),
        store=store,
    )


PLAIN, FULL = SimpleNamespace(full=False), SimpleNamespace(full=True)


@pytest.mark.parametrize("name", SIGNATURES)
def test_each_documented_name_has_its_arguments_and_says_what_it_does(names: ModuleType, name: str) -> None:
    function = getattr(names, name)
    assert list(inspect.signature(function).parameters) == SIGNATURES[name]
    assert inspect.getdoc(function)


def test_image_check_and_indicator_work_one_after_the_other(
    names: ModuleType, config: SimpleNamespace, project: Project
) -> None:
    staged = {str(project.stage(DAY, {"a=b": b"1", "new\nline": b"2"})): DAY}
    names.writeImage(config, True, staged)
    names.consistencyCheck(config, staged)
    assert not project.is_marked(DAY)
    names.writeStoreIndicator(config, staged)
    assert project.is_marked(DAY)


def test_a_day_is_stored_once(names: ModuleType, config: SimpleNamespace, project: Project) -> None:
    project.stage(DAY)
    names.executeStore(None, PLAIN, config)
    assert project.is_marked(DAY)
    with pytest.raises(OSError, match="no staged day"):
        names.executeStore(None, PLAIN, config)


@pytest.mark.parametrize("day", ["2026/11/21", "2026/11/23"])
def test_yesterday_or_tomorrow_is_taken_when_today_is_not_staged(
    names: ModuleType, config: SimpleNamespace, project: Project, day: str
) -> None:
    project.stage(day)
    names.executeStore(None, PLAIN, config)
    assert project.is_marked(day)


def test_a_full_store_takes_today_again_on_a_new_disc(
    names: ModuleType, config: SimpleNamespace, project: Project
) -> None:
    project.stage(DAY)
    names.executeStore(None, PLAIN, config)
    names.executeStore(None, FULL, config)
    assert len(project.images()) == 2


def test_without_data_check_the_disc_is_checked_all_the_same(
    names: ModuleType, config: SimpleNamespace, project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    config.store.checkData = None
    project.stage(DAY)
    names.executeStore(None, PLAIN, config)
    assert project.is_marked(DAY)
    assert "checkData is off" in caplog.text


def test_an_unknown_device_type_is_a_value_error(names: ModuleType, config: SimpleNamespace) -> None:
    config.store.deviceType = "tapewriter"
    with pytest.raises(ValueError, match="tapewriter"):
        names.createWriter(config)


def test_a_missing_device_is_an_io_error(
    names: ModuleType, config: SimpleNamespace, project: Project
) -> None:
    config.store.devicePath = str(project.root / "no-such-drive")
    with pytest.raises(OSError, match="no-such-drive"):
        names.createWriter(config)


@pytest.mark.parametrize("section", ["options", "stage", "store"])
def test_a_configuration_without_a_section_is_a_value_error(
    names: ModuleType, config: SimpleNamespace, section: str
) -> None:
    setattr(config, section, None)
    with pytest.raises(ValueError, match=section):
        names.executeStore(None, PLAIN, config)


def test_a_changed_bit_on_the_disc_is_a_value_error(
    names: ModuleType, config: SimpleNamespace, project: Project, flip: Callable[[Path, int], None]
) -> None:
    staged = {str(project.stage(DAY, {"a": b"needle" * 100})): DAY}
    names.writeImage(config, True, staged)
    image = project.images()[0]
    flip(image, image.read_bytes().index(b"needle"))
    with pytest.raises(ValueError, match="differs"):
        names.consistencyCheck(config, staged)


def test_an_indicator_without_proof_is_refused(
    names: ModuleType, config: SimpleNamespace, project: Project
) -> None:
    staged = {str(project.stage(DAY)): DAY}
    names.writeImage(config, True, staged)
    with pytest.raises(ValueError, match="does not prove"):
        names.writeStoreIndicator(config, staged)
    assert not project.is_marked(DAY)
