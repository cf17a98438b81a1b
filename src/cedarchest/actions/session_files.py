"""What of us goes on the disc with a session: its folder in `/CEDARCHEST`, and what must be there already."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from cedarchest.actions.selection import Selection
from cedarchest.model.disc import DiscRecord, SessionRecord, StoredEntry
from cedarchest.model.holdable import kept_differently
from cedarchest.model.image.joliet_names import joliet_losses
from cedarchest.model.index import Entry, Kind
from cedarchest.model.names import counted, to_text
from cedarchest.model.session import (
    DISC_FILE,
    HOME,
    VolumePlace,
    disc_json,
    outcome_json,
    readme,
    session_folder,
    session_json,
)
from cedarchest.ports import Ports, SavedSession

MANY_ENTRIES = 200_000


def save_files(
    disc: DiscRecord,
    session: SessionRecord,
    selection: Selection,
    visible: Mapping[bytes, StoredEntry],
    place: VolumePlace,
    ports: Ports,
) -> SavedSession:
    """Write what of us goes on the disc into the workspace, and say what its trees lose."""
    made = [
        Entry(path[1:], Kind.DIR, 0, 0o755, 0, 0, tree_time(session) * 10**9)
        for path in made_dirs([content.day for content in session.days], visible)
    ]
    return ports.workspace.save(
        disc.disc_id,
        session.number,
        _files(disc, session, selection, visible, place, ports),
        header={"disc_id": disc.disc_id, "label": disc.label, "session": session.number},
        entries=[*made, *selection.entries],
        made_at=tree_time(session),
    )


def _files(
    disc: DiscRecord,
    session: SessionRecord,
    selection: Selection,
    visible: Mapping[bytes, StoredEntry],
    place: VolumePlace,
    ports: Ports,
) -> dict[str, bytes]:
    """What the session brings of us, by path: all but its index and sums."""
    losses = joliet_losses(selection.entries)
    missing = [loss.path for loss in losses if not loss.name]
    _warn(disc, missing, selection.entries, len(visible) + len(selection.entries), ports)
    folder = session_folder(session.number)
    files = {
        f"{folder}/session.json": session_json(
            disc,
            session,
            joliet_missing=missing,
            joliet_renamed=[(loss.path, loss.name) for loss in losses if loss.name],
            left_out=[f"/{to_text(path)}: {why}" for path, why in selection.left_out.items()],
            replaces=selection.replaces,
            cut=selection.cut,
            others=place.others,
        )
    }
    if DISC_FILE.encode() not in visible:
        files[DISC_FILE] = disc_json(disc)
    files |= {
        name: content
        for name, content in readme().items()
        if (there := visible.get(name.encode())) is None or there.sha256 != hashlib.sha256(content).digest()
    }
    for earlier in ports.catalog.sessions(disc.disc_id):
        path = f"{folder}/earlier/{earlier.number:03d}.json"
        if earlier.number < session.number and (not session.base or earlier.number >= session.base):
            files[path] = outcome_json(earlier)
    return files


def _warn(
    disc: DiscRecord, missing: Sequence[bytes], entries: Sequence[Entry], shown: int, ports: Ports
) -> None:
    """Say once what the disc's trees lose, and that they have grown large."""
    altered = [(entry.path, why) for entry in entries if (why := kept_differently(entry))]
    if altered:
        path, why = altered[0]
        ports.reporter.warn(
            f"the disc shows {len(altered)} of the entries otherwise than the index, which has them as they"
            f" are; the first is /{to_text(path)} with {why}"
        )
    if missing:
        ports.reporter.warn(
            f"{counted(len(missing), 'entry has', 'entries have')} no Joliet name (systems without Rock Ridge"
            f" show only what has one); the first is /{to_text(missing[0])}"
        )
    if shown > MANY_ENTRIES:
        ports.reporter.warn(
            f"{disc.label} shows {shown} entries, repeated in each session:"
            " fewer and larger files leave more room"
        )


def tree_time(session: SessionRecord) -> int:
    """The time that the tree of a session bears, in seconds since 1970."""
    return int(session.created_at.timestamp())


def made_dirs(days: Iterable[str], visible: Mapping[bytes, StoredEntry]) -> list[bytes]:
    """Directories of ours that the tree does not have yet, for a session of these days; parents first."""
    wanted = [f"/{HOME}", f"/{HOME}/sessions"]
    for day in days:
        year, month, _ = day.split("/")
        wanted += [f"/{year}", f"/{year}/{month}"]
    return [path.encode() for path in dict.fromkeys(wanted) if path[1:].encode() not in visible]
