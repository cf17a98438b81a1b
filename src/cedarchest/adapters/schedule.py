"""systemd's unit folders and cron's: files of ours are written, replaced and removed, no others.

Below `root`, which is `/` but for tests, lie the folders of the machine; those of a user are found by
`$XDG_CONFIG_HOME` and `$HOME`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from cedarchest.adapters.durable import durable_file, sync_directory
from cedarchest.adapters.process import Completed, run
from cedarchest.errors import DiskFull, ScheduleError, ToolError, ToolFailed
from cedarchest.model.scheduled_files import MARK, without_ours
from cedarchest.ports.scheduling import Scope

_FIRST_LINE = f"{MARK}\n".encode()
_TOOL_S = 90.0
_HANDED_ON = ("HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "USER", "LOGNAME")


class SystemScheduler:
    """systemd and cron of this machine."""

    def __init__(
        self, root: Path = Path("/"), environ: Mapping[str, str] = os.environ, uid: int | None = None
    ) -> None:
        self._root = root
        self._environ = environ
        self._uid = os.geteuid() if uid is None else uid

    def program(self) -> tuple[str, ...]:
        """The words that start this program from anywhere: the script that was called, if it was one."""
        called = Path(sys.argv[0])
        beside = Path(sys.executable).with_name("cedarchest")
        for script in (called if called.parent != Path() else beside, beside):
            if script.name == "cedarchest" and script.is_file() and os.access(script, os.X_OK):
                return (str(script.absolute()),)
        return (sys.executable, "-m", "cedarchest")

    def has_systemd(self) -> bool:
        """Whether systemd runs this machine. Source: sd_booted(3)."""
        return (self._root / "run/systemd/system").is_dir() and shutil.which("systemctl") is not None

    def allow(self, scope: Scope) -> None:
        """See that we are root where the whole machine is concerned."""
        if scope is Scope.SYSTEM and self._uid != 0:
            raise ScheduleError(
                "only root can schedule runs for the whole machine",
                advice="Run it as root, with sudo say, or schedule your own runs with --user.",
            )

    def put_units(self, scope: Scope, units: Mapping[str, str], timer: str) -> tuple[str, ...]:
        """Write the units, all or none of them ours, then have systemd read them and run the timer."""
        folder = self._unit_folder(scope)
        paths = [folder / name for name in units]
        for path in paths:
            _is_ours(path)
        for path, content in zip(paths, units.values(), strict=True):
            _write(path, content)
        self._systemctl(scope, "daemon-reload")
        self._systemctl(scope, "enable", "--now", timer)
        return tuple(map(str, paths))

    def drop_units(self, scope: Scope, names: Sequence[str], timer: str) -> tuple[str, ...]:
        """Stop the timer, then remove the files; without systemd only the latter."""
        folder = self._unit_folder(scope)
        paths = [folder / name for name in names if _is_ours(folder / name)]
        if not paths:
            return ()
        with self._unless_it_does_not_run():
            self._systemctl(scope, "disable", "--now", timer)
        for path in paths:
            _remove(path)
        wanted = folder / "timers.target.wants" / timer
        if wanted.is_symlink() and not wanted.exists():  # nobody else took it away
            _remove(wanted)
        with self._unless_it_does_not_run():
            self._systemctl(scope, "daemon-reload")
        return tuple(map(str, paths))

    def put_cron(self, name: str, content: str) -> str:
        """Write a file in `cron.d`."""
        path = self._root / "etc/cron.d" / name
        _is_ours(path)
        if not path.parent.is_dir():
            raise ScheduleError(
                f"there is no folder {path.parent}",
                advice="Install cron: apt-get install cron. Or have another program run `cedarchest all`.",
            )
        _write(path, content)
        return str(path)

    def drop_cron(self, name: str) -> str:
        """Remove a file in `cron.d`."""
        path = self._root / "etc/cron.d" / name
        if not _is_ours(path):
            return ""
        _remove(path)
        return str(path)

    def put_crontab(self, lines: Sequence[str]) -> None:
        """Replace our lines at the place where they are, else add them at the end."""
        present = self._crontab()
        kept = without_ours(present)
        at = next((n for n, line in enumerate(present) if line not in kept), len(kept))
        wanted = [*kept[:at], *lines, *kept[at:]]
        if wanted != present:
            self._set_crontab(wanted)

    def drop_crontab(self) -> bool:
        """Keep the lines that are not ours; a crontab that is empty then is removed."""
        if shutil.which("crontab") is None:
            return False
        present = self._crontab()
        kept = without_ours(present)
        if kept == present:
            return False
        if kept:
            self._set_crontab(kept)
        else:
            self._run_crontab("-r")
        return True

    def _crontab(self) -> list[str]:
        done = self._tool(["crontab", "-l"])
        if done.returncode == 0:
            return list(done.lines)
        if any(line.lower().startswith("no crontab for") for line in done.lines):
            return []
        raise _crontab_failed(done)

    def _set_crontab(self, lines: Sequence[str]) -> None:
        with tempfile.NamedTemporaryFile(prefix="cedarchest-") as stream:
            stream.write(os.fsencode("".join(f"{line}\n" for line in lines)))
            stream.flush()
            self._run_crontab(stream.name)

    def _run_crontab(self, argument: str) -> None:
        done = self._tool(["crontab", argument])
        if done.returncode:
            raise _crontab_failed(done)

    def _systemctl(self, scope: Scope, *words: str) -> None:
        argv = ["systemctl", *(["--user"] if scope is Scope.USER else []), *words]
        done = self._tool(argv)
        if done.returncode:
            said = next((line for line in done.lines if line.strip()), "it said nothing")
            advice = "See `systemctl status`; then run the same command again: it goes on from here."
            if scope is Scope.USER:
                advice = "A user's systemd runs where the user is logged in, not behind su or sudo. " + advice
            raise ToolFailed(
                f"`{' '.join(argv)}` ended with {done.returncode}: {said}", advice=advice, tool="systemctl"
            )

    @contextlib.contextmanager
    def _unless_it_does_not_run(self) -> Iterator[None]:
        """Where systemd does not run, systemctl has nothing to do."""
        try:
            yield
        except ToolError:
            if self.has_systemd():
                raise

    def _tool(self, argv: Sequence[str]) -> Completed:
        variables = {name: self._environ[name] for name in _HANDED_ON if name in self._environ}
        return run(argv, timeout_s=_TOOL_S, variables=variables)

    def _unit_folder(self, scope: Scope) -> Path:
        if scope is Scope.SYSTEM:
            return self._root / "etc/systemd/system"
        # Source: XDG Base Directory Specification 0.8: a relative path is to be ignored.
        named = self._environ.get("XDG_CONFIG_HOME", "")
        base = Path(named) if named.startswith("/") else Path("~").expanduser() / ".config"
        return base / "systemd/user"


def _is_ours(path: Path) -> bool:
    """Whether there is a file, found to be ours.

    Raises:
        ScheduleError: it is somebody else's.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError as error:
        reason = "it is a link" if path.is_symlink() else str(error.strerror)
        raise _refused(path, reason) from error
    try:
        begins = os.read(descriptor, len(_FIRST_LINE))
    except OSError as error:
        raise _refused(path, str(error.strerror)) from error
    finally:
        os.close(descriptor)
    if begins != _FIRST_LINE:
        raise _refused(path, "its first line is not that of `schedule install`")
    return True


def _refused(path: Path, reason: str) -> ScheduleError:
    return ScheduleError(
        f"{path} is not ours ({reason}), so it is left as it is",
        advice="See what it does; move it away if it is not needed, and run the command again.",
        path=str(path),
    )


def _write(path: Path, content: str) -> None:
    with _sentences(path, "written"):
        path.parent.mkdir(parents=True, exist_ok=True)
        with durable_file(path, mode=0o644) as stream:
            os.fchmod(stream.fileno(), 0o644)  # whatever the umask: others may know of it
            stream.write(os.fsencode(content))


def _remove(path: Path) -> None:
    with _sentences(path, "removed"):
        path.unlink()
        sync_directory(path.parent)


@contextlib.contextmanager
def _sentences(path: Path, done: str) -> Iterator[None]:
    try:
        yield
    except DiskFull:
        raise
    except OSError as error:
        raise ScheduleError(
            f"{path} cannot be {done}: {error.strerror}",
            advice="Correct the permissions of its folder and run the command again.",
            path=str(path),
        ) from error


def _crontab_failed(done: Completed) -> ScheduleError:
    said = next((line for line in done.lines if line.strip()), "it said nothing")
    return ScheduleError(
        f"`{' '.join(done.argv)}` ended with {done.returncode}: {said}",
        advice="See whether you may use `crontab` (cron.allow, cron.deny); `crontab -e` says the same.",
    )
