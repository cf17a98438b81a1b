"""What of us stands in a staged day: index, sums, indicators; what else has their names is not touched."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from pathlib import Path

from cedarchest.adapters.durable import durable_file
from cedarchest.errors import StagingError
from cedarchest.model.index import Entry, Fingerprint, Kind, write_index
from cedarchest.model.names import sums_line

INDEX_NAME = "INDEX.jsonl.gz"
SUMS_NAME = "SHA256SUMS"
STAGED_MARK = "cback.stage"
STORED_MARK = "cback.store"
NOT_INDEXED = (STORED_MARK, INDEX_NAME, SUMS_NAME)
OURS = (STAGED_MARK, *NOT_INDEXED)


def is_regular(path: Path) -> bool:
    """Whether a file stands there itself; a link is none.

    Raises:
        OSError: its folder may not be looked into.
    """
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:
        return False


def own_files(directory: Path) -> set[str]:
    """Which of our files stand in a day.

    Raises:
        StagingError: something else has one of their names; it is neither replaced nor passed over.
    """
    present = set()
    for name in NOT_INDEXED:
        path = directory / name
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:
            continue
        except OSError as error:
            raise shut(directory, error) from error
        if name == STORED_MARK and stat.S_ISLNK(mode):
            continue  # it marks nothing, and is replaced, not followed, by one that does
        if not stat.S_ISREG(mode):
            raise in_the_way(path)
        present.add(name)
    return present


def shut(directory: Path, error: OSError) -> StagingError:
    """The error that names a folder that may not be looked into."""
    return StagingError(
        f"{directory} cannot be looked into: {error.strerror}",
        advice="Run as a user who may read all that is staged.",
        path=str(directory),
    )


def in_the_way(path: Path) -> StagingError:
    """The error that names what stands where a file of ours has to."""
    return StagingError(
        f"{path} stands where cedarchest keeps a file of its own, and is not ours",
        advice="It was not touched. Move it into a folder of the day, or away if it is of no use.",
        path=str(path),
    )


def sums_print(directory: Path) -> Fingerprint:
    """What tells that the sums in a day are still those that we wrote; zeros where there are none."""
    try:
        status = (directory / SUMS_NAME).lstat()
    except OSError:
        return Fingerprint(0, 0)
    return Fingerprint(status.st_ino, status.st_ctime_ns)


def write_index_and_sums(directory: Path, day: str, entries: Sequence[Entry]) -> bytes:
    """Make a day's index and sums durable; gives the index's digest.

    The sums of before go first: with no index but their own are they to be found, wherever this is cut off.
    """
    (directory / SUMS_NAME).unlink(missing_ok=True)
    with durable_file(directory / INDEX_NAME) as stream:
        digest = write_index(stream, {"day": day}, entries, len(day) + 1)
    write_sums(directory, day, entries)
    return digest


def write_sums(directory: Path, day: str, entries: Sequence[Entry]) -> None:
    """Make a day's sums durable: of all files but ours."""
    prefix = len(day) + 1
    with durable_file(directory / SUMS_NAME) as stream:
        stream.writelines(
            sums_line(entry.sha256, entry.path[prefix:])
            for entry in entries
            if entry.kind is Kind.FILE and not entry.path.rpartition(b"/")[2].startswith(b"cback.")
        )
