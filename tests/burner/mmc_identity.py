"""Who made a disc, and what it is: READ DISC STRUCTURE.

Source: MMC-6, READ DISC STRUCTURE, by format code; what stands where: ECMA-279 (DVD-R, pre-pit information),
ECMA-349 (DVD+R, physical format information in ADIP), MMC-6 (BD disc information). libburn takes maker and
type from there (mmc_get_media_product_id), of a CD from its ATIP; a DVD-RAM tells none.
"""

from collections.abc import Callable

from tests.burner import sense
from tests.burner.disc import Disc
from tests.burner.mmc_bytes import be16, be24, be32
from tests.burner.profiles import Profile
from tests.burner.sense import CheckCondition

DVD, BD = 0, 1
PHYSICAL, PRE_RECORDED, CONTROL_DATA, ADIP = 0x00, 0x0E, 0x10, 0x11
DISC_INFORMATION, SPARE_AREAS = 0x00, 0x0A
FIRST_SECTOR = 0x30000  # physical sector number of block 0 (ECMA-267)

BOOK = {
    Profile.DVD_R: 0x25,
    Profile.DVD_R_DL: 0x26,
    Profile.DVD_RW: 0x32,
    Profile.DVD_RW_OVERWRITE: 0x32,
    Profile.DVD_RAM: 0x16,
    Profile.DVD_PLUS_RW: 0x92,
    Profile.DVD_PLUS_R: 0xA1,
    Profile.DVD_PLUS_R_DL: 0xE1,
}
"""Book type and part version."""


def disc_structure(disc: Disc, media_type: int, form: int) -> bytes:
    """Give the structure with its header; raises CheckCondition where the disc has none of that kind."""
    of_disc = (BD if disc.profile.is_bd else DVD) == media_type
    if not of_disc or disc.profile.is_cd or form not in STRUCTURES[media_type]:
        raise CheckCondition(sense.INVALID_FIELD)
    content = STRUCTURES[media_type][form](disc)
    return be16(len(content) + 2) + bytes(2) + content


def _physical(disc: Disc) -> bytes:
    """Layers and the extent of the data; of DVD+ also the start of what ADIP tells."""
    if disc.profile.is_dvd_plus_r or disc.profile is Profile.DVD_PLUS_RW:
        return _adip(disc).ljust(2048, b"\0")
    return _head(disc).ljust(2048, b"\0")


def _head(disc: Disc) -> bytes:
    layers = 0x20 if disc.profile.is_dual_layer_dvd else 0
    last = FIRST_SECTOR + disc.capacity - 1
    extent = b"\0" + be24(FIRST_SECTOR) + b"\0" + be24(last) + bytes(4)
    return bytes((BOOK[disc.profile], 0x0F, layers | 0x02, 0)) + extent


def _maker_and_type(disc: Disc) -> tuple[bytes, bytes]:
    maker, _, kind = disc.state.product.partition("/")
    return maker.encode(), kind.encode()


def _adip(disc: Disc) -> bytes:
    """Bytes 19 to 26 are the maker, 27 to 29 the type, 30 the revision."""
    if not (disc.profile.is_dvd_plus_r or disc.profile is Profile.DVD_PLUS_RW):
        raise CheckCondition(sense.INVALID_FIELD)
    maker, kind = _maker_and_type(disc)
    return (_head(disc).ljust(19, b"\0") + maker.ljust(8, b"\0") + kind.ljust(3, b"\0")).ljust(256, b"\0")


def _pre_recorded(disc: Disc) -> bytes:
    """Fields 3 and 4 of the pre-pit information hold six characters each of maker and type."""
    if not (disc.profile.is_dvd_minus or disc.profile.is_dvd_rw):
        raise CheckCondition(sense.INVALID_FIELD)
    product = disc.state.product.encode().ljust(12)
    return bytes(16) + b"\3" + product[:6] + b"\0" + b"\4" + product[6:12] + b"\0" + b"\5" + bytes(7)


def _bd_information(disc: Disc) -> bytes:
    """A unit of disc information: bytes 8 to 10 the kind of disc, 100 to 105 maker, 106 to 108 type."""
    maker, kind = _maker_and_type(disc)
    type_of_disc = b"BDR" if disc.profile is Profile.BD_R else b"BDW"
    unit = (b"DI\1\0\0\0\x62\0" + type_of_disc).ljust(100, b"\0")
    return (unit + maker.ljust(6) + kind.ljust(3)).ljust(4096, b"\0")


def _spare_areas(disc: Disc) -> bytes:
    """Free and allocated spare blocks; a BD-R that is not formatted has none."""
    if not disc.state.formatted:
        raise CheckCondition(sense.INVALID_FIELD)
    return bytes(4) + be32(disc.state.spare) + be32(disc.state.spare)


STRUCTURES: dict[int, dict[int, Callable[[Disc], bytes]]] = {
    DVD: {PHYSICAL: _physical, PRE_RECORDED: _pre_recorded, CONTROL_DATA: _physical, ADIP: _adip},
    BD: {DISC_INFORMATION: _bd_information, SPARE_AREAS: _spare_areas},
}
