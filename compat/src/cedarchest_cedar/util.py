"""The names of Cedar Backup's `util` that extensions use."""

from __future__ import annotations

import grp
import importlib
import logging
import os
import pwd
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import IO, Any, TypeVar

from cedarchest import __version__
from cedarchest.adapters.clock import SystemClock
from cedarchest.config.cedar.commands import words_of
from cedarchest.config.wording import shown
from cedarchest_cedar.quantities import (
    SIZES,
    UNIT_BYTES,
    UNIT_GBYTES,
    UNIT_KBYTES,
    UNIT_MBYTES,
    UNIT_SECTORS,
)

__all__ = [
    "BYTES_PER_GBYTE",
    "BYTES_PER_KBYTE",
    "BYTES_PER_MBYTE",
    "BYTES_PER_SECTOR",
    "HOURS_PER_DAY",
    "ISO_SECTOR_SIZE",
    "KBYTES_PER_MBYTE",
    "MBYTES_PER_GBYTE",
    "MINUTES_PER_HOUR",
    "SECONDS_PER_DAY",
    "SECONDS_PER_MINUTE",
    "UNIT_BYTES",
    "UNIT_GBYTES",
    "UNIT_KBYTES",
    "UNIT_MBYTES",
    "UNIT_SECTORS",
    "Diagnostics",
    "PathResolverSingleton",
    "buildNormalizedPath",
    "calculateFileAge",
    "changeOwnership",
    "checkUnique",
    "convertSize",
    "dereferenceLink",
    "deriveDayOfWeek",
    "deviceMounted",
    "displayBytes",
    "encodePath",
    "executeCommand",
    "getFunctionReference",
    "getUidGid",
    "isRunningAsRoot",
    "isStartOfWeek",
    "mount",
    "nullDevice",
    "parseCommaSeparatedString",
    "pathJoin",
    "removeKeys",
    "resolveCommand",
    "sanitizeEnvironment",
    "sortDict",
    "splitCommandLine",
    "unmount",
]

ISO_SECTOR_SIZE = BYTES_PER_SECTOR = 2048.0
BYTES_PER_KBYTE = KBYTES_PER_MBYTE = MBYTES_PER_GBYTE = 1024.0
BYTES_PER_MBYTE, BYTES_PER_GBYTE = 1024.0**2, 1024.0**3
SECONDS_PER_MINUTE = MINUTES_PER_HOUR = 60.0
HOURS_PER_DAY, SECONDS_PER_DAY = 24.0, 86_400.0

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
NOT_RUN = 256
"""The status of a program that cannot be started."""

Key = TypeVar("Key")
log = logging.getLogger(__name__)
output = logging.getLogger("CedarBackup3.output")


class PathResolverSingleton:
    """Programs that take the place of others, by name; the last that was made is the one for the process."""

    _instance: PathResolverSingleton | None = None

    def __init__(self) -> None:
        PathResolverSingleton._instance = self
        self._programs: Mapping[str, str] = {}

    @classmethod
    def getInstance(cls) -> PathResolverSingleton:
        """The one that there is."""
        return cls._instance or cls()

    def lookup(self, name: str, default: str | None = None) -> str | None:
        """What takes the place of a program, or else the default."""
        return self._programs.get(name, default)

    def fill(self, mapping: Mapping[str, str]) -> None:
        """Have these, and no others."""
        self._programs = dict(mapping)


class Diagnostics:
    """What this runs on."""

    version = __version__
    interpreter = f"Python {sys.version.split()[0]}"
    encoding = sys.getfilesystemencoding()

    @property
    def platform(self) -> str:
        """System and kernel."""
        system = os.uname()
        return f"{sys.platform} ({system.sysname} {system.release} {system.machine})"

    @property
    def locale(self) -> str:
        """Language of messages."""
        return os.environ.get("LC_ALL") or os.environ.get("LANG") or "C"

    @property
    def timestamp(self) -> str:
        """The time."""
        return f"{SystemClock().now():%Y-%m-%d %H:%M:%S %z}"

    def getValues(self) -> dict[str, str]:
        """All of it by name."""
        names = ("version", "interpreter", "platform", "encoding", "locale", "timestamp")
        return {name: str(getattr(self, name)) for name in names}

    def printDiagnostics(self, fd: IO[str] | None = None, prefix: str = "") -> None:
        """Write all of it, a line each."""
        self.logDiagnostics(lambda line: (fd or sys.stdout).write(f"{line}\n"), prefix)

    def logDiagnostics(self, method: Callable[[str], object], prefix: str = "") -> None:
        """Give a line for each to a function."""
        for name, value in sorted(self.getValues().items()):
            method(f"{prefix}{name}: {value}")


def executeCommand(
    command: Sequence[str],
    args: Sequence[str],
    returnOutput: bool = False,
    ignoreStderr: bool = False,
    doNotLog: bool = False,
    outputFile: IO[bytes] | None = None,
) -> tuple[int, list[str] | None]:
    """Run a program with a language of C; its status, and the lines that it said where they are wanted.

    What it says on standard error is among them, unless it is ignored, and goes to the log with `--output`.
    One that cannot be started has 256.
    """
    argv = [*resolveCommand(command), *args]
    lines: list[str] = []
    problem = ""
    try:
        with subprocess.Popen(
            argv,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if ignoreStderr else subprocess.STDOUT,
            env=_in_english(),
        ) as process:
            assert process.stdout is not None
            for raw in process.stdout:
                line = raw.decode(errors="replace")
                if outputFile is not None:
                    outputFile.write(raw)
                if returnOutput:
                    lines.append(line)
                if not doNotLog:
                    output.debug("%s", line.rstrip("\n"))
        status = process.returncode
    except OSError as error:
        problem, status = f"{shown(argv[0])} cannot be run: {error.strerror}", NOT_RUN
    if problem:
        log.error("%s", problem)
    if outputFile is not None and hasattr(outputFile, "flush"):
        outputFile.flush()
    return status, lines if returnOutput else None


def resolveCommand(command: Sequence[str]) -> list[str]:
    """A command with the program that takes the place of its own."""
    return [PathResolverSingleton.getInstance().lookup(command[0]) or command[0], *command[1:]]


def splitCommandLine(commandLine: str | None) -> list[str]:
    """The words of a command; double quotes keep blanks.

    Raises:
        ValueError: there is none.
    """
    if commandLine is None:
        raise ValueError("there is no command to cut into words")
    return words_of(commandLine)


def sanitizeEnvironment() -> MutableMapping[str, str]:
    """Have this process, and programs that it runs, speak English."""
    cleaned = _in_english()
    for name in os.environ.keys() - cleaned.keys():
        del os.environ[name]
    os.environ.update(cleaned)
    return os.environ


def _in_english() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LC_")}
    return {**kept, "LANG": "C"}


def getFunctionReference(module: str, function: str) -> Callable[..., Any]:
    """A function of a module.

    Raises:
        ImportError: the module is not there, or cannot be loaded.
        AttributeError: the function is not in it.
        ValueError: what has its name there is no function.
    """
    found: Callable[..., Any] = getattr(importlib.import_module(module), function)
    if not callable(found):
        raise ValueError(f"{module}.{function} is no function: it cannot be called")  # noqa: TRY004 - promised
    return found


def getUidGid(user: str, group: str) -> tuple[int, int]:
    """The numbers of a user and a group.

    Raises:
        ValueError: one is not there.
    """
    try:
        return pwd.getpwnam(user).pw_uid, grp.getgrnam(group).gr_gid
    except KeyError as error:
        raise ValueError(f"this machine does not have it: {error.args[0]}") from None


def changeOwnership(path: str, user: str | None, group: str | None) -> None:
    """Give a file away, where this runs as root and names of both are known; a failure is told in the log."""
    if user is None or group is None or not isRunningAsRoot():
        return
    try:
        os.chown(path, *getUidGid(user, group), follow_symlinks=False)
        problem = ""
    except (OSError, ValueError) as error:
        problem = f"{path} was not given to {user}:{group}: {error}"
    if problem:
        log.error("%s", problem)


def isRunningAsRoot() -> bool:
    """Whether this runs as root."""
    return os.geteuid() == 0


def convertSize(size: float | str | None, fromUnit: int, toUnit: int) -> float:
    """A size in another unit.

    Raises:
        ValueError: there is no size, or a unit is not known.
    """
    if size is None:
        raise ValueError("there is no size to convert")
    for unit in (fromUnit, toUnit):
        if unit not in SIZES:
            raise ValueError(f"{shown(unit)} is no unit of size")
    return float(size) * SIZES[fromUnit] / SIZES[toUnit]


def displayBytes(bytes: float | str | None, digits: int = 2) -> str:
    """A number of bytes for people, in the largest unit that leaves a whole one.

    Raises:
        ValueError: it is no number.
    """
    if bytes is None:
        raise ValueError("there is no number of bytes to show")
    bytes = float(bytes)
    for unit, name in ((UNIT_GBYTES, "GB"), (UNIT_MBYTES, "MB"), (UNIT_KBYTES, "kB")):
        if abs(bytes) >= SIZES[unit]:
            return f"{bytes / SIZES[unit]:.{digits}f} {name}"
    return f"{bytes:.0f} bytes"


def calculateFileAge(path: str) -> float:
    """Days since a file was last read or changed.

    Raises:
        OSError: it cannot be looked at.
    """
    status = os.stat(path)  # noqa: PTH116 - any kind of path
    return (time.time() - max(status.st_atime, status.st_mtime)) / SECONDS_PER_DAY


def dereferenceLink(path: str, absolute: bool = True) -> str:
    """What a link leads to, and anything else itself."""
    if not Path(path).is_symlink():
        return path
    target = os.readlink(path)  # noqa: PTH115 - a text
    return os.path.join(os.path.dirname(path), target) if absolute else target  # noqa: PTH118, PTH120 - text


def mount(devicePath: str, mountPoint: str, fsType: str | None) -> None:
    """Mount a device to be read; nothing on it gets a right, or is a device.

    Raises:
        OSError: it cannot be mounted.
    """
    kind = [] if fsType is None else ["-t", fsType]
    arguments = ["-o", "ro,nosuid,nodev", *kind, devicePath, mountPoint]
    status, lines = executeCommand(["mount"], arguments, returnOutput=True)
    if status:
        said = (lines or ["it said nothing"])[-1].strip()
        raise OSError(f"{devicePath} cannot be mounted on {mountPoint}: {said}")


def unmount(mountPoint: str, removeAfter: bool = False, attempts: int = 1, waitSeconds: float = 0) -> None:
    """Unmount what is mounted at a place, if anything is; and remove the place where that is wanted.

    Raises:
        OSError: it stays mounted, however often it was tried.
    """
    for attempt in range(max(1, attempts)):
        if not Path(mountPoint).is_mount():
            break
        if attempt:
            time.sleep(waitSeconds)
        executeCommand(["umount"], [mountPoint])
    if Path(mountPoint).is_mount():
        raise OSError(f"{mountPoint} is still mounted")
    if removeAfter and Path(mountPoint).is_dir():
        Path(mountPoint).rmdir()


def deviceMounted(devicePath: str) -> bool:
    """Whether a device is mounted."""
    real = os.path.realpath(devicePath)
    try:
        lines = Path("/proc/mounts").read_text(errors="surrogateescape").splitlines()
    except OSError:
        return False
    return any(os.path.realpath(line.split(" ", 1)[0]) == real for line in lines if line.startswith("/"))


def buildNormalizedPath(path: str | None) -> str:
    """A path as the name of a file: what an archive of it was called; nothing stays nothing.

    Raises:
        ValueError: there is none.
    """
    if path is None:
        raise ValueError("there is no path to make a name of")
    name = path.removeprefix("/").removeprefix("\\")
    if not name:
        return path and "_"
    name = re.sub(r"\A([A-Za-z]):[/\\]", r"\1-", name)
    name = re.sub(r"\A\.", "_", name)
    return re.sub(r"[\s:]", "_", re.sub(r"[/\\]", "-", name))


def encodePath(path: str | bytes | None) -> str | None:
    """A path as text, whatever its bytes are."""
    return None if path is None else os.fsdecode(path)


def pathJoin(path: str, *paths: str) -> str:
    """Parts of a path as one."""
    return os.path.join(path, *paths)  # noqa: PTH118 - a text is promised


def nullDevice() -> str:
    """Where nothing is kept."""
    return os.devnull


def deriveDayOfWeek(dayName: str) -> int:
    """The number of a day of the week, monday being 0; -1 for anything else."""
    return DAYS.index(dayName.lower()) if dayName.lower() in DAYS else -1


def isStartOfWeek(startingDay: str) -> bool:
    """Whether today is a day of the week."""
    return SystemClock().now().weekday() == deriveDayOfWeek(startingDay)


def parseCommaSeparatedString(commaString: str | None) -> list[str] | None:
    """The texts between commas, without blanks round them; None of None."""
    if commaString is None:
        return None
    return [each for part in commaString.split(",") if (each := part.strip())]


def checkUnique(prefix: str, values: Iterable[str]) -> None:
    """See that no value is there twice.

    Raises:
        ValueError: one is.
    """
    several = list(values)
    if twice := sorted({each for each in several if several.count(each) > 1}):
        raise ValueError(f"{prefix} {twice}")


def sortDict(d: Mapping[Key, Any]) -> list[Key]:
    """The keys in the order of their values."""
    return sorted(d, key=lambda key: d[key])


def removeKeys(d: MutableMapping[Key, Any], keys: Iterable[Key]) -> None:
    """Take keys out of a dictionary.

    Raises:
        KeyError: one is not there.
    """
    for key in keys:
        del d[key]
