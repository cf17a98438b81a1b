"""Logging in to other machines by OpenSSH, without a question."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cedarchest.adapters.clock import VARIABLE

CANNOT_LOG_IN = 255
"""Exit status of ssh(1) where it, and not the program over there, failed."""

PASSED_ON = (VARIABLE,)
"""Variables that a program over there gets, where its sshd accepts them: a test's pool has one clock."""


@dataclass(frozen=True, slots=True)
class Login:
    """How a remote machine is reached; `timeout_s` is how long it may be silent."""

    host: str
    user: str = ""
    port: int | None = None
    identity: Path | None = None
    options: Sequence[str] = ()
    bytes_a_second: int | None = None
    timeout_s: float = 300

    @property
    def seconds(self) -> int:
        """How long it may be silent, as ssh and rsync take it."""
        return max(1, round(self.timeout_s))

    @property
    def ssh(self) -> list[str]:
        """The remote shell and its arguments; nothing is ever asked on a terminal."""
        words = ["ssh", "-o", "BatchMode=yes", "-o", f"ConnectTimeout={self.seconds}"]
        words += ["-o", "ServerAliveInterval=15"]
        if self.port:
            words += ["-p", str(self.port)]
        if self.identity:
            words += ["-i", str(self.identity), "-o", "IdentitiesOnly=yes"]
        return [*words, *self.options]

    @property
    def account(self) -> str:
        """Who logs in where, as ssh takes it."""
        return f"{self.user}@{self.host}" if self.user else self.host

    @property
    def target(self) -> str:
        """The machine as rsync takes it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.user}@{host}" if self.user else host

    @property
    def advice(self) -> str:
        """What a person does who cannot log in."""
        by_hand = " ".join([*self.ssh, self.account])
        return f"See that it is up and that this works without a question: {by_hand} true"


def remote(login: Login, argv: Sequence[str]) -> list[str]:
    """The argument list that runs a program over there; its shell takes each argument as it is."""
    passed_on = [word for name in PASSED_ON for word in ("-o", f"SendEnv={name}")]
    return [*login.ssh, *passed_on, "--", login.account, shlex.join(argv)]
