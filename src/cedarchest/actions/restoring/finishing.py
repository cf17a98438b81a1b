"""The end of a restore: what has no content is made, names of one file are joined, attributes are given."""

from __future__ import annotations

from cedarchest.actions.restoring.state import Restoring
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
    for target in sorted(folders):
        with state.at(target):
            _have_folder(state, target)
    for target in sorted(folders, reverse=True):
        entry = state.attributes.get(target)
        is_asked_for = target not in state.restoration.above or bool(state.restoration.prefix)
        is_there = entry is not None and target in state.written.done
        if is_there and entry and (is_asked_for or state.folder.made(target)):
            with state.at(target):
                state.folder.finish(target, entry)


def _have_folder(state: Restoring, target: bytes) -> None:
    """Have a folder there; one of which nothing is known is neither made nor changed."""
    there = state.folder.look(target)
    if state.attributes.get(target) is None:
        why = "its mode, owner and time are in an index that could not be read"
        state.written.failed[target] = why
    elif there is not None and there.kind is not Kind.DIR:
        state.written.left.setdefault(target, "something that is no folder is there already")
    else:
        state.folder.folder(target)
        state.written.done.add(target)
        if not state.folder.made(target):
            state.written.before.add(target)


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
        if not state.is_one_file(target, other):
            continue
        with state.at(target):
            replace = target in state.written.done or target in state.replaced
            state.folder.join(target, other, replace=replace)
            state.written.done.add(target)
            state.written.bare.discard(target)
