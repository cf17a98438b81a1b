"""Builds interposer.c, once for each version of its source, for any number of test workers at a time."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(__file__).with_name("interposer.c")
ROOT = SOURCE.parents[2]
COMPILE_TIMEOUT_S = 60


class NoCompilerError(Exception):
    """There is no C compiler here, or it cannot compile the interposer."""


def _compile(target: Path) -> None:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise NoCompilerError("gcc is not installed")
    options = ["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-U_FORTIFY_SOURCE"]
    argv = [compiler, *options, "-o", str(target), str(SOURCE), "-ldl", "-lpthread"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=COMPILE_TIMEOUT_S, check=False)
    if done.returncode:
        raise NoCompilerError(done.stderr)


def _cache_directories() -> list[Path]:
    """Where to keep the result: the virtual environment, else a directory of this user's own."""
    return [Path(sys.prefix) / "burner", Path(tempfile.gettempdir()) / f"burner-{os.getuid()}"]


def _is_ours(directory: Path) -> bool:
    """Make the directory if it is not there; False where we cannot write or another user could."""
    try:
        directory.mkdir(mode=0o755, exist_ok=True)
        found = directory.lstat()
    except OSError:
        return False
    return found.st_uid == os.getuid() and not found.st_mode & 0o022 and os.access(directory, os.W_OK)


def _is_usable(library: Path) -> bool:
    """A finished library that root or this user made."""
    return library.is_file() and library.stat().st_uid in (0, os.getuid())


def build_interposer() -> Path:
    """Give the path of the compiled interposer, made now if need be.

    Raises: NoCompilerError.
    """
    key = hashlib.sha256(SOURCE.read_bytes() + os.uname().machine.encode()).hexdigest()[:16]
    name = f"interposer-{key}.so"
    candidates = _cache_directories()
    for directory in candidates:
        if _is_usable(directory / name):
            return directory / name
    place = next(filter(_is_ours, candidates), None)
    if place is None:
        raise NoCompilerError(f"no writable place among {candidates}")
    library = place / name
    with tempfile.TemporaryDirectory(dir=place) as drafts:
        draft = Path(drafts) / name
        _compile(draft)
        draft.replace(library)  # complete at once: another worker never sees half a library
    return library
