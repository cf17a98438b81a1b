"""What tells systemd or cron to run this program: unit files and crontab lines, as text.

The first line of a file of ours is `MARK`, the end of a line of ours `LINE_MARK`: only what bears it is ever
replaced or removed. Paths are data: whatever is in them reaches the program unchanged, or is refused.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import time
from pathlib import Path

from cedarchest.model.names import readable, to_text

MARK = "# Written by `cedarchest schedule install`; `cedarchest schedule remove` takes it away."
LINE_MARK = "# by cedarchest schedule install"

SERVICE, TIMER, CRON_FILE = "cedarchest.service", "cedarchest.timer", "cedarchest"

LONGEST_COMMAND = 990
"""Bytes of a command that cron takes. Source: Debian cron 3.0pl1, MAX_COMMAND is 1000."""

_SYSTEMD_SPECIAL = re.compile(rb'[\x00-\x1f\x7f-\xff"\\]')
_REFUSED_BY_SYSTEMD = re.compile(rb"[\x00-\x1f\x7f'\"\\]")


class CannotBeNamed(ValueError):
    """A path that systemd or cron cannot take; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Invoked:
    """How the program is called: its own words, absolute, and the absolute path of the configuration."""

    program: tuple[str, ...]
    config: Path
    times: tuple[time, ...]

    @property
    def arguments(self) -> tuple[str, ...]:
        """All that follows the first word."""
        return (*self.program[1:], "-c", str(self.config), "all")


def units(invoked: Invoked, *, whole_machine: bool) -> Mapping[str, str]:
    """The unit files by name, the one that is to be enabled last.

    Raises:
        CannotBeNamed: systemd takes no program of this path.
    """
    words = [_program(invoked.program[0]), *(_argument(each) for each in invoked.arguments)]
    network = "Wants=network-online.target\nAfter=network-online.target\n" if whole_machine else ""
    calendar = "".join(f"OnCalendar=*-*-* {each:%H:%M}:00\n" for each in invoked.times)
    return {
        SERVICE: _SERVICE.format(mark=MARK, network=network, command=" ".join(words)),
        TIMER: _TIMER.format(mark=MARK, calendar=calendar),
    }


_SERVICE = """\
{mark}
[Unit]
Description=Backup of this night by cedarchest
{network}
[Service]
Type=oneshot
ExecStart={command}
# Exit status 11, something was left out, is no success: `systemctl --failed` is to show it. Nothing hangs on
# that state; the next night runs all the same.
# A burn takes as long as it takes, and when the machine goes down it is let to its end: only the program
# itself is asked to end, by SIGINT, which it heeds once the session is written. A burner is never killed.
TimeoutStartSec=infinity
TimeoutStopSec=infinity
KillMode=process
KillSignal=SIGINT
OOMPolicy=continue
Nice=10
IOSchedulingClass=idle
"""

_TIMER = """\
{mark}
[Unit]
Description=Nightly backup by cedarchest

[Timer]
{calendar}# What the machine slept through is done when it is awake.
Persistent=true

[Install]
WantedBy=timers.target
"""


def _program(path: str) -> str:
    """The first word of `ExecStart`, in which `$` stands for itself.

    Source: systemd.service(5), "COMMAND LINES"; quotes and backslashes in it are refused by systemd 252.
    """
    raw = os.fsencode(path)
    if _REFUSED_BY_SYSTEMD.search(raw) or not _is_utf_8(raw):
        raise CannotBeNamed(f"systemd takes no program with the path {to_text(raw)}")
    return _quoted(raw).replace("%", "%%")


def _argument(word: str) -> str:
    """Another word. Source: systemd.service(5), `$$`; systemd.unit(5), `%%`; systemd.syntax(7), quoting."""
    return _quoted(os.fsencode(word)).replace("%", "%%").replace("$", "$$")


def _quoted(raw: bytes) -> str:
    escaped = _SYSTEMD_SPECIAL.sub(lambda found: _escaped(found[0]), raw) if not _is_utf_8(raw) else None
    if escaped is None:  # letters beyond ASCII stay readable
        escaped = re.sub(rb'[\x00-\x1f\x7f"\\]', lambda found: _escaped(found[0]), raw)
    return (
        f'"{escaped.decode()}"'
        if re.search(r"[^A-Za-z0-9_./%$=:@,+-]", escaped.decode())
        else escaped.decode()
    )


def _escaped(byte: bytes) -> bytes:
    return b"\\" + byte if byte in b'"\\' else b"\\x%02x" % byte[0]


def _is_utf_8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def cron_file(invoked: Invoked) -> str:
    """The file for `/etc/cron.d`.

    Raises:
        CannotBeNamed: cron takes no such command.
    """
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    lines = [f"{when} root {_command(invoked)}" for when in _cron_times(invoked.times)]
    return "\n".join([MARK, "SHELL=/bin/sh", f"PATH={path}", *lines, ""])


def crontab_lines(invoked: Invoked) -> tuple[str, ...]:
    """The lines for a user's crontab: one for each minute of the hour.

    Raises:
        CannotBeNamed: cron takes no such command.
    """
    return tuple(f"{when} {_command(invoked)} {LINE_MARK}" for when in _cron_times(invoked.times))


def without_ours(lines: Iterable[str]) -> list[str]:
    """The lines of a crontab that are not ours."""
    return [line for line in lines if not line.endswith(LINE_MARK)]


def _cron_times(times: Sequence[time]) -> list[str]:
    minutes = sorted({each.minute for each in times})
    hours = {minute: sorted(each.hour for each in times if each.minute == minute) for minute in minutes}
    return [f"{minute} {','.join(map(str, hours[minute]))} * * *" for minute in minutes]


def _command(invoked: Invoked) -> str:
    words = (invoked.program[0], *invoked.program[1:], "-q", *invoked.arguments[len(invoked.program) - 1 :])
    for word in words:
        if "\n" in word:
            raise CannotBeNamed(f"cron takes no line break, and {readable(word)} has one")
    command = " ".join(map(_for_cron, words))
    if len(os.fsencode(command)) > LONGEST_COMMAND:
        raise CannotBeNamed(f"cron takes no command of more than {LONGEST_COMMAND} bytes")
    return command


def _for_cron(word: str) -> str:
    r"""A word for the shell in a crontab. Source: crontab(5): a `%` is a line break unless it is `\%`.

    Cron takes a backslash away before `%` only, so one that belongs to the word must not stand there: each
    `%` is set apart from the quotes around the rest.
    """
    return r"\%".join(shlex.quote(part) if part or "%" not in word else "" for part in word.split("%"))
