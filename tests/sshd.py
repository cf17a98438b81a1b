"""A real OpenSSH server on loopback with keys of its own, stopped by its own pid."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Self

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin") or "sshd"
PRIVILEGE_SEPARATION = Path("/run/sshd")


class Sshd:
    """A server that lets one key in, as whoever runs the tests; a context manager.

    `key_options` stand before the key in `authorized_keys`.
    """

    def __init__(self, folder: Path, *, key_options: str = "") -> None:
        self.folder = folder
        self.port = free_port()
        self.identity = folder / "id"
        self.known_hosts = folder / "known_hosts"
        folder.mkdir(mode=0o700)
        for name in ("host", "id"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True
            )
        host_key = (folder / "host.pub").read_text()
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {host_key}")
        (folder / "authorized_keys").write_text(f"{key_options} {(folder / 'id.pub').read_text()}")
        lines = (
            f"ListenAddress 127.0.0.1:{self.port}",
            f"HostKey {folder}/host",
            f"AuthorizedKeysFile {folder}/authorized_keys",
            f"PidFile {folder}/pid",
            "StrictModes no",
            "UsePAM no",
            "PasswordAuthentication no",
            "PermitRootLogin prohibit-password",
            "AcceptEnv CEDARCHEST_NOW",
        )
        (folder / "config").write_text("\n".join(lines) + "\n")

    @property
    def ssh_options(self) -> list[str]:
        """What `[[peer]] ssh_options` needs to know this server and nothing of the tester's own."""
        return [
            "-F",
            "none",
            "-o",
            f"UserKnownHostsFile={self.known_hosts}",
            "-o",
            "StrictHostKeyChecking=yes",
        ]

    @property
    def peer(self) -> dict[str, object]:
        """The keys of a `[[peer]]` that is reached here."""
        return {
            "host": "127.0.0.1",
            "user": getpass.getuser(),
            "port": self.port,
            "identity": str(self.identity),
            "ssh_options": self.ssh_options,
            "timeout": "20 s",
        }

    def __enter__(self) -> Self:
        if os.geteuid() == 0:
            PRIVILEGE_SEPARATION.mkdir(mode=0o755, exist_ok=True)
        command = [SSHD, "-D", "-e", "-f", str(self.folder / "config")]
        with (self.folder / "log").open("wb") as told:
            self._server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=told, stderr=told)
        for _ in range(500):
            with socket.socket() as probe:
                if not probe.connect_ex(("127.0.0.1", self.port)):
                    return self
            if self._server.poll() is not None:
                break
            time.sleep(0.02)
        said = (self.folder / "log").read_text()
        self.__exit__()
        raise RuntimeError(f"sshd does not answer: {said}")

    def __exit__(self, *_: object) -> None:
        self._server.send_signal(signal.SIGTERM)
        self._server.wait(10)


def free_port() -> int:
    """A TCP port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
