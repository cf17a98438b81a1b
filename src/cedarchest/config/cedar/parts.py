"""The sections of Cedar Backup's own configuration, from their elements.

Reading takes every element that Cedar Backup 2 or 3 takes, by its old name too. What is required there and
absent stays absent: who translates it says so.
"""

from __future__ import annotations

from collections import Counter

from cedarchest.config.cedar import extension_parts as extensions
from cedarchest.config.cedar import reading
from cedarchest.config.cedar.reading import Notes, Part
from cedarchest.config.cedar.sections import (
    Action,
    Blank,
    CedarConfig,
    Collect,
    Excludes,
    Hook,
    Item,
    Options,
    Peer,
    PurgeDir,
    Stage,
    Store,
)
from cedarchest.config.cedar.tree import Element, refused
from cedarchest.config.choices import CollectMode, IgnoreFailures, Weekday
from cedarchest.config.wording import shown

ROOT = "cb_config"
MODES = reading.one_of(*CollectMode)
ARCHIVES = reading.one_of("tar", "targz", "tarbz2")
CD_MEDIA = ("cdr-74", "cdrw-74", "cdr-80", "cdrw-80")
DVD_MEDIA = ("dvd+r", "dvd+rw")
ACTION = reading.matching("[a-z0-9]+", "the name of an action: small letters and digits")
ACTIONS = reading.commas("[a-z0-9]+", "the name of an action: small letters and digits")
IDENTIFIER = reading.matching(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*", "a name of Python's")
SCSI = reading.matching(
    r"([A-Za-z]+:)?[0-9]+,[0-9]+,[0-9]+|IO.*Services(/[0-9]+)?", "an address such as 0,0,0 or ATA:1,0,0"
)


def read_config(root: Element, notes: Notes) -> CedarConfig:
    """All sections; what nobody asked for is in the notes, and so is what is against the rules.

    Raises:
        ConfigError: this is XML of something else.
    """
    if root.name != ROOT:
        raise refused(f"its root is <{reading.readable_name(root.name)}>, that of Cedar Backup <{ROOT}>")
    part = Part(root, "", notes)
    extending = part.part("extensions")
    config = CedarConfig(
        reference=_reference(part.part("reference")),
        options=_options(part.part("options")),
        peers=_peers_section(part.part("peers")),
        collect=_collect(part.part("collect")),
        stage=_stage(part.part("stage")),
        store=_store(part.part("store")),
        purge=_purge(part.part("purge")),
        actions=_actions(extending),
        order_mode=extending.read("order_mode", reading.one_of("index", "dependency")) if extending else None,
        mysql=extensions.databases(part.part("mysql"), has_password=True),
        postgresql=extensions.databases(part.part("postgresql"), has_password=False),
        subversion=extensions.subversion(part.part("subversion")),
        mbox=extensions.mbox(part.part("mbox")),
        encrypt=extensions.encrypt(part.part("encrypt")),
        amazons3=extensions.amazons3(part.part("amazons3")),
        capacity=extensions.capacity(part.part("capacity")),
        split=extensions.split(part.part("split")),
    )
    part.close()
    return config


def _reference(part: Part | None) -> dict[str, str]:
    names = ("author", "revision", "description", "generator") if part else ()
    return {name: text for name in names if part and (text := part.text(name))}


def _options(part: Part | None) -> Options | None:
    if part is None:
        return None
    overrides = [
        (each.text("command"), each.read("abs_path", reading.path)) for each in part.parts("override")
    ]
    return Options(
        starting_day=part.read("starting_day", reading.one_of(*Weekday)),
        working_dir=part.read("working_dir", reading.path),
        backup_user=part.text("backup_user"),
        backup_group=part.text("backup_group"),
        rcp_command=part.text("rcp_command"),
        rsh_command=part.text("rsh_command"),
        cback_command=part.text("cback_command"),
        managed_actions=part.read("managed_actions", ACTIONS),
        overrides={command: path for command, path in overrides if command and path},
        hooks=(
            *(_hook(each, is_before=True) for each in part.parts("pre_action_hook")),
            *(_hook(each, is_before=False) for each in part.parts("post_action_hook")),
        ),
    )


def _hook(part: Part, *, is_before: bool) -> Hook:
    return Hook(part.read("action", ACTION), part.text("command"), is_before)


def _peers_section(part: Part | None) -> tuple[Peer, ...] | None:
    return None if part is None else _peers(part)


def _peers(part: Part) -> tuple[Peer, ...]:
    peers = [_peer(each) for each in part.parts("peer")]
    names = Counter(peer.name for peer in peers if peer.name)
    for name in (name for name, count in names.items() if count > 1):
        part.notes.problems.append(f"{part.place}: two peers are called {shown(name)}; a name for each")
    return tuple(peers)


def _peer(part: Part) -> Peer:
    kind = part.read("type", reading.one_of("local", "remote"))
    peer = Peer(
        place=f"line {part.element.line}: <peer> in {part.place.rpartition('/')[0]}",
        type=kind,
        name=part.text("name"),
        collect_dir=part.read("collect_dir", reading.path),
        ignore_failures=part.read("ignore_failures", reading.one_of(*IgnoreFailures)),
    )
    if kind != "remote":
        for name in (
            "backup_user",
            "rcp_command",
            "rsh_command",
            "cback_command",
            "managed",
            "managed_actions",
        ):
            part.hint(name, "is for remote peers only")
        return peer
    return Peer(
        place=peer.place,
        type=kind,
        name=peer.name,
        collect_dir=peer.collect_dir,
        ignore_failures=peer.ignore_failures,
        backup_user=part.text("backup_user"),
        rcp_command=part.text("rcp_command"),
        rsh_command=part.text("rsh_command"),
        cback_command=part.text("cback_command"),
        managed=bool(part.read("managed", reading.flag)),
        managed_actions=part.read("managed_actions", ACTIONS),
    )


def _collect(part: Part | None) -> Collect | None:
    if part is None:
        return None
    part.hint("recursion_level", "counts in <dir> only, whatever the manual says; write it there")
    return Collect(
        collect_dir=part.read("collect_dir", reading.path),
        mode=part.read("collect_mode", MODES),
        archive=part.read("archive_mode", ARCHIVES),
        ignore_file=part.text("ignore_file"),
        excludes=excludes(part.part("exclude"), absolute=True, relative=False),
        items=(
            *(_item(each, is_dir=False) for each in part.parts("file")),
            *(_item(each, is_dir=True) for each in part.parts("dir")),
        ),
    )


def _item(part: Part, *, is_dir: bool) -> Item:
    old, new = part.read("mode", MODES), part.read("collect_mode", MODES)
    path, archive = part.read("abs_path", reading.path), part.read("archive_mode", ARCHIVES)
    mode = reading.first(old, new)
    if not is_dir:
        return Item(abs_path=path, mode=mode, archive=archive, is_dir=False)
    link_depth = part.read("link_depth", reading.whole()) or 0
    dereference = bool(part.read("dereference", reading.flag))
    if dereference and not link_depth:
        part.notes.problems.append(
            f"line {part.element.line}: <dereference> in {part.place}: means nothing without a"
            " <link_depth> of at least 1; give one, or take it out"
        )
    return Item(
        abs_path=path,
        mode=mode,
        archive=archive,
        ignore_file=part.text("ignore_file"),
        link_depth=link_depth,
        dereference=dereference,
        recursion_level=part.read("recursion_level", reading.whole(None)) or 0,
        excludes=excludes(part.part("exclude"), absolute=True, relative=True),
    )


def excludes(part: Part | None, *, absolute: bool, relative: bool) -> Excludes:
    """An `exclude`, of which not every place takes each kind."""
    if part is None:
        return Excludes()
    return Excludes(
        abs_paths=part.read_all("abs_path", reading.path) if absolute else (),
        rel_paths=part.texts("rel_path") if relative else (),
        patterns=part.read_all("pattern", reading.regex),
    )


def _stage(part: Part | None) -> Stage | None:
    return None if part is None else Stage(part.read("staging_dir", reading.path), _peers(part))


def _store(part: Part | None) -> Store | None:
    if part is None:
        return None
    part.hint("warn_midnight", "is not known; it is written <warn_midnite>")
    for name in ("blank_mode", "blank_factor"):
        part.hint(name, f"is not known here; it is <{name.removeprefix('blank_')}> in <blank_behavior>")
    device_type = part.read("device_type", reading.one_of("cdwriter", "dvdwriter"))
    media = part.read("media_type", reading.one_of(*CD_MEDIA, *DVD_MEDIA))
    if media and media not in (DVD_MEDIA if device_type == "dvdwriter" else CD_MEDIA):
        part.notes.problems.append(
            f"line {part.element.line}: <media_type> in store: a {device_type or 'cdwriter'} does not"
            f" write {media}; another medium or device_type"
        )
    return Store(
        source_dir=part.read("source_dir", reading.path),
        device_type=device_type,
        media_type=media,
        target_device=part.read("target_device", reading.path),
        target_scsi_id=part.read("target_scsi_id", SCSI),
        drive_speed=part.read("drive_speed", reading.whole(1)),
        check_data=part.read("check_data", reading.flag),
        check_media=part.read("check_media", reading.flag),
        warn_midnite=part.read("warn_midnite", reading.flag),
        no_eject=part.read("no_eject", reading.flag),
        refresh_media_delay=part.read("refresh_media_delay", reading.whole()),
        eject_delay=part.read("eject_delay", reading.whole()),
        blank=_blank(part.part("blank_behavior")),
    )


def _blank(part: Part | None) -> Blank | None:
    if part is None:
        return None
    for name in ("blank_mode", "blank_factor"):
        part.hint(name, f"is not known, whatever the manual says; it is <{name.removeprefix('blank_')}>")
    return Blank(part.read("mode", reading.one_of("daily", "weekly")), part.read("factor", reading.factor))


def _purge(part: Part | None) -> tuple[PurgeDir, ...] | None:
    if part is None:
        return None
    dirs = [
        (each.read("abs_path", reading.path), each.read("retain_days", reading.whole()))
        for each in part.parts("dir")
    ]
    return tuple(PurgeDir(path, days) for path, days in dirs)


def _actions(part: Part | None) -> tuple[Action, ...] | None:
    if part is None:
        return None
    return tuple(_action(each) for each in part.parts("action"))


def _action(part: Part) -> Action:
    depends = part.part("depends")
    return Action(
        name=part.read("name", ACTION),
        module=part.read("module", IDENTIFIER),
        function=part.read("function", IDENTIFIER),
        index=part.read("index", reading.whole()),
        before=(depends.read("run_before", ACTIONS) or ()) if depends else None,
        after=(depends.read("run_after", ACTIONS) or ()) if depends else None,
    )
