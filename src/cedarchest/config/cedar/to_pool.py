"""Sections `stage` and `peers` as our tables."""

from __future__ import annotations

from cedarchest.config.cedar.commands import LogIn, listed, log_in, words_of
from cedarchest.config.cedar.draft import Draft
from cedarchest.config.cedar.reading import first
from cedarchest.config.cedar.sections import CedarConfig, Options, Peer
from cedarchest.config.cedar.to_collect import EXIT
from cedarchest.config.choices import ManagedAction
from cedarchest.config.wording import shown

SSH = (
    "remote peers: files come by rsync over ssh, as whoever runs this, with that user's keys and known"
    " hosts; root's Cedar Backup became the backup user first. Set `identity` at a peer to use another key."
)
MANAGED = (
    "managed peers: the master runs collect and purge there, by the ssh of the peer; rsh_command has no"
    " other use. A peer that fails makes the run fail; Cedar Backup logged it and ended with 0."
)


def write_stage(config: CedarConfig, draft: Draft) -> None:
    """Table `[stage]`."""
    stage, store = config.stage, config.store
    if stage is None:
        draft.missing.append("<stage>: is missing; nothing is staged here")
    staging = stage.staging_dir if stage else None
    source = store.source_dir if store else None
    if staging is None and source is not None:
        staging = source
        draft.differs(
            f"<source_dir> of store, {shown(source)}: is our staging dir too, for there is no other"
        )
    if staging is None:
        if stage:
            draft.missing.append("<staging_dir> in stage: is missing; without it nothing can be staged")
        return
    draft.table("stage")
    draft.put("dir", staging)
    draft.taken.append(f"<staging_dir>: {shown(staging)}")
    if source is not None and source.rstrip("/") != staging.rstrip("/"):
        draft.differs(
            f"<source_dir> of store, {shown(source)}: is not used; days are stored from the staging dir,"
            " where Cedar Backup looked for them as well"
        )


def write_peers(config: CedarConfig, draft: Draft) -> None:
    """Tables `[[peer]]`: those of `stage` where it has some, else those of `peers`."""
    options = config.options or Options()
    general = config.peers or ()
    own = config.stage.peers if config.stage else ()
    peers = own or general
    if not peers and (config.stage or config.peers is not None):
        draft.missing.append("<peer>: there is none, so nothing is staged")
    named = {peer.name for peer in peers}
    for peer in general if own else ():
        if peer.name not in named:
            draft.untaken.append(
                f"{peer.place}: {shown(peer.name or '')} is not among the peers of <stage>, which alone"
                " were staged; it is left out"
            )
    for peer in peers:
        _write_peer(peer, options, draft)
    if peers:
        draft.differs(EXIT)


def _write_peer(peer: Peer, options: Options, draft: Draft) -> None:
    if peer.name is None or peer.collect_dir is None or peer.type is None:
        absent = "type" if peer.type is None else "name" if peer.name is None else "collect_dir"
        draft.missing.append(f"{peer.place}: has no <{absent}>, and is left out")
        return
    draft.table("peer", several=True)
    draft.put("name", peer.name)
    if peer.type == "remote":
        draft.put("host", peer.name)
    draft.put("collect_dir", peer.collect_dir)
    draft.put("ignore_failures", peer.ignore_failures)
    if peer.type == "remote":
        _write_login(peer, options, draft)
        _write_managed(peer, options, draft)
    draft.taken.append(f"<peer> {shown(peer.name)}: a {peer.type} peer")


def _write_login(peer: Peer, options: Options, draft: Draft) -> None:
    draft.differs(SSH)
    draft.put("user", first(peer.backup_user, options.backup_user))
    copy = first(peer.rcp_command, options.rcp_command) or ""
    shell = first(peer.rsh_command, options.rsh_command) if peer.managed else None
    login = log_in(copy)
    if shell:
        _join(login, log_in(shell), peer, draft)
    draft.put("identity", login.identity)
    draft.put("port", login.port)
    draft.put("bwlimit", login.bwlimit)
    draft.put("ssh_options", login.options or None)
    if login.unused:
        draft.untaken.append(
            f"commands of peer {shown(peer.name or '')}: {listed(login.unused)} has no counterpart; files"
            " come by rsync over ssh"
        )


def _join(login: LogIn, shell: LogIn, peer: Peer, draft: Draft) -> None:
    """One way there serves copies and commands: the copy's, with what only the shell says."""
    for name in ("identity", "port"):
        copy_says, shell_says = getattr(login, name), getattr(shell, name)
        if copy_says and shell_says and copy_says != shell_says:
            draft.untaken.append(
                f"rsh_command of peer {shown(peer.name or '')}: its {name} is not that of rcp_command,"
                " which counts for both"
            )
        setattr(login, name, copy_says or shell_says)
    if not login.options:
        login.options = shell.options
    login.unused += [each for each in shell.unused if each not in login.unused]


def _write_managed(peer: Peer, options: Options, draft: Draft) -> None:
    if not peer.managed:
        return
    wanted = first(peer.managed_actions, options.managed_actions)
    ours = [each for each in wanted or () if each in set(ManagedAction)]
    if wanted is None:
        draft.missing.append(
            f"<managed_actions> for peer {shown(peer.name or '')}: is missing; it is not managed"
        )
    elif others := [each for each in wanted if each not in ours]:
        draft.untaken.append(
            f"managed actions of peer {shown(peer.name or '')}: the master runs collect and purge there,"
            f" not {listed(others)}"
        )
    if not ours:
        return
    draft.differs(MANAGED)
    draft.put("managed", value=True)
    draft.put("managed_actions", ours)
    command = words_of(first(peer.cback_command, options.cback_command) or "")
    draft.put("managed_command", command or None, "Change this when cedarchest is on the peer as well.")
