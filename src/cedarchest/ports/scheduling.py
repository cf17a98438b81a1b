"""What runs leave behind and what starts them: the journal of runs, and systemd or cron."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from cedarchest.model.schedule import RunRecord


class RunJournal(Protocol):
    """Which runs there were and what came of them; a bounded number is kept."""

    def began(self, action: str, at: datetime, schedule: Sequence[str]) -> str:
        """Record that a run begins, under a schedule of times of day; gives its name for `ended`.

        Raises:
            StagingError, DiskFull: it cannot be written.
        """
        ...

    def ended(self, run: str, at: datetime, outcome: str, exit_code: int, summary: str) -> None:
        """Record what came of a run.

        Raises:
            StagingError, DiskFull: it cannot be written.
        """
        ...

    def runs(self) -> tuple[RunRecord, ...]:
        """All runs that are kept, in the order in which they began.

        Raises:
            StagingError: it cannot be read.
        """
        ...


class Scope(StrEnum):
    """For whom runs are scheduled: one user, or the whole machine as root."""

    USER = "user"
    SYSTEM = "system"


class Scheduler(Protocol):
    """What starts programs by the clock on this machine. Only what bears our mark is replaced or removed."""

    def program(self) -> tuple[str, ...]:
        """The words that start this program from anywhere, the first an absolute path."""
        ...

    def has_systemd(self) -> bool:
        """Whether systemd runs this machine."""
        ...

    def allow(self, scope: Scope) -> None:
        """See that we may schedule for a scope.

        Raises:
            ScheduleError: we may not.
        """
        ...

    def put_units(self, scope: Scope, units: Mapping[str, str], timer: str) -> tuple[str, ...]:
        """Write unit files by name and have the timer run; gives their paths. Units of ours are replaced.

        Raises:
            ScheduleError: a file is not ours, or cannot be written.
            ToolError: systemctl failed.
        """
        ...

    def drop_units(self, scope: Scope, names: Sequence[str], timer: str) -> tuple[str, ...]:
        """Stop the timer and remove the files; gives the paths of those that were there.

        Raises:
            ScheduleError: a file is not ours, or cannot be removed.
            ToolError: systemctl failed.
        """
        ...

    def put_cron(self, name: str, content: str) -> str:
        """Write a file for the cron of the machine; gives its path.

        Raises:
            ScheduleError: there is one that is not ours, or it cannot be written.
        """
        ...

    def drop_cron(self, name: str) -> str:
        """Remove that file; gives its path, or nothing when there was none.

        Raises:
            ScheduleError: it is not ours, or cannot be removed.
        """
        ...

    def put_crontab(self, lines: Sequence[str]) -> None:
        """Have the user's crontab hold these lines of ours and no others of ours; all else stays.

        Raises:
            ScheduleError: it cannot be read or written.
            ToolError: the program `crontab` is missing or failed.
        """
        ...

    def drop_crontab(self) -> bool:
        """Take our lines out of the user's crontab; whether there were any. Without `crontab` there are none.

        Raises:
            ScheduleError: it cannot be read or written.
            ToolError: the program `crontab` failed.
        """
        ...
