"""Commands as Cedar Backup writes them: blanks part words, double quotes keep them, nothing else counts."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from cedarchest.config.wording import shown

_WORD = re.compile(r'"([^"]+)"|([^ "]+)')


def words_of(command: str) -> list[str]:
    """The words of a command; an empty pair of quotes is none."""
    return [word for match in _WORD.finditer(command) if (word := match[1] or match[2])]


@dataclass(slots=True)
class LogIn:
    """What a remote copy or shell command says of how to log in; `unused` is what has no counterpart."""

    identity: str | None = None
    port: int | None = None
    bwlimit: str | None = None
    options: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)


_SILENT = frozenset("BOTqprv")
"""Switches of scp and ssh that say nothing of the way there, or what is done in any case."""
_ARGUMENT = frozenset("iPpoFcJlSXD")


def log_in(command: str) -> LogIn:
    """How `scp …` or `ssh …` logs in. Other programs have no counterpart at all."""
    found = LogIn()
    words = deque(words_of(command) or [""])
    program = words.popleft()
    name = PurePosixPath(program).name
    if name not in {"scp", "ssh"}:
        if program:
            found.unused.append(program)
        return found
    while words:
        word = words.popleft()
        if not re.fullmatch(r"-[A-Za-z0-9].*", word, re.DOTALL):
            found.unused.append(word)
        elif word[1] in _ARGUMENT and not (name == "scp" and word[1] == "p"):
            argument = word[2:] or (words.popleft() if words else "")
            if not _take(found, name, word[1], argument):
                found.unused.append(f"{word[:2]} {argument}".strip())
        else:
            _take_switches(found, word)
    return found


def _take_switches(found: LogIn, word: str) -> None:
    for switch in word[1:]:
        if switch in "46C":
            found.options.append(f"-{switch}")
        elif switch not in _SILENT:
            found.unused.append(f"-{switch}")


def _take(found: LogIn, program: str, switch: str, argument: str) -> bool:
    port = switch == ("P" if program == "scp" else "p")
    taking: Mapping[str, Callable[[], None]] = {
        "i": lambda: setattr(found, "identity", argument),
        "o": lambda: found.options.extend(["-o", argument]),
        "F": lambda: found.options.extend(["-F", argument]),
        "J": lambda: found.options.extend(["-J", argument]),
        "c": lambda: found.options.extend(["-c", argument]),
    }
    if port and re.fullmatch("[0-9]{1,5}", argument, re.ASCII) and 0 < int(argument) < 65536:
        found.port = int(argument)
    elif program == "scp" and switch == "l" and re.fullmatch("[1-9][0-9]{0,9}", argument, re.ASCII):
        found.bwlimit = f"{int(argument) * 125} B"  # it counts thousands of bits
    elif argument and switch in taking and (switch != "i" or argument.startswith(("/", "~"))):
        taking[switch]()
    else:
        return False
    return True


def listed(values: list[str]) -> str:
    """Texts as a line of the report names them."""
    return ", ".join(map(shown, values))
