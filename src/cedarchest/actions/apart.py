"""Which folders have to lie apart: discs, staged days and our own files must not come into the next backup.

All that is in a collect dir is staged, day after day: a folder of ours in there would be stored in itself and
grow without end. Links are followed, since it is the folder that counts and not its name.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from cedarchest.config.model import Config
from cedarchest.config.store import shelf_dir
from cedarchest.errors import ConfigError
from cedarchest.ports import KeptOut


def shelves(config: Config) -> list[Path]:
    """The folders that discs' images stand in."""
    devices = config.store.device if config.store is not None else ()
    return [shelf for device in devices if (shelf := shelf_dir(device)) is not None]


def own_folders(config: Config) -> Iterator[tuple[str, Path]]:
    """What the catalog, staged days and discs stand in, each by the key that names it."""
    yield "options.state_dir", config.options.state_dir
    if config.stage is not None:
        yield "stage.dir", config.stage.dir
    for shelf in shelves(config):
        yield "store.device", shelf


def collect_dirs(config: Config) -> Iterator[tuple[str, Path]]:
    """The collect dirs of this machine, each once, by the key that names it."""
    own = config.collect.dir if config.collect is not None else None
    if own is not None:
        yield "collect.dir", own
    for number, peer in enumerate(config.peer):
        if peer.host is None and (own is None or not is_same(peer.collect_dir, own)):
            yield f"peer[{number}].collect_dir", peer.collect_dir


def kept_out(config: Config) -> KeptOut:
    """What no source has where it lies below it, besides the collect dir; the catalog may be collected.

    A shelf may be a folder that has other things in it, which nobody else would keep.
    """
    staging = [config.stage.dir] if config.stage is not None else []
    return KeptOut(staging, shelves(config))


def refuse_nested(config: Config) -> None:
    """Refuse a folder of ours in a collect dir.

    Raises:
        ConfigError: names each such folder.
    """
    problems = [
        f"{name}: {place} {'is' if is_same(place, folder) else 'lies in'} {key} ({folder})"
        for key, folder in collect_dirs(config)
        for name, place in own_folders(config)
        if is_in(place, folder)
    ]
    if problems:
        raise ConfigError(
            f"that would back up what cedarchest itself keeps, again with each day: {'; '.join(problems)}",
            problems=problems,
            advice="Name another folder, beside the collect dir, and move there what is in this one already.",
        )


def is_same(one: Path, other: Path) -> bool:
    """Whether it is one folder."""
    return os.path.realpath(one) == os.path.realpath(other)


def is_in(one: Path, other: Path) -> bool:
    """Whether a folder is another one, or lies in it."""
    return Path(os.path.realpath(one)).is_relative_to(os.path.realpath(other))


def overlap(one: Path, other: Path) -> bool:
    """Whether either folder is, or holds, the other."""
    return is_in(one, other) or is_in(other, one)
