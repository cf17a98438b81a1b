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
    SLOW = "slow"
    POWER_LOSS = "power-loss"
    GONE = "gone"


class PowerLostError(Exception):
    """The drive has no more power: its process ends, the disc stays as it is."""


class DriveGoneError(Exception):
    """The drive is unplugged: every descriptor of it is dead."""


@dataclass(slots=True)
class Fault:
    """One fault; `command` is "read", "write" or an opcode in hex, `lba` None means any block."""

    command: str = "write"
    lba: int | None = None
    times: int = 1
    effect: Effect = Effect.SENSE
    sense: Sense | None = None
    """The default is the write error or the read error that fits the command."""
    seconds: float = 0.0
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
        if self.command.lower() not in kinds or self.times == self.fired:
            return False
        return self.lba is None or lba <= self.lba < lba + count


class FaultPlan:
    """The faults still to come and those that struck."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.faults: list[Fault] = []

    def strike(self, kinds: tuple[str, str], lba: int, count: int) -> None:
        """Do what the plan says of this command; returns when it shall be carried out."""
        with self._lock:
            due = [fault for fault in self.faults if fault.meets(kinds, lba, count)][:1]
            for fault in due:
                fault.fired += 1
        for fault in due:
            self._carry_out(fault, kinds)

    @staticmethod
    def _carry_out(fault: Fault, kinds: tuple[str, str]) -> None:
        time.sleep(fault.seconds)
        match fault.effect:
            case Effect.SENSE:
                default = sense.READ_ERROR if "read" in kinds else sense.WRITE_ERROR
                raise CheckCondition(fault.sense or default)
            case Effect.POWER_LOSS:
                raise PowerLostError
            case Effect.GONE:
                raise DriveGoneError
            case Effect.SLOW:
                pass
