"""Sections as extensions read them, of what was read for `cedarchest -c`: here it only gets other names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from cedarchest.config.cedar import sections as read
from cedarchest_cedar.sections import (
    ActionDependencies,
    BlankBehavior,
    CollectConfig,
    CollectDir,
    CollectFile,
    CommandOverride,
    ExtendedAction,
    ExtensionsConfig,
    LocalPeer,
    OptionsConfig,
    PostActionHook,
    PreActionHook,
    RemotePeer,
    StageConfig,
    StoreConfig,
)

Each = TypeVar("Each")


def some(several: Iterable[Each]) -> list[Each] | None:
    """A list, or None where it would be empty."""
    return list(several) or None


def extensions_of(found: read.CedarConfig) -> ExtensionsConfig | None:
    """The section `extensions`, if there is one."""
    if found.actions is None:
        return None
    actions = [
        ExtendedAction(
            each.name,
            each.module,
            each.function,
            each.index,
            None
            if each.before is None and each.after is None
            else ActionDependencies(some(each.before or ()), some(each.after or ())),
        )
        for each in found.actions
    ]
    return ExtensionsConfig(some(actions), found.order_mode)


def options_of(options: read.Options | None) -> OptionsConfig | None:
    """The section `options`, if there is one."""
    if options is None:
        return None
    hooks = [
        (PreActionHook if hook.is_before else PostActionHook)(hook.action, hook.command)
        for hook in options.hooks
    ]
    return OptionsConfig(
        startingDay=options.starting_day,
        workingDir=options.working_dir,
        backupUser=options.backup_user,
        backupGroup=options.backup_group,
        rcpCommand=options.rcp_command,
        overrides=some(CommandOverride(*each) for each in options.overrides.items()),
        hooks=some(hooks),
        rshCommand=options.rsh_command,
        cbackCommand=options.cback_command,
        managedActions=None if options.managed_actions is None else list(options.managed_actions),
    )


def peers_of(peers: Iterable[read.Peer]) -> tuple[list[LocalPeer] | None, list[RemotePeer] | None]:
    """Local and remote peers, each None where there is none."""
    local, remote = [], []
    for peer in peers:
        if peer.type == "local":
            local.append(LocalPeer(peer.name, peer.collect_dir, peer.ignore_failures))
        elif peer.type == "remote":
            remote.append(
                RemotePeer(
                    name=peer.name,
                    collectDir=peer.collect_dir,
                    remoteUser=peer.backup_user,
                    rcpCommand=peer.rcp_command,
                    rshCommand=peer.rsh_command,
                    cbackCommand=peer.cback_command,
                    managed=peer.managed,
                    managedActions=None if peer.managed_actions is None else list(peer.managed_actions),
                    ignoreFailureMode=peer.ignore_failures,
                )
            )
    return some(local), some(remote)


def stage_of(stage: read.Stage | None) -> StageConfig | None:
    """The section `stage`, if there is one."""
    return None if stage is None else StageConfig(stage.staging_dir, *peers_of(stage.peers))


def collect_of(collect: read.Collect | None) -> CollectConfig | None:
    """The section `collect`, if there is one."""
    if collect is None:
        return None
    files = [each for each in collect.items if not each.is_dir]
    return CollectConfig(
        targetDir=collect.collect_dir,
        collectMode=collect.mode,
        archiveMode=collect.archive,
        ignoreFile=collect.ignore_file,
        absoluteExcludePaths=some(collect.excludes.abs_paths),
        excludePatterns=some(collect.excludes.patterns),
        collectFiles=some(CollectFile(each.abs_path, each.mode, each.archive) for each in files),
        collectDirs=some(_directory(each) for each in collect.items if each.is_dir),
    )


def _directory(item: read.Item) -> CollectDir:
    return CollectDir(
        absolutePath=item.abs_path,
        collectMode=item.mode,
        archiveMode=item.archive,
        ignoreFile=item.ignore_file,
        absoluteExcludePaths=some(item.excludes.abs_paths),
        relativeExcludePaths=some(item.excludes.rel_paths),
        excludePatterns=some(item.excludes.patterns),
        linkDepth=item.link_depth or None,
        dereference=item.dereference,
        recursionLevel=item.recursion_level or None,
    )


def _blank(blank: read.Blank | None) -> BlankBehavior | None:
    if blank is None:
        return None
    return BlankBehavior(blank.mode, None if blank.factor is None else f"{blank.factor:g}")


def store_of(store: read.Store | None) -> StoreConfig | None:
    """The section `store`, if there is one."""
    if store is None:
        return None
    return StoreConfig(
        sourceDir=store.source_dir,
        mediaType=store.media_type,
        deviceType=store.device_type,
        devicePath=store.target_device,
        deviceScsiId=store.target_scsi_id,
        driveSpeed=store.drive_speed,
        checkData=bool(store.check_data),
        warnMidnite=bool(store.warn_midnite),
        noEject=bool(store.no_eject),
        checkMedia=bool(store.check_media),
        blankBehavior=_blank(store.blank),
        refreshMediaDelay=store.refresh_media_delay or None,
        ejectDelay=store.eject_delay or None,
    )
