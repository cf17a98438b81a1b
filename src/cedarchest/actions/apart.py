"""Which folders have to lie apart: those of discs, staged days and catalog are not for anything else.

Links are followed, since it is the folder that counts and not its name.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from cedarchest.config.model import Config
from cedarchest.config.store import shelf_dir


def pool_folders(config: Config) -> Iterator[tuple[str, Path]]:
    """What staged days and discs stand in, the staging folder and each shelf, by the key that names it."""
    if config.stage is not None:
        yield "stage.dir", config.stage.dir
    for device in config.store.device if config.store is not None else ():
        if (shelf := shelf_dir(device)) is not None:
            yield "store.device", shelf


def own_folders(config: Config) -> Iterator[tuple[str, Path]]:
    """As `pool_folders`, with what the catalog stands in."""
    yield "options.state_dir", config.options.state_dir
    yield from pool_folders(config)


def is_same(one: Path, other: Path) -> bool:
    """Whether it is one folder."""
    return os.path.realpath(one) == os.path.realpath(other)


def is_in(one: Path, other: Path) -> bool:
    """Whether a folder is another one, or lies in it."""
    return Path(os.path.realpath(one)).is_relative_to(os.path.realpath(other))


def overlap(one: Path, other: Path) -> bool:
    """Whether either folder is, or holds, the other."""
    return is_in(one, other) or is_in(other, one)
