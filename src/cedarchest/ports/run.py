"""What every run has: clock, reporter, locks, interrupts, programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol


class Clock(Protocol):
    """The one source of the wall clock."""

    def now(self) -> datetime:
        """The time now, with the local offset."""
        ...

    def local(self, wall: datetime) -> datetime:
        """The instant of a wall time here, given without offset; `fold` as in PEP 495."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary point, for rates and limits."""
        ...


class Reporter(Protocol):
    """Tells a person how far a run is; never raises."""

    def phase(self, name: str, total: int, unit: str = "B") -> None:
        """A phase begins; `total` units of work are ahead, 0 when that is unknown."""
        ...

    def advance(self, done: int) -> None:
        """So many units of the phase are done, counted from its beginning."""
        ...

    def warn(self, message: str) -> None:
        """Something that needs no hand now, said once at the end as well."""
        ...

    def note(self, message: str) -> None:
        """A fact worth a line."""
        ...

    def still(self) -> AbstractContextManager[None]:
        """Have nothing move on the terminal, where something is asked meanwhile."""
        ...


class Person(Protocol):
    """Whoever sits at the terminal, if anybody does."""

    def is_there(self) -> bool:
        """Whether there is somebody to ask."""
        ...

    def changes_disc(self, problem: str, advice: str) -> bool:
        """Ask for another disc, and wait; False when there will be none."""
        ...


class Locks(Protocol):
    """One run at a time for a state folder and for a device."""

    def hold(self, state_dir: Path) -> AbstractContextManager[None]:
        """Hold the lock of a state folder; a writer we started that outlived us is waited for.

        Raises:
            LockedError: another run holds it; says which.
        """
        ...


class Interrupts(Protocol):
    """Whether the operator asked the run to end. A signal reaches the main thread only."""

    def shielded(self) -> AbstractContextManager[None]:
        """Within it a first interrupt only asks: the burner ends cleanly."""
        ...

    def check(self) -> None:
        """Raise when the run was asked to end.

        Raises:
            Interrupted: it was.
        """
        ...

    def pass_on(self) -> None:
        """Raise where a signal did not, since it came to another thread; whoever takes long asks.

        Raises:
            Interrupted: the run was interrupted, and this thread is not shielded or it was asked for long.
        """
        ...


class Tools(Protocol):
    """The programs we need."""

    def xorriso_version(self) -> str:
        """Its version, after it was found to be there and new enough.

        Raises:
            ToolMissing, ToolTooOld, UnexpectedOutput: each what it says.
        """
        ...

    def version(self, name: str) -> str:
        """That of another program that we run: `rsync`, `ssh`, `tar`, or a compressor; raises the same."""
        ...


class Hooks(Protocol):
    """Programs of the administrator."""

    def run(self, argv: Sequence[str], variables: Mapping[str, str]) -> None:
        """Run one to its end, with these environment variables besides our own.

        Raises:
            HookFailed: it cannot be run, or ended with another status than 0.
        """
        ...


Address = str | Path
"""Where something is sent: an address, or the file that it stands in. It may hold a token."""


@dataclass(frozen=True, slots=True)
class News:
    """What is told of a run; `outcome` is one of the texts of the JSON output."""

    title: str
    body: str
    outcome: str


class Messenger(Protocol):
    """Tells of a run outside this machine. No error of it shows any of an address."""

    def check_notify(self, address: Address) -> str:
        """See that news can be sent there, and send nothing; gives the kind of the service.

        Raises:
            ConfigError: there is no address, or one that is not understood.
        """
        ...

    def check_ping(self, address: Address) -> str:
        """See that it is an address to ping, and send nothing; gives its scheme.

        Raises:
            ConfigError: there is no address, or one that is not understood.
        """
        ...

    def notify(self, address: Address, news: News, timeout_s: float) -> None:
        """Send news; ends in that time.

        Raises:
            ConfigError: there is no address, or one that is not understood.
            NewsFailed: it did not get there, or nothing was heard of it in time.
        """
        ...

    def ping(self, address: Address, part: str, body: str, timeout_s: float) -> None:
        """Ask for an address: with GET, with a body by POST; a few tries, each of that time at most.

        `part` is added to the path when it begins with `/`, takes the place of the query when it begins with
        `?`, and of the whole address when it is one.

        Raises:
            ConfigError: there is no address, or one that is not understood.
            NewsFailed: there was no answer, or none that means success.
        """
        ...
