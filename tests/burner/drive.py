"""The drive as a mechanism: tray, disc, pending events, write parameters, counters. No commands here."""

import threading
import time
from collections import Counter, deque
from pathlib import Path

from tests.burner import sense
from tests.burner.disc import Disc
from tests.burner.faults import Fault, FaultPlan
from tests.burner.mmc_descriptors import WRITE_PARAMETERS_PAGE, new_write_parameters
from tests.burner.profiles import KINDS, Profile
from tests.burner.sense import CheckCondition, Sense
from tests.burner.wire import Json

LOG_LINES = 5000

# Media event codes (MMC-6, GET EVENT STATUS NOTIFICATION, class 4)
NO_CHANGE, NEW_MEDIA, MEDIA_REMOVAL = 0, 2, 3

WRITE_TYPE_TAO, WRITE_TYPE_SAO = 1, 2  # mode page 05h, byte 2


class Drive:
    """One drive; `lock` is held for each command, as a drive does one thing at a time."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.tray_open = False
        self.unit_attention: Sense | None = None
        self.media_event = NO_CHANGE
        self.write_parameters = new_write_parameters()
        self.cue_sheet_end: int | None = None
        self.plan = FaultPlan()
        self.delay_s = 0.0
        self.slow_start_s = 0.0
        self.announces_sessions = True
        self.unwritten_reads_zeros = False
        self.pulls_in = True
        self.says_that_it_pulls_in = False
        self.counts: Counter[int] = Counter()
        self.log: deque[str] = deque(maxlen=LOG_LINES)
        self._disc: Disc | None = None
        self._ready_at = 0.0

    # -- the tray ---------------------------------------------------------------------------------

    @property
    def profile(self) -> Profile:
        """The current profile; NONE without a disc inside that is known."""
        known = self._disc and not self.tray_open and not self._is_starting
        return self._disc.profile if self._disc and known else Profile.NONE

    @property
    def _is_starting(self) -> bool:
        """Whether a disc was loaded so lately that the drive still looks at it."""
        return time.monotonic() < self._ready_at

    def disc(self) -> Disc:
        """Give the disc inside; raises CheckCondition when there is none, or not yet."""
        if self.tray_open:
            raise CheckCondition(sense.NO_MEDIUM_TRAY_OPEN)
        if self._disc is None:
            raise CheckCondition(sense.NO_MEDIUM_TRAY_CLOSED)
        if self._is_starting:
            raise CheckCondition(sense.NOT_READY_BECOMING)
        return self._disc

    @property
    def incremental(self) -> bool:
        """Whether the drive says of its disc that tracks need no size told before (MMC-6, feature 0021h)."""
        return self._disc is None or self._disc.state.incremental or not self._disc.state.announced

    def insert(self, directory: Path, profile: str, blocks: int) -> None:
        """Put another disc in, "none" for an empty tray, and close the tray."""
        if self._disc:
            self._disc.release()
        kind = KINDS[profile]
        self._disc = Disc(directory, kind, blocks) if kind.profile else None
        self._set_up_disc()
        self.tray_open = True
        self.load()

    def _set_up_disc(self) -> None:
        if self._disc:
            self._disc.unwritten_reads_zeros = self.unwritten_reads_zeros

    def eject(self) -> None:
        if not self.tray_open:
            self.tray_open = True
            self.media_event = MEDIA_REMOVAL
            self.unit_attention = None

    def load(self) -> None:
        if self.tray_open:
            self.tray_open = False
            self.media_event = NEW_MEDIA
            self.unit_attention = sense.MEDIUM_MAY_HAVE_CHANGED
            self._ready_at = time.monotonic() + self.slow_start_s

    def lose_power(self) -> None:
        if self._disc:
            self._disc.lose_power()

    def save(self) -> None:
        if self._disc:
            self._disc.save()

    # -- how sessions end -------------------------------------------------------------------------

    @property
    def write_type(self) -> int:
        return self.write_parameters[2] & 15

    @property
    def multi_session(self) -> bool:
        """Mode page 05h, multi-session field: whether another session may follow."""
        return bool(self.write_parameters[3] & 0xC0)

    def set_write_parameters(self, page: bytes) -> None:
        if len(page) > 2 and page[0] & 0x3F == WRITE_PARAMETERS_PAGE:
            settings = page[2 : len(self.write_parameters)]
            self.write_parameters[2 : 2 + len(settings)] = settings

    def close_session(self, *, final: bool) -> None:
        """Close the session; the event lets a kernel read the capacity anew at its next open."""
        disc = self.disc()
        disc.close_session(final=final, run_out=disc.profile.is_cd and self.write_type != WRITE_TYPE_SAO)
        if self.announces_sessions:
            self.media_event = NEW_MEDIA

    def end_full_session(self) -> None:
        """End a session at once that is full: CD SAO up to its cue sheet, DVD-R(W) DAO up to its reservation.

        After these libburn sends only SYNCHRONIZE CACHE, and no CLOSE TRACK SESSION.
        """
        disc = self.disc()
        last = disc.tracks[-1] if disc.tracks else None
        if last is None or last.closed or self.write_type != WRITE_TYPE_SAO:
            return
        end = self.cue_sheet_end if disc.profile.is_cd else last.end if last.reserved else None
        if end is None or not (disc.profile.is_cd or disc.profile.is_dvd_minus):
            return
        if last.next_writable >= end:
            self.close_session(final=not self.multi_session)
            self.cue_sheet_end = None

    # -- what a test sees -------------------------------------------------------------------------

    def obey(self, order: Json) -> None:
        """Do what a test orders."""
        if "faults" in order:
            self.plan.faults = [Fault.from_json(fault) for fault in order["faults"]]
        if "delay_s" in order:
            self.delay_s = order["delay_s"]
        if "slow_start_s" in order:
            self.slow_start_s = order["slow_start_s"]
        if "announces_sessions" in order:
            self.announces_sessions = order["announces_sessions"]
        if "unwritten_reads_zeros" in order:
            self.unwritten_reads_zeros = order["unwritten_reads_zeros"]
            self._set_up_disc()
        if order.get("reset_counts"):
            self.counts.clear()
            self.log.clear()
        if "disc" in order:
            directory, profile, blocks = order["disc"]
            self.insert(Path(directory), profile, blocks)
        if "pulls_in" in order:
            self.pulls_in = order["pulls_in"]
            self.says_that_it_pulls_in = order["says_that_it_pulls_in"]
        if "tray_open" in order:
            (self.eject if order["tray_open"] else self.load)()

    def report(self) -> Json:
        return {
            "counts": {f"{opcode:02X}": count for opcode, count in sorted(self.counts.items())},
            "disc": self._disc.to_json() if self._disc else None,
            "faults": [fault.to_json() for fault in self.plan.faults],
            "log": list(self.log),
            "tray_open": self.tray_open,
        }
