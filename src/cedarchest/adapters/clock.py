"""The wall clock, or the instant that `CEDARCHEST_NOW` names."""

from __future__ import annotations

import os
import time
from datetime import datetime

from cedarchest.errors import ConfigError

VARIABLE = "CEDARCHEST_NOW"


class SystemClock:
    """The one reader of the wall clock."""

    def __init__(self) -> None:
        text = os.environ.get(VARIABLE)
        try:
            self._fixed = datetime.fromisoformat(text).astimezone() if text else None
        except ValueError:
            raise ConfigError(
                f"{VARIABLE} is {text!r}, which is no time",
                advice=f"Write it as in {VARIABLE}=2026-11-22T02:00:00+01:00, or unset it.",
            ) from None

    def now(self) -> datetime:
        """The time now, with the local offset."""
        return self._fixed or datetime.now().astimezone()

    def local(self, wall: datetime) -> datetime:
        """The instant of a wall time here."""
        return wall.astimezone()

    def monotonic(self) -> float:
        """Seconds from an arbitrary point."""
        return time.monotonic()
