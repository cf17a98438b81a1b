"""Faults on order: what shall go wrong, at which command and block, and how often.

A plan counts what it did, so that a test can assert that its fault really struck.
"""

import threading
import time
from dataclasses import asdict, dataclass
from enum import StrEnum

from tests.burner import sense
from tests.burner.sense import CheckCondition, Sense
from tests.burner.wire import Json

ALWAYS = -1


class Effect(StrEnum):
    SENSE = "sense"
    LATE_SENSE = "late-sense"
    """The command is carried out, and reported failed all the same."""
    LOST = "lost"
    """A write is reported done, but nothing reached the medium: zeros are read there."""
    SLOW = "slow"
    POWER_LOSS = "power-loss"
    GONE = "gone"


class PowerLostError(Exception):
    """The drive has no more power: its process ends, the disc stays as it is."""


class DriveGoneError(Exception):
    """The drive is unplugged: every descriptor of it is dead."""


@dataclass(slots=True)
class Fault:
    """One fault; `command` is "read", "write", "any" or an opcode in hex, `lba` None means any block.

    With `end` it is not one block but all from `lba` up to that one. The first `skip` commands that it meets
    are spared.
    """

    command: str = "write"
    lba: int | None = None
    times: int = 1
    effect: Effect = Effect.SENSE
    sense: Sense | None = None
    """The default is the write error or the read error that fits the command."""
    seconds: float = 0.0
    end: int | None = None
    skip: int = 0
    fired: int = 0

    def to_json(self) -> Json:
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Json) -> "Fault":
        fields = dict(stored)
        fields["effect"] = Effect(fields["effect"])
        fields["sense"] = Sense(*fields["sense"]) if fields["sense"] else None
        return cls(**fields)

    def meets(self, kinds: tuple[str, str], lba: int, count: int) -> bool:
        if self.command != "any" and self.command.lower() not in kinds:
            return False
        if self.times == self.fired:
            return False
        if self.lba is None:
            return True
        end = self.lba + 1 if self.end is None else self.end
        return lba < end and self.lba < lba + count


def _default_sense(kinds: tuple[str, str]) -> Sense:
    return sense.READ_ERROR if "read" in kinds else sense.WRITE_ERROR


class FaultPlan:
    """The faults still to come and those that struck."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.faults: list[Fault] = []

    def strike(self, kinds: tuple[str, str], lba: int, count: int) -> Fault | None:
        """Do what the plan says of this command; returns when it shall be carried out, with the fault."""
        with self._lock:
            due = self._next(kinds, lba, count)
        if due:
            self._carry_out(due, kinds)
        return due

    def _next(self, kinds: tuple[str, str], lba: int, count: int) -> Fault | None:
        for fault in self.faults:
            if not fault.meets(kinds, lba, count):
                continue
            if fault.skip:
                fault.skip -= 1
                continue
            fault.fired += 1
            return fault
        return None

    @staticmethod
    def _carry_out(fault: Fault, kinds: tuple[str, str]) -> None:
        time.sleep(fault.seconds)
        match fault.effect:
            case Effect.SENSE:
                raise CheckCondition(fault.sense or _default_sense(kinds))
            case Effect.POWER_LOSS:
                raise PowerLostError
            case Effect.GONE:
                raise DriveGoneError
            case Effect.SLOW | Effect.LOST | Effect.LATE_SENSE:
                pass

    @staticmethod
    def follow(fault: Fault | None, kinds: tuple[str, str]) -> None:
        """Report a command failed that was carried out, if a fault says so."""
        if fault and fault.effect is Effect.LATE_SENSE:
            raise CheckCondition(fault.sense or _default_sense(kinds))
