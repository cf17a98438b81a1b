"""The rebuild action: the whole week of the newest staged day, stored or not, on a new disc."""

from __future__ import annotations

import logging
from pathlib import Path

from cedarchest.actions.receipts import leave_receipts
from cedarchest.actions.store import (
    StoreOptions,
    StoreReport,
    plan_only,
    settle_earlier,
    store_days,
)
from cedarchest.config.model import Config
from cedarchest.errors import StagingError
from cedarchest.model.days import days_of_newest_week
from cedarchest.ports import Ports, StagedDay

log = logging.getLogger(__name__)


def execute_rebuild(
    config_path: Path | None, options: StoreOptions, config: Config, *, ports: Ports
) -> StoreReport:
    """Store all staged days of a week on a new disc, check them, mark them.

    Raises:
        As `execute_store`.
    """
    log.info("rebuild, configured by %s", config_path or "its caller")
    if options.dry_run:
        return plan_only(config, choose_week(config, ports), ports, always_new=True)
    with ports.locks.hold(config.options.state_dir):
        settle_earlier(config, StoreOptions(full=True), ports)
        report = store_days(config, choose_week(config, ports), ports=ports, always_new=True)
        leave_receipts(config, ports=ports)
        return report


def choose_week(config: Config, ports: Ports) -> list[StagedDay]:
    """The staged days of the week of the newest one, oldest first.

    Raises:
        StagingError: nothing is staged.
    """
    root = config.require_stage().dir
    staged = {day.day: day for day in ports.staging.days(root) if day.staged}
    week = days_of_newest_week(staged, config.options.weekday)
    if not week:
        raise StagingError(
            f"nothing is staged below {root}",
            advice="Look at `cedarchest status`; a day is staged when it holds cback.stage.",
        )
    return [staged[day] for day in week]
