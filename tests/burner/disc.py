"""An optical disc: tracks, sessions, and the rule that a block is written once and in order.

The disc lives in a directory: `data`, a sparse file with block n at byte 2048 n, and `disc.json`, the rest.
A test may flip bits in `data` at any time, or take the directory out of the drive and put it back.

Sequential media (CD, DVD-R, DVD-RW, DVD+R, BD-R) have tracks in sessions. A write is accepted at the next
writable address of an open track, or where the next track would start, which opens it. After the last
track there is always one more, the invisible track, unless a track is open or the disc is closed for good
(MMC-6, READ TRACK INFORMATION). Overwritable media (DVD-RAM, DVD+RW, BD-RE, DVD-RW in restricted overwrite)
are one track and take any block once formatted; what a format does is in `formats.py`.

The gaps between DVD sessions are invented numbers; real drives differ. Layers are not told apart. No audio.
"""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.burner import sense
from tests.burner.profiles import BLOCK, Kind, Profile
from tests.burner.sense import CheckCondition
from tests.burner.wire import Json

FIRST_CD_GAP = 11400  # lead-out 6750 + lead-in 4500 + pregap 150 (Orange Book)
LATER_CD_GAP = 6900  # later lead-outs are shorter: 2250
CD_PREGAP = 150
CD_RUN_OUT = 2  # TAO ends a track with two blocks that cannot be read
DVD_BORDER = 2048


@dataclass(slots=True)
class Track:
    """One logical track; `size` grows with the writes unless the track was reserved."""

    session: int
    start: int
    size: int
    next_writable: int
    closed: bool = False
    reserved: bool = False
    damaged: bool = False
    blank: bool = False

    @property
    def end(self) -> int:
        return self.start + self.size


@dataclass(slots=True)
class State:
    """What `disc.json` holds."""

    profile: Profile
    capacity: int
    tracks: list[Track] = field(default_factory=list)
    closed_sessions: int = 0
    final: bool = False
    formatted: bool = False
    spare: int = 0
    """Blocks that the format keeps from data."""
    default_spare: int = 0
    product: str = ""
    incremental: bool = True
    """Whether it takes tracks whose size is not told before."""
    announced: bool = True
    """Whether the drive says so when it does not."""
    formatted_blocks: int = 0
    """DVD-RW in restricted overwrite: the part of the capacity that is formatted."""
    intermediate: bool = False
    """DVD-RW in restricted overwrite: the formatted part grows until its session is closed."""
    refused_overwrites: int = 0
    """Writes to a sequential disc that met a block already written."""
    refused_addresses: int = 0
    """Writes to a sequential disc at any other address that was not the next writable one."""


def state_from_json(stored: Json) -> State:
    fields = dict(stored)
    fields["profile"] = Profile(fields["profile"])
    fields["tracks"] = [Track(**track) for track in fields["tracks"]]
    return State(**fields)


def _new_state(kind: Kind, blocks: int) -> State:
    """A disc of so many blocks, 0 meaning as many as such discs have; the spare ones go with the size."""
    capacity = blocks or kind.capacity
    scaled = blocks and kind.profile.has_spare_areas
    spare = blocks // 32 // kind.profile.write_unit * kind.profile.write_unit if scaled else kind.spare
    return State(
        kind.profile,
        capacity,
        formatted=kind.formatted,
        spare=0 if kind.profile is Profile.BD_R else spare,
        default_spare=spare,
        product=kind.product,
        incremental=kind.incremental,
        announced=kind.announced,
        formatted_blocks=capacity if kind.formatted else 0,
    )


class Disc:
    """A disc in a directory, new or as it was left."""

    unwritten_reads_zeros = False
    """Whether blocks that were never written read as zeros, as from some BD drives, and not as an error."""

    def __init__(self, directory: Path, kind: Kind, blocks: int = 0) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.state = _new_state(kind, blocks)
        if self._state_path.exists():
            self.state = state_from_json(json.loads(self._state_path.read_text()))
        self._file = os.open(directory / "data", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self._unsynchronised: Track | None = None
        self.save()

    @property
    def _state_path(self) -> Path:
        return self.directory / "disc.json"

    @property
    def profile(self) -> Profile:
        return self.state.profile

    @property
    def capacity(self) -> int:
        return self.state.capacity

    @property
    def tracks(self) -> list[Track]:
        return self.state.tracks

    def to_json(self) -> Json:
        return asdict(self.state)

    def save(self) -> None:
        draft = self.directory / "disc.json.new"
        draft.write_text(json.dumps(self.to_json()))
        draft.replace(self._state_path)

    def release(self) -> None:
        """Take the disc out of the drive."""
        self.save()
        os.close(self._file)

    # -- the layout -------------------------------------------------------------------------------

    def next_start(self) -> int:
        """Give the block where the next track would start."""
        if not self.tracks:
            return 0
        last = self.tracks[-1]
        if last.session > self.state.closed_sessions:
            return last.end + CD_PREGAP if self.profile.is_cd else self._aligned(last.end)
        if self.profile.is_cd:
            return last.end + (FIRST_CD_GAP if self.state.closed_sessions == 1 else LATER_CD_GAP)
        border = 0 if self.profile.is_bd else DVD_BORDER
        return self._aligned(last.end) + border

    def _aligned(self, block: int) -> int:
        unit = self.profile.write_unit
        return (block + unit - 1) // unit * unit

    def open_track(self) -> Track | None:
        """Give the last track if it still grows."""
        last = self.tracks[-1] if self.tracks else None
        return last if last and not last.closed and not last.reserved else None

    def has_invisible_track(self) -> bool:
        return not self.state.final and not self.profile.overwritable and self.open_track() is None

    def last_track_number(self) -> int:
        """Give the number of the last track, the invisible one included (as READ DISC INFORMATION does)."""
        return max(1, len(self.tracks) + self.has_invisible_track())

    def track(self, number: int) -> Track:
        """Give a track by its number from 1; raises CheckCondition when there is none."""
        if self.profile.overwritable:
            return Track(1, 0, self.readable_end(), 0)
        if 1 <= number <= len(self.tracks):
            return self.tracks[number - 1]
        if number == len(self.tracks) + 1 and self.has_invisible_track():
            return self._invisible_track()
        raise CheckCondition(sense.INVALID_FIELD)

    def _invisible_track(self) -> Track:
        start = self.next_start()
        size = max(0, self.capacity - start)
        return Track(self.state.closed_sessions + 1, start, size, start, blank=True)

    def readable_end(self) -> int:
        """Give the first block after the last closed track; READ CAPACITY speaks of the one before."""
        if self.profile.overwritable:
            return self._overwritable_end()
        return max((track.end for track in self.tracks if track.closed), default=0)

    def _overwritable_end(self) -> int:
        grows = self.profile is Profile.DVD_RW_OVERWRITE
        return self.state.formatted_blocks if grows else self.capacity

    # -- reading and writing ----------------------------------------------------------------------

    def _recorded(self, block: int) -> int:
        """Give the end of the recorded run that holds `block`; `block` itself when it is not recorded."""
        end = block
        for track in self.tracks:
            padded = track.closed and not self.profile.is_cd
            recorded = max(track.next_writable, track.end if padded else 0)
            if track.start <= end < recorded:
                end = recorded
        return end

    def read(self, block: int, count: int) -> bytes:
        end = self._overwritable_end() if self.profile.overwritable else self._recorded(block)
        if self.unwritten_reads_zeros and self.profile.is_bd:
            end = self.capacity
        if block + count > end:
            run_out = self.profile.is_cd and block + count <= self.readable_end()
            raise CheckCondition(sense.ILLEGAL_MODE_FOR_TRACK if run_out else sense.OUT_OF_RANGE)
        found = os.pread(self._file, count * BLOCK, block * BLOCK)
        return found.ljust(count * BLOCK, b"\0")

    def write(self, block: int, payload: bytes, *, lost: bool = False) -> None:
        """Record whole blocks; raises CheckCondition when they may not go there.

        What is `lost` never reaches the medium, and the drive knows nothing of it: zeros stand there.
        """
        count = len(payload) // BLOCK
        track = self._track_for(block, count)
        os.pwrite(self._file, bytes(len(payload)) if lost else payload, block * BLOCK)
        if track:
            track.next_writable += count
            track.size = max(track.size, track.next_writable - track.start)
            self._unsynchronised = track

    def _track_for(self, block: int, count: int) -> Track | None:
        """Give the track that this write continues; None on overwritable media."""
        if self.profile.overwritable:
            self._check_overwrite(block, count)
            return None
        if self.state.final:
            self._count_refusal(block, count)
            raise CheckCondition(sense.CANNOT_WRITE_MEDIUM if self.profile.is_cd else sense.WRITE_PROTECTED)
        for track in self.tracks:
            if not track.closed and track.next_writable == block:
                self._check_end(block + count, track.end if track.reserved else self.capacity)
                return track
        if self.has_invisible_track() and block == self.next_start():
            self._check_end(block + count, self.capacity)
            if not self.state.incremental:
                raise CheckCondition(sense.ILLEGAL_MODE_FOR_TRACK)
            self.tracks.append(Track(self.state.closed_sessions + 1, block, 0, block))
            return self.tracks[-1]
        self._count_refusal(block, count)
        raise CheckCondition(sense.INVALID_WRITE_ADDRESS)

    def _check_overwrite(self, block: int, count: int) -> None:
        """Rigid restricted overwrite (MMC-6, feature 002Ch) takes whole ECC blocks only."""
        if not self.state.formatted:
            raise CheckCondition(sense.INCOMPATIBLE_MEDIUM)
        self._check_end(block + count, self.capacity)
        if self.profile is Profile.DVD_RW_OVERWRITE:
            grows = self.state.intermediate and block <= self.state.formatted_blocks
            if block % self.profile.write_unit or count % self.profile.write_unit:
                raise CheckCondition(sense.INVALID_WRITE_ADDRESS)
            if grows:
                self.state.formatted_blocks = max(self.state.formatted_blocks, block + count)
            self._check_end(block + count, self.state.formatted_blocks)

    @staticmethod
    def _check_end(end: int, limit: int) -> None:
        if end > limit:
            raise CheckCondition(sense.OUT_OF_RANGE)

    def _count_refusal(self, block: int, count: int) -> None:
        if any(block < track.next_writable and track.start < block + count for track in self.tracks):
            self.state.refused_overwrites += 1
        else:
            self.state.refused_addresses += 1

    # -- opening, closing, erasing ----------------------------------------------------------------

    def reserve(self, blocks: int) -> None:
        """Set a track of a fixed size aside (MMC-6, RESERVE TRACK)."""
        if not self.has_invisible_track():
            raise CheckCondition(sense.SEQUENCE_ERROR)
        start = self.next_start()
        self._check_end(start + blocks, self.capacity)
        self.tracks.append(Track(self.state.closed_sessions + 1, start, blocks, start, reserved=True))
        self.save()

    def close_track(self, number: int, *, run_out: bool = False) -> None:
        """Close a track, 0 meaning the last one; one that is empty or closed stays as it is."""
        number = number or len(self.tracks)
        if not 1 <= number <= len(self.tracks) or self.tracks[number - 1].closed:
            return
        track = self.tracks[number - 1]
        if not track.reserved:
            track.size = track.next_writable - track.start + (CD_RUN_OUT if run_out else 0)
        track.closed = True
        track.damaged = False
        self.save()

    def close_session(self, *, final: bool, run_out: bool = False) -> None:
        """Close a session, and the disc with it where no further one would find room."""
        for number in range(1, len(self.tracks) + 1):
            self.close_track(number, run_out=run_out)
        if self.tracks:
            self.state.closed_sessions = self.tracks[-1].session
        self.state.final |= final or self.next_start() >= self.capacity
        self.save()

    def erase(self) -> None:
        os.ftruncate(self._file, 0)
        self.tracks.clear()
        self.state.closed_sessions = 0
        self.state.final = self.state.formatted = False
        self._unsynchronised = None
        self.save()

    def end_growth(self) -> None:
        """Close the open session of a DVD-RW in restricted overwrite (MMC-6, intermediate state)."""
        self.state.intermediate = False
        self.save()

    def synchronise(self) -> None:
        """All that was written is on the medium."""
        self._unsynchronised = None

    def lose_power(self) -> None:
        """The drive stops, or its writer vanishes: a track not yet synchronised is damaged."""
        if self._unsynchronised and not self._unsynchronised.closed:
            self._unsynchronised.damaged = True
        self._unsynchronised = None
        self.save()
