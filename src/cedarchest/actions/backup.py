"""What `backup` adds to collect, stage and store: folders of this machine come to a proven disc at once.

It makes a configuration for the one run. The archives, and the staged day where no staging folder is
configured, stand in `state_dir/backup` until the disc is proven to hold them. What earlier collects of the
pool found is another matter: nothing of it is used or changed.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from cedarchest.actions.apart import own_folders, shelves
from cedarchest.actions.collect import CollectOptions, execute_collect
from cedarchest.actions.loading import find_current
from cedarchest.actions.marks import is_proven
from cedarchest.actions.writers import create_writer, device_for
from cedarchest.config.choices import CollectMode, DeviceType
from cedarchest.config.collect import Collect
from cedarchest.config.model import Config
from cedarchest.config.store import IMAGE_SUFFIX, Store
from cedarchest.errors import CedarchestError, ConfigError, DiskFull
from cedarchest.model.disc import SessionStatus
from cedarchest.model.handover import is_own
from cedarchest.model.index import Kind
from cedarchest.model.size import shown, shown_bytes
from cedarchest.ports import DayIndex, Ports

HOME = "backup"
"""The folder in `state_dir` for what is on its way to the disc."""


@dataclass(frozen=True, slots=True)
class BackupOptions:
    """What the caller asks: absolute paths, patterns left out of each, and where they are to be stored.

    Without a `device` it is the one of the configuration. `host` is what this machine is called in the day.
    """

    sources: tuple[Path, ...]
    device: str
    exclude: tuple[str, ...]
    host: str


def backup_config(config: Config, options: BackupOptions, base: Path) -> Config:
    """The configuration for this one run; a relative shelf starts from `base`.

    Raises:
        ConfigError: what is asked for cannot be: an unknown kind of device, a folder of our own.
    """
    home = config.options.state_dir / HOME
    taken = any(peer.name == options.host for peer in config.peer)
    tables: dict[str, object] = {
        "options": {"state_dir": str(config.options.state_dir)},
        "collect": {
            "dir": str(home / "archives"),
            "source": [
                {"path": str(path), "exclude": list(options.exclude)}
                for path in dict.fromkeys(options.sources)
            ],
        },
        "stage": {"dir": str(own_staging(config))},
        "peer": [
            {
                "name": f"{options.host}-backup" if taken else options.host,
                "collect_dir": str(home / "archives"),
                "receipts": False,
            }
        ],
    }
    if options.device:
        tables["store"] = {"device": options.device}
    try:
        made = Config.from_mapping(tables, base)
    except ConfigError as error:
        advice = "`cedarchest backup --help` says what can be asked for."
        raise ConfigError(error.message, problems=error.problems, advice=advice) from None
    changed = {
        "stage": config.stage or made.stage,
        "peer": (*config.peer, *made.peer),
        "store": _store(config, made),
    }
    whole = config.model_copy(update=changed)
    return whole.model_copy(update={"collect": _collect(config, made.require_collect(), whole)})


def own_staging(config: Config) -> Path:
    """The staging folder of those who have none."""
    return config.options.state_dir / HOME / "staging"


def _store(config: Config, made: Config) -> Store | None:
    if config.store is None or made.store is None:
        return made.store or config.store
    changed = {"device": made.store.device, "device_type": DeviceType.AUTO}
    return config.store.model_copy(update=changed)


def _collect(config: Config, made: Collect, whole: Config) -> Collect:
    """The folders of this run, archived as the configuration says, without what we keep for ourselves."""
    images = f"/[^/]*{re.escape(IMAGE_SUFFIX)}"  # of a shelf, which may have other things in it
    left_out = [
        re.escape(str(path)) + (images if place in shelves(whole) else "")
        for source in made.source
        for _, place in own_folders(whole)
        for path in _inside(source.path, place)
    ]
    changed = {
        "dir": made.dir,
        "mode": CollectMode.DAILY,
        "source": made.source,
        "command": (),
        "exclude_regex": (*(config.collect.exclude_regex if config.collect else ()), *left_out),
    }
    return (config.collect or made).model_copy(update=changed)


def _inside(source: Path, place: Path) -> list[Path]:
    """A place of ours as a path below a source, if it lies in it.

    Raises:
        ConfigError: the source lies in the place.
    """
    real, ours = Path(os.path.realpath(source)), Path(os.path.realpath(place))
    if real.is_relative_to(ours):
        problem = f"{source} lies in {ours}, where cedarchest keeps its own files"
        raise ConfigError(problem, problems=[problem], advice="Name a folder of yours.")
    return [source / ours.relative_to(real)] if ours.is_relative_to(real) else []


def look_ahead(config: Config, *, always_new: bool, ports: Ports) -> str:
    """The disc that a store would go on with, so that one that will not do is spoken of at once.

    Raises:
        MediaError, ToolError: drive or disc cannot be used.
    """
    device = device_for(config, ports, always_new=always_new)
    writer = create_writer(config, ports=ports, device=device)
    try:
        if ports.catalog.open_sessions():
            return "what an earlier run left open on its disc is seen to first"
        current = None if always_new else find_current(config, writer, ports)
        if current is None:
            return f"a new disc, in {writer.device}"
        return f"{current.disc.label}, which has {shown(current.seen.free)} left, in {writer.device}"
    finally:
        writer.close()


def waiting(config: Config, ports: Ports) -> tuple[str, ...]:
    """Days that earlier runs could not store; they are stored with this one's."""
    root = own_staging(config)
    if config.require_stage().dir != root or not root.is_dir():
        return ()
    return tuple(day.day for day in ports.staging.days(root) if day.staged and not day.marked_stored)


def days_to_store(config: Config, day: str, ports: Ports) -> tuple[str, ...] | None:
    """The days for the store: none named where all are ours, None where there is nothing to store."""
    stage = config.require_stage().dir
    if stage == own_staging(config):
        return () if waiting(config, ports) else None
    return (day,) if (stage / day).is_dir() else None


def discs_with(day: str, ports: Ports) -> tuple[str, ...]:
    """The labels of the discs that are proven to hold something of a day."""
    holding = {
        session.disc_id
        for session, _ in ports.catalog.contents(day)
        if session.status is SessionStatus.VERIFIED
    }
    return tuple(disc.label for disc in ports.catalog.discs() if disc.disc_id in holding)


def begin(config: Config, ports: Ports) -> None:
    """See that there is a place for archives and day, without what earlier runs left on the way."""
    archives, staging = config.require_collect().dir, config.require_stage().dir
    if archives.is_dir():
        found = ports.folders.look(archives)
        ports.collect_dir.remove(
            archives, [item.path for item in found if item.kind is Kind.FILE and not is_own(item.path)]
        )
    if staging == own_staging(config):
        ports.arrivals.prepare(staging, {peer.name for peer in config.peer})
        ports.staging.finish_removals(staging)


def clear(config: Config, of_run: str, ports: Ports) -> None:
    """Take away what is on its way no more, but proven to be on disc; what cannot be is warned of.

    `of_run` is the day that the run began on.
    """
    staging = config.require_stage().dir
    is_ours = staging == own_staging(config)
    if not staging.is_dir():
        return
    try:
        for day in ports.staging.days(staging):
            if not day.staged or not (is_ours or day.day == of_run):
                continue
            index = ports.staging.index(day.directory, day.day)
            if not _is_on_disc(config, index, ports):
                continue
            if day.day == of_run:
                _remove_archives(config, index, ports)
            if is_ours:
                ports.staging.remove(index)
    except CedarchestError as error:
        ports.reporter.warn(f"{error.message}; what is on disc of it is cleared away by the next backup")


def _is_on_disc(config: Config, day: DayIndex, ports: Ports) -> bool:
    """Whether all files of a day stand in their places on enough verified discs, by digest.

    What was archived anew and is the same as before is on disc as well, but for its time.
    """
    if is_proven(config, day, ports):
        return True
    copies = config.require_store().copies
    there = {(each.path, each.sha256) for each, on in ports.catalog.copies(day.day).items() if on >= copies}
    files = [(entry.path, entry.sha256) for entry in day.entries if entry.kind is not Kind.DIR]
    return bool(day.digest and files) and there.issuperset(files)


def _remove_archives(config: Config, day: DayIndex, ports: Ports) -> None:
    """Remove the archives that a day holds."""
    prefix = f"{day.day}/{config.peer[-1].name}/".encode()
    names = [
        entry.path.removeprefix(prefix)
        for entry in day.entries
        if entry.kind is Kind.FILE and entry.path.startswith(prefix)
    ]
    ports.collect_dir.remove(config.require_collect().dir, names)


def say_room(error: DiskFull, config: Config, ports: Ports) -> None:
    """Have an error tell how much room a backup of this needs, and where."""
    try:
        report = execute_collect(config, CollectOptions(dry_run=True), ports=ports)
    except CedarchestError:  # then how much is not known
        return
    needed = shown_bytes(sum(archive.data_bytes for archive in report.archives))
    error.advice = (
        f"There are {needed} to store; packed, they stand in {config.require_collect().dir} and once more in"
        f" {config.require_stage().dir} until the disc is proven. Make room there, or put [options] state_dir"
        " or [stage] dir elsewhere (without a configuration: XDG_STATE_HOME); then run it again."
    )
