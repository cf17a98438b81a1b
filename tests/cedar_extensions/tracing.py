"""Extensions of Cedar Backup by somebody else that say in a file that they ran."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def note(configPath: str, options: Any, config: Any) -> None:  # noqa: N803 - theirs
    """Say that this ran, and with what."""
    trace = Path(config.options.workingDir, "trace")
    with trace.open("a") as file:
        file.write(f"note full={bool(options.full)} of {Path(configPath).name}\n")


def other(configPath: str, options: Any, config: Any) -> None:  # noqa: N803 - theirs
    """Say that this ran, too."""
    with Path(config.options.workingDir, "trace").open("a") as file:
        file.write("other\n")


def broken(configPath: str, options: Any, config: Any) -> None:  # noqa: N803 - theirs
    """Fail."""
    raise ValueError("this does not work")
