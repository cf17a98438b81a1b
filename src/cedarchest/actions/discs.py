"""The discs action: what the catalog knows of each disc."""

from __future__ import annotations

from dataclasses import dataclass

from cedarchest.actions.facts import days_on, disc_named
from cedarchest.actions.marks import Standing, last_digests, standing
from cedarchest.actions.receipts import leave_receipts
from cedarchest.actions.reuse import LOST, give_up
from cedarchest.config.model import Config
from cedarchest.errors import NoMedium
from cedarchest.model.disc import CheckRecord, DiscRecord, SessionRecord
from cedarchest.ports import Ports


@dataclass(frozen=True, slots=True)
class DiscSummary:
    """A disc with its sessions and checks, oldest first."""

    disc: DiscRecord
    sessions: tuple[SessionRecord, ...]
    checks: tuple[CheckRecord, ...]

    @property
    def days(self) -> tuple[str, ...]:
        """Days with proven content on it."""
        return days_on(self.sessions)

    @property
    def used_blocks(self) -> int:
        """Blocks up to the end of its last session."""
        return max((session.start + session.blocks for session in self.sessions), default=0)


@dataclass(frozen=True, slots=True)
class LossReport:
    """A disc that is given up as lost, and where that leaves the days it held."""

    summary: DiscSummary
    days: Standing


def execute_lost(config: Config, label: str, *, ports: Ports) -> LossReport:
    """A disc is not there any more: its days that are on no other disc are due again, or lost.

    Raises:
        NoMedium: the catalog knows no disc of that label.
    """
    with ports.locks.hold(config.options.state_dir):
        (found,) = execute_discs(label, ports=ports)
        held = {content.day for session in found.sessions for content in session.days}
        digests = last_digests(held, ports)
        give_up(config, found.disc, LOST, ports)
        leave_receipts(config, ports=ports)
        return LossReport(execute_discs(label, ports=ports)[0], standing(config, digests, ports))


def execute_discs(label: str | None, *, ports: Ports) -> tuple[DiscSummary, ...]:
    """All discs, or the one of a label.

    Raises:
        NoMedium: the catalog knows no disc of that label.
    """
    discs = ports.catalog.discs()
    if label is not None:
        named = disc_named(discs, label)
        if named is None:
            raise NoMedium(
                f"the catalog knows no disc {label}", advice="`cedarchest discs` lists those it knows."
            )
        discs = (named,)
    return tuple(
        DiscSummary(disc, ports.catalog.sessions(disc.disc_id), ports.catalog.checks(disc.disc_id))
        for disc in discs
    )
