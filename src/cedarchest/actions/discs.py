"""The discs action: what the catalog knows of each disc."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from cedarchest.actions.audits_due import CheckState, check_state_of
from cedarchest.actions.facts import days_on, disc_named, free_blocks, used_blocks, without_maps
from cedarchest.actions.marks import Standing, last_digests, standing
from cedarchest.actions.receipts import leave_receipts
from cedarchest.actions.reuse import LOST, give_up
from cedarchest.config.model import Config
from cedarchest.errors import NoMedium
from cedarchest.model.disc import CheckRecord, DiscPlace, DiscRecord, SessionRecord
from cedarchest.ports import Ports


@dataclass(frozen=True, slots=True)
class DiscSummary:
    """A disc with its sessions, checks and places, oldest first, as of `now`."""

    disc: DiscRecord
    sessions: tuple[SessionRecord, ...]
    checks: tuple[CheckRecord, ...]
    places: tuple[DiscPlace, ...]
    state: CheckState
    now: datetime

    @property
    def days(self) -> tuple[str, ...]:
        """Days with proven content on it."""
        return days_on(self.sessions)

    @property
    def used_blocks(self) -> int:
        """Blocks up to the end of its last session."""
        return used_blocks(self.sessions)

    @property
    def free_blocks(self) -> int:
        """Blocks that sessions may still take, what they need for themselves included."""
        return free_blocks(self.disc, self.sessions)

    @property
    def place(self) -> DiscPlace | None:
        """Where it is kept; None where nobody said."""
        return self.places[-1] if self.places else None

    @property
    def days_old(self) -> int:
        """Whole days since it was begun."""
        return max(0, (self.now - self.disc.created_at).days)

    @property
    def last_check(self) -> datetime | None:
        """When a session of it was last read in full, or found bad; None where it never was."""
        return next((check.at for check in reversed(self.checks) if check.whole or not check.passed), None)


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
        (found,) = execute_discs(config, label, ports=ports)
        held = {content.day for session in found.sessions for content in session.days}
        digests = last_digests(held, ports)
        give_up(config, replace(found.disc, reason=LOST), LOST, ports)
        leave_receipts(config, ports=ports)
        return LossReport(execute_discs(config, label, ports=ports)[0], standing(config, digests, ports))


def execute_discs(config: Config, label: str | None, *, ports: Ports) -> tuple[DiscSummary, ...]:
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
    return tuple(_summary(config, disc, ports) for disc in discs)


def _summary(config: Config, disc: DiscRecord, ports: Ports) -> DiscSummary:
    sessions, checks = ports.catalog.sessions(disc.disc_id), ports.catalog.checks(disc.disc_id)
    return DiscSummary(
        disc,
        without_maps(sessions),
        checks,
        ports.catalog.places(disc.disc_id),
        check_state_of(config, disc, sessions, checks, ports),
        ports.clock.now(),
    )


def execute_move(
    config: Config, labels: Sequence[str], place: str, *, ports: Ports
) -> tuple[DiscSummary, ...]:
    """Discs are kept at another place from now on; all of them, or, where one is unknown, none.

    Raises:
        NoMedium: the catalog knows no disc of one of the labels.
    """
    with ports.locks.hold(config.options.state_dir):
        known = [execute_discs(config, label, ports=ports)[0] for label in dict.fromkeys(labels)]
        for each in known:
            if each.place is None or each.place.place != place:
                ports.catalog.add_place(each.disc.disc_id, DiscPlace(place, ports.clock.now()))
        return tuple(execute_discs(config, each.disc.label, ports=ports)[0] for each in known)
