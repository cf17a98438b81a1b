"""An emulated optical drive for tests: start it, put discs in, order faults, look inside.

with Burner("dvd+r") as burner:
    subprocess.run(["xorriso", "-no_rc", "-outdev", "/dev/sr0", ...], env=burner.env())
    assert burner.state().closed_sessions == 1
"""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.burner import wire
from tests.burner.disc import State, state_from_json
from tests.burner.faults import ALWAYS, Effect, Fault
from tests.burner.interposer import ROOT, NoCompilerError, build_interposer
from tests.burner.profiles import BLOCK
from tests.burner.wire import Json

__all__ = ["ALWAYS", "BLOCK", "Burner", "Effect", "Fault", "NoCompilerError", "build_interposer"]

STOP_TIMEOUT_S = 10
LONGEST_SOCKET_DIRECTORY = 90  # sun_path has 108 bytes
SETTINGS = (
    "FAKEBURN_SOCK",
    "FAKEBURN_SOCK1",
    "FAKEBURN_DEVS",
    "FAKEBURN_MAXSLEEP",
    "FAKEBURN_MOUNTINFO",
    "FAKEBURN_LENGTH",
    "FAKEBURN_LINGER",
)


class Burner:
    """One drive in a process of its own; a context manager that leaves nothing behind."""

    def __init__(self, profile: str = "dvd+r", blocks: int = 0, directory: Path | None = None) -> None:
        """Take a disc of `profile`, of `blocks` blocks (0: as many as such discs have).

        Args:
            profile: a kind of disc by its name in `profiles.KINDS`, or none for an empty tray.
            blocks: the capacity of a disc that is new.
            directory: where the disc lives; without it, a temporary one that goes with the burner.
        """
        self.profile = profile
        self.blocks = blocks
        self._wanted_directory = directory
        self._discs_made = 0
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        room = tempfile.gettempdir()
        parent = room if len(room) < LONGEST_SOCKET_DIRECTORY else "/tmp"
        self.home = Path(tempfile.mkdtemp(prefix="burner-", dir=parent))
        self.socket = self.home / "s"
        self.directory = self._wanted_directory or self._new_directory()
        try:
            self.start()
        except BaseException:
            shutil.rmtree(self.home)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self.home)

    def _new_directory(self) -> Path:
        self._discs_made += 1
        return self.home / f"disc{self._discs_made}"

    # -- the process ------------------------------------------------------------------------------

    def start(self) -> None:
        """Power on, after `kill` or a fault that cost the power; the disc is as it was left."""
        self.stop()
        hidden = ("LD_PRELOAD", *SETTINGS)
        environment = {name: value for name, value in os.environ.items() if name not in hidden}
        arguments = [self.socket, self.directory, self.profile, self.blocks, "--until-stdin-closes"]
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-m", "tests.burner.server", *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env=environment,
        )
        if self._output_line() != b"ready\n":
            self.stop()
            raise RuntimeError("the emulated drive did not start")

    def _output_line(self) -> bytes:
        assert self._process is not None
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def stop(self) -> None:
        """Power off in good order; nothing happens when it is off."""
        process, self._process = self._process, None
        if process is None:
            return
        try:
            process.communicate(timeout=STOP_TIMEOUT_S)  # closes stdin, which ends the server
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()

    def kill(self) -> None:
        """Cut the power, in the middle of whatever goes on."""
        with contextlib.suppress(EOFError, ConnectionError):
            self._order({"lose_power": True})
        self.stop()

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def has_lost_power(self) -> bool:
        """Wait for the end of a drive that a fault cost its power: its openers hear of it a moment before."""
        assert self._process is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_TIMEOUT_S)
        return not self.running

    # -- for programs -----------------------------------------------------------------------------

    def settings(self, max_sleep_us: int | None = 1000) -> dict[str, str]:
        """Give the variables that make a program see this drive; None leaves the burn programs' sleeps."""
        library = str(build_interposer())
        others = [
            name for name in os.environ.get("LD_PRELOAD", "").replace(":", " ").split() if name != library
        ]
        chosen = {"LD_PRELOAD": ":".join([library, *others]), "FAKEBURN_SOCK": str(self.socket)}
        if max_sleep_us is not None:
            chosen["FAKEBURN_MAXSLEEP"] = str(max_sleep_us)
        return chosen

    def env(self, max_sleep_us: int | None = 1000) -> dict[str, str]:
        """Give the whole environment for a program that shall see this drive."""
        return os.environ | self.settings(max_sleep_us)

    @contextlib.contextmanager
    def attached(self, max_sleep_us: int | None = 1000) -> Iterator[None]:
        """Let this process and its children see the drive (needs `tests.burner.preload`)."""
        before = dict(os.environ)
        os.environ.update(self.settings(max_sleep_us))
        try:
            yield
        finally:
            for name in ("LD_PRELOAD", *SETTINGS):
                os.environ.pop(name, None)
                if name in before:
                    os.environ[name] = before[name]

    def env_with(self, second: "Burner") -> dict[str, str]:
        """Give the environment for a program that shall see a second drive as well, as /dev/sr1."""
        return self.env() | {"FAKEBURN_SOCK1": str(second.socket)}

    # -- the disc ---------------------------------------------------------------------------------

    @property
    def data_path(self) -> Path:
        """The blocks of the disc: block n at byte 2048 n. Bits may be flipped here at any time."""
        return self.directory / "data"

    def exchange(self, profile: str, blocks: int = 0, directory: Path | None = None) -> Path:
        """Put another disc in and give the directory of the one before, for its coming back.

        "none" leaves the tray empty. A disc in `directory` keeps its profile, tracks and size.
        """
        before = self.directory
        self.profile, self.blocks = profile, blocks
        self.directory = directory or self._new_directory()
        self._order({"disc": [str(self.directory), profile, blocks]})
        return before

    def eject(self) -> None:
        self._order({"tray_open": True})

    def load(self) -> None:
        self._order({"tray_open": False})

    @property
    def tray_open(self) -> bool:
        answer: bool = self._order({})["tray_open"]
        return answer

    def state(self) -> State:
        """Give tracks, sessions and refusals of the disc inside; also when the power is off."""
        if not self.running:
            return state_from_json(wire.unpack_json((self.directory / "disc.json").read_bytes()))
        return state_from_json(self._order({})["disc"])

    # -- faults and counters ----------------------------------------------------------------------

    def faults(self, faults: list[Fault]) -> None:
        """Order these faults, in place of those before."""
        self._order({"faults": [fault.to_json() for fault in faults]})

    def fired(self) -> list[int]:
        """Give how often each ordered fault struck."""
        return [fault["fired"] for fault in self._order({})["faults"]]

    def delay(self, seconds: float) -> None:
        """Make every command take so long."""
        self._order({"delay_s": seconds})

    def start_slowly(self, seconds: float) -> None:
        """Let each disc that is loaded from now on be looked at for so long before the drive is ready."""
        self._order({"slow_start_s": seconds})

    def read_unwritten_as_zeros(self) -> None:
        """Let blocks of a BD that were never written read as zeros, without an error, as some drives do."""
        self._order({"unwritten_reads_zeros": True})

    def pulls_in(self, pulls_in: bool, *, says: bool) -> None:
        """Have a tray that comes in on command or only by a hand, and a drive that says whether it does."""
        self._order({"pulls_in": pulls_in, "says_that_it_pulls_in": says})

    def unplug(self) -> None:
        """Take the drive away while it may be open; `plug` brings it back."""
        self._order({"plugged": False})

    def plug(self) -> None:
        self._order({"plugged": True})

    def counts(self) -> dict[str, int]:
        """Give the number of commands by opcode in hex: {"2A": 1042, ...}."""
        counts: dict[str, int] = self._order({})["counts"]
        return counts

    def reset_counts(self) -> None:
        self._order({"reset_counts": True})

    def log(self) -> list[str]:
        """Give the last commands: the bytes in hex, then the length of the answer or the sense."""
        lines: list[str] = self._order({})["log"]
        return lines

    def _order(self, order: Json) -> Json:
        return wire.control(self.socket, order)
