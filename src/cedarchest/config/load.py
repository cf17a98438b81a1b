"""Finds the configuration file and reads it.

A file in the current folder counts only where nobody else could have put it, and never for root:
a configuration names programs to run and folders to delete from. Whatever is wrong with a file ends
in one `ConfigError` that names the file and every place in it. A file that is XML is one of Cedar Backup's,
and is taken as what `migrate` makes of it. Nothing is written here.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import stat
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cedarchest.config.model import Config, told
from cedarchest.errors import ConfigError
from cedarchest.model.names import readable

if TYPE_CHECKING:
    from cedarchest.config.cedar.draft import Report, Secret
    from cedarchest.config.cedar.translate import Migrated

NAME = "cedarchest.toml"
VARIABLE = "CEDARCHEST_CONFIG"
SYSTEM = Path("/etc/cedarchest") / NAME
SYSTEM_STATE = Path("/var/lib/cedarchest")
LARGEST = 1 << 20
COLLECT_STATES = "collect"
"""The folder in `state_dir` that has what collects found."""

_PLACE = re.compile(r"^(?P<what>.*) \(at (?P<place>line \d+, column \d+|end of document)\)$", re.DOTALL)


_ROOT_REASON = "root takes no file from the current folder"


class NoConfiguration(ConfigError):
    """None was named, and none stands where one is looked for; to a script it is a ConfigError."""

    @property
    def kind(self) -> str:
        """The name scripts see in the JSON output."""
        return ConfigError.__name__


def find_config(
    explicit: Path | None, environ: Mapping[str, str], *, cwd: Path, uid: int, system: Path = SYSTEM
) -> Path:
    """The file to use, absolute: the one that is named, else the first that is there and may be trusted.

    A file that `explicit` or the variable names is taken unseen: `load_config` says what is wrong with it.

    The last one is what a `backup` left that had none.

    Raises:
        NoConfiguration: there is none; its `problems` say where was looked and what was passed over.
    """
    if explicit is not None:
        return cwd / explicit
    if named := environ.get(VARIABLE):
        return cwd / named
    user_file = _user_folder(environ, uid, "XDG_CONFIG_HOME", ".config") / NAME
    left_file = state_folder(environ, uid) / NAME
    root = uid == 0
    looked: list[str] = []
    for path, reason in (
        (cwd / NAME, _ROOT_REASON if root else _passed_over(cwd / NAME, uid, ours_only=True)),
        (user_file, _passed_over(user_file, uid, ours_only=root)),
        (system, _passed_over(system, uid, ours_only=False)),
        (left_file, _passed_over(left_file, uid, ours_only=True)),
    ):
        if not reason:
            return path
        looked.append(f"{readable(path)}: {reason}")
    raise NoConfiguration(
        "\n  ".join(["no configuration was found:", *looked]),
        problems=looked,
        advice=f"Name one with -c or in {VARIABLE}, or write one with `cedarchest init DIR`.",
    )


def state_folder(environ: Mapping[str, str], uid: int) -> Path:
    """Where those who have no configuration have catalog, journal and what is on its way to a disc."""
    if uid == 0 and not environ.get("XDG_STATE_HOME", "").startswith("/"):
        return SYSTEM_STATE
    return _user_folder(environ, uid, "XDG_STATE_HOME", ".local/state")


def _user_folder(environ: Mapping[str, str], uid: int, variable: str, in_home: str) -> Path:
    # Source: XDG Base Directory Specification 0.8: a relative path is to be ignored.
    folder = environ.get(variable, "")
    if folder.startswith("/"):
        return Path(folder) / "cedarchest"
    home = environ.get("HOME", "")
    if not home.startswith("/"):
        try:
            home = pwd.getpwuid(uid).pw_dir
        except KeyError:
            home = "/nonexistent"
    return Path(home) / in_home / "cedarchest"


def _passed_over(path: Path, uid: int, *, ours_only: bool) -> str:
    """Why a file is not taken, empty when it is."""
    try:
        if not path.exists():
            return "not there"
        if not ours_only:
            return ""
        # A link leads to a file that others could own, so what it leads to is looked at as well.
        real = Path(os.path.realpath(path))
        for each in (path.parent, path, real.parent, real):
            if reason := _not_ours(each, uid):
                return reason
    except OSError as error:
        return (error.strerror or "cannot be looked at").lower()
    return ""


def _not_ours(path: Path, uid: int) -> str:
    status = path.lstat()
    what = "folder" if stat.S_ISDIR(status.st_mode) else "file"
    if status.st_uid not in {uid, 0}:
        return f"passed over, the {what} {readable(path)} belongs to another user"
    if not stat.S_ISLNK(status.st_mode) and status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"passed over, others may write the {what} {readable(path)}"
    return ""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration, what is to be said of its file, and files that it needs and does not have yet."""

    config: Config
    warnings: tuple[str, ...] = ()
    secrets: tuple[Secret, ...] = ()
    cedar: Migrated | None = None
    """What became of the file, where it is one of Cedar Backup's."""


def load_config(path: Path) -> Config:
    """The configuration in a file; relative paths in it start from the file's folder.

    Raises:
        ConfigError: the file cannot be read or something in it is wrong; `problems` names every place.
    """
    return load(path).config


def load(path: Path) -> Loaded:
    """The same with what is to be said of the file, which is nothing where it is one of ours.

    Raises:
        ConfigError: the file cannot be read or something in it is wrong; `problems` names every place.
    """
    path = path.absolute()
    raw = _read(path)
    if raw.lstrip(_BEFORE_XML)[:1] == b"<":
        return _of_cedar(path, raw)
    mapping = _parse(path, _decoded(path, raw))
    with _named(path):
        return Loaded(Config.from_mapping(mapping, path.parent))


_BEFORE_XML = b"\xef\xbb\xbf\xff\xfe \t\r\n\0"
"""What may stand before the angle bracket that no TOML begins with: marks of an encoding, and blanks."""

_TOLD = 10


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """Have what is wrong with a configuration told with the name of its file."""
    try:
        yield
    except ConfigError as error:
        message = f"{readable(path)}: {told(error.problems)}"
        advice = error.advice if error.advice != ConfigError.advice else ""
        raise ConfigError(message, problems=error.problems, advice=advice, path=readable(path)) from None


def _of_cedar(path: Path, raw: bytes) -> Loaded:
    from cedarchest.config.cedar.translate import migrate

    with _named(path):
        folder = Config.from_mapping({}, path.parent).options.state_dir
        made = migrate(raw, base=path.parent, secrets_dir=folder, folders=_folders)
        config = Config.from_mapping(made.mapping, path.parent)
    warnings = (*_short(path, made.report), *_left(path, made, config))
    return Loaded(config, warnings, made.secrets, made)


def _short(path: Path, report: Report) -> Iterator[str]:
    """What a run says of a file of Cedar Backup's: what has no effect, and where the rest is told."""
    name = readable(path)
    for title, lines in (("Cedar Backup ignored", report.ignored), ("is not taken over", report.untaken)):
        yield from (f"{name}: {title}: {line}" for line in lines[:_TOLD])
        if len(lines) > _TOLD:
            yield f"{name}: {title}: {len(lines) - _TOLD} more"
    yield (
        f"{name} is one of Cedar Backup's: {len(report.changed)} things mean something else now;"
        f" `cedarchest migrate {name}` tells which, and writes one of ours"
    )


def _left(path: Path, made: Migrated, config: Config) -> Iterator[str]:
    """What a run says of what Cedar Backup's last runs left, until the first collect of ours."""
    from cedarchest.config.cedar.left_behind import files_left

    try:
        if not made.left or (config.options.state_dir / COLLECT_STATES).exists():
            return
        found = files_left(made.working_dir, made.left)
    except OSError:  # somebody else's folders: who collects may look into them
        return
    if found:
        name = readable(path)
        yield (
            f"{name}: the first collect is whole, and does not go on from what Cedar Backup's last runs left"
            f" in {readable(made.working_dir)}; `cedarchest migrate {name}` tells why"
        )


def migrate_file(path: Path, *, base: Path) -> Migrated:
    """What becomes of a file of Cedar Backup's in the folder `base`, which passwords are put in as well.

    What its last runs left is looked at for the report.

    Raises:
        ConfigError: the file cannot be read, is no XML, or something in it is wrong.
    """
    from cedarchest.config.cedar.left_behind import told_of
    from cedarchest.config.cedar.translate import migrate

    path = path.absolute()
    raw = _read(path)
    with _named(path):
        made = migrate(raw, base=base, secrets_dir=base, folders=_folders)
    return replace(made, report=replace(made.report, left=tuple(told_of(made.working_dir, made.left))))


def _folders(path: str) -> list[str] | None:
    """The names of the folders in a folder, without links; None where it cannot be looked at."""
    try:
        with os.scandir(path) as items:
            return sorted(item.name for item in items if item.is_dir(follow_symlinks=False))
    except OSError:
        return None


def _wrong(path: Path, problem: str, advice: str = "") -> ConfigError:
    return ConfigError(f"{readable(path)}: {problem}", problems=[problem], advice=advice, path=readable(path))


def _read(path: Path) -> bytes:
    descriptor = _open(path)
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        what = "a directory" if stat.S_ISDIR(mode) else "not a plain file"
        raise _wrong(path, f"this is {what}", f"Name a file with -c, such as {NAME}.")
    with os.fdopen(descriptor, "rb") as file:
        try:
            raw = file.read(LARGEST + 1)
        except OSError as error:
            raise _unreadable(path, error) from None
    if len(raw) > LARGEST:
        raise _wrong(path, "is larger than 1 MiB, so it is no configuration", "Name another file with -c.")
    return raw


def _decoded(path: Path, raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise _wrong(path, f"line {line}: is not UTF-8", "Save the file as UTF-8.") from None


def _open(path: Path) -> int:
    try:
        # Without O_NONBLOCK opening a pipe would wait for a writer.
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except FileNotFoundError:
        advice = "Name another with -c, or write one with `cedarchest init DIR`."
        raise _wrong(path, "there is no such file", advice) from None
    except OSError as error:
        raise _unreadable(path, error) from None
    except ValueError:  # a NUL in it
        raise _wrong(path, "this cannot be the name of a file", "Name a file with -c.") from None


def _unreadable(path: Path, error: OSError) -> ConfigError:
    reason = (error.strerror or "error").lower()
    return _wrong(path, f"cannot be read: {reason}", "Make the file readable for the user who runs this.")


def _parse(path: Path, text: str) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _wrong(path, f"{readable(_slip(str(error), text))}; this is no TOML") from None
    except RecursionError:
        raise _wrong(path, "is nested too deeply; tables lie at most two deep") from None
    except ValueError:
        raise _wrong(path, "holds a number that is too large") from None


def _slip(message: str, text: str) -> str:
    """What the parser says, with line and column in front."""
    match = _PLACE.match(message)
    if match is None:
        return message
    end = f"line {text.count(chr(10)) + 1}, column {len(text) - text.rfind(chr(10))}"
    return f"{end if match['place'].startswith('end') else match['place']}: {match['what']}"
