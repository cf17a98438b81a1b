"""CDEmu, an emulated drive that others wrote, behind the same node: single sessions on CD-R, DVD+R and BD-R.

Its daemon takes orders over a message bus of its own. Several sessions are more than it can do, and a disc
is read back by the kernel only after `reload`, from then on as a disc that is closed. A look at a disc while
it is burnt ends the daemon: udev and the kernel's polls are kept from it.
"""

import os
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.burner.kernel.node import (
    has_medium,
    in_tree,
    lock_door,
    wait_for_no_node,
    wait_for_node,
    wait_until,
)

HOME = Path("/run/cdemu")
BUS = HOME / "bus"
DAEMON = "net.sf.cdemu.CDEmuDaemon"
BUS_CONFIGURATION = f"""<busconfig><type>session</type><listen>unix:path={BUS}</listen>
<auth>EXTERNAL</auth><policy context="default"><allow send_destination="*" eavesdrop="true"/>
<allow eavesdrop="true"/><allow own="*"/></policy></busconfig>"""
CD_R, DVD_PLUS_R, BD_R = "cdr80", "dvd+r", "bdr"
STOP_TIMEOUT_S = 10
LOG_SHOWN = 4000  # characters


class Cdemu:
    """The daemon with its one drive; a context manager that leaves nothing behind."""

    def __enter__(self) -> Self:
        HOME.mkdir()
        (HOME / "bus.conf").write_text(BUS_CONFIGURATION)
        self._environment = {**os.environ, "DBUS_SESSION_BUS_ADDRESS": f"unix:path={BUS}", "HOME": str(HOME)}
        self._bus = self._start("dbus-daemon", f"--config-file={HOME}/bus.conf", "--nofork", "--nopidfile")
        wait_until(BUS.exists, "the message bus")
        self._daemon = self._start(
            "cdemu-daemon", "--ctl-device=/dev/vhba_ctl", "--num-devices=1", "--audio-driver=null",
            "--bus=session", f"--logfile={HOME}/log",
        )  # fmt: skip
        wait_for_node()
        Path("/sys/block/sr0/events_poll_msecs").write_text("0")
        for order in (["settle"], ["control", "--stop-exec-queue"]):  # what a last poll found is done before
            subprocess.run(in_tree("udevadm", *order), check=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        subprocess.run(in_tree("udevadm", "control", "--start-exec-queue"), check=True)
        for process in (self._daemon, self._bus):
            process.terminate()
            process.wait(STOP_TIMEOUT_S)
        wait_for_no_node()
        subprocess.run(["rm", "-r", str(HOME)], check=True)

    def _start(self, *argv: str) -> subprocess.Popen[bytes]:
        quiet = subprocess.DEVNULL
        return subprocess.Popen(
            in_tree(*argv), env=self._environment, stdin=quiet, stdout=quiet, stderr=quiet
        )

    def _call(self, method: str, *arguments: str) -> None:
        called = subprocess.run(
            in_tree("gdbus", "call", "--session", "--dest", DAEMON, "--object-path", "/Daemon",
                    "--method", f"{DAEMON}.{method}", *arguments),
            env=self._environment, check=False, capture_output=True, text=True,
        )  # fmt: skip
        assert called.returncode == 0, called.stderr + (HOME / "log").read_text()[-LOG_SHOWN:]

    @property
    def disc(self) -> Path:
        """The blocks of the disc in the drive."""
        return HOME / "disc.iso"

    def insert_blank(self, medium: str) -> None:
        """Put a blank disc in, in place of the one that is there."""
        self._unload()
        self.disc.unlink(missing_ok=True)
        self._call(
            "DeviceCreateBlank",
            "0",
            str(self.disc),
            f"{{'writer-id': <'WRITER-ISO'>, 'medium-type': <'{medium}'>}}",
        )
        wait_until(has_medium, "the blank disc")

    def reload(self) -> None:
        """Take the disc out and put it in again."""
        self._unload()
        self._call("DeviceLoad", "0", f"['{self.disc}']", "{}")
        wait_until(has_medium, "the disc that was put in again")

    def _unload(self) -> None:
        """Take out the disc, if there is one; behind a locked door it would stay, and nobody would say so."""
        lock_door(locked=False)
        self._call("DeviceUnload", "0")
