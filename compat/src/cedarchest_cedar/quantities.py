"""Numbers of bytes with their unit, as sections of extensions write them: `2.5 MB`."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from xml.dom.minidom import Document, Element

from cedarchest.config.cedar.reading import size
from cedarchest.config.wording import Malformed, shown

UNIT_BYTES, UNIT_KBYTES, UNIT_MBYTES, UNIT_SECTORS, UNIT_GBYTES = 0, 1, 2, 3, 4
NAMES = {UNIT_BYTES: "bytes", UNIT_KBYTES: "KB", UNIT_MBYTES: "MB", UNIT_GBYTES: "GB"}
SIZES = {UNIT_BYTES: 1, UNIT_KBYTES: 1024, UNIT_MBYTES: 1024**2, UNIT_SECTORS: 2048, UNIT_GBYTES: 1024**3}


@functools.total_ordering
@dataclass(eq=False)
class ByteQuantity:
    """A number of bytes, KB, MB or GB, which count by 1024; compared by its bytes."""

    quantity: str | None = None
    units: int = UNIT_BYTES

    def __post_init__(self) -> None:
        if self.quantity is not None:
            self.quantity = str(self.quantity)
            if self.units not in NAMES:
                raise ValueError(f"{shown(self.units)} is no unit of bytes")
            try:
                float(self.quantity)
            except ValueError:
                raise ValueError(f"{shown(self.quantity)} is no number of bytes") from None

    @property
    def bytes(self) -> float:
        """The quantity in bytes."""
        return float(self.quantity or 0) * SIZES[self.units]

    def __eq__(self, other: object) -> bool:
        return self.bytes == (other.bytes if isinstance(other, ByteQuantity) else other)

    def __lt__(self, other: object) -> bool:
        if isinstance(other, ByteQuantity):
            return self.bytes < other.bytes
        return self.bytes < other if isinstance(other, int | float) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.bytes)

    def __str__(self) -> str:
        from cedarchest_cedar.util import displayBytes

        return displayBytes(self.bytes)


def readByteQuantity(parent: Element, name: str) -> ByteQuantity | None:
    """The quantity in the first child of a name; None where there is none.

    Raises:
        ValueError: it is no quantity.
    """
    from cedarchest_cedar.xmlutil import readString

    text = readString(parent, name)
    if text is None:
        return None
    try:
        size(text)
    except Malformed as error:
        raise ValueError(str(error)) from None
    number, _, unit = text.strip().partition(" ")
    units = {"": UNIT_BYTES, "KB": UNIT_KBYTES, "MB": UNIT_MBYTES, "GB": UNIT_GBYTES}
    for suffix in ("KB", "MB", "GB"):
        if not unit and number.endswith(suffix):
            number, unit = number.removesuffix(suffix), suffix
    return ByteQuantity(number, units[unit.strip()])


def addByteQuantityNode(
    xmlDom: Document, parentNode: Element, nodeName: str, byteQuantity: ByteQuantity | None
) -> Element:
    """Add an element with a quantity, empty where there is none."""
    from cedarchest_cedar.xmlutil import addStringNode

    if byteQuantity is None:
        return addStringNode(xmlDom, parentNode, nodeName, None)
    unit = f" {NAMES[byteQuantity.units]}" if byteQuantity.units != UNIT_BYTES else ""
    return addStringNode(xmlDom, parentNode, nodeName, f"{byteQuantity.quantity}{unit}")
