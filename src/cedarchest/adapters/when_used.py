"""An adapter that only its first use makes: most of a short run would be the import of what it never asks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar, cast

_Port = TypeVar("_Port")


def when_used(make: Callable[[], _Port]) -> _Port:
    """What `make` makes, as soon as something of it is asked for; once, whichever thread asks first."""
    return cast("_Port", _WhenUsed(make))


class _WhenUsed:
    def __init__(self, make: Callable[[], object]) -> None:
        self._make = make
        self._making = threading.Lock()
        self._made: object = None

    def __getattr__(self, name: str) -> Any:
        """What the port has under that name."""
        with self._making:
            if self._made is None:
                self._made = self._make()
        return getattr(self._made, name)
