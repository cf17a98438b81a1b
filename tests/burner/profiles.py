"""The media this burner knows, and what differs between them.

Source: MMC-6, Profile List feature (0000h).
Capacities are those of common blanks: CD 80 min, DVD 4.7 GB, BD 25 GB.
"""

from enum import IntEnum

BLOCK = 2048


class Profile(IntEnum):
    """A profile number."""

    NONE = 0x00
    CD_R = 0x09
    CD_RW = 0x0A
    DVD_R = 0x11
    DVD_RW = 0x14  # sequential recording
    DVD_PLUS_RW = 0x1A
    DVD_PLUS_R = 0x1B
    BD_R = 0x41  # sequential recording
    BD_RE = 0x43

    @property
    def is_cd(self) -> bool:
        return self in (Profile.CD_R, Profile.CD_RW)

    @property
    def is_dvd_minus(self) -> bool:
        return self in (Profile.DVD_R, Profile.DVD_RW)

    @property
    def is_dvd(self) -> bool:
        return Profile.DVD_R <= self <= Profile.DVD_PLUS_R

    @property
    def is_bd(self) -> bool:
        return self >= Profile.BD_R

    @property
    def overwritable(self) -> bool:
        """Any block may be written at any time, once formatted."""
        return self in (Profile.DVD_PLUS_RW, Profile.BD_RE)

    @property
    def blankable(self) -> bool:
        """Sequential, but the BLANK command makes it empty again."""
        return self in (Profile.CD_RW, Profile.DVD_RW)

    @property
    def erasable(self) -> bool:
        return self.overwritable or self.blankable

    @property
    def write_unit(self) -> int:
        """Blocks to which tracks are aligned: an ECC block of DVD, a cluster of BD."""
        if self.is_cd:
            return 1
        return 32 if self.is_bd else 16

    @property
    def capacity(self) -> int:
        return CAPACITY[self]


CAPACITY = {
    Profile.NONE: 0,
    Profile.CD_R: 359845,
    Profile.CD_RW: 359845,
    Profile.DVD_R: 2298496,
    Profile.DVD_RW: 2298496,
    Profile.DVD_PLUS_RW: 2295104,
    Profile.DVD_PLUS_R: 2295104,
    Profile.BD_R: 12219392,
    Profile.BD_RE: 11826176,
}

BY_NAME = {
    "none": Profile.NONE,
    "cd-r": Profile.CD_R,
    "cd-rw": Profile.CD_RW,
    "dvd-r": Profile.DVD_R,
    "dvd-rw": Profile.DVD_RW,
    "dvd+rw": Profile.DVD_PLUS_RW,
    "dvd+r": Profile.DVD_PLUS_R,
    "bd-r": Profile.BD_R,
    "bd-re": Profile.BD_RE,
}
