"""The stage action: what peers collected comes into today's folder, checked, indexed, and then marked.

    ask each peer → what is new → room → (dry run stops here) → fetch → check → into the day → index → mark

Peers are asked and fetched side by side; one that fails holds up no other. What comes later the same day
is added to it, and the day is due again.
"""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

from cedarchest.actions.apart import refuse_nested
from cedarchest.actions.offers import Fetched, Offer, ask, fetch
from cedarchest.actions.pool import may_fail, side_by_side
from cedarchest.actions.receipts import leave_receipts, proven_files
from cedarchest.config.model import Config, Peer
from cedarchest.errors import CedarchestError, ConfigError, DiskFull, StagingError
from cedarchest.model.days import format_day
from cedarchest.model.index import Entry, Fingerprint, Kind, Known, put_below
from cedarchest.model.size import shown_bytes
from cedarchest.ports import DayIndex, Ports

log = logging.getLogger(__name__)

STALE = timedelta(hours=36)
"""A collect that ended longer ago than this did not run as it should."""


@dataclass(frozen=True, slots=True)
class StageOptions:
    """What the caller asks: certain peers, a full run as on the starting day, only the plan, a day.

    Without a `day` it is today. A plan may be one for `after_collect`, which is not run for it either.
    """

    peers: tuple[str, ...] = ()
    full: bool = False
    dry_run: bool = False
    day: str = ""
    after_collect: bool = False


class PeerOutcome(StrEnum):
    """What came of a peer."""

    STAGED = "staged"
    NOTHING_NEW = "nothing-new"
    IGNORED = "ignored"
    FAILED = "failed"
    AFTER_COLLECT = "after-collect"  # in a plan: what it has is known only then


@dataclass(frozen=True, slots=True)
class StagedPeer:
    """A peer, what of it is staged now that was not, and what is not although it should be."""

    name: str
    outcome: PeerOutcome
    files: int = 0
    data_bytes: int = 0
    left_out: tuple[str, ...] = ()
    problem: CedarchestError | None = None


@dataclass(frozen=True, slots=True)
class StageReport:
    """The day and its peers, in the order of the configuration.

    `unfinished` are lines on earlier days that a run left and that this one could not finish either.
    """

    day: str
    peers: tuple[StagedPeer, ...]
    unfinished: tuple[str, ...] = ()


def execute_stage(config: Config, options: StageOptions, *, ports: Ports) -> StageReport:
    """Bring what peers collected into a staged day.

    Raises:
        ConfigError: there are no peers, not the one that was asked for, or a folder of ours lies in
            a collect dir.
        LockedError: another run is at work.
        StagingError: the staging folder, or today's day in it, is not what it should be.
    """
    peers = _chosen(config, options.peers)
    refuse_nested(config)
    day = options.day or format_day(ports.clock.now().date())
    if options.dry_run:
        later = [peer for peer in peers if options.after_collect and _is_here(peer, config)]
        offers = _offers(config, [peer for peer in peers if peer not in later], day, ports)
        report = _report(config, options, day, offers, ports)
        planned = (StagedPeer(peer.name, PeerOutcome.AFTER_COLLECT) for peer in later)
        return replace(report, peers=(*report.peers, *planned))
    with ports.locks.hold(config.options.state_dir):
        _prepare(config, ports)
        unfinished = _finish_earlier(config, day, ports)
        offers = _offers(config, peers, day, ports)
        fetched = _fetch_all(config, offers, ports)
        staged, problems = _into_day(config, day, fetched, ports)
        leave_receipts(config, staged=staged, ports=ports)
        outcome = {**offers, **fetched, **problems}
        report = _report(config, options, day, outcome, ports)
        return replace(report, unfinished=unfinished)


def _chosen(config: Config, names: Sequence[str]) -> list[Peer]:
    known = {peer.name: peer for peer in config.peer}
    if not known:
        raise ConfigError(
            "the configuration names no peer to stage",
            advice="Add a [[peer]] with name and collect_dir.",
        )
    if unknown := [name for name in names if name not in known]:
        raise ConfigError(
            f"there is no peer {unknown[0]}", advice=f"The configuration names: {', '.join(known)}."
        )
    return [peer for name, peer in known.items() if not names or name in names]


def _is_here(peer: Peer, config: Config) -> bool:
    """Whether it is this machine, whose collect replaces what an earlier one and a purge left of it."""
    return config.collect is not None and not peer.host and peer.collect_dir == config.collect.dir


def _prepare(config: Config, ports: Ports) -> None:
    """See that there is a staging folder; one that vanished from under stored days is not made anew."""
    root = config.require_stage().dir
    if ports.catalog.days():
        ports.staging.days(root)
    ports.arrivals.prepare(root, {peer.name for peer in config.peer})


# -- asking -----------------------------------------------------------------------------------------


def _offers(
    config: Config, peers: Sequence[Peer], day: str, ports: Ports
) -> dict[str, Offer | CedarchestError]:
    """What each peer has that the day has not, as far as there is room for it."""
    root = config.require_stage().dir
    staged = _already_staged(config, day, ports)
    jobs = {}
    for peer in peers:
        proven = proven_files(config, peer.name, ports)
        jobs[peer.name] = functools.partial(ask, peer, root, day, staged, proven, ports)
    offers: dict[str, Offer | CedarchestError] = dict(side_by_side(config, jobs, ports))
    for name, offer in offers.items():
        if isinstance(offer, Offer) and ports.clock.now() - offer.handover.at > STALE:
            ports.reporter.warn(
                f"{name} was last collected on {offer.handover.at:%Y-%m-%d %H:%M} UTC;"
                " see whether its collect runs"
            )
    return _within_room(config, offers, ports)


def _already_staged(config: Config, day: str, ports: Ports) -> Mapping[bytes, Entry]:
    root = config.require_stage().dir
    if not (root / day).is_dir():
        return {}
    return {entry.path: entry for entry in ports.staging.look(root / day, day).entries}


def _within_room(
    config: Config, offers: Mapping[str, Offer | CedarchestError], ports: Ports
) -> dict[str, Offer | CedarchestError]:
    """The offers that fit in what may be used of the disk, each in its turn; the others are refused."""
    stage = config.require_stage()
    granted: dict[str, Offer | CedarchestError] = {}
    left = ports.arrivals.free_bytes(stage.dir) - stage.reserve
    for name, offer in offers.items():
        granted[name] = offer
        if isinstance(offer, Offer):
            left += min(offer.data_bytes, ports.arrivals.held_bytes(stage.dir, name))
        if isinstance(offer, Offer) and offer.data_bytes > max(0, left):
            granted[name] = DiskFull(
                f"{name} has {shown_bytes(offer.data_bytes)} to stage, and {stage.dir} has room for"
                f" {shown_bytes(max(0, left))} besides the reserve of {shown_bytes(stage.reserve)}",
                advice="Make room on the disk of the staging folder (`cedarchest purge`), then run it again.",
                peer=name,
            )
        elif isinstance(offer, Offer):
            left -= offer.data_bytes
    return granted


# -- fetching ---------------------------------------------------------------------------------------


def _fetch_all(
    config: Config, offers: Mapping[str, Offer | CedarchestError], ports: Ports
) -> dict[str, Fetched | CedarchestError]:
    wanted = {name: offer for name, offer in offers.items() if isinstance(offer, Offer) and offer.take}
    ports.reporter.phase("staging", sum(offer.data_bytes for offer in wanted.values()))
    counted = _Counted(ports)
    root = config.require_stage().dir
    jobs = {
        name: functools.partial(fetch, name, offer, root, counted.add, ports)
        for name, offer in wanted.items()
    }
    return dict(side_by_side(config, jobs, ports, counted.tell))


class _Counted:
    """Bytes that came, counted by many and told by one."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._lock = threading.Lock()
        self._bytes = 0

    def add(self, count: int) -> None:
        with self._lock:
            self._bytes += count

    def tell(self) -> None:
        self._ports.reporter.advance(self._bytes)


# -- into the day -----------------------------------------------------------------------------------


def _into_day(
    config: Config, day: str, fetched: Mapping[str, Fetched | CedarchestError], ports: Ports
) -> tuple[DayIndex | None, dict[str, CedarchestError]]:
    """Bring what arrived into the day, index it and mark it staged.

    Gives the day, when something came into it, and what went wrong, by peer.
    """
    root = config.require_stage().dir
    known: dict[bytes, tuple[Entry, Fingerprint]] = {}
    problems: dict[str, CedarchestError] = {}
    for name, came in fetched.items():
        if not isinstance(came, Fetched) or not came.entries:
            continue
        try:
            known |= _move(root, day, name, came.entries, ports)
        except (StagingError, DiskFull) as error:
            problems[name] = error
    staged = _finish_day(root, day, ports, known) if day in ports.arrivals.unfinished(root) else None
    return staged, problems


def _move(
    root: Path, day: str, name: str, arrived: Sequence[tuple[Entry, Fingerprint]], ports: Ports
) -> Known:
    """Bring what arrived from a peer into the day, which is due again; gives what it is there, by path."""
    prefix = f"{day}/{name}/".encode()
    entries = [entry for entry, _ in arrived]
    if (root / day).is_dir():
        if not ports.staging.unmark_stored(root / day):
            raise StagingError(
                f"the mark of {root / day} cannot be taken away, and it would no longer be true",
                advice="See why cback.store cannot be removed there, then run the command again.",
                path=str(root / day),
            )
        seen = ports.staging.look(root / day, day)
        ports.staging.forget(seen, _replaced(seen, prefix, entries))
    ports.arrivals.move(root, name, day, entries)
    return {prefix + entry.path: (put_below(prefix, entry), fingerprint) for entry, fingerprint in arrived}


def _finish_earlier(config: Config, today: str, ports: Ports) -> tuple[str, ...]:
    """Finish what a killed run left; an earlier day for which that fails does not hold up today's."""
    root = config.require_stage().dir
    failures = []
    for day in ports.arrivals.unfinished(root):
        try:
            _finish_day(root, day, ports)
        except (StagingError, DiskFull) as error:
            if day == today:
                raise
            failures.append(f"{day}, which is not marked staged yet: {error.message}")
    return tuple(failures)


def _finish_day(root: Path, day: str, ports: Ports, known: Known | None = None) -> DayIndex:
    """Index and mark a day that something came into, in this run or in one that was killed."""
    index = ports.staging.index(root / day, day, known)
    ports.staging.mark_staged(root / day)
    ports.arrivals.finish(root, day)
    return index


def _replaced(seen: DayIndex, prefix: bytes, entries: Sequence[Entry]) -> list[bytes]:
    """Paths of the day in whose place something else comes; a folder stays what it is."""
    before = {entry.path: entry for entry in seen.entries}
    return [
        prefix + entry.path
        for entry in entries
        if (old := before.get(prefix + entry.path)) and not (old.kind is entry.kind is Kind.DIR)
    ]


# -- telling ----------------------------------------------------------------------------------------


def _report(
    config: Config,
    options: StageOptions,
    day: str,
    outcome: Mapping[str, Offer | Fetched | CedarchestError],
    ports: Ports,
) -> StageReport:
    ignored = may_fail(config, full=options.full, ports=ports)
    peers = []
    for name, came in outcome.items():
        told = _told(name, came)
        if told.problem and name in ignored:
            ports.reporter.warn(f"{told.problem.message} (ignored, as configured)")
            told = replace(told, outcome=PeerOutcome.IGNORED, problem=None)
        peers.append(told)
    return StageReport(day, tuple(peers))


def _told(name: str, came: Offer | Fetched | CedarchestError) -> StagedPeer:
    if isinstance(came, CedarchestError):
        return StagedPeer(name, PeerOutcome.FAILED, problem=came)
    if isinstance(came, Offer):
        files = [item.size for item in came.take if item.kind is not Kind.DIR]
        is_new = bool(came.take)
    else:
        files = [entry.size for entry, _ in came.entries if entry.kind is not Kind.DIR]
        is_new = bool(came.entries)
    left_out = tuple(f"{name}: {line}" for line in came.left_out)
    outcome = PeerOutcome.STAGED if is_new else PeerOutcome.NOTHING_NEW
    return StagedPeer(name, outcome, len(files), sum(files), left_out)
