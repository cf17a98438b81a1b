"""The commands of the drive: opcode to function, each with the clause it follows.

Source: MMC-6 clause 6 and SPC-4 clause 6, by the names of the commands. An opcode that is not in `COMMANDS`
ends with INVALID COMMAND OPERATION CODE. Long actions (BLANK, FORMAT UNIT, CLOSE) are done at once.
"""

from collections.abc import Callable
from dataclasses import dataclass

from tests.burner import formats, sense
from tests.burner import mmc_descriptors as descriptors
from tests.burner import mmc_media as media
from tests.burner.drive import NO_CHANGE, WRITE_TYPE_SAO, Drive
from tests.burner.mmc_bytes import be16, be32, number_at
from tests.burner.mmc_identity import disc_structure
from tests.burner.profiles import BLOCK, Profile
from tests.burner.sense import CheckCondition

BUFFER = 4 << 20
READ_OPCODES = {0x28, 0xA8, 0xBE}
WRITE_OPCODES = {0x2A, 0xAA}
NOT_HELD_BY_UNIT_ATTENTION = {0x03, 0x12, 0x46, 0x4A}  # SPC-4, unit attention condition
LEAD_IN_ADDRESSES = 0x80000000
ADDRESSES = 1 << 32


@dataclass(frozen=True, slots=True)
class Command:
    """One command descriptor block and the data sent with it."""

    cdb: bytes
    data: bytes = b""
    lost: bool = False
    """What it writes never reaches the medium."""

    @property
    def opcode(self) -> int:
        return self.cdb[0]

    def number(self, offset: int, size: int) -> int:
        return number_at(self.cdb, offset, size)


def transfer_span(command: Command) -> tuple[int, int]:
    """Give first block and number of blocks of a read or write command; (0, 0) for others."""
    if command.opcode in (0x28, 0x2A):
        return command.number(2, 4), command.number(7, 2)
    if command.opcode in (0xA8, 0xAA):
        return command.number(2, 4), command.number(6, 4)
    if command.opcode == 0xBE:
        return command.number(2, 4), command.number(6, 3)
    return 0, 0


def fault_kinds(command: Command) -> tuple[str, str]:
    """Give the names under which a fault may be ordered for this command."""
    kind = "read" if command.opcode in READ_OPCODES else "write" if command.opcode in WRITE_OPCODES else ""
    return kind, f"{command.opcode:02x}"


def execute(drive: Drive, command: Command) -> bytes:
    """Carry one command out and give its data; raises CheckCondition, PowerLostError, DriveGoneError."""
    drive.counts[command.opcode] += 1
    held = command.opcode not in NOT_HELD_BY_UNIT_ATTENTION
    if drive.unit_attention and held:
        pending, drive.unit_attention = drive.unit_attention, None
        raise CheckCondition(pending)
    handler = COMMANDS.get(command.opcode)
    if handler is None:
        raise CheckCondition(sense.INVALID_OPCODE)
    return handler(drive, command)


# -- the device: SPC-4 ----------------------------------------------------------------------------


def accept(_drive: Drive, _command: Command) -> bytes:
    """Do nothing, gladly: speeds, door lock, OPC, read-ahead."""
    return b""


def unit_ready(drive: Drive, _command: Command) -> bytes:
    drive.disc()
    return b""


def request_sense(_drive: Drive, command: Command) -> bytes:
    return sense.Sense(0, 0, 0).fixed_format()[: command.cdb[4]]


def inquiry(_drive: Drive, command: Command) -> bytes:
    if command.cdb[1] & 1:  # no vital product data pages
        raise CheckCondition(sense.INVALID_FIELD)
    return descriptors.inquiry()[: command.number(3, 2)]


def start_stop_unit(drive: Drive, command: Command) -> bytes:
    """LoEj with Start loads, LoEj alone ejects; spinning up and down takes no time."""
    if command.cdb[4] & 3 == 3 and drive.tray_open and not drive.pulls_in:
        raise CheckCondition(sense.NO_MEDIUM_TRAY_OPEN)
    if command.cdb[4] & 2:
        (drive.load if command.cdb[4] & 1 else drive.eject)()
    return b""


def _mode_pages(drive: Drive, code: int) -> bytes:
    pages = descriptors.mode_pages(drive.profile, bytes(drive.write_parameters))
    if code == 0x3F:
        return b"".join(pages[known] for known in sorted(pages))
    if code not in pages:
        raise CheckCondition(sense.INVALID_FIELD)
    return pages[code]


def mode_sense_6(drive: Drive, command: Command) -> bytes:
    pages = _mode_pages(drive, command.cdb[2] & 0x3F)
    return (bytes(((len(pages) + 3) & 255, 0, 0, 0)) + pages)[: command.cdb[4]]


def mode_sense_10(drive: Drive, command: Command) -> bytes:
    pages = _mode_pages(drive, command.cdb[2] & 0x3F)
    return (be16(len(pages) + 6) + bytes(6) + pages)[: command.number(7, 2)]


def mode_select_6(drive: Drive, command: Command) -> bytes:
    if len(command.data) > 4:
        drive.set_write_parameters(command.data[4 + command.data[3] :])
    return b""


def mode_select_10(drive: Drive, command: Command) -> bytes:
    if len(command.data) > 8:
        drive.set_write_parameters(command.data[8 + number_at(command.data, 6, 2) :])
    return b""


# -- the device: MMC-6 ----------------------------------------------------------------------------


def get_configuration(drive: Drive, command: Command) -> bytes:
    feature, request_type = command.number(2, 2), command.cdb[1] & 3
    reply = descriptors.configuration(
        drive.profile,
        request_type,
        feature,
        incremental=drive.incremental,
        loads=drive.says_that_it_pulls_in,
    )
    return reply[: command.number(7, 2)]


def get_event_status(drive: Drive, command: Command) -> bytes:
    """Polled only; of the classes, the media class (4) alone."""
    if not command.cdb[1] & 1:
        raise CheckCondition(sense.INVALID_FIELD)
    if not command.cdb[4] & 0x10:
        return b"\0\2\x80\x10"[: command.number(7, 2)]
    event, drive.media_event = drive.media_event, NO_CHANGE
    present = (1 if drive.tray_open else 0) | (2 if drive.profile else 0)
    return bytes((0, 6, 4, 0x10, event, present, 0, 0))[: command.number(7, 2)]


def get_performance(drive: Drive, command: Command) -> bytes:
    disc = drive.disc()
    kind = command.cdb[10]
    if kind not in (0x00, 0x03):
        raise CheckCondition(sense.INVALID_FIELD)
    on_write, room = bool(command.cdb[1] & 4), command.number(8, 2)
    write_speeds = kind == 0x03
    return descriptors.performance(
        disc.profile, disc.capacity, write_speeds=write_speeds, on_write=on_write, room=room
    )


def read_buffer_capacity(_drive: Drive, command: Command) -> bytes:
    """Always all free, so that no writer waits."""
    return (be16(10) + bytes(2) + be32(BUFFER) + be32(BUFFER))[: command.number(7, 2)]


# -- the disc: MMC-6 ------------------------------------------------------------------------------


def read_capacity(drive: Drive, _command: Command) -> bytes:
    return be32(max(0, drive.disc().readable_end() - 1)) + be32(BLOCK)


def read_format_capacities(drive: Drive, command: Command) -> bytes:
    return media.format_capacities(drive.disc())[: command.number(7, 2)]


def read_disc_information(drive: Drive, command: Command) -> bytes:
    return media.disc_information(drive.disc())[: command.number(7, 2)]


def read_track_information(drive: Drive, command: Command) -> bytes:
    disc = drive.disc()
    number = media.track_number(disc, command.cdb[1] & 3, command.number(2, 4))
    return media.track_information(disc, number)[: command.number(7, 2)]


def read_toc(drive: Drive, command: Command) -> bytes:
    """The form is in byte 2; old initiators put it into the top of the control byte."""
    form = command.cdb[2] & 15 or command.cdb[9] >> 6
    in_msf = bool(command.cdb[1] & 2)
    reply = media.table_of_contents(drive.disc(), form, command.cdb[6], in_msf=in_msf)
    return reply[: command.number(7, 2)]


def read_disc_structure(drive: Drive, command: Command) -> bytes:
    reply = disc_structure(drive.disc(), command.cdb[1] & 15, command.cdb[7])
    return reply[: command.number(8, 2)]


def read(drive: Drive, command: Command) -> bytes:
    return drive.disc().read(*transfer_span(command))


def write(drive: Drive, command: Command) -> bytes:
    """Write blocks; what a CD session at once sends for the pregap, at addresses below 0, leaves no trace."""
    disc = drive.disc()
    block, count = transfer_span(command)
    payload = command.data[: count * BLOCK]
    if len(payload) < count * BLOCK:
        raise CheckCondition(sense.INVALID_FIELD)
    if block >= LEAD_IN_ADDRESSES:
        below = min(count, ADDRESSES - block)
        block, payload = (block + below) % ADDRESSES, payload[below * BLOCK :]
    if payload:
        disc.write(block, payload, lost=command.lost)
    return b""


def synchronize_cache(drive: Drive, _command: Command) -> bytes:
    drive.disc().synchronise()
    drive.end_full_session()
    return b""


def reserve_track(drive: Drive, command: Command) -> bytes:
    drive.disc().reserve(command.number(5, 4))
    return b""


def send_cue_sheet(drive: Drive, command: Command) -> bytes:
    """Eight bytes an entry; that of the lead-out says where the session will end."""
    entries = [command.data[at : at + 8] for at in range(0, len(command.data) - 7, 8)]
    lead_outs = [entry for entry in entries if entry[1] == media.LEAD_OUT]
    if not drive.disc().profile.is_cd or not lead_outs:
        raise CheckCondition(sense.INVALID_PARAMETER)
    minute, second, frame = lead_outs[-1][5:8]
    drive.write_parameters[2] = drive.write_parameters[2] & 0xF0 | WRITE_TYPE_SAO
    drive.cue_sheet_end = (minute * 60 + second) * 75 + frame - 150
    return b""


def close_track_session(drive: Drive, command: Command) -> bytes:
    """Functions 1 track, 2 session, 3 5 6 finalize; 0 stops a background format.

    Whether function 2 leaves the disc appendable is said by mode page 05h for CD and DVD-R(W); DVD+R and
    BD-R stay appendable. Overwritable media have nothing to close, but for a DVD-RW that grew.
    """
    disc = drive.disc()
    disc.synchronise()
    function, number = command.cdb[2] & 7, command.number(4, 2)
    if function == 1:
        tao = disc.profile.is_cd and drive.write_type != WRITE_TYPE_SAO
        disc.close_track(number, run_out=tao)
    elif function == 2 and disc.profile is Profile.DVD_RW_OVERWRITE:
        disc.end_growth()
    elif function == 2 and not disc.profile.overwritable:
        by_page = disc.profile.is_cd or disc.profile.is_dvd_minus
        drive.close_session(final=by_page and not drive.multi_session)
    elif function in (3, 5, 6) and not disc.profile.overwritable:
        drive.close_session(final=True)
    elif function in (4, 7):
        raise CheckCondition(sense.INVALID_FIELD)
    return b""


def format_unit(drive: Drive, command: Command) -> bytes:
    """The format list: a header of four bytes, then one descriptor."""
    blocks, form = number_at(command.data, 4, 4), command.data[8:9]
    if not form:
        raise CheckCondition(sense.INVALID_PARAMETER)
    formats.format_disc(drive.disc(), form[0] >> 2, blocks, form[0] & 3)
    return b""


def blank(drive: Drive, command: Command) -> bytes:
    formats.blank_disc(drive.disc(), command.cdb[1] & 7)
    return b""


COMMANDS: dict[int, Callable[[Drive, Command], bytes]] = {
    0x00: unit_ready,
    0x03: request_sense,
    0x04: format_unit,
    0x12: inquiry,
    0x15: mode_select_6,
    0x1A: mode_sense_6,
    0x1B: start_stop_unit,
    0x1E: accept,  # PREVENT ALLOW MEDIUM REMOVAL
    0x23: read_format_capacities,
    0x25: read_capacity,
    0x28: read,
    0x2A: write,
    0x2B: accept,  # SEEK
    0x35: synchronize_cache,
    0x43: read_toc,
    0x46: get_configuration,
    0x4A: get_event_status,
    0x51: read_disc_information,
    0x52: read_track_information,
    0x53: reserve_track,
    0x54: accept,  # SEND OPC INFORMATION
    0x55: mode_select_10,
    0x5A: mode_sense_10,
    0x5B: close_track_session,
    0x5C: read_buffer_capacity,
    0x5D: send_cue_sheet,
    0xA1: blank,
    0xA7: accept,  # SET READ AHEAD
    0xA8: read,
    0xAA: write,
    0xAC: get_performance,
    0xAD: read_disc_structure,
    0xB6: accept,  # SET STREAMING
    0xBB: accept,  # SET CD SPEED
    0xBE: read,
}
