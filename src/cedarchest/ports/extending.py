"""Actions that other packages bring."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from cedarchest.extension import Call, Done, Extension


class Extensions(Protocol):
    """The extensions that installed packages bring. What they write on standard output goes elsewhere."""

    def installed(self) -> frozenset[str]:
        """Their names, without ours; nothing of theirs is imported for that."""
        ...

    def package(self, name: str) -> str:
        """The package that brings one, and its version.

        Raises:
            ConfigError: none does, or several.
        """
        ...

    def load(self, name: str) -> Extension:
        """One of them, imported.

        Raises:
            ConfigError: no package brings it, or several do.
            ExtensionFailed: it cannot be imported, or is no extension.
        """
        ...

    def check(self, name: str, settings: Mapping[str, object]) -> tuple[str, ...]:
        """A line for each problem of its settings.

        Raises:
            ConfigError, ExtensionFailed: as `load`; or the check itself failed.
        """
        ...

    def run(self, name: str, call: Call) -> Done:
        """Run it; its lines are texts.

        Raises:
            ConfigError, ExtensionFailed: as `load`; or it failed.
            Interrupted: the operator asked the run to end.
        """
        ...
