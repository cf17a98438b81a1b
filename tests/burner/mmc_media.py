"""What the drive says of the disc in it: disc, track and TOC information, formats.

Source: MMC-6, READ DISC INFORMATION, READ TRACK INFORMATION, READ TOC/PMA/ATIP, READ FORMAT CAPACITIES.
libburn makes its table of contents of CD from the full TOC, of DVD and BD from track information.
"""

from tests.burner import formats, sense
from tests.burner.disc import Disc
from tests.burner.mmc_bytes import be16, be24, be32, msf
from tests.burner.profiles import BLOCK, Profile
from tests.burner.sense import CheckCondition

BLANK, APPENDABLE, COMPLETE, OTHER = 0, 1, 2, 3
SESSION_EMPTY, SESSION_INCOMPLETE, SESSION_COMPLETE = 0, 1, 3
FORMATTED = 3  # background format status
UNFORMATTED_MEDIUM, FORMATTED_MEDIUM, UNKNOWN_CAPACITY = 1, 2, 3  # descriptor types
CD_LEAD_IN_START = b"\x61\x22\x17"  # 97:34:23
CD_LEAD_IN, CD_PREGAP = 4500, 150
LEAD_OUT = 0xAA
DATA_TRACK = 0x14  # ADR 1, control 4


def _sessions(disc: Disc) -> tuple[int, int, int, int]:
    """Give disc status, state of the last session, its number and its first track."""
    state = disc.state
    if disc.profile is Profile.DVD_RAM:
        return OTHER, SESSION_COMPLETE, 1, 1  # as drives say of random writable media, seen by libburn
    if disc.profile.overwritable:
        return (COMPLETE, SESSION_COMPLETE, 1, 1) if state.formatted else (BLANK, SESSION_EMPTY, 1, 1)
    if not disc.tracks:
        return APPENDABLE if state.formatted else BLANK, SESSION_EMPTY, 1, 1
    session = state.closed_sessions if state.final else state.closed_sessions + 1
    inside = [number for number, track in enumerate(disc.tracks, 1) if track.session == session]
    if state.final:
        return COMPLETE, SESSION_COMPLETE, session, inside[0]
    if inside:
        return APPENDABLE, SESSION_INCOMPLETE, session, inside[0]
    return APPENDABLE, SESSION_EMPTY, session, disc.last_track_number()


def disc_information(disc: Disc) -> bytes:
    status, session_state, session, first = _sessions(disc)
    last = len(disc.tracks) if disc.state.final else disc.last_track_number()
    block = bytearray(34)
    block[0:2] = be16(32)
    block[2] = (0x10 if disc.profile.erasable else 0) | session_state << 2 | status
    block[3] = 1
    block[4:7] = bytes((session & 255, first & 255, last & 255))
    block[7] = 0x20 | (FORMATTED if disc.profile.overwritable and disc.state.formatted else 0)
    block[9:12] = bytes((session >> 8, first >> 8, last >> 8))
    if disc.profile.is_cd:
        block[16:24] = _cd_lead_in_and_out(disc)
    return bytes(block)


def _cd_lead_in_and_out(disc: Disc) -> bytes:
    if disc.state.final:
        return b"\xff" * 8
    lead_in = msf(disc.next_start() - CD_LEAD_IN - CD_PREGAP) if disc.tracks else CD_LEAD_IN_START
    return b"\0" + lead_in + b"\0" + msf(disc.capacity)


def track_number(disc: Disc, address_type: int, address: int) -> int:
    """Give the track that holds a block (0), has a number (1) or is the first of a session (2)."""
    if address_type == 1:
        return disc.last_track_number() if address == 0xFF else address
    for number, track in enumerate(disc.tracks, 1):
        if address_type == 0 and track.start <= address < track.start + max(1, track.size):
            return number
        if address_type == 2 and track.session == address:
            return number
    return disc.last_track_number()


def track_information(disc: Disc, number: int) -> bytes:
    track = disc.track(number)
    growing = track is disc.open_track()
    limit = track.end if track.reserved else disc.capacity
    block = bytearray(48)
    block[0:2] = be16(46)
    block[2:4] = bytes((number & 255, track.session & 255))
    block[5] = (0x20 if track.damaged else 0) | (4 if disc.profile.is_cd else 7)
    block[6] = (0x80 if track.reserved else 0) | (0x40 if track.blank else 0) | 1
    block[8:12] = be32(track.start)
    block[24:28] = be32(disc.capacity - track.start if growing else track.size)
    if not track.closed:  # NWA_V: next writable address and free blocks
        block[7] |= 1
        block[12:16] = be32(track.next_writable)
        block[16:20] = be32(limit - track.next_writable)
    if track.next_writable > track.start and not disc.profile.overwritable:  # LRA_V: last recorded
        block[7] |= 2
        block[28:32] = be32(track.next_writable - 1)
    block[32:34] = bytes((number >> 8, track.session >> 8))
    return bytes(block)


def table_of_contents(disc: Disc, form: int, start: int, *, in_msf: bool) -> bytes:
    """READ TOC/PMA/ATIP, forms 0 (TOC), 1 (last session), 2 (full TOC of a CD) and 4 (ATIP of a CD)."""
    if form == 4 and disc.profile.is_cd:
        return _atip(disc)
    closed = _closed_tracks(disc)
    if not closed:
        raise CheckCondition(sense.INVALID_FIELD)

    def address(block: int) -> bytes:
        return b"\0" + msf(block) if in_msf else be32(block)

    if form == 0:
        entries = b"".join(
            bytes((0, DATA_TRACK, number & 255, 0)) + address(block)
            for number, _, block, _ in closed
            if start <= number and start != LEAD_OUT
        )
        entries += bytes((0, DATA_TRACK, LEAD_OUT, 0)) + address(closed[-1][3])
        return be16(len(entries) + 2) + bytes((1, closed[-1][0] & 255)) + entries
    if form == 1:
        session = closed[-1][1]
        number, _, block, _ = next(entry for entry in closed if entry[1] == session)
        return be16(10) + bytes((1, session & 255, 0, DATA_TRACK, number & 255, 0)) + address(block)
    if form == 2 and disc.profile.is_cd:
        return _full_toc(disc, closed)
    raise CheckCondition(sense.INVALID_FIELD)


def _closed_tracks(disc: Disc) -> list[tuple[int, int, int, int]]:
    """Give (number, session, start, end) of the tracks in closed sessions."""
    if disc.profile.overwritable:
        return [(1, 1, 0, disc.readable_end())]
    return [
        (number, track.session, track.start, track.end)
        for number, track in enumerate(disc.tracks, 1)
        if track.session <= disc.state.closed_sessions
    ]


def _full_toc(disc: Disc, closed: list[tuple[int, int, int, int]]) -> bytes:
    def entry(session: int, point: int, payload: bytes) -> bytes:
        return bytes((session, DATA_TRACK, 0, point, 0, 0, 0, 0)) + payload

    entries = b""
    for session in range(1, disc.state.closed_sessions + 1):
        inside = [track for track in closed if track[1] == session]
        entries += entry(session, 0xA0, bytes((inside[0][0], 0, 0)))
        entries += entry(session, 0xA1, bytes((inside[-1][0], 0, 0)))
        entries += entry(session, 0xA2, msf(inside[-1][3]))
        entries += b"".join(entry(session, number, msf(start)) for number, _, start, _ in inside)
    return be16(len(entries) + 2) + bytes((1, disc.state.closed_sessions)) + entries


def _atip(disc: Disc) -> bytes:
    block = bytearray(28)
    block[0:2] = be16(26)
    block[4] = 0xD0
    block[6] = 0x80 | (0x40 if disc.profile.erasable else 0)
    block[8:11] = CD_LEAD_IN_START
    block[12:15] = msf(disc.capacity)
    return bytes(block)


def format_capacities(disc: Disc) -> bytes:
    """READ FORMAT CAPACITIES: the current capacity, then what a format could give."""
    state = disc.state
    size, kind = disc.capacity, FORMATTED_MEDIUM
    if state.intermediate:
        kind = UNKNOWN_CAPACITY
    elif not (state.formatted or disc.tracks):
        kind = UNFORMATTED_MEDIUM
    elif disc.profile is Profile.DVD_RW_OVERWRITE:
        size = state.formatted_blocks
    entries = be32(size) + bytes((kind,)) + be24(BLOCK)
    for offer in formats.offers(disc):  # growisofs stops when there is none for a blank BD-R
        entries += be32(offer.blocks) + bytes((offer.form << 2,)) + be24(offer.parameter)
    return bytes((0, 0, 0, len(entries))) + entries
