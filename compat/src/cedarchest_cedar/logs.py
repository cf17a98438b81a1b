"""The log and the screen of a command, as Cedar Backup has them: everything there, errors here."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from cedarchest.errors import LoggingFailed
from cedarchest_cedar.options import Options

LOGGED = ("cedarchest", "cedarchest_cedar", "CedarBackup2.log", "CedarBackup3.log")
SAID = ("cedarchest.adapters.process", "CedarBackup2.output", "CedarBackup3.output")
"""Who logs what programs say."""

LINE = "%(asctime)s --> [%(levelname)-7s] %(message)s"
DATE = "%Y-%m-%dT%H:%M:%S %Z"
OWNER = ("root", "adm")
MODE = 0o640


@contextlib.contextmanager
def logging_as(options: Options, logfile: Path) -> Iterator[None]:
    """Have what is logged in the log, and on the screen what belongs there.

    Raises:
        LoggingFailed: the log cannot be written.
    """
    stream = _opened(options, logfile)
    to_log = logging.StreamHandler(stream)
    to_log.setLevel(logging.DEBUG if options.debug else logging.INFO)
    to_log.setFormatter(logging.Formatter(LINE, DATE))
    to_screen = logging.StreamHandler(sys.stdout)
    to_screen.setLevel(_screen_level(options))
    handlers = (to_log, to_screen)
    if options.output and not options.debug:
        to_log.setLevel(logging.DEBUG)
        to_log.addFilter(lambda record: record.levelno > logging.DEBUG or record.name in SAID)
    with stream, contextlib.ExitStack() as attached:
        for name in LOGGED:
            level = logging.DEBUG if options.debug else logging.INFO
            attached.enter_context(_attached(name, level, handlers))
        for name in SAID:
            level = logging.DEBUG if options.output or options.debug else logging.INFO
            attached.enter_context(_attached(name, level, handlers))
        yield


def _screen_level(options: Options) -> int:
    if options.quiet:
        return logging.CRITICAL + 1
    if options.verbose:
        return logging.DEBUG if options.debug else logging.INFO
    return logging.ERROR


@contextlib.contextmanager
def _attached(name: str, level: int, handlers: tuple[logging.Handler, ...]) -> Iterator[None]:
    """Have a logger log here alone, and afterwards as before."""
    logger = logging.getLogger(name)
    before = logger.level, logger.propagate
    logger.setLevel(level)
    logger.propagate = False
    for handler in handlers:
        logger.addHandler(handler)
    try:
        yield
    finally:
        for handler in handlers:
            logger.removeHandler(handler)
        level, logger.propagate = before
        logger.setLevel(level)


def _opened(options: Options, path: Path) -> TextIO:
    try:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        except FileNotFoundError:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            _give(descriptor, options)
        return os.fdopen(descriptor, "a", encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise LoggingFailed(
            f"the log {path} cannot be written: {error.strerror}",
            advice="Name another one with --logfile, or make its folder.",
        ) from error


def _give(descriptor: int, options: Options) -> None:
    """Owner and mode of a new log; an owner that is not there, or may not be chosen, stays who made it."""
    from cedarchest_cedar.util import getUidGid

    os.fchmod(descriptor, MODE if options.mode is None else options.mode)
    if os.geteuid() == 0:
        with contextlib.suppress(ValueError):
            os.fchown(descriptor, *getUidGid(*(options.owner or OWNER)))
