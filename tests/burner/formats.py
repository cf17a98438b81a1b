"""What FORMAT UNIT and BLANK make of a disc, and which formats a drive offers for it.

Source: MMC-6, FORMAT UNIT (format types), BLANK, READ FORMAT CAPACITIES; libburn 1.5.4, doc/cookbook.txt, for
what drives do. The type-dependent parameter of BD formats counts spare clusters, as in the answer of a drive
that libburn quotes (mmc.c).
"""

from enum import IntEnum
from typing import NamedTuple

from tests.burner import sense
from tests.burner.disc import Disc
from tests.burner.profiles import BLOCK, Profile
from tests.burner.sense import CheckCondition

CLUSTER = 32
ECC_BLOCK = 16
DVD_RW_BORDER = 608
"""Blocks that a formatted DVD-RW has less than an unformatted one."""
WHOLE = 0xFFFFFFFF
WITHOUT_OVERWRITE = 1  # sub-type of BD-R formats: sequential with spares, no pseudo-overwrite
BLANK_WHOLE, BLANK_MINIMALLY = 0, 1


class Format(IntEnum):
    """A format type."""

    FULL = 0x00
    DVD_RW_FULL = 0x10
    DVD_RW_GROW = 0x13
    DVD_RW_QUICK = 0x15
    DVD_PLUS_RW = 0x26
    BD_RE_SPARES = 0x30
    BD_RE_NO_SPARES = 0x31
    BD_R_SPARES = 0x32


class Offer(NamedTuple):
    """A formattable capacity descriptor."""

    blocks: int
    form: Format
    parameter: int


def _total(disc: Disc) -> int:
    return disc.capacity + disc.state.spare


def offers(disc: Disc) -> list[Offer]:
    """Give the formats that the disc can be given now."""
    total = _total(disc)
    match disc.profile:
        case Profile.DVD_PLUS_RW:
            return [Offer(disc.capacity, Format.DVD_PLUS_RW, 0)]
        case Profile.DVD_RAM:
            default = total - disc.state.default_spare
            return [Offer(default, Format.FULL, BLOCK), Offer(total, Format.FULL, BLOCK)]
        case Profile.BD_RE:
            return [*_with_spares(disc, Format.BD_RE_SPARES), Offer(total, Format.BD_RE_NO_SPARES, BLOCK)]
        case Profile.BD_R if not disc.tracks and not disc.state.formatted:
            return _with_spares(disc, Format.BD_R_SPARES)
        case Profile.DVD_RW | Profile.DVD_RW_OVERWRITE:
            return _of_dvd_rw(disc, total - DVD_RW_BORDER)
    return []


def _with_spares(disc: Disc, form: Format) -> list[Offer]:
    """The default first, then as much and as little spare as can be."""
    total, spare = _total(disc), disc.state.default_spare
    choices = [spare, spare * 5 // 3 // CLUSTER * CLUSTER, spare // 3 // CLUSTER * CLUSTER]
    sizes = [Offer(total - chosen, form, chosen // CLUSTER) for chosen in choices]
    return [Offer(total - spare, Format.FULL, spare // CLUSTER), *sizes]


def _of_dvd_rw(disc: Disc, whole: int) -> list[Offer]:
    found = [Offer(whole, form, ECC_BLOCK) for form in (Format.FULL, Format.DVD_RW_FULL, Format.DVD_RW_QUICK)]
    growable = whole - disc.state.formatted_blocks
    if disc.profile is Profile.DVD_RW_OVERWRITE and not disc.state.intermediate and growable:
        found.append(Offer(growable, Format.DVD_RW_GROW, ECC_BLOCK))
    return found


def format_disc(disc: Disc, form: int, blocks: int, sub_type: int) -> None:
    """Format a disc to so many blocks, 0 meaning the default; raises CheckCondition when it cannot be.

    BD and DVD-RAM keep their number of blocks: what is not for data is spare.
    """
    possible = offers(disc)
    sizes = [offer.blocks for offer in possible if offer.form == form]
    if disc.profile.overwritable and not form and not blocks and not sizes:
        sizes = [disc.capacity]  # DVD+RW: dvd+rw-format and old programs name no type
    if not sizes:
        raise CheckCondition(sense.INVALID_PARAMETER if possible else sense.INVALID_FIELD)
    if disc.profile.is_dvd_rw:
        _format_dvd_rw(disc, form, min(blocks, max(sizes)))
    elif disc.profile.has_spare_areas:
        _format_with_spares(disc, sizes, blocks or sizes[0], sub_type)
    disc.state.formatted = True
    disc.save()


def _format_with_spares(disc: Disc, sizes: list[int], blocks: int, sub_type: int) -> None:
    if not min(sizes) <= blocks <= max(sizes) or blocks % ECC_BLOCK:
        raise CheckCondition(sense.INVALID_PARAMETER)
    if disc.profile is Profile.BD_R and sub_type != WITHOUT_OVERWRITE:
        raise CheckCondition(sense.INVALID_PARAMETER)
    total = _total(disc)
    disc.state.capacity, disc.state.spare = blocks, total - blocks


def _format_dvd_rw(disc: Disc, form: int, blocks: int) -> None:
    """Full formats are whole at once; quick and grow leave the session open until it is closed."""
    state = disc.state
    total = _total(disc)
    if form != Format.DVD_RW_GROW:
        disc.erase()
        state.formatted_blocks = blocks // ECC_BLOCK * ECC_BLOCK
    state.profile = Profile.DVD_RW_OVERWRITE
    state.capacity, state.spare = total - DVD_RW_BORDER, DVD_RW_BORDER
    state.intermediate = form in (Format.DVD_RW_GROW, Format.DVD_RW_QUICK)


def blank_disc(disc: Disc, blanking_type: int) -> None:
    """Make a disc empty and sequential; of a size told before, if a DVD-RW is only minimally blanked."""
    if not disc.profile.blankable:
        raise CheckCondition(sense.INVALID_OPCODE)
    if blanking_type not in (BLANK_WHOLE, BLANK_MINIMALLY):
        raise CheckCondition(sense.INVALID_FIELD)
    if disc.profile.is_dvd_rw:
        state = disc.state
        state.profile = Profile.DVD_RW
        state.capacity, state.spare = _total(disc), 0
        state.formatted_blocks, state.intermediate = 0, False
        state.incremental = blanking_type == BLANK_WHOLE
    disc.erase()
