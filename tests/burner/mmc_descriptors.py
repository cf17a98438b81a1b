"""What the drive says of itself: INQUIRY data, features, mode pages, performance.

Source: SPC-4 (INQUIRY, MODE SENSE), MMC-6 (features, GET PERFORMANCE, mode pages 05h and 2Ah).
Only fields that a burn program was seen to look at are meant; the rest is zero or a plausible constant.
"""

from tests.burner.mmc_bytes import be16, be32
from tests.burner.profiles import BLOCK, Profile

PERSISTENT = {0x0000, 0x0001, 0x0002, 0x0003, 0x0100, 0x0105}
PROFILES_BEST_FIRST = (
    0x43, 0x41, 0x40, 0x2B, 0x1B, 0x1A, 0x15, 0x14, 0x13, 0x12, 0x11, 0x10, 0x0A, 0x09, 0x08,
)  # fmt: skip
WRITE_PARAMETERS_PAGE = 0x05
WRITE_PARAMETERS_LENGTH = 0x32


def inquiry() -> bytes:
    """Standard INQUIRY data (SPC-4): a removable CD/DVD device."""
    head = bytes((0x05, 0x80, 0x05, 0x32, 0x1F, 0, 0, 0))
    return head + b"EMULATED" + b"TEST BURNER     " + b"1.00"


def speeds(profile: Profile) -> list[int]:
    """Write speeds in 1000 bytes per second, slowest first."""
    if profile.is_cd:
        return [4234, 8468]
    if profile is Profile.DVD_RAM:
        return [2770, 4155]
    return [8990, 17980] if profile.is_bd else [5540, 11080]


def _feature(code: int, current: bool, payload: bytes = b"", version: int = 0) -> bytes:
    flags = version << 2 | (2 if code in PERSISTENT else 0) | int(current)
    return be16(code) + bytes((flags, len(payload))) + payload


def _profile_list(profile: Profile) -> bytes:
    return b"".join(be16(known) + bytes((int(known == profile), 0)) for known in PROFILES_BEST_FIRST)


def features(profile: Profile, *, incremental: bool, loads: bool = False) -> list[tuple[int, bool, bytes]]:
    """Give (feature code, whether it is current, descriptor), in ascending order (MMC-6, Features).

    Without Incremental Streaming Writable libburn offers no TAO and no multi-session; so it knows a DVD-RW
    that was minimally blanked.
    """
    loaded = profile is not Profile.NONE
    blocking = be32(BLOCK) + be16(32 if profile.is_bd else 16) + b"\1\0"
    streaming = incremental and (profile.is_cd or profile.is_dvd_minus)
    dvd_plus_rw, dvd_plus_r = profile is Profile.DVD_PLUS_RW, profile.is_dvd_plus_r
    dvd_ram, dvd_plus_r_dl = profile is Profile.DVD_RAM, profile is Profile.DVD_PLUS_R_DL
    dvd_minus = profile.is_dvd_minus or profile.is_dvd_rw
    table = [
        (0x0000, True, _profile_list(profile), 0),
        (0x0001, True, be32(8) + b"\1\0\0\0", 2),  # Core: USB
        (0x0002, True, b"\2\0\0\0", 1),  # Morphing
        (0x0003, True, b"\x39\0\0\0" if loads else b"\x29\0\0\0", 1),  # Removable Medium: tray, eject, lock
        (0x0010, loaded, blocking, 0),  # Random Readable
        (0x001E, profile.is_cd, bytes(4), 2),  # CD Read
        (0x001F, profile.is_dvd, b"\1\0\1\0", 1),  # DVD Read
        (0x0020, dvd_ram, be32(0xFFFFFFFF) + be32(BLOCK) + be16(16) + b"\1\0", 1),  # Random Writable
        (0x0021, streaming, be16(0x01FF) + b"\1\1\x10\0\0\0", 1),  # Incremental Streaming Writable
        (0x0023, profile.overwritable or profile.is_bd, b"\x09\0\0\0\1\0\0\0", 1),  # Formattable
        (0x0024, dvd_ram or profile is Profile.BD_RE, b"\x80\0\0\0", 1),  # Hardware Defect Management
        (0x002A, dvd_plus_rw, b"\1\0\0\0", 0),  # DVD+RW
        (0x002B, dvd_plus_r, b"\1\0\0\0", 0),  # DVD+R
        (0x002C, profile is Profile.DVD_RW_OVERWRITE, b"\x0f\0\0\0", 0),  # Rigid Restricted Overwrite
        (0x002D, profile.is_cd, b"\x46\0\1\0", 2),  # CD Track At Once
        (0x002E, profile.is_cd, b"\x60\0\x10\0", 1),  # CD Mastering: session at once
        (0x002F, dvd_minus, b"\x42\0\0\0", 1),  # DVD-R/-RW Write
        (0x003B, dvd_plus_r_dl, b"\1\0\0\0", 0),  # DVD+R Dual Layer
        (0x0040, profile.is_bd, bytes(28), 0),  # BD Read
        (0x0041, profile.is_bd, bytes(20), 0),  # BD Write
        (0x0100, True, b"", 0),  # Power Management
        (0x0105, True, bytes(4), 1),  # Timeout
        (0x0107, loaded, b"\x1f\0\0\0", 4),  # Real Time Streaming: write speed descriptors
        (0x0108, True, b"EMULATED0001", 0),  # Drive Serial Number
    ]
    return [(code, now, _feature(code, now, payload, version)) for code, now, payload, version in table]


def configuration(
    profile: Profile, request_type: int, start: int, *, incremental: bool, loads: bool
) -> bytes:
    """GET CONFIGURATION: all features (0), the current ones (1) or a single one (2), from `start` on."""
    wanted = b"".join(
        descriptor
        for code, current, descriptor in features(profile, incremental=incremental, loads=loads)
        if (code == start if request_type == 2 else code >= start) and (current or request_type != 1)
    )
    return be32(len(wanted) + 4) + b"\0\0" + be16(profile) + wanted


def capabilities_page(profile: Profile) -> bytes:
    """MM Capabilities and Mechanical Status, page 2Ah; libburn wants at least 30 bytes."""
    rates = speeds(profile)
    page = bytearray(32 + 4 * len(rates))
    page[0], page[1] = 0x2A, len(page) - 2
    page[2:7] = bytes((0x3F, 0x37, 0xF1, 0x73, 0x29))  # reads and writes all; tray; eject
    page[8:10] = be16(rates[-1])
    page[10:12] = be16(256)
    page[12:14] = be16(2048)  # buffer, KiB
    for field in (14, 18, 20, 28):
        page[field : field + 2] = be16(rates[-1])
    page[30:32] = be16(len(rates))
    for index, rate in enumerate(reversed(rates)):
        page[34 + 4 * index : 36 + 4 * index] = be16(rate)
    return bytes(page)


def new_write_parameters() -> bytearray:
    return bytearray((WRITE_PARAMETERS_PAGE, WRITE_PARAMETERS_LENGTH)) + bytearray(WRITE_PARAMETERS_LENGTH)


def mode_pages(profile: Profile, write_parameters: bytes) -> dict[int, bytes]:
    return {
        0x01: b"\x01\x0a\0\x20" + bytes(8),  # Read/Write Error Recovery
        WRITE_PARAMETERS_PAGE: write_parameters,
        0x1A: b"\x1a\x0a" + bytes(10),  # Power Condition
        0x1D: b"\x1d\x0a" + bytes(10),  # Timeout and Protect
        0x2A: capabilities_page(profile),
    }


def performance(profile: Profile, capacity: int, *, write_speeds: bool, on_write: bool, room: int) -> bytes:
    """GET PERFORMANCE, type 03h (write speed descriptors) or 00h (nominal performance), the fastest first.

    The length field announces all even when `room` is 0: libburn asks so for the number first.
    """
    rates = [be32(rate) for rate in reversed(speeds(profile))]
    last = be32(capacity - 1)
    if write_speeds:
        found = [bytes(4) + last + rates[0] + rate for rate in rates]
    else:
        found = [bytes(4) + rates[0] + last + rates[0]]
    flags = 2 if on_write and not write_speeds else 0
    length = 4 + sum(map(len, found))
    return be32(length) + bytes((flags, 0, 0, 0)) + b"".join(found[:room])
