"""The store action under its documented names, on any object of Cedar's shape.

Translate, wire, call `cedarchest.actions.store`: nothing is decided here but which one day
`executeStore` means. Errors are kinds of ValueError (what is asked for, what differs) and of OSError
(files, tools, media), as documented; an interrupted run is a KeyboardInterrupt.
"""

from __future__ import annotations

import contextlib
import logging
import os
import weakref
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

from cedarchest.actions import store, writers
from cedarchest.actions.loading import find_current
from cedarchest.adapters.locks import HeldLocks
from cedarchest.config.model import Config
from cedarchest.errors import ConfigError, Interrupted, MediaError
from cedarchest.model.days import format_day, parse_day
from cedarchest.model.media import BLOCK
from cedarchest.ports import Ports, Writer
from cedarchest.wiring import wired
from cedarchest_cedar.translate import blank_factor, flag, path_text, section, translate

_lent: weakref.WeakKeyDictionary[Writer, HeldLocks] = weakref.WeakKeyDictionary()
"""Writers that callers hold, each with the lock of its device."""


class NothingToStore(MediaError):
    """No staged day waits to be stored (an OSError)."""


class LoggingReporter:
    """Tells how far a run is in a log."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def phase(self, name: str, total: int, unit: str = "B") -> None:
        """A phase begins."""
        self._logger.info("%s (%d %s)", name, total, unit)

    def advance(self, done: int) -> None:
        """Not for a log."""

    def warn(self, message: str) -> None:
        """Something to know."""
        self._logger.warning("%s", message)

    def note(self, message: str) -> None:
        """A fact worth a line."""
        self._logger.info("%s", message)

    def still(self) -> contextlib.AbstractContextManager[None]:
        """Nothing moves in a log."""
        return contextlib.nullcontext()


class StoreAction:
    """The documented functions, which log where the names of one package do."""

    def __init__(self, logger: logging.Logger) -> None:
        self.logger = logger

    def executeStore(self, configPath: str | Path | None, options: object, config: object) -> None:
        """Store one day: today's, else yesterday's, else tomorrow's, whichever is staged and not stored.

        With `options.full` it is today's, stored or not, and on a new disc. The disc is always
        checked, and the day is marked only then.

        Args:
            configPath: where the configuration came from, for the log.
            options: what was asked for on the command line; `full` is looked at.
            config: the configuration.

        Raises:
            ValueError: the configuration is of no use, or what is on the disc differs.
            IOError: nothing waits to be stored, or files, tool or medium failed.
        """
        full = bool(getattr(options, "full", False))
        path = None if configPath is None else Path(path_text(configPath, "configPath"))
        with self._opened(config) as (ours, ports):
            if not flag(section(config, "store"), "store.checkData"):
                self.logger.warning(
                    "checkData is off; the disc is checked all the same, or the day would not count"
                )
            section(config, "stage")
            day = self._one_day(ours, ports, full=full)
            report = store.execute_store(path, store.StoreOptions((day,), full=full), ours, ports=ports)
        for entry in report.left_out:
            self.logger.warning("no disc can hold %s", entry)
        for problem in report.problems:
            raise problem

    def createWriter(self, config: object) -> Writer:
        """A writer for the configured device, which is refused while it is mounted.

        The device is locked against other runs as long as the writer is held, or until the next of
        these functions is called: that one takes the device over.

        Raises:
            ValueError: the device type is not known, or another run uses the device.
            IOError: the device is not there, mounted, or not ours to use.
        """
        with self._opened(config, read_only=True) as (ours, ports):
            writer = writers.create_writer(ours, ports=ports)
            locks = ports.locks
            assert isinstance(locks, HeldLocks)
            kept = [os.dup(descriptor) for descriptor in locks.descriptors()]
        # A copied descriptor keeps the lock while catalog and signal handlers are given back at once.
        for descriptor in kept:
            locks.keep(Path(writer.device), descriptor)
        _lent[writer] = locks
        weakref.finalize(writer, locks.release)
        return writer

    def writeImage(self, config: object, newDisc: bool, stagingDirs: Mapping[str, str]) -> None:
        """Write staging directories to the disc, each at the root by its date. Proves nothing yet.

        Args:
            config: the configuration.
            newDisc: whether a new disc is begun.
            stagingDirs: for each directory its date as YYYY/MM/DD.

        Raises:
            ValueError: the arguments are of no use, or what is staged changed meanwhile.
            IOError: it could not be written to disc.
        """
        directories = _directories(stagingDirs)
        with self._locked(config) as (ours, ports):
            # A session that is not proven yet would not be in the tree that the next one builds on.
            store.settle_earlier(ours, store.StoreOptions(full=bool(newDisc)), ports)
            store.write_image(ours, bool(newDisc), directories, ports=ports)

    def writeImageBlankSafe(
        self,
        config: object,
        rebuildMedia: bool,
        todayIsStart: bool,
        blankBehavior: object,
        stagingDirs: Mapping[str, str],
    ) -> None:
        """Write staging directories to the disc, or to a new one where that is wanted. Proves nothing yet.

        A new one is begun for a rebuild, and else on the first day of the week; or, with a blanking
        behaviour, on the days that it says and only where too little room is left.

        Args:
            config: the configuration.
            rebuildMedia: whether a new disc is begun in any case.
            todayIsStart: whether today is the first day of the week.
            blankBehavior: an object with `blankMode` and `blankFactor`, or None.
            stagingDirs: for each directory its date as YYYY/MM/DD.

        Raises:
            ValueError: the arguments are of no use, or what is staged changed meanwhile.
            IOError: it could not be written to disc.
        """
        is_new = bool(rebuildMedia)
        if not is_new and blankBehavior is None:
            is_new = bool(todayIsStart)
        elif not is_new and (todayIsStart or getattr(blankBehavior, "blankMode", None) == "daily"):
            is_new = self._has_little_room(config, blank_factor(blankBehavior), _directories(stagingDirs))
        self.writeImage(config, is_new, stagingDirs)

    def _has_little_room(self, config: object, factor: float, directories: Mapping[Path, str]) -> bool:
        """Whether what is left on the disc is, for what is to be written, no more than a factor."""
        with self._locked(config) as (ours, ports):
            days = [ports.staging.index(path, day) for path, day in directories.items()]
            required = sum(day.data_bytes for day in days)
            writer = writers.create_writer(ours, ports=ports)
            try:
                current = find_current(ours, writer, ports)
            finally:
                writer.close()
        return current is None or current.room.free * BLOCK / (1 + required) <= factor

    def writeStoreIndicator(self, config: object, stagingDirs: Mapping[str, str]) -> None:
        """Mark staging directories stored, each only where it is proven that it is.

        Raises:
            ValueError: a directory is not proven to be on disc; it is not marked.
            IOError: the indicator could not be written.
        """
        directories = _directories(stagingDirs)
        with self._locked(config) as (ours, ports):
            store.write_store_indicator(ours, directories, ports=ports)

    def consistencyCheck(self, config: object, stagingDirs: Mapping[str, str]) -> None:
        """Compare the disc itself with the staging directories; without an exception they are equal.

        Raises:
            ValueError: they differ.
            IOError: the medium could not be read.
        """
        directories = _directories(stagingDirs)
        with self._locked(config) as (ours, ports):
            store.consistency_check(ours, directories, ports=ports)
        self.logger.info("the check of %s found no problems", ", ".join(sorted(directories.values())))

    @contextlib.contextmanager
    def _opened(self, config: object, *, read_only: bool = False) -> Iterator[tuple[Config, Ports]]:
        ours = translate(config, self.logger)
        _take_back_lent()
        try:
            with wired(ours, LoggingReporter(self.logger), read_only=read_only) as ports:
                yield ours, ports
        except Interrupted as error:
            raise KeyboardInterrupt(error.message) from error

    @contextlib.contextmanager
    def _locked(self, config: object) -> Iterator[tuple[Config, Ports]]:
        with self._opened(config) as (ours, ports), ports.locks.hold(ours.options.state_dir):
            yield ours, ports

    def _one_day(self, config: Config, ports: Ports, *, full: bool) -> str:
        today = ports.clock.now().date()
        staged = {day.day: day for day in ports.staging.days(config.require_stage().dir) if day.staged}
        for offset in (0,) if full else (0, -1, 1):
            day = format_day(today + timedelta(days=offset))
            if day not in staged or (staged[day].marked_stored and not full):
                continue
            if offset and config.require_store().warn_midnight:
                self.logger.warning("%s is stored on %s, across midnight", day, format_day(today))
            return day
        raise NothingToStore(
            f"no staged day waits below {config.require_stage().dir}: {format_day(today)} was looked for"
            + ("" if full else ", the day before it and the day after it"),
            advice="Stage a day first; it is staged when it holds cback.stage.",
        )


def _take_back_lent() -> None:
    """A writer that is still held somewhere in this process does not hold up the next call."""
    for writer, locks in list(_lent.items()):
        writer.close()
        locks.release()
    _lent.clear()


def _directories(staging_dirs: object) -> dict[Path, str]:
    """Staging directories with their days.

    Raises:
        ConfigError: it is no mapping, names nothing, or one of its members makes no sense.
    """
    if not isinstance(staging_dirs, Mapping) or not staging_dirs:
        raise ConfigError("stagingDirs names no directory; a dictionary of directories with their dates")
    directories: dict[Path, str] = {}
    for directory, suffix in staging_dirs.items():
        path = Path(path_text(directory, "a key of stagingDirs"))
        if not path.is_absolute():
            raise ConfigError(f"the staging directory {str(path)!r} is no absolute path")
        day = _day(suffix, path)
        if day in directories.values():
            raise ConfigError(f"stagingDirs has a second directory for {day}: {path}; a day has one")
        directories[path] = day
    return directories


def _day(suffix: object, directory: Path) -> str:
    with contextlib.suppress(ValueError):
        if isinstance(suffix, str) and format_day(parse_day(suffix.strip("/"))) == suffix.strip("/"):
            return suffix.strip("/")
    raise ConfigError(f"the date of {str(directory)!r} is {suffix!r}; a date is written YYYY/MM/DD")
