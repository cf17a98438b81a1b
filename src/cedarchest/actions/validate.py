"""The validate action: all that can be checked without writing, all problems at once."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cedarchest.actions.loading import find_current
from cedarchest.actions.store import create_writer
from cedarchest.actions.unbuilt import refuse_unbuilt
from cedarchest.config.model import Config
from cedarchest.errors import CedarchestError, DriveForbidden, StagingError
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
    if config.stage is not None:
        root = config.stage.dir
        steps.append(("staging folder", lambda: _staging(root, ports)))
    if config.store is not None:
        steps.append(("store settings", lambda: _built(config, ports)))
        steps.append(("drive and disc", lambda: _drive(config, ports)))
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


def _staging(root: Path, ports: Ports) -> str:
    days = ports.staging.days(root)
    if not os.access(root, os.W_OK):
        ports.reporter.warn(f"{root} may not be written: only the catalog will know which days are stored")
    return f"{root}, {sum(day.staged for day in days)} days staged"


def _built(config: Config, ports: Ports) -> str:
    refuse_unbuilt(config, ports)
    return "can be done"


def _drive(config: Config, ports: Ports) -> str:
    writer = create_writer(config, ports=ports)
    try:
        current = find_current(config, writer, ports)
        if writer.loads_itself:
            shelf = Path(writer.device.partition(":")[2])
            if shelf.exists() and not os.access(shelf, os.W_OK):
                raise DriveForbidden(
                    f"the shelf {shelf} may not be written", advice="Correct its permissions."
                )
        return f"{writer.device}, {current.disc.label if current else 'a new disc is begun next'}"
    finally:
        writer.close()
