"""The validate action: all that can be checked without writing, all problems at once."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cedarchest.actions.collect import check_collected
from cedarchest.actions.extensions import NIGHT, check_extension, plan_night
from cedarchest.actions.loading import find_current, warn_of_strangers
from cedarchest.actions.marks import warn_of_unproven_marks
from cedarchest.actions.purge import refuse_dangerous
from cedarchest.actions.store import create_writer
from cedarchest.actions.unbuilt import refuse_unbuilt
from cedarchest.config.model import Collect, Config
from cedarchest.errors import CedarchestError, CollectError, DriveForbidden, StagingError
from cedarchest.model.media import BLOCK
from cedarchest.model.names import first_few
from cedarchest.model.size import shown
from cedarchest.ports import Ports


@dataclass(frozen=True, slots=True)
class CheckedThing:
    """Something that was looked at: what it is, what was found, and the error if it is wrong."""

    what: str
    found: str
    problem: CedarchestError | None = None


def execute_validate(config: Config, *, ports: Ports) -> tuple[CheckedThing, ...]:
    """Look at tools, folders, catalog, drive and disc; nothing is written and a blank disc stays blank."""
    steps: list[tuple[str, Callable[[], str]]] = [
        ("xorriso", ports.tools.xorriso_version),
        ("state folder", lambda: _writable(config.options.state_dir)),
        ("catalog", lambda: f"{len(ports.catalog.discs())} discs"),
    ]
    if config.collect is not None:
        collect = config.collect
        steps.append(("what is collected", lambda: _collected(collect)))
    if config.stage is None:
        steps.append(("staging folder", lambda: "there is no table [stage]; store, rebuild, status need it"))
    else:
        root = config.stage.dir
        steps.append(("staging folder", lambda: _staging(root, ports)))
    steps += [(f"peer {peer.name}", partial(_peer, peer.name, ports)) for peer in config.peer]
    if config.store is None:
        steps.append(("drive and disc", lambda: "there is no table [store]; all but discs needs it"))
    else:
        steps.append(("store settings", lambda: _built(config, ports)))
        steps.append(("drive and disc", lambda: _drive(config, ports)))
    if config.purge.dir:
        steps.append(("folders to purge", lambda: _purged(config)))
    steps += [
        (f"notify[{number}]", partial(ports.messenger.check_notify, notify.address))
        for number, notify in enumerate(config.notify)
    ]
    steps += [
        (f"ping[{number}]", partial(ports.messenger.check_ping, ping.address))
        for number, ping in enumerate(config.ping)
    ]
    for name in config.extension:
        steps.append((f"extension {name}", partial(check_extension, name, config, ports=ports)))
    if unused := sorted(ports.extensions.installed() - config.extension.keys()):
        steps.append(("extensions without a table", lambda: f"{', '.join(unused)}; not run"))
    if config.extension:
        steps.append(("order of a night", lambda: ", ".join(plan_night(NIGHT, config, ports=ports).order)))
    return tuple(_checked(what, step) for what, step in steps)


def _checked(what: str, step: Callable[[], str]) -> CheckedThing:
    try:
        return CheckedThing(what, step())
    except CedarchestError as error:
        return CheckedThing(what, error.message, error)


def _writable(folder: Path) -> str:
    """A folder we may write, or one that we can make."""
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    if not os.access(place, os.W_OK | os.X_OK):
        raise StagingError(
            f"{place} may not be written",
            advice="Correct its permissions, or run as the user it belongs to.",
            path=str(place),
        )
    return str(folder) if folder.exists() else f"{folder} (will be made)"


def _collected(collect: Collect) -> str:
    check_collected(collect)
    _writable(collect.dir)
    if wrong := [str(each.path) for each in collect.source if not os.access(each.path, os.R_OK)]:
        raise CollectError(
            f"what is to be collected is not there, or may not be read: {first_few(wrong)}",
            advice="Correct [[collect.source]] path, or run as a user who may read it.",
        )
    return f"{len(collect.source)} sources and {len(collect.command)} commands, into {collect.dir}"


def _staging(root: Path, ports: Ports) -> str:
    days = ports.staging.days(root)
    warn_of_unproven_marks(days, ports)
    if not os.access(root, os.W_OK):
        ports.reporter.warn(f"{root} may not be written: only the catalog will know which days are stored")
    return f"{root}, {sum(day.staged for day in days)} days staged"


def _peer(name: str, ports: Ports) -> str:
    handover = ports.peers.named(name).handover()
    return f"collected {handover.at:%Y-%m-%d %H:%M} UTC" if handover else "not collected yet"


def _purged(config: Config) -> str:
    refuse_dangerous(config)
    for folder in config.purge.dir:
        if folder.path.exists():
            _writable(folder.path)
    return ", ".join(str(folder.path) for folder in config.purge.dir)


def _built(config: Config, ports: Ports) -> str:
    refuse_unbuilt(config, ports)
    return "can be done"


def _drive(config: Config, ports: Ports) -> str:
    writer = create_writer(config, ports=ports)
    try:
        current = find_current(config, writer, ports)
        next_one = current.disc.label if current else "a new disc is begun next"
        if not writer.loads_itself:
            return f"{writer.device}, {next_one}"
        shelf = Path(writer.device.partition(":")[2])
        image = shelf / f"{current.disc.label}.iso" if current else shelf
        for path in (shelf, image):
            if path.exists() and not os.access(path, os.W_OK):
                raise DriveForbidden(f"{path} may not be written", advice="Correct its permissions.")
        warn_of_strangers(writer, ports)
        return f"{writer.device}, {next_one}, {_room_at(shelf)}"
    finally:
        writer.close()


def _room_at(folder: Path) -> str:
    """What is free where a shelf stands, or is going to."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    status = os.statvfs(folder)
    return f"{shown(status.f_bavail * status.f_frsize // BLOCK)} free"
