"""The restore action: files come back, checked while they are written, with the fewest changes of a disc.

    wanted → sources → plan of discs → (dry-run stops here) → read → what is damaged: other copies → finish

What is there already as it should be is not read again, so that a restore that was stopped goes on with the
same command.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from cedarchest.actions.restoring.discs import DiscReader
from cedarchest.actions.restoring.finishing import finish
from cedarchest.actions.restoring.state import Restoring
from cedarchest.actions.restoring.wanted import wanted_as_of, wanted_of_day
from cedarchest.actions.restoring.writing import Restorer
from cedarchest.actions.writers import all_writers
from cedarchest.config.model import Config
from cedarchest.errors import CedarchestError, RestoreError, VerifyError
from cedarchest.model.disc_plan import DiscReading
from cedarchest.model.index import Kind
from cedarchest.model.names import first_few, to_text
from cedarchest.model.patterns import Selection
from cedarchest.model.restoring import Restoration, Wanted
from cedarchest.ports import Ports
from cedarchest.ports.restoring import RestoreRules, There

NOT_STORED = "nothing of this name was stored then"


@dataclass(frozen=True, slots=True)
class RestoreOptions:
    """What is restored, where to, and how.

    A machine as of a day, or what was staged on a `day`; all of it, or `paths`. With `in_place` to where it
    came from. Something newer that is there is `overwritten` only when asked, elsewhere anything.
    """

    to: Path
    peer: bytes = b""
    paths: tuple[bytes, ...] = ()
    as_of: str = ""  # YYYY/MM/DD, today without
    day: str = ""  # YYYY/MM/DD
    in_place: bool = False
    overwrite: bool = False
    damaged: bool = False
    dry_run: bool = False
    rules: RestoreRules = field(default_factory=RestoreRules)


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """What came back, by which discs, and what did not, by path, with the reason.

    `left` was not touched, since something else is there. `left_off` counts attributes that were not set.
    `incomplete` tells what besides is not as it was.
    """

    plan: tuple[DiscReading, ...]
    places: Mapping[str, str]  # where each disc of the plan is kept, by label
    wanted: int
    size: int
    restored: int = 0
    before: int = 0
    read: tuple[str, ...] = ()
    lost: Mapping[bytes, str] = field(default_factory=dict)
    left: Mapping[bytes, str] = field(default_factory=dict)
    damaged: tuple[bytes, ...] = ()
    left_off: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    incomplete: tuple[str, ...] = ()
    problems: tuple[CedarchestError, ...] = ()


def execute_restore(config: Config, options: RestoreOptions, *, ports: Ports) -> RestoreReport:
    """Restore a machine as it was, or a day as it was staged.

    Raises:
        RestoreError: nothing of what was asked for is known, or the folder cannot be used.
        DriveMissing, DriveForbidden, DeviceMounted: there is no drive to read with.
    """
    with ports.locks.hold(config.options.state_dir):
        restoration = _wanted(config, options, ports)
        with all_writers(config, ports) as writers:
            reader = DiscReader(writers, ports)
            plan = reader.plan([*restoration.sources, *(each.source for each in restoration.packed)])
            report = RestoreReport(
                plan,
                {each.disc.label: reader.discs.place(each.disc.disc_id) for each in plan},
                len(restoration.wanted),
                sum(each.size for each in restoration.wanted.values()),
                lost=restoration.lost,
                notes=restoration.notes,
                incomplete=restoration.as_is,
            )
            if options.dry_run:
                return _foreseen(options, restoration, report, ports)
            return _performed(config, options, restoration, reader, report, ports)


def _wanted(config: Config, options: RestoreOptions, ports: Ports) -> Restoration:
    selects = Selection(options.paths)
    if options.day:
        return wanted_of_day(options.day, options.peer, selects, ports=ports)
    peer = options.peer or _only_peer(ports)
    until = options.as_of or f"{ports.clock.now():%Y/%m/%d}"
    prefix = b"" if options.in_place else peer + b"/"
    return wanted_as_of(peer, until, selects, prefix, config.options.weekday, ports=ports)


def _only_peer(ports: Ports) -> bytes:
    peers = ports.catalog.peers()
    if len(peers) != 1:
        raise RestoreError(
            "it has to be said of which peer files are restored",
            advice=f"--peer with one of: {', '.join(map(to_text, peers)) or '(nothing is stored yet)'}.",
        )
    return peers[0]


def _foreseen(
    options: RestoreOptions, restoration: Restoration, report: RestoreReport, ports: Ports
) -> RestoreReport:
    """What would be done, with what would be left as it is; nothing is made."""
    lost = dict(report.lost)
    if not restoration.packed:
        lost |= {restoration.prefix + name: NOT_STORED for name in restoration.selects.unmet()}
    if not options.to.is_dir():
        return replace(report, lost=lost)
    folder = ports.restore_folders.open(options.to, options.rules)
    try:
        state = Restoring(restoration, folder, ports, lambda wanted, there: _why_kept(options, wanted, there))
        state.look_around()
        return replace(report, lost=lost, left=state.written.left, before=len(state.written.before))
    finally:
        folder.close()


def _performed(
    config: Config,
    options: RestoreOptions,
    restoration: Restoration,
    reader: DiscReader,
    report: RestoreReport,
    ports: Ports,
) -> RestoreReport:
    with contextlib.ExitStack() as opened:
        folder = ports.restore_folders.open(options.to, options.rules)
        opened.callback(folder.close)
        spools = folder
        if options.in_place:  # what is put together there would stand in the way of others
            spools = ports.restore_folders.open(config.options.working_dir, RestoreRules())
            opened.callback(spools.close)
        state = Restoring(
            restoration, folder, ports, lambda wanted, there: _why_kept(options, wanted, there), spools
        )
        restorer = Restorer(state, damaged=options.damaged)
        state.look_around()
        restorer.take_empty()
        try:
            reader.read(restorer)
        finally:
            finish(state)
        return _told(report, state, reader, folder.left_off())


def _why_kept(options: RestoreOptions, wanted: Wanted, there: There) -> str:
    """Why what is there stays; empty where it is replaced."""
    if options.overwrite:
        return ""
    if not options.in_place:
        # what has this very time is what a run left that lost its power
        return "" if there.mtime_ns == wanted.mtime_ns else "something else is there already"
    return "what is there is newer" if there.mtime_ns > wanted.mtime_ns else ""


def _told(
    report: RestoreReport,
    state: Restoring,
    reader: DiscReader,
    left_off: Mapping[str, int],
) -> RestoreReport:
    written, restoration = state.written, state.restoration
    lost = {**restoration.lost, **reader.lost, **written.failed}
    there = written.done | written.left.keys()
    lost = {target: why for target, why in lost.items() if target not in there}
    for name in restoration.selects.unmet():
        lost.setdefault(restoration.prefix + name, NOT_STORED)
    for target in state.wanted:
        if target not in there:
            lost.setdefault(target, "it is on no disc that could be read")
    before = written.before & written.done  # what was there may still have got no attributes
    came = [target for target in written.done if state.wanted[target].kind != Kind.DIR]
    problems = list(reader.needed) if lost or reader.notes else []
    if lost and not came and not problems and any(each.kind != Kind.DIR for each in state.wanted.values()):
        problems.append(
            VerifyError(
                f"nothing could be restored: {first_few([f'{to_text(t)}: {w}' for t, w in lost.items()])}",
                advice="`cedarchest history PATH` shows where there are other versions.",
            )
        )
    return RestoreReport(
        report.plan,
        report.places,
        len(state.wanted),
        written.size,
        restored=len(written.done - before),
        before=len(before),
        read=tuple(reader.labels_read),
        lost=lost,
        left=written.left,
        damaged=tuple(sorted(written.damaged)),
        left_off=left_off,
        notes=restoration.notes,
        incomplete=(*restoration.as_is, *reader.notes),
        problems=tuple(problems),
    )
