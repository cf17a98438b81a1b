"""Kinds of media: what each can do, and its nominal capacity.

Capacities here serve planning, shelves and tests; a burn uses what the drive reports.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

BLOCK = 2048
"""Bytes of a block (a CD's data sector, an ECMA-119 logical block)."""

MIB = 1 << 20


class Medium(StrEnum):
    """The kind of a disc, named as in the configuration.

    A drive does not tell BD of 25, 50, 100 (XL) and 128 GB (XL of four layers) apart by name: whatever their
    size, what it holds is `bd-r` or `bd-re`, with the capacity that it reports.
    """

    CD_R = "cd-r"
    CD_RW = "cd-rw"
    DVD_R = "dvd-r"
    DVD_RW = "dvd-rw"
    DVD_RW_OVERWRITE = "dvd-rw-overwrite"
    DVD_PLUS_R = "dvd+r"
    DVD_PLUS_RW = "dvd+rw"
    DVD_R_DL = "dvd-r-dl"
    DVD_PLUS_R_DL = "dvd+r-dl"
    DVD_RAM = "dvd-ram"
    BD_R = "bd-r"
    BD_R_DL = "bd-r-dl"
    BD_R_XL = "bd-r-xl"
    BD_R_XL4 = "bd-r-xl4"
    BD_RE = "bd-re"
    BD_RE_DL = "bd-re-dl"
    BD_RE_XL = "bd-re-xl"


@dataclass(frozen=True, slots=True)
class MediumTraits:
    """What planning needs to know of a kind of medium; sizes in blocks."""

    nominal_blocks: int
    rewritable: bool = False
    overwritable: bool = False  # sessions are emulated: no gap, rounded to 32 blocks
    first_gap: int = 0  # between the first session and the second
    later_gap: int = 0
    padding: int = 0  # after each session: a CD's run-out blocks must not be data
    max_sessions: int = 100


# Sources: capacities from dvdisaster's table of least common denominators (DVD+R, DVD+R DL, BD: write-once
# without spare areas, rewritable with those of the default format) and the CD-R FAQ 7-6; of a DVD-RAM as it
# comes formatted from xorriso's manual (-list_formats); a formatted DVD-RW has 608 blocks less than another,
# as drives report it; the CD gaps from cdrkit's README.multi and seen on discs; 153 sessions from
# MMC-5 4.3.6.2. DVD-R's border zones differ between drives: 6 to 18 MB each, here the larger.
TRAITS: dict[Medium, MediumTraits] = {
    Medium.CD_R: MediumTraits(359_424, first_gap=11_400, later_gap=6_900, padding=150, max_sessions=46),
    Medium.CD_RW: MediumTraits(
        359_424, rewritable=True, first_gap=11_400, later_gap=6_900, padding=150, max_sessions=46
    ),
    Medium.DVD_R: MediumTraits(2_298_496, first_gap=28_672, later_gap=9_216),
    Medium.DVD_RW: MediumTraits(2_298_496, rewritable=True, first_gap=28_672, later_gap=9_216),
    Medium.DVD_RW_OVERWRITE: MediumTraits(2_297_888, rewritable=True, overwritable=True),
    Medium.DVD_PLUS_R: MediumTraits(2_295_104, first_gap=2_080, later_gap=2_080, max_sessions=153),
    Medium.DVD_PLUS_RW: MediumTraits(2_295_104, rewritable=True, overwritable=True),
    Medium.DVD_R_DL: MediumTraits(4_171_712, max_sessions=1),
    Medium.DVD_PLUS_R_DL: MediumTraits(4_173_824, first_gap=2_080, later_gap=2_080, max_sessions=153),
    Medium.DVD_RAM: MediumTraits(2_236_704, rewritable=True, overwritable=True),
    Medium.BD_R: MediumTraits(12_219_392, first_gap=32, later_gap=32),
    Medium.BD_R_DL: MediumTraits(24_438_784, first_gap=32, later_gap=32),
    Medium.BD_R_XL: MediumTraits(48_878_592, first_gap=32, later_gap=32),
    Medium.BD_R_XL4: MediumTraits(62_500_864, first_gap=32, later_gap=32),
    Medium.BD_RE: MediumTraits(11_826_176, rewritable=True, overwritable=True),
    Medium.BD_RE_DL: MediumTraits(23_652_352, rewritable=True, overwritable=True),
    Medium.BD_RE_XL: MediumTraits(47_305_728, rewritable=True, overwritable=True),
}

PROFILES: dict[int, Medium] = {
    0x09: Medium.CD_R,
    0x0A: Medium.CD_RW,
    0x11: Medium.DVD_R,
    0x12: Medium.DVD_RAM,
    0x13: Medium.DVD_RW_OVERWRITE,
    0x14: Medium.DVD_RW,
    0x15: Medium.DVD_R_DL,
    0x16: Medium.DVD_R_DL,
    0x1A: Medium.DVD_PLUS_RW,
    0x1B: Medium.DVD_PLUS_R,
    0x2B: Medium.DVD_PLUS_R_DL,
    0x41: Medium.BD_R,
    0x42: Medium.BD_R,
    0x43: Medium.BD_RE,
}
"""MMC-6, table of profile numbers (5.3.1)."""
