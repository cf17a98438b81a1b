"""What `migrate` does: one file of Cedar Backup's in, one of ours out; nothing that is there is touched."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from cedarchest.config.cedar.draft import Report
from cedarchest.config.cedar.translate import Migrated
from cedarchest.config.load import SYSTEM, migrate_file
from cedarchest.errors import ConfigError
from cedarchest.model.names import readable
from cedarchest.report.migrating import migrated
from cedarchest.report.outcome import Result

SECRET = 0o600
PLAIN = 0o644


def migrate(source: Path, output: Path | None) -> tuple[Result, Report, list[Path]]:
    """The result, the report, and files with passwords that are still to be made.

    Raises:
        ConfigError: the source is none that is taken, or the output cannot be written.
    """
    if output is None:
        made = migrate_file(source, base=SYSTEM.parent)
        needed = [secret.path for secret in made.secrets]
        result = migrated(source, None, made.toml, made.report, written=(), unwritten=needed)
        return result, made.report, needed
    output = output.absolute()
    if os.path.lexists(output):
        raise _there(output)
    made = migrate_file(source, base=output.parent)
    written = _write(made, output)
    result = migrated(source, output, made.toml, made.report, written=written, unwritten=())
    return result, made.report, []


def _write(made: Migrated, output: Path) -> list[Path]:
    """Write all files or none: secrets first, so that the configuration never names what is not there."""
    written: list[Path] = []
    files = [(secret.path, secret.content, SECRET) for secret in made.secrets]
    try:
        for path, content, mode in (*files, (output, made.toml, PLAIN)):
            _make(path, content, mode)
            written.append(path)
    except ConfigError:
        for path in written:
            with contextlib.suppress(OSError):
                path.unlink()
        raise
    return written[:-1]


def _make(path: Path, content: str, mode: int) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    except FileExistsError:
        raise _there(path) from None
    except OSError as error:
        raise _unwritten(path, error) from error
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        with contextlib.suppress(OSError):
            path.unlink()
        raise _unwritten(path, error) from error


def _there(path: Path) -> ConfigError:
    return ConfigError(
        f"{readable(path)} is there already",
        advice="Name another file with -o, or move that one away; nothing was written.",
        path=readable(path),
    )


def _unwritten(path: Path, error: OSError) -> ConfigError:
    return ConfigError(
        f"{readable(path)} cannot be written: {(error.strerror or 'error').lower()}",
        advice="Name a file with -o in a folder that is there and that you may write.",
        path=readable(path),
    )
