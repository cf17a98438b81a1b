"""The whole tree of errors, sorted by what the operator does next.

Rules for raising: one class for each thing to do next; the message names the thing
(path, device, label), `advice` says what to do; fields are named and end up in the JSON
output. Raise or log, never both. Only `cli` turns an error into an exit code. Every class
also derives from the built-in that the documentation of the store action names: what is
wrong with configuration, staging, locks or a comparison is a `ValueError`; what is wrong
with medium, tool, peer or catalog is an `OSError`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from cedarchest.model.findings import Finding


class ExitCode:
    """What a run's exit status says; scripts rely on these numbers."""

    OK = 0
    USAGE = 2
    LOGGING = 3
    CONFIG = 4
    INTERRUPTED = 5
    FAILED = 6
    DIFFERENT = 7
    MEDIUM = 8
    TOOL = 9
    LOCKED = 10
    PARTIAL = 11

    WORST_FIRST = (INTERRUPTED, DIFFERENT, MEDIUM, TOOL, FAILED, PARTIAL)


class CedarchestError(Exception):
    """Root of the tree: a message, what to do about it, the exit code, and named fields."""

    exit_code: int = ExitCode.FAILED
    advice: str = ""

    def __init__(self, message: str, *, advice: str = "", **fields: object) -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice or type(self).advice
        self.fields = fields

    def __str__(self) -> str:
        return self.message

    def told_of(self, what: str) -> Self:
        """Name what it befell, where its message does not."""
        if what not in self.message:
            self.message = f"{what}: {self.message}"
        return self

    @property
    def kind(self) -> str:
        """The name scripts see in the JSON output."""
        return type(self).__name__


class ConfigError(CedarchestError, ValueError):
    """The configuration is absent, unreadable or wrong; `problems` has a line for each place."""

    exit_code = ExitCode.CONFIG
    advice = "Correct the configuration file and run `cedarchest validate`."

    def __init__(
        self, message: str, *, problems: Iterable[str] = (), advice: str = "", **fields: object
    ) -> None:
        self.problems = tuple(problems)
        super().__init__(message, advice=advice, problems=list(self.problems), **fields)


class LoggingFailed(CedarchestError):
    """The log file cannot be written."""

    exit_code = ExitCode.LOGGING
    advice = "Correct [options] log_file or the file's permissions."


class StagingError(CedarchestError, ValueError):
    """The staging folder or a staged day is not what it should be."""


class LockedError(CedarchestError, ValueError):
    """Another run is at work."""

    exit_code = ExitCode.LOCKED
    advice = "Wait for the other run to end; nothing was changed by this one."


class VerifyError(CedarchestError, ValueError):
    """Disc and data differ; `findings` says where."""

    exit_code = ExitCode.DIFFERENT

    def __init__(
        self, message: str, *, findings: Iterable[Finding] = (), advice: str = "", **fields: object
    ) -> None:
        self.findings = tuple(findings)
        super().__init__(message, advice=advice, **fields)


class Interrupted(CedarchestError):
    """The operator asked the run to end."""

    exit_code = ExitCode.INTERRUPTED
    advice = "Run the same command again: it goes on where this one stopped."


class MediaError(CedarchestError, OSError):
    """Something about the disc in the drive has to be changed by a hand."""

    exit_code = ExitCode.MEDIUM


class NoMedium(MediaError):
    """There is no disc in the drive."""

    advice = "Insert a disc and run the command again."


class ForeignDisc(MediaError):
    """The disc holds data that are not ours."""

    advice = "Insert a blank disc or one of ours; `cedarchest initialize --help` says how to give a disc up."


class NotAppendable(MediaError):
    """The disc takes no further session, or not the one asked for."""


class MediumFull(MediaError):
    """What should be written does not fit on the disc."""


class WrongDisc(MediaError):
    """The disc is one of ours, but not the one that is needed."""


class DamagedDisc(MediaError):
    """The disc cannot be read or its image is shorter than its sessions."""


class DeviceMounted(MediaError):
    """The device is mounted; a burn would meet the kernel's idea of the disc."""

    advice = "Unmount it and run the command again."


class ToolError(CedarchestError, OSError):
    """A tool or a drive did not do its work."""

    exit_code = ExitCode.TOOL


class ToolMissing(ToolError):
    """A program that is needed is not installed."""


class ToolTooOld(ToolError):
    """A program is older than what is needed."""


class ToolFailed(ToolError):
    """A program reported a failure."""


class ToolTimeout(ToolError):
    """A program did not end in the time it was given."""


class UnexpectedOutput(ToolError):
    """A program said something that we do not understand; its state is unknown, so nothing is assumed."""


class DriveMissing(ToolError):
    """The configured device is not there."""


class DriveForbidden(ToolError):
    """We may not use the configured device."""


class CatalogError(CedarchestError, OSError):
    """The catalog cannot be read or written."""


class PeerError(CedarchestError, OSError):
    """A peer is not there or not ready."""


class CollectError(CedarchestError, OSError):
    """What is to be collected cannot be read, or the collect dir cannot be used."""


class RestoreError(CedarchestError, OSError):
    """What is to be restored cannot be had, or not be written where it belongs."""


class HookFailed(CedarchestError, OSError):
    """A program that the configuration wants to be run before or after an action failed."""

    advice = "Correct the program, or take the hook out of the configuration; then run the command again."


class ExtensionFailed(CedarchestError, OSError):
    """An extension cannot be loaded, or failed."""

    advice = "Correct what it says, or take its table out of the configuration; then run the command again."


class ScheduleError(CedarchestError, OSError):
    """Runs cannot be scheduled: what starts them may not be told of them."""


class NewsFailed(CedarchestError, OSError):
    """News of a run, or a ping, could not be sent."""

    advice = "See that the service is there and takes the address; the run itself is not concerned."


class DiskFull(CedarchestError, OSError):
    """A file system of this machine is full."""

    advice = "Make room on it and run the command again."


class UnexpectedFailure(CedarchestError):
    """A fault of this program, or of the machine, that it has no words for."""

    advice = (
        "Nothing is marked stored that is not proven. Run the command again with -vv, which shows where it"
        " happened, and report that."
    )


def unexpected(error: Exception, of: str = "") -> CedarchestError:
    """What an exception that is none of ours comes to, in words that begin with what it is `of`.

    An interruption may come wherever the program is, and there are places where Python is not prepared for
    one, such as the start of a thread: whatever it makes of that is an interruption as well.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, Interrupted):
            return cause
        cause = cause.__context__
    return UnexpectedFailure(f"{of}{type(error).__name__}: {error}")


def worst(codes: Iterable[int]) -> int:
    """The exit code that stands for several: the worst of them, 0 for none."""
    present = set(codes) - {ExitCode.OK}
    ranked = [code for code in ExitCode.WORST_FIRST if code in present]
    others = sorted(present - set(ExitCode.WORST_FIRST))
    return (others + ranked + [ExitCode.OK])[0]
