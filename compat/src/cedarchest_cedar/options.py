"""The command line of Cedar Backup: its switches, and the actions after them."""

from __future__ import annotations

import getopt
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cedarchest.config.wording import shown
from cedarchest_cedar.compared import Compared

__all__ = ["Options"]


@dataclass(frozen=True, slots=True)
class Switch:
    """A switch: its letter, the attribute that it sets, whether it has a value, and what it is for."""

    letter: str
    name: str
    attribute: str
    purpose: str
    has_value: bool = False


SWITCHES = (
    Switch("h", "help", "help", "say what there is, and end"),
    Switch("V", "version", "version", "say the version, and end"),
    Switch("b", "verbose", "verbose", "what goes to the log is shown as well"),
    Switch("q", "quiet", "quiet", "show nothing"),
    Switch("c", "config", "config", "the configuration file (else {config})", has_value=True),
    Switch("f", "full", "full", "a full backup, whatever the day"),
    Switch("M", "managed", "managed", "run actions on managed peers as well"),
    Switch("N", "managed-only", "managedOnly", "run actions on managed peers, and not here"),
    Switch("l", "logfile", "logfile", "the log (else {logfile})", has_value=True),
    Switch("o", "owner", "owner", "USER:GROUP of a log that is made (else root:adm)", has_value=True),
    Switch("m", "mode", "mode", "octal mode of a log that is made (else 640)", has_value=True),
    Switch("O", "output", "output", "what programs say goes to the log as well"),
    Switch("d", "debug", "debug", "everything goes to the log"),
    Switch("s", "stack", "stacktrace", "a failure ends with Python's stack trace, and 1"),
    Switch("D", "diagnostics", "diagnostics", "say what this runs on, and end"),
)
SYNC_SWITCHES = (
    *(each for each in SWITCHES if each.letter not in "cfMN"),
    Switch("v", "verifyOnly", "verifyOnly", "only compare"),
    Switch("u", "uploadOnly", "uploadOnly", "remove nothing there"),
    Switch("w", "ignoreWarnings", "ignoreWarnings", "go on with names that are encoded badly"),
)
SPAN_SWITCHES = (
    *(each for each in SWITCHES if each.letter not in "qfMN"),
    Switch("y", "yes", "yes", "ask nothing"),
)


class Options(Compared):
    """What a command line asks for; a switch that is not given is False, or None where it has a value."""

    switches: Sequence[Switch] = SWITCHES

    help: bool = False
    version: bool = False
    verbose: bool = False
    quiet: bool = False
    config: str | None = None
    full: bool = False
    managed: bool = False
    managedOnly: bool = False
    logfile: str | None = None
    owner: tuple[str, str] | None = None
    output: bool = False
    debug: bool = False
    stacktrace: bool = False
    diagnostics: bool = False

    def __init__(
        self,
        argumentList: Sequence[str] | None = None,
        argumentString: str | None = None,
        validate: bool = True,
    ) -> None:
        """Read a command line, as a list of arguments or as one text; without either nothing is set.

        Raises:
            getopt.GetoptError: a switch is not known.
            ValueError: a value makes no sense, or switches contradict each other.
        """
        if argumentList is not None and argumentString is not None:
            raise ValueError("argumentList and argumentString are both given, and one of them is meant")
        self.actions: list[str] = []
        self._mode: int | None = None
        if argumentString is not None:
            argumentList = shlex.split(argumentString)
        if argumentList is None:
            return
        self._parse(argumentList)
        if validate:
            self.validate()

    @property
    def mode(self) -> int | None:
        """Mode of a log that is made; a text is octal."""
        return self._mode

    @mode.setter
    def mode(self, mode: int | str | None) -> None:
        self._mode = _mode(mode) if isinstance(mode, str) else mode

    def _values(self) -> list[object]:
        return [*(getattr(self, each.attribute) for each in self.switches), tuple(self.actions)]

    def validate(self) -> None:
        """See that what is asked for can be done.

        Raises:
            ValueError: it cannot.
        """
        if not (self.help or self.version or self.diagnostics):
            self._check_words()
        if self.managed and self.managedOnly:
            raise ValueError("--managed and --managed-only cannot both be given")

    def buildArgumentList(self, validate: bool = True) -> list[str]:
        """The arguments that mean this.

        Raises:
            ValueError: it cannot be done.
        """
        if validate:
            self.validate()
        made = []
        for switch in self.switches:
            value = getattr(self, switch.attribute)
            if value not in (None, False):
                made += [f"--{switch.name}", *([self._written(switch, value)] if switch.has_value else [])]
        return [*made, *self.actions]

    def buildArgumentString(self, validate: bool = True) -> str:
        """The same as one text, each value but a mode, and each action, in quotes.

        Raises:
            ValueError: it cannot be done.
        """
        arguments = self.buildArgumentList(validate)
        mode = arguments.index("--mode") + 1 if "--mode" in arguments else None
        return "".join(
            f"{each} " if each.startswith("--") or place == mode else f'"{each}" '
            for place, each in enumerate(arguments)
        )

    def _check_words(self) -> None:
        if not self.actions:
            raise ValueError("no action is named")

    def _parse(self, arguments: Sequence[str]) -> None:
        letters = "".join(each.letter + ":" * each.has_value for each in self.switches)
        names = [each.name + "=" * each.has_value for each in self.switches]
        found, self.actions = getopt.getopt(list(arguments), letters, names)
        known = {f"-{each.letter}": each for each in self.switches}
        known |= {f"--{each.name}": each for each in self.switches}
        rules: dict[str, Callable[[str], object]] = {"owner": _owner, "mode": _mode}
        for given, text in found:
            switch = known[given]
            value = rules.get(switch.attribute, str)(text) if switch.has_value else True
            setattr(self, switch.attribute, value)

    @staticmethod
    def _written(switch: Switch, value: object) -> str:
        if switch.attribute == "owner" and isinstance(value, tuple):
            return ":".join(value)
        return f"{value:o}" if isinstance(value, int) else str(value)


class SpanOptions(Options):
    """What `cback3-span` takes: no actions, and one switch more."""

    switches = SPAN_SWITCHES
    yes = False

    def _check_words(self) -> None:
        if self.actions:
            raise ValueError(f"there are no actions here, and {shown(self.actions[0])} is none")


class SyncOptions(Options):
    """What `cback3-amazons3-sync` takes: a folder and an address."""

    switches = SYNC_SWITCHES
    verifyOnly = False
    uploadOnly = False
    ignoreWarnings = False

    def _check_words(self) -> None:
        if len(self.actions) != 2:
            raise ValueError("a folder and the address of a bucket have to be named")


def _owner(text: str) -> tuple[str, str]:
    user, colon, group = text.partition(":")
    if not (user and colon and group) or ":" in group:
        raise ValueError(f"the owner {shown(text)} is not USER:GROUP")
    return user, group


def _mode(text: str) -> int:
    try:
        mode = int(text, 8)
    except ValueError:
        mode = -1
    if not 0 <= mode <= 0o7777:
        raise ValueError(f"the mode {shown(text)} is not octal, such as 640")
    return mode
