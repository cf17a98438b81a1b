"""Sense data: how a drive says why a command failed.

Source: SPC-4 4.5 (sense data), MMC-6 (annex on sense codes).
"""

from typing import NamedTuple

STATUS_CHECK_CONDITION = 0x02  # SAM-5 5.3.1
DRIVER_SENSE = 0x08  # Linux: the driver_status that says "there is sense data"


class Sense(NamedTuple):
    """Sense key, additional sense code, its qualifier."""

    key: int
    asc: int
    ascq: int

    def fixed_format(self) -> bytes:
        """Give the 18 bytes of current information (SPC-4 4.5.3)."""
        return bytes((0x70, 0, self.key, 0, 0, 0, 0, 10, 0, 0, 0, 0, self.asc, self.ascq, 0, 0, 0, 0))

    def __str__(self) -> str:
        return f"{self.key:X}/{self.asc:02X}/{self.ascq:02X}"


NOT_READY_BECOMING = Sense(2, 0x04, 0x01)
NOT_READY_LONG_WRITE = Sense(2, 0x04, 0x08)
INCOMPATIBLE_MEDIUM = Sense(2, 0x30, 0x05)  # cannot write medium, incompatible format
NO_MEDIUM_TRAY_CLOSED = Sense(2, 0x3A, 0x01)
NO_MEDIUM_TRAY_OPEN = Sense(2, 0x3A, 0x02)
WRITE_ERROR = Sense(3, 0x0C, 0x00)
READ_ERROR = Sense(3, 0x11, 0x00)
INVALID_OPCODE = Sense(5, 0x20, 0x00)
OUT_OF_RANGE = Sense(5, 0x21, 0x00)
INVALID_WRITE_ADDRESS = Sense(5, 0x21, 0x02)
INVALID_FIELD = Sense(5, 0x24, 0x00)
INVALID_PARAMETER = Sense(5, 0x26, 0x00)
SEQUENCE_ERROR = Sense(5, 0x2C, 0x00)
CANNOT_WRITE_MEDIUM = Sense(5, 0x30, 0x05)
ILLEGAL_MODE_FOR_TRACK = Sense(5, 0x64, 0x00)
MEDIUM_MAY_HAVE_CHANGED = Sense(6, 0x28, 0x00)
WRITE_PROTECTED = Sense(7, 0x27, 0x00)


class CheckCondition(Exception):
    """A command ends with CHECK CONDITION and this sense."""

    def __init__(self, sense: Sense) -> None:
        super().__init__(str(sense))
        self.sense = sense
