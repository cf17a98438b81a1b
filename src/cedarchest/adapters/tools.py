"""The programs that we run, besides what the administrator names: whether they are there and new enough.

What each is needed for, and the options that decide how new it must be, stand with the module that runs it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from cedarchest.adapters.process import run, tail_of
from cedarchest.adapters.xorriso import Xorriso
from cedarchest.errors import ToolTooOld, UnexpectedOutput

_QUESTION_S = 30.0


@dataclass(frozen=True, slots=True)
class _Tool:
    """How a program tells its version, and the least that will do."""

    says: str
    needed: tuple[int, int] = (0, 0)
    asked: str = "--version"


_TOOLS = {
    "rsync": _Tool(r"rsync +version v?(\d+)\.(\d+)", (3, 1)),  # --outbuf, of 3.1.0
    "ssh": _Tool(r"OpenSSH_(\d+)\.(\d+)", asked="-V"),
    "tar": _Tool(r"tar \(GNU tar\) (\d+)\.(\d+)", (1, 29)),  # --verbatim-files-from, of 1.29
    "gzip": _Tool(r"gzip (\d+)\.(\d+)"),
    "bzip2": _Tool(r"bzip2.*Version (\d+)\.(\d+)"),
    "xz": _Tool(r"xz \(XZ Utils\) (\d+)\.(\d+)", (5, 2)),  # --threads, of 5.2.0
    "zstd": _Tool(r".*v(\d+)\.(\d+)"),
}


@dataclass
class InstalledTools:
    """The programs of this machine; each is asked once a run."""

    xorriso: Xorriso
    _versions: dict[str, str] = field(default_factory=dict)

    def xorriso_version(self) -> str:
        """The version of xorriso, found to be new enough."""
        if "xorriso" not in self._versions:
            self._versions["xorriso"] = self.xorriso.version()
        return self._versions["xorriso"]

    def version(self, name: str) -> str:
        """The version of a program, found to be new enough."""
        if name not in self._versions:
            self._versions[name] = _version(name, _TOOLS[name])
        return self._versions[name]


def _version(name: str, tool: _Tool) -> str:
    done = run((name, tool.asked), timeout_s=_QUESTION_S)
    for line in done.lines:
        if match := re.match(tool.says, line):
            break
    else:
        raise UnexpectedOutput(
            f"{name} did not tell its version as the one that is needed does",
            advice=f"See what `{name} {tool.asked}` says, and which program of that name is first on PATH.",
            transcript=tail_of(done.lines),
        )
    found = (int(match[1]), int(match[2]))
    text, needed = (f"{major}.{minor}" for major, minor in (found, tool.needed))
    if found < tool.needed:
        raise ToolTooOld(
            f"{name} is {text}; {needed} or later is needed",
            advice=f"Install a newer {name}.",
            found=text,
            needed=needed,
        )
    return f"{name} {text}"
