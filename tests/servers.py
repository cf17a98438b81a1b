"""Real database servers of the tests' own on loopback and a socket, stopped by their own pids."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import NOBODY
from tests.sshd import free_port

PATH = f"{os.environ['PATH']}:/usr/local/sbin:/usr/sbin:/sbin"
ME = pwd.getpwuid(os.geteuid()).pw_name
AS_NOBODY = (
    ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"] if os.geteuid() == 0 else []
)
"""No database server runs as root."""


@dataclass(frozen=True)
class Server:
    """A server at work; `environ` leads its clients to it."""

    environ: Mapping[str, str]
    client: Sequence[str]

    def ask(self, sql: str, *arguments: str) -> str:
        """What SQL gives, as text, asked as an administrator of the database."""
        command = [*self.client, *arguments]
        done = subprocess.run(
            command, env=self.environ, input=sql, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@contextlib.contextmanager
def postgresql(folder: Path) -> Iterator[Server]:
    """PostgreSQL in a new folder that others may enter; at the socket no password is asked, as on Debian."""
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    owner = "postgres" if os.geteuid() == 0 else ME
    data, port = _new(folder), free_port()
    _done(
        [
            *AS_NOBODY, str(programs / "initdb"), f"--pgdata={data}", f"--username={owner}",
            "--auth-local=peer", "--auth-host=scram-sha-256", "--locale=C.UTF-8", "--no-sync",
        ],
        folder,
    )  # fmt: skip
    options = ["-D", str(data), "-k", str(folder), "-h", "127.0.0.1", "-p", str(port), "-F"]
    environ = {**os.environ, "PATH": PATH, "PGHOST": str(folder), "PGPORT": str(port)}
    with _running([*AS_NOBODY, str(programs / "postgres"), *options], folder, signal.SIGINT) as answers:
        switch = ["runuser", "-u", owner, "--"] if os.geteuid() == 0 else []
        answers([str(programs / "pg_isready"), "-q", "-h", str(folder), "-p", str(port)])
        yield Server(environ, [*switch, "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "postgres"])


@contextlib.contextmanager
def mariadb(folder: Path) -> Iterator[Server]:
    """MariaDB in a new folder; whoever runs the tests comes in by the socket, as root does on Debian."""
    data, socket = _new(folder), folder / "socket"
    # Each has a `tmpdir` of its own: one that starts removes the temporary tables that it finds there.
    _done(
        [
            *AS_NOBODY, "mariadb-install-db", "--no-defaults", f"--datadir={data}", f"--tmpdir={folder}",
            "--skip-test-db", "--auth-root-authentication-method=socket", f"--auth-root-socket-user={ME}",
            "--skip-name-resolve",
        ],
        folder,
    )  # fmt: skip
    home = folder / "home"
    home.mkdir()
    (home / ".my.cnf").write_text(f"[client]\nsocket = {socket}\n")
    options = [
        "--no-defaults", f"--datadir={data}", f"--tmpdir={folder}",
        f"--socket={socket}", f"--pid-file={folder}/data/pid",
        "--skip-networking", "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=16M",
    ]  # fmt: skip
    environ = {**os.environ, "PATH": PATH, "HOME": str(home)}
    server = shutil.which("mariadbd", path=PATH) or "mariadbd"
    with _running([*AS_NOBODY, server, *options], folder, signal.SIGTERM) as answers:
        answers(["mariadb-admin", "--no-defaults", f"--socket={socket}", "ping"])
        yield Server(
            environ, ["mariadb", "--default-character-set=utf8mb4", "--skip-column-names", "--batch"]
        )


def _new(folder: Path) -> Path:
    """The folder, and one for data in it, as the server's user may use them."""
    data = folder / "data"
    data.mkdir(parents=True, mode=0o700)
    if os.geteuid() == 0:
        for each in (folder, data):
            os.chown(each, NOBODY, NOBODY)
    return data


def _done(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@contextlib.contextmanager
def _running(command: Sequence[str], folder: Path, end: signal.Signals) -> Iterator[_Answers]:
    with (folder / "log").open("wb") as told:
        server = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=told, stderr=told)
    try:
        yield _Answers(server, folder / "log")
    finally:
        server.send_signal(end)
        server.wait(60)


@dataclass(frozen=True)
class _Answers:
    """Waits until a server answers what it is asked."""

    server: subprocess.Popen[bytes]
    log: Path

    def __call__(self, question: Sequence[str]) -> None:
        for _ in range(300):
            if not subprocess.run(question, capture_output=True, check=False).returncode:
                return
            if self.server.poll() is not None:
                break
            time.sleep(0.1)
        raise RuntimeError(f"{self.server.args!r} does not answer: {self.log.read_text()}")
