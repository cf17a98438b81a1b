"""The configured drives: which can be used, which holds a wanted disc, and which suits a copy best."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from enum import IntEnum

from cedarchest.actions.loading import expected_disc, known_disc
from cedarchest.config.model import Config
from cedarchest.errors import CedarchestError, ConfigError, Interrupted, NotAppendable
from cedarchest.model.disc import DiscState, Observation
from cedarchest.ports import Ports, Writer


def create_writer(config: Config, *, ports: Ports, device: str = "") -> Writer:
    """A writer for one of the configured drives, the first unless it is named; all have the same interface.

    A mounted device is refused before anything else: experience shows trouble with the backup if it is.

    Raises:
        ConfigError: the device type is not known.
        DeviceMounted, DriveMissing, DriveForbidden: the device is mounted, not there, not ours to use.
    """
    store = config.require_store()
    return ports.drives.open(device or store.device[0], str(store.device_type))


@contextlib.contextmanager
def all_writers(config: Config, ports: Ports) -> Iterator[Sequence[Writer]]:
    """Writers for the configured drives, each drive once; one that cannot be used is warned of.

    Raises:
        As `create_writer`, when there is none that can be used.
    """
    with contextlib.ExitStack() as opened:
        found: dict[str, Writer] = {}
        problems = []
        for device in config.require_store().device:
            try:
                writer = create_writer(config, ports=ports, device=device)
            except (Interrupted, ConfigError):
                raise
            except CedarchestError as error:
                problems.append(error)
                continue
            opened.callback(writer.close)
            found.setdefault(writer.device, writer)
        if not found:
            raise problems[0]
        for problem in problems:
            ports.reporter.warn(f"{problem.message}; the other drives are used")
        yield tuple(found.values())


def device_holding(config: Config, label: str, ports: Ports) -> str:
    """The configured drive that holds the disc of a label; the first one when none does."""
    devices = config.require_store().device
    if len(devices) == 1:
        return devices[0]
    with all_writers(config, ports) as writers:
        return holding(writers, label).device


def holding(writers: Sequence[Writer], label: str) -> Writer:
    """The one of some drives that holds the disc of a label; the first one when none does."""
    if len(writers) == 1:
        return writers[0]
    return next((each for each in writers if label in labels_in(each)), writers[0])


def device_for(config: Config, ports: Ports, *, copy: int = 1, always_new: bool = False) -> str:
    """The configured drive that a store would write a copy with first."""
    devices = config.require_store().device
    if len(devices) == 1:
        return devices[0]
    with all_writers(config, ports) as writers:
        return next(copies_with_drives([copy], writers, ports, always_new=always_new))[copy]


def labels_in(writer: Writer) -> Collection[str]:
    """The discs of ours that a drive can have without a hand; none where it cannot say."""
    try:
        return writer.labels()
    except Interrupted:
        raise
    except CedarchestError:
        return ()


class _Fit(IntEnum):
    """How well what is in a drive suits a copy, the best first."""

    IN_USE = 1
    BLANK = 2
    OF_COPY = 3
    OTHER = 4


def copies_with_drives(
    copies: Iterable[int], writers: Sequence[Writer], ports: Ports, *, always_new: bool = False
) -> Iterator[dict[int, str]]:
    """The copies that are written at the same time, each with the drive that suits it best; then the others.

    A copy whose disc is in a drive goes there; others take what is left over. So with one drive that copy
    comes first which needs no hand.
    """
    left = list(copies)
    if not left:
        return
    if len(left) == len(writers) == 1:
        yield {left[0]: writers[0].device}
        return
    seen = {writer.device: _seen(writer) for writer in writers}
    fits = sorted(
        (_fit(writer, seen[writer.device], copy, ports, always_new=always_new), copy, position)
        for position, writer in enumerate(writers)
        for copy in left
    )
    while left:
        together: dict[int, str] = {}
        for _, copy, position in fits:
            device = writers[position].device
            if copy in left and copy not in together and device not in together.values():
                together[copy] = device
        yield together
        left = [copy for copy in left if copy not in together]


def _seen(writer: Writer) -> Observation | None:
    """What is in a drive; None on a shelf, and where that cannot be known."""
    try:
        return None if writer.loads_itself else writer.observe()
    except Interrupted:
        raise
    except CedarchestError:
        return None


def _fit(writer: Writer, seen: Observation | None, copy: int, ports: Ports, *, always_new: bool) -> _Fit:
    expected = None if always_new else expected_disc(writer, ports, copy)
    if writer.loads_itself:
        return _Fit.IN_USE if expected else _Fit.BLANK
    if seen is None or seen.state is DiscState.NONE:
        return _Fit.OTHER
    if seen.state is DiscState.BLANK:
        return _Fit.BLANK
    try:
        disc = known_disc(seen, ports)
    except NotAppendable:  # ours, but not of this catalog
        disc = None
    if disc is None or disc.copy != copy:
        return _Fit.OTHER
    return _Fit.IN_USE if expected and expected.disc_id == disc.disc_id else _Fit.OF_COPY
