"""The purge action: what is old goes, once the catalog proves that it is on disc.

In the staging folder whole days go, by the age of the day; elsewhere files, by the later of their times.
The proof is in the catalog, or on a peer in the receipts that the master left.
What is young is left alone and not spoken of; what is old and stays is named with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from cedarchest.actions.apart import is_same, overlap, own_folders
from cedarchest.actions.marks import is_proven
from cedarchest.actions.told import copies_told
from cedarchest.config.model import Config, PurgeDir
from cedarchest.errors import CedarchestError, ConfigError, Interrupted, StagingError
from cedarchest.model.days import parse_day
from cedarchest.model.handover import is_own
from cedarchest.model.index import Kind
from cedarchest.model.names import to_text
from cedarchest.ports import FolderItem, Ports, StagedDay


@dataclass(frozen=True, slots=True)
class Purged:
    """Something old: whether it goes, why it does or does not, and the bytes of its files."""

    path: str
    removed: bool
    why: str
    data_bytes: int = 0
    problem: CedarchestError | None = None


@dataclass(frozen=True, slots=True)
class PurgeReport:
    """All that is old, and what went wrong on the way."""

    things: tuple[Purged, ...]
    problems: tuple[CedarchestError, ...] = ()


def execute_purge(config: Config, *, dry_run: bool, ports: Ports) -> PurgeReport:
    """Remove what is old and proven from the folders that the configuration names.

    Raises:
        ConfigError: no folder is named, or one that must not be purged.
        LockedError: another run is at work.
    """
    refuse_dangerous(config)
    if not config.purge.dir:
        raise ConfigError(
            "the configuration names no folder to purge",
            advice="Add a [[purge.dir]] with path and retain_days.",
        )
    if dry_run:
        return _purge(config, ports, dry_run=True)
    with ports.locks.hold(config.options.state_dir):
        if config.stage is not None and config.stage.dir.is_dir():
            ports.staging.finish_removals(config.stage.dir)
        return _purge(config, ports, dry_run=False)


def _purge(config: Config, ports: Ports, *, dry_run: bool) -> PurgeReport:
    things: list[Purged] = []
    problems: list[CedarchestError] = []
    for folder in config.purge.dir:
        if not folder.path.exists():
            ports.reporter.warn(f"{folder.path} is not there; nothing is purged in it")
            continue
        of_days = config.stage is not None and is_same(folder.path, config.stage.dir)
        purge = _purge_days if of_days else _purge_files
        try:
            for thing in purge(config, folder, ports, dry_run=dry_run):
                ports.interrupts.check()
                things.append(thing)
        except Interrupted:
            raise
        except CedarchestError as error:
            problems.append(error)
    problems += [thing.problem for thing in things if thing.problem is not None]
    return PurgeReport(tuple(things), tuple(problems))


def _purge_days(config: Config, folder: PurgeDir, ports: Ports, *, dry_run: bool) -> Iterator[Purged]:
    """Staged days that are as old as the folder keeps them; the one of today has the age 0."""
    today = ports.clock.now().date()
    for day in ports.staging.days(folder.path):
        age = (today - parse_day(day.day)).days
        if age >= folder.retain_days:
            yield _purge_day(config, folder, day, age, ports, dry_run=dry_run)


def _purge_day(
    config: Config, folder: PurgeDir, day: StagedDay, age: int, ports: Ports, *, dry_run: bool
) -> Purged:
    path = str(day.directory)
    if not day.staged:
        return Purged(
            path, removed=False, why=f"{age} days old, but it has no cback.stage: it is being staged"
        )
    try:
        index = ports.staging.look(day.directory, day.day)
        if folder.require_stored and not is_proven(config, index, ports):
            return Purged(path, removed=False, why=f"{age} days old, but not proven to be on disc")
        if not dry_run:
            ports.staging.remove(index)
    except StagingError as error:
        return Purged(path, removed=False, why=error.message, problem=error)
    why = f"{age} days old" + (", proven to be on disc" if folder.require_stored else "")
    return Purged(path, removed=True, why=why, data_bytes=index.data_bytes)


def _purge_files(config: Config, folder: PurgeDir, ports: Ports, *, dry_run: bool) -> Iterator[Purged]:
    """Files by the later of their times, and folders that are empty then."""
    now = ports.clock.now()
    found = ports.folders.look(folder.path)
    items = [item for item in found if not is_own(item.path)]
    ages = {item.path: _age(item, now) for item in items}
    old = [item for item in items if ages[item.path] >= folder.retain_days]
    told = copies_told(folder.path, found, ports)
    unproven = _unproven(config, folder, old, told, ports)
    holding: set[bytes] = set()  # folders that something stays in
    emptied: set[bytes] = set()  # folders that something went from
    for item in items:  # what a folder holds comes before it
        thing = None
        is_old = ages[item.path] >= folder.retain_days
        if item.kind is Kind.DIR:
            if item.path not in holding and (is_old or item.path in emptied):
                thing = _remove(folder, item, "empty", ports, dry_run=dry_run)
        elif is_old:
            why = f"{ages[item.path]} days old"
            if reason := unproven.get(item.path):
                thing = Purged(_shown(folder, item), removed=False, why=f"{why}, but {reason}")
            else:
                proven = ", its content proven to be on disc" if folder.require_stored else ""
                thing = _remove(folder, item, why + proven, ports, dry_run=dry_run)
        (emptied if thing and thing.removed else holding).add(item.path.rpartition(b"/")[0])
        if thing is not None:
            yield thing


def _remove(folder: PurgeDir, item: FolderItem, why: str, ports: Ports, *, dry_run: bool) -> Purged:
    path = _shown(folder, item)
    try:
        if dry_run or ports.folders.remove(folder.path, item):
            return Purged(path, removed=True, why=why, data_bytes=item.size)
    except StagingError as error:
        return Purged(path, removed=False, why=error.message, problem=error)
    return Purged(path, removed=False, why=f"{why}, but it changed in this moment")


def _unproven(
    config: Config, folder: PurgeDir, old: Sequence[FolderItem], told: Mapping[bytes, int], ports: Ports
) -> Mapping[bytes, str]:
    """What is old and must stay, with the reason; empty where no proof is wanted."""
    if not folder.require_stored:
        return {}
    reasons: dict[bytes, str] = {}
    digests: dict[bytes, bytes] = {}
    for item in old:
        ports.interrupts.check()
        if item.kind is not Kind.FILE:
            reasons[item.path] = f"it is a {item.kind}, of which no disc can prove anything"
            continue
        try:
            digests[item.path] = ports.folders.digest(folder.path, item)
        except StagingError as error:
            reasons[item.path] = error.message
    copies = config.store.copies if config.store else 1
    proven = ports.catalog.proven(set(digests.values()))
    for path, digest in digests.items():
        if max(proven.get(digest, 0), told.get(digest, 0)) < copies:
            reasons[path] = "its content is not proven to be on disc"
    return reasons


def _age(item: FolderItem, now: datetime) -> int:
    """Whole days since its content or attributes changed; something of the future has no age."""
    return max(0, int((now.timestamp() - item.changed_ns / 1e9) // _DAY_S))


_DAY_S = 86_400


def _shown(folder: PurgeDir, item: FolderItem) -> str:
    return f"{folder.path}/{to_text(item.path)}"


def refuse_dangerous(config: Config) -> None:
    """Refuse to purge what discs, catalog and staged days stand in.

    Raises:
        ConfigError: names each such folder.
    """
    if not config.purge.dir:
        raise ConfigError(
            "the configuration names no folder to purge",
            advice="Add a [[purge.dir]] with path and retain_days.",
        )
    problems = [
        f"purge.dir: {folder.path} holds, or lies in, {name} ({place})"
        for folder in config.purge.dir
        for name, place in own_folders(config)
        if overlap(folder.path, place) and not (name == "stage.dir" and is_same(folder.path, place))
    ]
    if problems:
        raise ConfigError(
            f"that would purge what cedarchest itself needs: {'; '.join(problems)}",
            problems=problems,
            advice="Name another folder; the staging folder may be named itself.",
        )
