"""Standard error as systemd's journal reads it: each line with its priority in front.

Source: systemd.exec(5), `$JOURNAL_STREAM`; sd-daemon(3), `SD_ERR` and the others.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping

VARIABLE = "JOURNAL_STREAM"

_PRIORITIES = ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
_DEBUG = 7


def is_journal(descriptor: int, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether what is written to a descriptor goes to the journal."""
    named = environ.get(VARIABLE, "")
    if not named:
        return False
    try:
        status = os.fstat(descriptor)
    except OSError:
        return False
    return named == f"{status.st_dev}:{status.st_ino}"


def prioritized(level: int, text: str) -> str:
    """A text of one or more lines, each with the priority of a level of `logging`."""
    priority = next((number for least, number in _PRIORITIES if level >= least), _DEBUG)
    return "\n".join(f"<{priority}>{line}" for line in text.split("\n"))


class JournalFormatter(logging.Formatter):
    """Log lines for the journal, which knows the time and the process itself."""

    def format(self, record: logging.LogRecord) -> str:
        """The message, each line of it with its priority."""
        return prioritized(record.levelno, super().format(record))
