"""What Cedar Backup keeps in its working folder from run to run, and what becomes of it.

It is told and nothing rests on it: what is collected first is whole, in the middle of a week too. Digests of
the last run do not say what is on a disc, and an increment of ours goes on from what is proven to be there;
dumps of repositories and mailboxes are whole every time. So a file that is damaged, or not to be read, costs
nothing.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from cedarchest.config.cedar.pickled import LARGEST, Refused, digests, last_run, youngest
from cedarchest.config.wording import shown
from cedarchest.model.names import first_few


class Suffix(StrEnum):
    """The kinds of files."""

    DIGESTS = ".sha"
    MAIL = ".mboxlast"
    REVISION = ".svnlast"


@dataclass(frozen=True, slots=True)
class Left:
    """What the last run on something may have left; with `below` also on folders that are in it."""

    of: str
    suffix: Suffix
    below: bool = False

    @property
    def name(self) -> str:
        """The file for the thing itself."""
        return _plain(self.of) + self.suffix

    def among(self, names: Collection[str], others: Collection[str]) -> list[str]:
        """Its files among those of a folder; `others` are names that belong to something else."""
        own = [self.name] if self.name in names else []
        if not self.below:
            return own
        top = self.of.rstrip("/")
        start = f"{_plain(top)}-" if top else ""
        return own + [
            name
            for name in sorted(names)
            if name.startswith(start) and name.endswith(self.suffix) and name not in {self.name, *others}
        ]


def _plain(path: str) -> str:
    """A path as Cedar Backup makes the name of a file of it; two paths may have the same."""
    if path == "/":
        return "_"
    name = re.sub(r"\A\.", "_", path.removeprefix("/").removeprefix("\\"))
    return re.sub(r"[\s:]", "_", re.sub(r"[/\\]", "-", name))


def files_left(folder: str, left: Sequence[Left]) -> Mapping[Left, Sequence[str]]:
    """The names of files that are in a folder for each thing that has any.

    Raises:
        OSError: the folder is there and cannot be looked into.
    """
    try:
        with os.scandir(folder) as items:
            names = {item.name for item in items}
    except (FileNotFoundError, NotADirectoryError):
        return {}
    exact = {each.name for each in left}
    found = {each: each.among(names, exact) for each in left}
    return {each: several for each, several in found.items() if several}


def told_of(folder: str, left: Sequence[Left]) -> Iterator[str]:
    """What becomes of each file, a line for each thing that has any."""
    try:
        found = files_left(folder, left)
    except OSError as error:
        yield (
            f"{shown(folder)} cannot be looked into: {_reason(error)}; what is collected first is whole,"
            " whatever is there"
        )
        return
    for each, names in found.items():
        yield from _told(folder, each, names)


def _told(folder: str, left: Left, names: Sequence[str]) -> Iterator[str]:
    reader, sentence = _KINDS[left.suffix]
    values: list[object] = []
    refused: list[str] = []
    for name in names:
        try:
            values.append(reader(_content(Path(folder, name))))
        except Refused as problem:
            refused.append(f"{shown(name)}: {problem}")
    if values:
        yield f"{shown(left.of)}: {sentence(values)}"
    if refused:
        yield (
            f"{shown(left.of)}: what its last run left cannot be read, and what is collected first is whole"
            f" all the same ({first_few(refused)})"
        )


def _digests_told(values: Sequence[object]) -> str:
    count = sum(len(each) for each in values if isinstance(each, Mapping))
    files = f"{count} file{'' if count == 1 else 's'}"
    return (
        f"Cedar Backup knows {files} from its last run; the first collect is whole, for an increment goes on"
        " from what is proven to be on disc, not from what a run has seen"
    )


def _mail_told(values: Sequence[object]) -> str:
    return f"Cedar Backup has archived mail until {str(values[0])[:19]}; the first collect is whole"


def _revision_told(values: Sequence[object]) -> str:
    return f"Cedar Backup has dumped it up to revision {values[0]}; each dump is whole, from the first one on"


_KINDS: Mapping[Suffix, tuple[Callable[[bytes], object], Callable[[Sequence[object]], str]]] = {
    Suffix.DIGESTS: (digests, _digests_told),
    Suffix.MAIL: (last_run, _mail_told),
    Suffix.REVISION: (youngest, _revision_told),
}


def _content(path: Path) -> bytes:
    """What is in a file, and a byte of what is too much.

    Raises:
        Refused: it cannot be read, or is none.
    """
    try:
        if path.is_symlink():
            raise Refused("it is a link")
        # Without O_NONBLOCK opening a pipe would wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY | os.O_NOFOLLOW)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise Refused("it is no plain file")
            with os.fdopen(descriptor, "rb", closefd=False) as stream:
                return stream.read(LARGEST + 1)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise Refused(_reason(error)) from None


def _reason(error: OSError) -> str:
    return (error.strerror or "it cannot be read").lower()
