"""The drives action: which burners there are, what is in them, and whether we may use them."""

from __future__ import annotations

from dataclasses import dataclass

from cedarchest.config.model import Config
from cedarchest.errors import CedarchestError, Interrupted
from cedarchest.model.disc import Observation
from cedarchest.ports import FoundDrive, Ports


@dataclass(frozen=True, slots=True)
class DriveSummary:
    """A drive and what is in it, or why it cannot be used.

    `labels` are those of the discs of ours in it, of a shelf all that stand there.
    """

    drive: FoundDrive
    labels: tuple[str, ...] = ()
    seen: Observation | None = None
    problem: CedarchestError | None = None


def execute_drives(config: Config, *, ports: Ports) -> tuple[DriveSummary, ...]:
    """Look into every burner of this machine and what else is configured; one in trouble hides no other."""
    configured = config.store.device if config.store else ()
    return tuple(_look(drive, ports) for drive in ports.drives.found(configured))


def _look(drive: FoundDrive, ports: Ports) -> DriveSummary:
    ports.interrupts.check()
    try:
        writer = ports.drives.open(drive.device, "auto")
        try:
            if writer.loads_itself:
                return DriveSummary(drive, writer.labels())
            seen = writer.observe()
            return DriveSummary(drive, (seen.label,) if seen.identity else (), seen)
        finally:
            writer.close()
    except Interrupted:
        raise
    except CedarchestError as error:
        return DriveSummary(drive, problem=error)
