"""The emulated drive as a device of the kernel: with KernelBurner("dvd+r") as drive: ... /dev/sr0 ..."""

import contextlib
from types import TracebackType
from typing import Self

from tests.burner.burner import Burner
from tests.burner.kernel.bridge import Bridge
from tests.burner.kernel.node import has_medium, wait_for_no_node, wait_for_node, wait_until


class KernelBurner(Burner):
    """A drive like the one of other tests; programs find it without any help."""

    def __init__(self, profile: str, blocks: int = 0, *, announces_sessions: bool = False) -> None:
        """Without `announces_sessions` the drive does not say that a burnt disc is longer now."""
        super().__init__(profile, blocks)
        self._announces_sessions = announces_sessions
        self._plugged = contextlib.ExitStack()

    def __enter__(self) -> Self:
        super().__enter__()
        self._order({"announces_sessions": self._announces_sessions})
        bridge = Bridge(self.socket)
        self._plugged.callback(wait_for_no_node)
        self._plugged.callback(bridge.close)
        wait_for_node()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._plugged.close()
        finally:
            super().__exit__(kind, error, trace)

    def settings(self, max_sleep_us: int | None = 1000) -> dict[str, str]:
        """No settings: the drive is a real device here."""
        return {}

    def reinsert(self) -> None:
        """Take the disc out and put it in again, as by hand; the kernel looks at it anew."""
        self.eject()
        wait_until(lambda: not has_medium(), "the kernel's notice that the drive is empty")
        self.load()
        wait_until(has_medium, "the kernel's notice of the disc")
