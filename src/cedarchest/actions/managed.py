"""Actions of the peers that the master manages: each runs its own, by ssh, side by side with the others."""

from __future__ import annotations

import functools
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from cedarchest.actions.pool import may_fail, side_by_side
from cedarchest.config.choices import ManagedAction
from cedarchest.config.model import Config, Peer
from cedarchest.errors import CedarchestError, ConfigError, ExitCode, PeerError
from cedarchest.model.names import readable
from cedarchest.ports import PeerRun, Ports

SAID_LINES = 3
"""Last lines of a peer's run that are told with its failure."""


class ManagedOutcome(StrEnum):
    """What came of an action on a peer."""

    DONE = "done"
    PLANNED = "planned"
    IGNORED = "ignored"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ManagedPeer:
    """A peer and what its own action came to; `command` is what was run there."""

    name: str
    command: str
    outcome: ManagedOutcome
    left_out: tuple[str, ...] = ()
    problem: CedarchestError | None = None


def managed_peers(config: Config, action: ManagedAction) -> list[Peer]:
    """The peers on which the master may run an action."""
    return [peer for peer in config.peer if peer.managed and action in peer.managed_actions]


def require_managed(config: Config, actions: Sequence[ManagedAction]) -> None:
    """See that one of these actions may be run on a peer.

    Raises:
        ConfigError: there is no such peer.
    """
    if not any(managed_peers(config, action) for action in actions):
        raise ConfigError(
            f"no peer lets the master run {' or '.join(actions)}",
            advice="Set managed = true at a [[peer]] with a host, or leave --managed away.",
        )


def execute_managed(
    config: Config, action: ManagedAction, *, full: bool, dry_run: bool, ports: Ports
) -> tuple[ManagedPeer, ...]:
    """Run an action on each peer that is managed for it, in the order of the configuration."""
    commands = {peer.name: _command(peer, action, full=full) for peer in managed_peers(config, action)}
    if dry_run:
        return tuple(
            ManagedPeer(name, shlex.join(argv), ManagedOutcome.PLANNED) for name, argv in commands.items()
        )
    jobs = {name: functools.partial(ports.peers.act, name, argv) for name, argv in commands.items()}
    ignored = may_fail(config, full=full, ports=ports)
    told = []
    for name, came in side_by_side(config, jobs, ports):
        peer = _told(name, shlex.join(commands[name]), came)
        if peer.problem and name in ignored:
            ports.reporter.warn(f"{peer.problem.message} (ignored, as configured)")
            peer = ManagedPeer(name, peer.command, ManagedOutcome.IGNORED)
        told.append(peer)
    return tuple(told)


def _command(peer: Peer, action: ManagedAction, *, full: bool) -> list[str]:
    """The switch stands before the action, where Cedar Backup wants it, too."""
    return [*peer.managed_command, *(["--full"] if full and action is ManagedAction.COLLECT else []), action]


def _told(name: str, command: str, came: PeerRun | CedarchestError) -> ManagedPeer:
    if isinstance(came, CedarchestError):
        return ManagedPeer(name, command, ManagedOutcome.FAILED, problem=came)
    if came.status == ExitCode.OK:
        return ManagedPeer(name, command, ManagedOutcome.DONE)
    lines = [readable(line.strip()) for line in came.said if line.strip()]
    said = lines[-SAID_LINES:]
    why = f"`{command}` on {name} ended with {came.status}: {' / '.join(said) or 'it said nothing'}"
    if came.status == ExitCode.PARTIAL:
        return ManagedPeer(name, command, ManagedOutcome.DONE, (why,))
    problem = PeerError(
        why,
        advice=f"Log in to {name} and see what `{command}` says there.",
        peer=name,
        transcript="\n".join(lines),
    )
    return ManagedPeer(name, command, ManagedOutcome.FAILED, problem=problem)
