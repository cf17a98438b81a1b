"""What there is to say of a disc of Cedar Backup when it is entered."""

from __future__ import annotations

from cedarchest.actions.cedar_disc import GROWS_OVER
from cedarchest.actions.found_disc import FoundDisc
from cedarchest.model.disc import DiscRecord, StoredEntry
from cedarchest.model.names import label_word
from cedarchest.ports import Ports, Writer


def tell_of_cedars(found: FoundDisc, before: DiscRecord | None, writer: Writer, ports: Ports) -> None:
    """Say whether a disc that is new was known with less on it, and how a shelf finds it."""
    label = found.disc.label
    if before is not None:
        return
    if earlier := _as_it_was(found, ports):
        ports.reporter.warn(
            f"{label} has all that {earlier} has, where that has it: Cedar Backup wrote more on it. The disc"
            " as it was is there no more; to have the catalog know that: cedarchest discs lost"
            f" {label_word(earlier)}"
        )
    if writer.image is not None and writer.image.name != f"{label}.iso":
        ports.reporter.note(f"on a shelf {writer.image.name} is found when it is called {label}.iso")


def _as_it_was(found: FoundDisc, ports: Ports) -> str:
    """The label of the disc that this one was before more was written over its beginning; mostly empty."""
    if found.disc.reason != GROWS_OVER or len(found.sessions) != 1:
        return ""
    now = {entry.path: entry for entry in found.sessions[0].entries}
    for disc in ports.catalog.discs():
        if disc.reason == GROWS_OVER and not disc.given_up and disc.disc_id != found.disc.disc_id:
            had = [entry for entry in ports.catalog.entries(disc.disc_id, 1) if entry.sha256 and entry.size]
            if had and all(_stands(entry, now.get(entry.path)) for entry in had):
                return disc.label
    return ""


def _stands(was: StoredEntry, now: StoredEntry | None) -> bool:
    return now is not None and (now.start, now.size, now.sha256) == (was.start, was.size, was.sha256)
