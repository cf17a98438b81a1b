"""The store action under its documented names; each function works on any object of Cedar's shape.

What is read and written is cedarchest's; see `cedarchest.actions.store`. Errors are kinds of ValueError (what
is asked for) and of OSError (files, tools, media), as documented.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

from cedarchest.actions import store
from cedarchest.config.model import Config
from cedarchest.errors import MediaError
from cedarchest.model.days import format_day
from cedarchest.ports import Ports, Writer
from cedarchest.report.progress import ProgressReporter
from cedarchest.wiring import wired
from cedarchest_cedar.translate import logger, translate

__all__ = ["consistencyCheck", "createWriter", "executeStore", "logger", "writeImage", "writeStoreIndicator"]


class NothingToStore(MediaError):
    """No staged day waits to be stored (an OSError)."""


@contextlib.contextmanager
def _opened(config: object) -> Iterator[tuple[Config, Ports]]:
    ours = translate(config)
    with wired(ours, ProgressReporter(quiet=True), read_only=False) as ports:
        yield ours, ports


@contextlib.contextmanager
def _locked(config: object) -> Iterator[tuple[Config, Ports]]:
    with _opened(config) as (ours, ports), ports.locks.hold(ours.options.state_dir):
        yield ours, ports


def executeStore(configPath: str | Path | None, options: object, config: object) -> None:
    """Store one day: today, or else yesterday or tomorrow, whichever is staged and not stored.

    With `options.full` it is today, stored or not, and the disc is a new one.

    Raises:
        ValueError: the configuration is of no use, or disc and data differ.
        IOError: nothing waits to be stored, or tool, medium or files failed.
    """
    full = bool(getattr(options, "full", False))
    with _opened(config) as (ours, ports):
        asked = store.StoreOptions(days=(_choose_day(ours, ports, full=full),), full=full)
        path = Path(configPath) if configPath else None
        report = store.execute_store(path, asked, ours, ports=ports)
    if report.problem is not None:
        raise report.problem


def _choose_day(config: Config, ports: Ports, *, full: bool) -> str:
    today = ports.clock.now().date()
    staged = {day.day: day for day in ports.staging.days(config.require_stage().dir) if day.staged}
    for offset in (0,) if full else (0, -1, 1):
        day = format_day(today + timedelta(days=offset))
        if day in staged and (full or not staged[day].marked_stored):
            if offset and config.require_store().warn_midnight:
                logger.warning("%s is stored on %s, after its midnight", day, format_day(today))
            return day
    raise NothingToStore(f"there is no staged day to store at {format_day(today)}")


def createWriter(config: object) -> Writer:
    """A writer for the configured device; the device must be there, ours to use and not mounted.

    Raises:
        ValueError: the device type is not known.
        IOError: the device cannot be used.
    """
    resources = contextlib.ExitStack()
    try:
        ours, ports = resources.enter_context(_opened(config))
        writer = store.create_writer(ours, ports=ports)
    except BaseException:
        resources.close()
        raise
    weakref.finalize(writer, resources.close)  # the device stays locked as long as the writer is held
    return writer


def writeImage(config: object, newDisc: bool, stagingDirs: Mapping[str, str]) -> None:
    """Write staging directories to the disc, each at the root by its date.

    Raises:
        ValueError: what is staged changed meanwhile.
        IOError: it could not be written.
    """
    with _locked(config) as (ours, ports):
        store.write_image(ours, newDisc, _paths(stagingDirs), ports=ports)


def writeStoreIndicator(config: object, stagingDirs: Mapping[str, str]) -> None:
    """Mark staging directories stored; refused (ValueError) where that is not proven."""
    with _locked(config) as (ours, ports):
        store.write_store_indicator(ours, _paths(stagingDirs), ports=ports)


def consistencyCheck(config: object, stagingDirs: Mapping[str, str]) -> None:
    """Compare the disc with the staging directories; no exception means no problems.

    Raises:
        ValueError: they differ.
        IOError: the medium could not be read.
    """
    with _locked(config) as (ours, ports):
        store.consistency_check(ours, _paths(stagingDirs), ports=ports)


def _paths(staging_dirs: Mapping[str, str]) -> dict[Path, str]:
    return {Path(directory): day for directory, day in staging_dirs.items()}
