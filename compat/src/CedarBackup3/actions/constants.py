"""What actions call their marks."""

from cedarchest_cedar.indicators import (
    COLLECT_INDICATOR,
    DIGEST_EXTENSION,
    DIR_TIME_FORMAT,
    INDICATOR_PATTERN,
    STAGE_INDICATOR,
    STORE_INDICATOR,
)

__all__ = [
    "COLLECT_INDICATOR",
    "DIGEST_EXTENSION",
    "DIR_TIME_FORMAT",
    "INDICATOR_PATTERN",
    "STAGE_INDICATOR",
    "STORE_INDICATOR",
]
