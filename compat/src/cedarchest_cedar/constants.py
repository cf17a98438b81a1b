"""Names of days and indicators, under the names of Cedar Backup's `actions.constants`."""

from __future__ import annotations

__all__ = [
    "COLLECT_INDICATOR",
    "DIGEST_EXTENSION",
    "DIR_TIME_FORMAT",
    "INDICATOR_PATTERN",
    "STAGE_INDICATOR",
    "STORE_INDICATOR",
]

DIR_TIME_FORMAT = "%Y/%m/%d"
DIGEST_EXTENSION = "sha"
INDICATOR_PATTERN = [r"cback\..*"]
COLLECT_INDICATOR, STAGE_INDICATOR, STORE_INDICATOR = "cback.collect", "cback.stage", "cback.store"
