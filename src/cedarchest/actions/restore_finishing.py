"""The end of a restore: what has no content is made, names of one file are joined, attributes are given."""

from __future__ import annotations

from cedarchest.actions.restore_state import Restoring
from cedarchest.model.index import Entry, Kind


def finish(state: Restoring) -> None:
    """Make what has no content, join names of one file, and give everything its attributes."""
    _join_links(state)
    folders = []
    for target, wanted in state.wanted.items():
        entry = state.attributes.get(target)
        if wanted.kind == Kind.DIR:
            folders.append(target)
        elif wanted.kind != Kind.FILE:
            if state.needs([target]):
                _make(state, target, entry)
        elif target in state.written.bare and target in state.written.done and entry is not None:
            with state.at(target):
                state.folder.finish(target, entry)
    for target in folders:
        with state.at(target):
            state.folder.folder(target)
            if not state.folder.made(target):
                state.written.before.add(target)
    for target in sorted(folders, reverse=True):
        if target not in state.restoration.above or state.folder.made(target):
            entry = state.attributes.get(target) or state.unknown(target)
            with state.at(target):
                state.folder.finish(target, entry)
        if target not in state.written.failed:
            state.written.done.add(target)


def _make(state: Restoring, target: bytes, entry: Entry | None) -> None:
    if entry is None:
        state.written.failed[target] = "what it was is in an index that could not be read"
        return
    with state.at(target):
        there = state.folder.look(target)
        if there is not None and there.kind is entry.kind:
            if there.target == entry.target:
                state.written.before.add(target)
                state.written.done.add(target)
                state.folder.finish(target, entry)
                return
            if reason := state.why_kept(state.wanted[target], there):
                state.written.left[target] = reason
                return
            state.replaced.add(target)
        if not state.folder.make(target, entry, replace=target in state.replaced):
            state.written.failed[target] = "a device is made only when asked: --privileged"
            return
        state.written.done.add(target)


def _join_links(state: Restoring) -> None:
    """Files of several names that are wanted are one file again."""
    prefix = state.restoration.prefix
    for target, wanted in state.wanted.items():
        entry = state.attributes.get(target)
        if wanted.kind != Kind.FILE or entry is None or not entry.hardlink or target in state.written.left:
            continue
        other = prefix + entry.hardlink
        if other == target or other not in state.written.done:
            continue
        if state.wanted[other].sha256 != wanted.sha256:
            continue
        with state.at(target):
            replace = target in state.written.done or target in state.replaced
            state.folder.join(target, other, replace=replace)
            state.written.done.add(target)
            state.written.bare.discard(target)
