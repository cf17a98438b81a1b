"""The media this burner knows, and what differs between them.

Source: MMC-6, Profile List feature (0000h), by number; libburn 1.5.4 for what of them a burn program can use.
Capacities are those of common blanks: CD 80 min, DVD 4.7 and 8.5 GB, BD 25, 50, 100 and 128 GB.
"""

from enum import IntEnum
from typing import NamedTuple

BLOCK = 2048


class Profile(IntEnum):
    """A profile number."""

    NONE = 0x00
    CD_R = 0x09
    CD_RW = 0x0A
    DVD_R = 0x11
    DVD_RAM = 0x12
    DVD_RW_OVERWRITE = 0x13  # restricted overwrite
    DVD_RW = 0x14  # sequential recording
    DVD_R_DL = 0x15  # sequential recording
    DVD_PLUS_RW = 0x1A
    DVD_PLUS_R = 0x1B
    DVD_PLUS_R_DL = 0x2B
    BD_R = 0x41  # sequential recording
    BD_RE = 0x43

    @property
    def is_cd(self) -> bool:
        return self in (Profile.CD_R, Profile.CD_RW)

    @property
    def is_dvd_minus(self) -> bool:
        """Written in sequence, one session or several as mode page 05h says."""
        return self in (Profile.DVD_R, Profile.DVD_RW, Profile.DVD_R_DL)

    @property
    def is_dvd_plus_r(self) -> bool:
        return self in (Profile.DVD_PLUS_R, Profile.DVD_PLUS_R_DL)

    @property
    def is_dvd_rw(self) -> bool:
        """One disc, two profiles: FORMAT UNIT and BLANK turn one into the other."""
        return self in (Profile.DVD_RW, Profile.DVD_RW_OVERWRITE)

    @property
    def is_dvd(self) -> bool:
        return Profile.DVD_R <= self <= Profile.DVD_PLUS_R_DL

    @property
    def is_bd(self) -> bool:
        return self >= Profile.BD_R

    @property
    def is_dual_layer_dvd(self) -> bool:
        return self in (Profile.DVD_R_DL, Profile.DVD_PLUS_R_DL)

    @property
    def overwritable(self) -> bool:
        """Any block may be written at any time, once formatted."""
        return self in (Profile.DVD_RAM, Profile.DVD_RW_OVERWRITE, Profile.DVD_PLUS_RW, Profile.BD_RE)

    @property
    def blankable(self) -> bool:
        """The BLANK command makes it a sequential disc that is empty."""
        return self is Profile.CD_RW or self.is_dvd_rw

    @property
    def erasable(self) -> bool:
        return self.overwritable or self.blankable

    @property
    def has_spare_areas(self) -> bool:
        """A format sets blocks aside that take the place of defective ones."""
        return self.is_bd or self is Profile.DVD_RAM

    @property
    def write_unit(self) -> int:
        """Blocks to which tracks are aligned: an ECC block of DVD, a cluster of BD."""
        if self.is_cd:
            return 1
        return 32 if self.is_bd else 16


class Kind(NamedTuple):
    """A disc as it is bought or prepared."""

    profile: Profile
    capacity: int = 0
    """Blocks for data."""
    spare: int = 0
    """Blocks that its default format keeps from data; of a BD-R, sold without, they are in `capacity`."""
    product: str = ""
    """Maker and type, as such discs tell them."""
    formatted: bool = False
    incremental: bool = True
    """Whether it can be written in increments; a minimally blanked DVD-RW cannot."""
    announced: bool = True
    """Whether the drive says so; some offer increments for such a DVD-RW, and then refuse them."""


# Sources of the capacities: dvdisaster's table of least common denominators (DVD+R, the dual-layer DVDs, BD
# with and without spare areas); what a drive told of a DVD-RW, in the article "Media Identification Code" of
# Wikipedia; xorriso's manual, -list_formats, for a DVD-RAM. Products: libburn 1.5.4, doc/mediainfo.txt; those
# of the XL discs are made up after their pattern.
KINDS = {
    "none": Kind(Profile.NONE),
    "cd-r": Kind(Profile.CD_R, 359845),
    "cd-rw": Kind(Profile.CD_RW, 359845),
    "dvd-r": Kind(Profile.DVD_R, 2298496, product="MCC 03RG20"),
    "dvd-r-dl": Kind(Profile.DVD_R_DL, 4171712, product="MKM 01RD30"),
    "dvd-rw": Kind(Profile.DVD_RW, 2298496, product="MCC 01RW4X"),
    "dvd-rw-minimal": Kind(Profile.DVD_RW, 2298496, product="MCC 01RW4X", incremental=False),
    "dvd-rw-minimal-unsaid": Kind(
        Profile.DVD_RW, 2298496, product="MCC 01RW4X", incremental=False, announced=False
    ),
    "dvd-rw-overwrite": Kind(Profile.DVD_RW_OVERWRITE, 2297888, 608, "MCC 01RW4X", formatted=True),
    "dvd-ram": Kind(Profile.DVD_RAM, 2236704, 58368, formatted=True),
    "dvd+rw": Kind(Profile.DVD_PLUS_RW, 2295104, product="MKM/A02"),
    "dvd+r": Kind(Profile.DVD_PLUS_R, 2295104, product="MCC/003"),
    "dvd+r-dl": Kind(Profile.DVD_PLUS_R_DL, 4173824, product="MKM/003"),
    "bd-r": Kind(Profile.BD_R, 12219392, 393216, "VERBAT/IMe"),
    "bd-r-dl": Kind(Profile.BD_R, 24438784, 786432, "VERBAT/IMf"),
    "bd-r-xl": Kind(Profile.BD_R, 48878592, 1572864, "VERBAT/IMk"),
    "bd-r-xl4": Kind(Profile.BD_R, 62500864, 2097152, "SONY/NQ1"),
    "bd-re": Kind(Profile.BD_RE, 11826176, 393216, "SONY/ES1"),
    "bd-re-dl": Kind(Profile.BD_RE, 23652352, 786432, "SONY/ED4"),
    "bd-re-xl": Kind(Profile.BD_RE, 47305728, 1572864, "SONY/ET1"),
}

BY_NAME = {name: kind.profile for name, kind in KINDS.items()}
