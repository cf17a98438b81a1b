"""One run of the program as the terminal, or whoever called it, sees it: streams, log, the last words."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from cedarchest.adapters.journald import JournalFormatter, is_journal, prioritized
from cedarchest.adapters.log_file import open_log
from cedarchest.errors import ExitCode, LoggingFailed
from cedarchest.report.outcome import Result
from cedarchest.report.progress import ProgressReporter

if TYPE_CHECKING:
    from cedarchest.config.cedar.draft import Secret


@dataclass(slots=True)
class Invocation:
    """What was said before any action: config file, output, how much to tell; and what came of it."""

    config_path: Path | None = None
    json: bool = False
    verbosity: int = 0
    action: str = ""
    reporter: ProgressReporter = field(default_factory=ProgressReporter)
    result: Result | None = None
    secrets: Sequence[Secret] = ()


def prepare_streams() -> None:
    """Standard streams that are open and take every character.

    One that is closed would give its number to the next file that is opened.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def conclude(invocation: Invocation, result: Result) -> int:
    """Say what came of it, on the channel that was asked for."""
    invocation.reporter.finish()
    told = _tell(invocation, result)
    for problem in result.problems:
        _complain(f"cedarchest: {problem.message}")
        if problem.advice:
            _complain(f"  {problem.advice}")
    return result.exit_code or (ExitCode.OK if told else ExitCode.FAILED)


def in_journal() -> bool:
    """Whether standard error goes to systemd's journal."""
    try:
        return is_journal(sys.stderr.fileno())
    except (OSError, ValueError):  # it is closed, or no file
        return False


def _complain(text: str) -> None:
    """Say on standard error what is wrong."""
    sys.stderr.write(f"{prioritized(logging.ERROR, text) if in_journal() else text}\n")


def log_to_stderr(level: int) -> None:
    """Have what is logged from a level on said on standard error; the journal gets it with its priority."""
    handler = logging.StreamHandler(sys.stderr)
    plain = logging.Formatter("%(levelname)s %(message)s")
    handler.setFormatter(JournalFormatter("%(message)s") if in_journal() else plain)
    logging.basicConfig(level=level, handlers=[handler], force=True)


def _tell(invocation: Invocation, result: Result) -> bool:
    """Write the result on standard output; whether it got there."""
    try:
        _write(invocation, result)
        sys.stdout.flush()
    except OSError as error:
        could_not_tell(error)
        return False
    return True


def could_not_tell(error: OSError) -> int:
    """Say, where that is still of use, that standard output cannot be written."""
    if not isinstance(error, BrokenPipeError):
        _complain(f"cedarchest: standard output cannot be written: {error.strerror}")
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:  # what is left goes there at the end
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
    return ExitCode.FAILED


def _write(invocation: Invocation, result: Result) -> None:
    if invocation.json:
        json.dump(result.as_json(invocation.reporter.warnings), sys.stdout, ensure_ascii=True, indent=1)
        sys.stdout.write("\n")
    elif invocation.verbosity >= 0:
        for line in result.text:
            sys.stdout.write(f"{line}\n")


class _LogFile(logging.StreamHandler[TextIO]):
    """Adds to the log; that it cannot, on a full disk say, is warned of once, and the run goes on."""

    def __init__(self, stream: TextIO, path: Path, warn: Callable[[str], None]) -> None:
        super().__init__(stream)
        self._path, self._warn = path, warn
        self._is_told = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - as logging calls it
        """What a record could not be written for."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
        elif not self._is_told:
            self._is_told = True
            self._warn(
                f"the log {self._path} cannot be written: {error.strerror}; lines of this run are missing"
            )


def log_to(path: Path, action: str, warn: Callable[[str], None], *, largest: int, keep: int) -> str:
    """Have all that is logged written to a file as well; gives what kept the file from being turned.

    What keeps a line from being written later is told to `warn`, once.

    Raises:
        LoggingFailed: it cannot be opened.
    """
    try:
        stream, problem = open_log(path, largest=largest, keep=keep)
    except OSError as error:
        raise LoggingFailed(f"the log {path} cannot be written: {error.strerror}") from error
    handler = _LogFile(stream, path, warn)
    handler.setFormatter(logging.Formatter(f"%(asctime)s %(levelname)s {action}[%(process)d] %(message)s"))
    handler.setLevel(logging.INFO)
    logging.getLogger().addHandler(handler)
    if logging.getLogger().level > logging.INFO:
        for each in logging.getLogger().handlers[:-1]:
            each.setLevel(logging.getLogger().level)
        logging.getLogger().setLevel(logging.INFO)
    return problem
