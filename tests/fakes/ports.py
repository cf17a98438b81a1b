"""The bundle of ports for tests: staging and workspace on real files, all else in memory.

`failing` counts every call of every port, and of the writers that the drives open, and lets the one of a
chosen number go wrong: with what that port may raise, before the call or after it took effect.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

from tests.fakes.catalog import MemoryCatalog
from tests.fakes.messenger import MemoryMessenger
from tests.fakes.run_journal import MemoryRunJournal
from tests.fakes.writer import MemoryDrives, Tray

from cedarchest.adapters.archive_members import LocalArchives
from cedarchest.adapters.arrivals import StagingArrivals
from cedarchest.adapters.collect_dir import LocalCollectDir, StateFolder
from cedarchest.adapters.extensions import InstalledExtensions
from cedarchest.adapters.folders import LocalFolders
from cedarchest.adapters.hooks import HookPrograms
from cedarchest.adapters.receipts import StateReceipts
from cedarchest.adapters.rescues import StateRescues
from cedarchest.adapters.restore_folder import LocalRestoreFolders
from cedarchest.adapters.rsync import RsyncPeers
from cedarchest.adapters.sources import LocalSources
from cedarchest.adapters.staging import StagingFolder
from cedarchest.adapters.unpacker import StreamUnpacker
from cedarchest.adapters.unpacking import Unpackers
from cedarchest.adapters.workspace import StateWorkspace
from cedarchest.config.model import Config
from cedarchest.errors import (
    CatalogError,
    DamagedDisc,
    DiskFull,
    Interrupted,
    LockedError,
    StagingError,
    ToolFailed,
)
from cedarchest.ports import Ports

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@dataclass
class SettableClock:
    """A clock that stands still until a test moves it."""

    at: datetime = NOON
    ticks: int = 0
    zone: tzinfo = UTC

    def now(self) -> datetime:
        return self.at

    def local(self, wall: datetime) -> datetime:
        return wall.replace(tzinfo=self.zone)

    def monotonic(self) -> float:
        self.ticks += 1
        return self.ticks / 1000

    def pass_by(self, time: timedelta) -> None:
        self.at += time


@dataclass
class RecordingReporter:
    """Says nothing and keeps what it should have said."""

    phases: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def phase(self, name: str, total: int, unit: str = "B") -> None:
        self.phases.append(name)

    def advance(self, done: int) -> None:
        """A figure nobody asks for."""

    def warn(self, message: str) -> None:
        self.warnings.append(message)

    def note(self, message: str) -> None:
        self.notes.append(message)

    def still(self) -> AbstractContextManager[None]:
        return nullcontext()


class NoLocks:
    """Locks that are always free."""

    @contextmanager
    def hold(self, state_dir: Path) -> Iterator[None]:
        yield


class NoInterrupts:
    """Nobody asks the run to end."""

    @contextmanager
    def shielded(self) -> Iterator[None]:
        yield

    def check(self) -> None:
        """Nobody asked."""

    def pass_on(self) -> None:
        """Nobody asked."""


class NobodyThere:
    """A run without a terminal."""

    def is_there(self) -> bool:
        return False

    def changes_disc(self, problem: str, advice: str) -> bool:
        raise AssertionError(f"nobody is there to read: {problem} {advice}")


class OneTool:
    """A tool that is there."""

    def xorriso_version(self) -> str:
        return "xorriso 1.5.6"

    def version(self, name: str) -> str:
        return f"{name} 9.9"


def memory_config(root: Path, **store: object) -> Config:
    """A configuration with staging and state below `root` and the drive `/dev/sr0`."""
    tables = {
        "options": {"state_dir": str(root / "state")},
        "stage": {"dir": str(root / "staging")},
        "store": {"device": "/dev/sr0", "margin": "0 B", **store},
    }
    return Config.from_mapping(tables, root)


def memory_ports(root: Path, *trays: Tray) -> Ports:
    """Ports on `root`; a drive `/dev/sr0` with a blank DVD+R unless others are given."""
    (root / "staging").mkdir(parents=True, exist_ok=True)
    return Ports(
        catalog=MemoryCatalog(),
        drives=MemoryDrives(*(trays or (Tray(),))),
        staging=StagingFolder(root / "state", lambda _phase, _done, _total: None),
        workspace=StateWorkspace(root / "state", root / "working"),
        folders=LocalFolders(),
        peers=RsyncPeers({}, root / "state" / "work"),
        arrivals=StagingArrivals(),
        receipts=StateReceipts(root / "state"),
        locks=NoLocks(),
        interrupts=NoInterrupts(),
        clock=SettableClock(),
        reporter=RecordingReporter(),
        tools=OneTool(),
        hooks=HookPrograms(),
        extensions=InstalledExtensions(),
        archives=LocalArchives(),
        unpacking=Unpackers(),
        sources=LocalSources(),
        collect_dir=LocalCollectDir(None, None),
        collect_states=StateFolder(root / "state"),
        journal=MemoryRunJournal(),
        messenger=MemoryMessenger(),
        person=NobodyThere(),
        restore_folders=LocalRestoreFolders(),
        unpacker=StreamUnpacker(Unpackers()),
        rescues=StateRescues(root / "state"),
    )


class Killed(BaseException):
    """The process ends here, as by `kill -9`: nothing after it runs but what a test looks at."""


def interrupted(_call: str) -> BaseException:
    """An operator who presses Ctrl-C at this very moment."""
    return Interrupted("the run was interrupted")


def killed(_call: str) -> BaseException:
    """The end of the process at this very moment."""
    return Killed()


def as_documented(call: str) -> BaseException:
    """What a call may raise by its port's own word; of those that never raise, an interrupt."""
    port, _, method = call.partition(".")
    kinds: dict[str, Callable[[str], BaseException]] = {
        "catalog": CatalogError,
        "drives": ToolFailed,
        "writer": DamagedDisc if method == "read" else ToolFailed,
        "staging": StagingError,
        "workspace": CatalogError if method == "expected" else DiskFull,
        "rescues": DiskFull,
        "locks": LockedError,
        "tools": ToolFailed,
    }
    return kinds.get(port, Interrupted)(f"{call} fails")


@dataclass
class Fault:
    """The fault ordered for call number `at`; `struck` names the call once it went wrong."""

    at: int
    error: Callable[[str], BaseException] = as_documented
    after: bool = False
    count: int = 0
    struck: str = ""

    def call(self, name: str, method: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        self.count += 1
        if self.count != self.at:
            return method(*arguments, **named)
        self.struck = name
        if self.after:
            method(*arguments, **named)
        raise self.error(name)


class _Proxy:
    """A port whose calls are counted; what `open` gives is a port, too."""

    def __init__(self, name: str, port: object, fault: Fault) -> None:
        self._name, self._port, self._fault = name, port, fault

    def __getattr__(self, attribute: str) -> Any:
        found = getattr(self._port, attribute)
        if not callable(found):
            return found

        def counted(*arguments: Any, **named: Any) -> Any:
            result = self._fault.call(f"{self._name}.{attribute}", found, *arguments, **named)
            if attribute.startswith("open") and self._name == "drives":
                return _Proxy("writer", result, self._fault)
            return result

        return counted


def failing(ports: Ports, fault: Fault) -> Ports:
    """The same ports, on which the fault strikes."""
    return Ports(**{each.name: _Proxy(each.name, getattr(ports, each.name), fault) for each in fields(ports)})
