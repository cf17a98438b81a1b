"""The validate action: all that can be checked without writing, all problems at once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cedarchest.actions.apart import collect_dirs, is_in, is_same, kept_out, refuse_nested
from cedarchest.actions.collect import check_collected
from cedarchest.actions.extensions import NIGHT, check_extension, plan_night
from cedarchest.actions.foreseen import Drives, begins_new, burnt_elsewhere, foresee, refused_beginning
from cedarchest.actions.loading import CurrentDisc, warn_of_strangers
from cedarchest.actions.marks import awaits_check, is_proven, warn_of_unproven_marks
from cedarchest.actions.planning import indexes_of
from cedarchest.actions.purge import refuse_dangerous
from cedarchest.actions.writers import all_writers, copies_with_drives
from cedarchest.config.choices import ArchiveFormat
from cedarchest.config.collect import Collect
from cedarchest.config.model import Config, Peer, Stage
from cedarchest.errors import (
    CedarchestError,
    CollectError,
    DriveForbidden,
    HookFailed,
    StagingError,
    ToolMissing,
)
from cedarchest.model.days import format_day
from cedarchest.model.media import BLOCK
from cedarchest.model.names import counted, first_few, readable
from cedarchest.model.plan import rule_for
from cedarchest.model.size import shown, shown_bytes
from cedarchest.ports import DayIndex, Ports, Writer


@dataclass(frozen=True, slots=True)
class CheckedThing:
    """Something that was looked at: what it is, what was found, and the error if it is wrong."""

    what: str
    found: str
    problem: CedarchestError | None = None


def execute_validate(config: Config, *, ports: Ports) -> tuple[CheckedThing, ...]:
    """Look at all that a night needs; nothing is written and a blank disc stays blank.

    What a night would only meet later, such as a disc that is nearly full, is warned of.
    """
    return tuple(_checked(what, step) for what, step in _steps(config, ports))


Step = tuple[str, Callable[[], str]]


def _steps(config: Config, ports: Ports) -> Iterator[Step]:
    yield "xorriso", ports.tools.xorriso_version
    for name in _tools(config):
        yield name, partial(ports.tools.version, name)
    yield from _programs(config)
    if config.options.user or config.options.group:
        yield "user and group", lambda: _owner(config, ports)
    yield "state folder", lambda: _writable(config.options.state_dir)
    if not config.options.working_dir.is_relative_to(config.options.state_dir):
        yield "working folder", lambda: _writable(config.options.working_dir)
    yield "catalog", lambda: counted(len(ports.catalog.discs()), "disc")
    if any(collect_dirs(config)):
        yield "collect dir", lambda: _apart(config)
    if (collect := config.collect) is not None:
        yield "what is collected", lambda: _collected(config, collect)
    if (stage := config.stage) is None:
        yield "staging folder", lambda: "there is no table [stage]; store, rebuild, status need it"
    else:
        yield "staging folder", lambda: _staging(stage.dir, config, ports)
        yield "space for the next day", lambda: _space(stage, ports)
    for peer in config.peer:
        yield f"peer {peer.name}", partial(_peer, peer, config, ports)
    if config.store is None:
        yield "drive and disc", lambda: "there is no table [store]; all but discs needs it"
    else:
        yield "drive and disc", lambda: _drives(config, ports)
    if config.purge.dir:
        yield "folders to purge", lambda: _purged(config)
    yield from _told(config, ports)
    yield from _extensions(config, ports)


def _told(config: Config, ports: Ports) -> Iterator[Step]:
    """Those who hear of runs; nothing is sent."""
    for number, notify in enumerate(config.notify):
        yield f"notify[{number}]", partial(ports.messenger.check_notify, notify.address)
    for number, ping in enumerate(config.ping):
        yield f"ping[{number}]", partial(ports.messenger.check_ping, ping.address)


def _extensions(config: Config, ports: Ports) -> Iterator[Step]:
    for name in config.extension:
        yield f"extension {name}", partial(check_extension, name, config, ports=ports)
    if unused := sorted(ports.extensions.installed() - config.extension.keys()):
        yield "extensions without a table", lambda: f"{', '.join(unused)}; not run"
    if config.extension:
        yield "order of a night", lambda: ", ".join(plan_night(NIGHT, config, ports=ports).order)


def _tools(config: Config) -> list[str]:
    """The programs that the configured tables need besides xorriso."""
    needed: list[str] = []
    if (collect := config.collect) is not None:
        own = [source.archive for source in collect.source] + [each.archive for each in collect.command]
        forms = [form or collect.archive for form in own]
        needed += ["tar"] if collect.source else []
        needed += [_COMPRESSORS[form] for form in forms if form in _COMPRESSORS]
    if config.peer:
        needed.append("rsync")
    if any(peer.host for peer in config.peer):
        needed.append("ssh")
    return list(dict.fromkeys(needed))


_COMPRESSORS = {
    ArchiveFormat.TAR_GZ: "gzip",
    ArchiveFormat.TAR_BZ2: "bzip2",
    ArchiveFormat.TAR_XZ: "xz",
    ArchiveFormat.TAR_ZST: "zstd",
}
"""What packs archives, or unpacks them when they come back."""


def _programs(config: Config) -> Iterator[Step]:
    """The programs of the administrator."""
    for hook in config.hook:
        yield f"hook {hook.when} {hook.action}", partial(_program, hook.argv[0], HookFailed)
    if config.collect is None:
        return
    for source in config.collect.source:
        for when, argv in (("before", source.before), ("after", source.after)):
            if argv:
                yield f"program {when} {source.path}", partial(_program, argv[0], HookFailed)
    for command in config.collect.command:
        yield f"command {command.name}", partial(_program, command.argv[0], ToolMissing)


def _program(name: str, kind: type[CedarchestError]) -> str:
    found = shutil.which(name)
    if found is None:
        raise kind(
            f"there is no program {readable(name)} that can be run",
            advice="Install it, make it executable, or correct argv; without a `/` it is looked for on PATH.",
            tool=name,
        )
    return found


def _owner(config: Config, ports: Ports) -> str:
    ports.collect_dir.owner()
    return ":".join(filter(None, (config.options.user, config.options.group)))


def _checked(what: str, step: Callable[[], str]) -> CheckedThing:
    try:
        return CheckedThing(what, step())
    except CedarchestError as error:
        return CheckedThing(what, error.message, error)


def _writable(folder: Path) -> str:
    """A folder we may write, or one that we can make."""
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    if not os.access(place, os.W_OK | os.X_OK):
        raise StagingError(
            f"{place} may not be written",
            advice="Correct its permissions, or run as the user it belongs to.",
            path=str(place),
        )
    return str(folder) if folder.exists() else f"{folder} (will be made)"


def _apart(config: Config) -> str:
    refuse_nested(config)
    return ", ".join(str(folder) for _, folder in collect_dirs(config))


def _collected(config: Config, collect: Collect) -> str:
    check_collected(collect)
    _writable(collect.dir)
    there = [str(each.path) for each in collect.source if not each.before]  # a snapshot is yet to be made
    if wrong := [path for path in there if not os.access(path, os.R_OK)]:
        raise CollectError(
            f"what is to be collected is not there, or may not be read: {first_few(wrong)}",
            advice="Correct [[collect.source]] path, or run as a user who may read it.",
        )
    sources = counted(len(collect.source), "source")
    found = f"{sources} and {counted(len(collect.command), 'command')}, into {collect.dir}"
    own, tops = kept_out(config), [each.path for each in collect.source]
    without = [
        f"{words}{folder}"
        for several, words in ((own.folders, ""), (own.shelves, "images in "))
        for folder in several
        if any(is_in(folder, top) and not is_same(folder, top) for top in tops)
    ]
    return f"{found}, without {', '.join(without)}" if without else found


def _staging(root: Path, config: Config, ports: Ports) -> str:
    if config.peer and not root.exists() and not ports.catalog.days():
        return _writable(root)  # the first stage makes it
    days = ports.staging.days(root)
    warn_of_unproven_marks(days, ports)
    if not os.access(root, os.W_OK):
        ports.reporter.warn(f"{root} may not be written: only the catalog will know which days are stored")
    return f"{root}, {sum(day.staged for day in days)} days staged"


def _newest_bytes(stage: Stage, ports: Ports) -> int:
    """What the newest staged day took, in bytes of its files; 0 where nothing is staged."""
    if not stage.dir.is_dir():
        return 0
    staged = [day for day in ports.staging.days(stage.dir) if day.staged]
    return ports.staging.look(staged[-1].directory, staged[-1].day).data_bytes if staged else 0


def _space(stage: Stage, ports: Ports) -> str:
    """What is free in staging beside what the newest day took: the next one will take about as much."""
    needed = _newest_bytes(stage, ports)
    free = max(0, _free_bytes(stage.dir) - stage.reserve)
    if needed > free:
        ports.reporter.warn(
            f"{stage.dir} has room for {shown_bytes(free)} besides the reserve, and the newest day took"
            f" {shown_bytes(needed)}: the next one may not fit; `cedarchest purge` makes room"
        )
    took = f"the newest day took {shown_bytes(needed)}" if needed else "nothing is staged yet"
    return f"{took}, {shown_bytes(free)} free"


def _peer(peer: Peer, config: Config, ports: Ports) -> str:
    own = config.collect.dir if config.collect else None
    if peer.host is None and peer.collect_dir == own and not own.exists():
        return "not collected yet"  # the first collect makes it
    handover = ports.peers.named(peer.name).handover()
    return f"collected {handover.at:%Y-%m-%d %H:%M} UTC" if handover else "not collected yet"


def _purged(config: Config) -> str:
    refuse_dangerous(config)
    made = [table.dir for table in (config.collect, config.stage) if table]  # by the first collect or stage
    folders = [folder.path for folder in config.purge.dir]
    gone = [path for path in folders if not path.exists() and not any(is_same(path, own) for own in made)]
    if gone:
        raise StagingError(
            f"what is to be purged is not there: {first_few(gone)}",
            advice="Correct [[purge.dir]] path, or make the folder.",
            path=str(gone[0]),
        )
    return ", ".join(map(_writable, folders))


def _drives(config: Config, ports: Ports) -> str:
    """What a store would find in its drives; each copy in the drive that it would be written in first."""
    copies = range(1, config.require_store().copies + 1)
    due = _due(config, ports)
    with all_writers(config, ports) as writers:
        if waits := burnt_elsewhere(writers, ports):
            raise waits
        alone = {1: writers[0].device}
        homes = alone if len(writers) == 1 else next(copies_with_drives(copies, writers, ports))
        drives = Drives(writers, homes)
        of_home = {device: copy for copy, device in homes.items()}
        said = [
            _drive(config, of_home[each.device], due, drives, ports)
            for each in writers
            if each.device in of_home
        ]
        others = [each.device for each in writers if each.device not in of_home]
    return "; ".join((*said, *others))


def _due(config: Config, ports: Ports) -> list[DayIndex]:
    """The days that the next store takes, as far as they can be looked at."""
    if config.stage is None:
        return []
    try:
        staged = ports.staging.days(config.stage.dir)
    except StagingError:  # which is told of the staging folder
        return []
    waiting = [day for day in staged if day.staged and not day.marked_stored]
    seen, _ = indexes_of(waiting, ports.staging.look)
    return [day for day in seen if not (is_proven(config, day, ports) or awaits_check(day, ports))]


def _drive(config: Config, copy: int, due: Sequence[DayIndex], drives: Drives, ports: Ports) -> str:
    writer = drives.home(copy)
    foreseen = foresee(config, copy, due, drives, ports)
    if foreseen.refused:
        raise foreseen.refused
    current = None if begins_new(foreseen.plan) else foreseen.current
    next_one = current.disc.label if current else "a new disc is begun next"
    if current:
        _warn_if_nearly_full(config, writer, current, ports)
        if not foreseen.plan.volumes:
            _warn_if_days_part(config, current, copy, drives, ports)
    if not writer.loads_itself:
        return f"{writer.device}, {next_one}"
    shelf = Path(writer.device.partition(":")[2])
    image = shelf / f"{current.disc.label}.iso" if current else shelf
    for path in (shelf, image):
        if path.exists() and not os.access(path, os.W_OK):
            raise DriveForbidden(f"{path} may not be written", advice="Correct its permissions.")
    warn_of_strangers(writer, ports)
    return f"{writer.device}, {next_one}, {_room_at(shelf)}"


def _warn_if_nearly_full(config: Config, writer: Writer, current: CurrentDisc, ports: Ports) -> None:
    """Say that the next day will want a new disc, as far as the newest one tells."""
    needed = _newest_bytes(config.stage, ports) // BLOCK if config.stage else 0
    margin = config.require_store().margin_blocks(writer.device, current.seen.capacity)
    free = max(0, current.seen.free - margin)
    if needed > free:
        ports.reporter.warn(
            f"{current.disc.label} has room for {shown(free)}, and the newest day took {shown(needed)}:"
            " have a blank disc at hand"
        )


def _warn_if_days_part(config: Config, current: CurrentDisc, copy: int, drives: Drives, ports: Ports) -> None:
    """Say that today's day wants a new disc by the rule that is configured, and that none can be begun."""
    store, today = config.require_store(), format_day(ports.clock.now().date())
    rule = rule_for(today, current.room.days, store.new_disc, config.options.weekday)
    if not rule or store.blank_factor is not None:  # by which it may go on the disc in use all the same
        return
    if refused := refused_beginning(config, copy, drives, ports):
        ports.reporter.warn(f"{rule}; {refused.message}: have a blank disc at hand")


def _room_at(folder: Path) -> str:
    """What is free where a shelf stands, or is going to."""
    return f"{shown_bytes(_free_bytes(folder))} free"


def _free_bytes(folder: Path) -> int:
    """What is free where a folder stands, or is going to."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize
