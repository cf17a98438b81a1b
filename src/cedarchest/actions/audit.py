"""The audit action: discs read again over the years, each MiB against the block map of its proof.

Without labels it takes the discs in the drives and on the shelves; what an earlier run did not finish comes
first, then what was read longest ago.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from cedarchest.actions.audit_disc import AuditVerdict, audit_disc
from cedarchest.actions.audit_session import TimeLimit
from cedarchest.actions.audits_due import CheckState, check_state, check_states
from cedarchest.actions.facts import named_disc
from cedarchest.actions.indexing import index_archives
from cedarchest.actions.receipts import leave_receipts
from cedarchest.actions.verify import discs_to_read
from cedarchest.actions.writers import all_writers, holding
from cedarchest.config.model import Config
from cedarchest.errors import CedarchestError, NoMedium
from cedarchest.ports import Ports, Writer


@dataclass(frozen=True, slots=True)
class AuditOptions:
    """Which discs, how much of each, and how long; None is as configured."""

    labels: tuple[str, ...] = ()
    due: bool = False
    sample: Decimal | None = None
    time_limit: timedelta | None = None


@dataclass(frozen=True, slots=True)
class AuditReport:
    """The verdicts in the order the discs were read; `waiting` is what the time did not suffice for.

    `elsewhere` are discs that are due and were not there, where they were not named.
    """

    verdicts: tuple[AuditVerdict, ...]
    waiting: tuple[str, ...] = ()
    elsewhere: tuple[CheckState, ...] = ()

    @property
    def problems(self) -> tuple[CedarchestError, ...]:
        """What went wrong, one for each disc that failed."""
        return tuple(verdict.problem for verdict in self.verdicts if verdict.problem)


def execute_audit(config: Config, options: AuditOptions, *, ports: Ports) -> AuditReport:
    """Read discs again, those that are named or those that are there; a failing one holds up no other.

    Raises:
        NoMedium, NotAppendable: the catalog knows no such disc, or it was given up.
        ToolError, MediaError: there is no drive, or no disc in it, and none was asked for as due only.
    """
    limit = TimeLimit(ports.clock.monotonic, options.time_limit or config.audit.time_limit)
    percent = options.sample or config.audit.sample
    verdicts: list[AuditVerdict] = []
    waiting: list[str] = []
    with ports.locks.hold(config.options.state_dir):
        with all_writers(config, ports) as writers:
            chosen = _chosen(config, writers, options, ports)
            for writer, state in chosen:
                ports.interrupts.check()
                if verdicts and not limit.goes_on():
                    waiting.append(state.disc.label)
                    continue
                verdicts.append(audit_disc(config, writer, state.disc, percent, limit, ports))
        index_archives(config, ports)
        leave_receipts(config, ports=ports)
        here = {state.disc.label for _, state in chosen}
        elsewhere = () if options.labels else check_states(config, ports)
        return AuditReport(
            tuple(verdicts),
            tuple(waiting),
            tuple(state for state in elsewhere if state.is_due and state.disc.label not in here),
        )


def _chosen(
    config: Config, writers: Sequence[Writer], options: AuditOptions, ports: Ports
) -> list[tuple[Writer, CheckState]]:
    """The discs to read, each with its drive, the most urgent first unless they are named."""
    if options.labels:
        named = [named_disc(label, ports) for label in dict.fromkeys(options.labels)]
        states = [check_state(config, disc, ports) for disc in named]
        return [
            (holding(writers, state.disc.label), state) for state in states if state.is_due or not options.due
        ]
    try:
        found = discs_to_read(writers, (), ports)
    except NoMedium:
        if not options.due:
            raise
        return []
    there = [(writer, check_state(config, disc, ports)) for writer, disc in found]
    wanted = [each for each in there if each[1].is_due or not options.due]
    return sorted(wanted, key=lambda each: each[1].urgency)
