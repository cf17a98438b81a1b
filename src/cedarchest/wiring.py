"""Puts the adapters behind the ports: what a run needs is opened here, and nothing it does not need."""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cedarchest.adapters.archive_members import LocalArchives
from cedarchest.adapters.clock import SystemClock
from cedarchest.adapters.collect_dir import LocalCollectDir, StateFolder
from cedarchest.adapters.durable import durable_file
from cedarchest.adapters.extensions import InstalledExtensions
from cedarchest.adapters.folders import LocalFolders
from cedarchest.adapters.hooks import HookPrograms
from cedarchest.adapters.interrupts import Signals
from cedarchest.adapters.locks import HeldLocks
from cedarchest.adapters.messenger import WebMessenger
from cedarchest.adapters.person import TerminalPerson
from cedarchest.adapters.receipts import StateReceipts
from cedarchest.adapters.rescues import StateRescues
from cedarchest.adapters.restore_folder import LocalRestoreFolders
from cedarchest.adapters.run_journal import StateRunJournal
from cedarchest.adapters.sources import LocalSources
from cedarchest.adapters.unpacker import StreamUnpacker
from cedarchest.adapters.unpacking import Unpackers
from cedarchest.adapters.when_used import when_used
from cedarchest.config.model import Config, Peer
from cedarchest.config.template import left_by_backup
from cedarchest.errors import ConfigError, DiskFull
from cedarchest.model.media import BLOCK, TRAITS, Medium
from cedarchest.ports import (
    Arrivals,
    Catalog,
    Clock,
    Drives,
    Messenger,
    Peers,
    Ports,
    Reporter,
    RunJournal,
    Scheduler,
    Staging,
    Tools,
    Workspace,
)

if TYPE_CHECKING:
    from cedarchest.adapters.rsync import Address
    from cedarchest.adapters.xorriso import Xorriso
    from cedarchest.config.cedar.draft import Secret
    from cedarchest.config.store import Store


@contextlib.contextmanager
def wired(
    config: Config, reporter: Reporter, *, read_only: bool, needs_catalog: bool = True
) -> Iterator[Ports]:
    """The ports of a run, a line for each; everything is given back at the end.

    What takes long to import is made by its first use. With `read_only` nothing on this machine is made or
    changed by looking. The catalog is opened now if the run `needs_catalog`.

    Raises:
        CatalogError: the catalog cannot be opened.
    """
    locks = HeldLocks(waiting=reporter.warn)
    signals = Signals()
    person = TerminalPerson(signals.pass_on, reporter.still)
    xorriso = when_used(lambda: _xorriso(locks))

    def written(blocks: int) -> None:
        signals.pass_on()
        reporter.advance(blocks * BLOCK)

    def catalog() -> Catalog:
        from cedarchest.adapters.catalog import open_catalog

        opened = open_catalog(config.catalog.url, read_only=read_only)
        at_the_end.callback(opened.close)
        return opened

    with contextlib.ExitStack() as at_the_end:
        at_the_end.callback(locks.release)
        opened = catalog() if needs_catalog else when_used(catalog)
        with signals.installed():
            yield Ports(
                catalog=opened,
                drives=when_used(
                    lambda: _drives(config.store, xorriso, locks, written, person, read_only=read_only)
                ),
                staging=when_used(lambda: _staging(config, reporter)),
                workspace=when_used(lambda: _workspace(config)),
                folders=LocalFolders(),
                peers=when_used(lambda: _peers(config)),
                arrivals=when_used(_arrivals),
                receipts=StateReceipts(config.options.state_dir),
                locks=locks,
                interrupts=signals,
                clock=SystemClock(),
                reporter=reporter,
                tools=when_used(lambda: _tools(xorriso)),
                hooks=HookPrograms(),
                extensions=InstalledExtensions(),
                archives=LocalArchives(),
                unpacking=Unpackers(),
                sources=LocalSources(),
                collect_dir=LocalCollectDir(config.options.user, config.options.group),
                collect_states=StateFolder(config.options.state_dir),
                journal=StateRunJournal(config.options.state_dir),
                messenger=WebMessenger(),
                person=person,
                restore_folders=LocalRestoreFolders(),
                unpacker=StreamUnpacker(Unpackers()),
                rescues=StateRescues(config.options.state_dir),
            )


def _drives(
    store: Store | None,
    xorriso: Xorriso,
    locks: HeldLocks,
    written: Callable[[int], None],
    person: TerminalPerson,
    *,
    read_only: bool,
) -> Drives:
    from cedarchest.adapters.drives import LocalDrives

    return LocalDrives(
        xorriso,
        locks,
        shelf_medium=store.shelf_medium if store else Medium.DVD_PLUS_R,
        shelf_capacity=store.shelf_blocks if store else TRAITS[Medium.DVD_PLUS_R].nominal_blocks,
        speed=str(store.speed) if store and store.speed else "",
        progress=written,
        defect_management=bool(store and store.defect_management),
        load_delay_s=store.load_delay.total_seconds() if store else 0.0,
        ask=person.changes_disc if person.is_there() else None,
        read_only=read_only,
    )


def _xorriso(locks: HeldLocks) -> Xorriso:
    from cedarchest.adapters.xorriso import Xorriso

    return Xorriso(inherited=locks.descriptors)


def _tools(xorriso: Xorriso) -> Tools:
    from cedarchest.adapters.tools import InstalledTools

    return InstalledTools(xorriso)


def _staging(config: Config, reporter: Reporter) -> Staging:
    from cedarchest.adapters.staging import StagingFolder

    def indexing(phase: str, done: int, total: int) -> None:
        if done == 0:
            reporter.phase(phase, total)
        reporter.advance(done)

    return StagingFolder(config.options.state_dir, indexing)


def _workspace(config: Config) -> Workspace:
    from cedarchest.adapters.workspace import StateWorkspace

    return StateWorkspace(config.options.state_dir, config.options.working_dir)


def _peers(config: Config) -> Peers:
    from cedarchest.adapters.rsync import RsyncPeers

    return RsyncPeers({peer.name: _address(peer) for peer in config.peer}, config.options.working_dir)


def _address(peer: Peer) -> Address:
    """Where a peer's collect dir is, and how to get there."""
    from cedarchest.adapters.rsync import Address
    from cedarchest.adapters.ssh import Login

    if peer.host is None:
        return Address(peer.collect_dir)
    login = Login(
        host=peer.host,
        user=peer.user or "",
        port=peer.port,
        identity=peer.identity,
        options=peer.ssh_options,
        bytes_a_second=peer.bwlimit,
        timeout_s=peer.timeout.total_seconds(),
    )
    return Address(peer.collect_dir, login)


def _arrivals() -> Arrivals:
    from cedarchest.adapters.arrivals import StagingArrivals

    return StagingArrivals()


@contextlib.contextmanager
def without_configuration() -> Iterator[Config]:
    """A configuration for what needs none, such as reading a disc that is named by its path."""
    with tempfile.TemporaryDirectory(prefix="cedarchest-") as folder:
        yield Config.from_mapping({"options": {"state_dir": f"{folder}/state"}}, Path(folder))


def journal_of(config: Config) -> tuple[RunJournal, Clock]:
    """What records a run before and after all other ports are there."""
    return StateRunJournal(config.options.state_dir), SystemClock()


@contextlib.contextmanager
def messenger() -> Iterator[Messenger]:
    """What tells of a run before and after all other ports are there; a signal ends it as it ends a run."""
    signals = Signals()
    with signals.installed():
        yield WebMessenger()
        signals.check()  # a lost terminal raises nothing by itself


def scheduler() -> tuple[Scheduler, Clock]:
    """What schedules runs; it needs neither configuration nor catalog."""
    from cedarchest.adapters.schedule import SystemScheduler

    return SystemScheduler(), SystemClock()


def apart(ports: Ports, folder: Path) -> Ports:
    """The ports of a run whose collects have nothing to do with those of the pool."""
    return replace(ports, collect_states=StateFolder(folder))


def only_burner() -> Path:
    """The drive of a machine that has one.

    Raises:
        DriveMissing: it has none, or several.
    """
    from cedarchest.adapters.drives import burners, only_one

    return only_one(burners())


def keep_secrets(secrets: Iterable[Secret]) -> None:
    """Have files with passwords as a configuration of Cedar Backup's wants them, for their owner alone.

    Raises:
        ConfigError, DiskFull: one cannot be written.
    """
    for secret in secrets:
        content = secret.content.encode()
        try:
            with contextlib.suppress(FileNotFoundError):
                if secret.path.read_bytes() == content:
                    continue
            secret.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with durable_file(secret.path) as stream:
                stream.write(content)
        except DiskFull:
            raise
        except OSError as error:
            raise ConfigError(
                f"{secret.path} cannot be written: {error.strerror}",
                advice="It is for the password of a database; `cedarchest migrate -o FILE` puts it by FILE.",
            ) from error


def host_name() -> str:
    """What this machine calls itself, as the name of its folder in a day."""
    return socket.gethostname().partition(".")[0] or "here"


def leave_config(path: Path, staging: Path, device: str) -> None:
    """Write the configuration of one who has none.

    Raises:
        ConfigError, DiskFull: it cannot be written.
    """
    try:
        content = left_by_backup(str(path.parent), str(staging), device).encode()
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with durable_file(path) as stream:
            stream.write(content)
    except DiskFull:
        raise
    except (OSError, UnicodeEncodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "one of its paths is not UTF-8"
        raise ConfigError(
            f"{os.fsencode(path).decode(errors='backslashreplace')} cannot be written: {reason}",
            advice="Name a configuration with -c, or another place with XDG_STATE_HOME.",
        ) from error
