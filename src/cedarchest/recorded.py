"""A run as others hear of it: its lines in the journal of runs, pings, and news."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from cedarchest.errors import CedarchestError, ConfigError, Interrupted, NewsFailed, unexpected
from cedarchest.report.outcome import Result, failed

if TYPE_CHECKING:
    from cedarchest.config.model import Config
    from cedarchest.config.news import Ping
    from cedarchest.ports import Reporter
    from cedarchest.report.progress import ProgressReporter


def journalled(action: str, config: Config, reporter: ProgressReporter, work: Callable[[], Result]) -> Result:
    """A run with its lines in the journal, told to whom the configuration names.

    A journal that cannot be written is a warning, and so is whoever could not be told.

    Raises:
        CedarchestError: what `work` raises; it is recorded as the end of the run.
    """
    from cedarchest.model.schedule import written
    from cedarchest.report.news import summary
    from cedarchest.wiring import journal_of

    journal, clock = journal_of(config)
    run = ""
    try:
        run = journal.began(action, clock.now(), written(config.schedule.at) if config.schedule else ())
    except CedarchestError as error:
        reporter.warn(f"this run is not recorded: {error.message}")
    result = failed(action, Interrupted("the run was interrupted"))
    try:
        _ping_start(action, config, reporter)
        result = work()
    except CedarchestError as error:
        result = failed(action, error)
        raise
    except Exception as error:
        result = failed(action, unexpected(error))
        raise
    finally:
        if run:
            try:
                journal.ended(run, clock.now(), result.told_outcome, result.exit_code, summary(result))
            except CedarchestError as error:
                reporter.warn(f"the end of this run is not recorded: {error.message}")
        _tell(action, result, config, reporter)
    return result


def _ping_start(action: str, config: Config, reporter: Reporter) -> None:
    """Have those who watch for a run know that it begins.

    Raises:
        Interrupted: the run is not to begin.
    """
    from cedarchest.wiring import messenger

    watching = {place: each for place, each in _watching(action, config).items() if each.start}
    if not watching:
        return
    with messenger() as sender:
        for place, each in watching.items():
            with _warned(place, reporter):
                sender.ping(each.address, each.start, "", each.timeout.total_seconds())


def _tell(action: str, result: Result, config: Config, reporter: ProgressReporter) -> None:
    """Tell those who are to hear of it what came of a run; nothing of that changes what came of it."""
    from cedarchest.report.news import news, summary
    from cedarchest.wiring import messenger

    outcome = result.told_outcome.value
    hearing = {
        f"notify[{number}]": each
        for number, each in enumerate(config.notify)
        if each.hears_of(action) and outcome in each.on
    }
    watching = {
        place: each
        for place, each in _watching(action, config).items()
        if each.failure or not result.exit_code
    }
    if not hearing and not watching:
        return
    told = news(result, os.uname().nodename, reporter.warnings)
    try:
        with messenger() as sender:
            for place, ping in watching.items():
                part, body = (ping.failure, summary(result) or outcome) if result.exit_code else ("", "")
                with _warned(place, reporter):
                    sender.ping(ping.address, part, body, ping.timeout.total_seconds())
            for place, notify in hearing.items():
                with _warned(place, reporter):
                    sender.notify(notify.address, told, notify.timeout.total_seconds())
    except Interrupted:
        reporter.warn("this was interrupted while it told what came of the run: not all may have been told")


def _watching(action: str, config: Config) -> dict[str, Ping]:
    """The pings for an action by their places in the configuration."""
    return {f"ping[{number}]": each for number, each in enumerate(config.ping) if action in each.action}


@contextlib.contextmanager
def _warned(place: str, reporter: Reporter) -> Iterator[None]:
    """Let somebody who could not be told be no more than a warning."""
    try:
        yield
    except (ConfigError, NewsFailed) as error:
        reporter.warn(f"{place} was not told: {error.message}")
