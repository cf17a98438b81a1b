"""Stand-ins on PATH for what must not be done to the tester's own machine: systemctl and crontab."""

from __future__ import annotations

import os
from pathlib import Path

_SYSTEMCTL = """\
#!/bin/sh
echo "$*" >> "{folder}/calls"
[ ! -e "{folder}/broken" ] || {{ echo "Failed to connect to bus"; exit 1; }}
"""

_CRONTAB = """\
#!/bin/sh
case "$1" in
-l) [ -e "{folder}/crontab.kept" ] || {{ echo "no crontab for me" >&2; exit 1; }}
    cat "{folder}/crontab.kept";;
-r) rm "{folder}/crontab.kept";;
*) cp "$1" "{folder}/crontab.kept";;
esac
"""


class StandIns:
    """A folder for the front of PATH; what was said to systemctl, and the crontab."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        for name, text in (("systemctl", _SYSTEMCTL), ("crontab", _CRONTAB)):
            (folder / name).write_text(text.format(folder=folder))
            (folder / name).chmod(0o755)
        self.path = f"{folder}:{os.environ['PATH']}"
        self.crontab = folder / "crontab.kept"

    def calls(self) -> list[str]:
        """What systemctl was called with since this was asked last."""
        calls = self._folder / "calls"
        lines = calls.read_text().splitlines() if calls.exists() else []
        calls.unlink(missing_ok=True)
        return lines

    def break_systemctl(self) -> None:
        """From now on it fails."""
        (self._folder / "broken").touch()
