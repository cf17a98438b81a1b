"""The discs that a restore needs: where each is kept, what is on it, and how it comes into a drive."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Sequence

from cedarchest.actions.loading import known_disc
from cedarchest.actions.writers import labels_in
from cedarchest.errors import Interrupted, MediaError, NoMedium, ToolError
from cedarchest.model.disc import SessionRecord
from cedarchest.model.disc_plan import Disc, Reading
from cedarchest.model.media import BLOCK
from cedarchest.model.restoring import Piece, Place
from cedarchest.ports import Ports, Writer

log = logging.getLogger(__name__)

_FAR = 10


class NeededDiscs:
    """The discs that the catalog knows, and the drives that they come into."""

    def __init__(self, writers: Sequence[Writer], ports: Ports) -> None:
        self._writers = writers
        self._ports = ports
        self._sessions: dict[str, dict[int, SessionRecord]] = {}

    def place(self, disc_id: str) -> str:
        """Where a disc is kept, as far as that was said."""
        places = self._ports.catalog.places(disc_id)
        return places[-1].place if places else ""

    def of(self, readings: Iterable[Reading]) -> dict[str, Disc]:
        """The discs that are spoken of, and how far away they are: one that was put away is farther."""
        at_hand = {label for writer in self._writers for label in labels_in(writer)}
        spoken_of = {place.disc_id: place.label for each in readings for place in each.places}
        found = {}
        for disc_id, label in spoken_of.items():
            away = _FAR if self._ports.catalog.places(disc_id) else 0
            found[disc_id] = Disc(disc_id, label, label in at_hand, away)
        return found

    def session(self, place: Place) -> SessionRecord | None:
        """The session that a place is in."""
        if place.disc_id not in self._sessions:
            several = self._ports.catalog.sessions(place.disc_id)
            self._sessions[place.disc_id] = {session.number: session for session in several}
        return self._sessions[place.disc_id].get(place.session)

    def may_hold(self, piece: Piece, place: Place) -> bool:
        """Whether a piece lies within the sessions of its disc, as what a disc says of itself may not."""
        if not piece.size:
            return True
        self.session(place)
        known = self._sessions[place.disc_id].values()
        end = max((session.start + session.blocks for session in known), default=0)
        return place.start >= 0 and place.start + -(-piece.size // BLOCK) <= end

    def loaded(self, disc: Disc) -> Writer | None:
        """The drive with a disc in it, after a person was asked for it where one is there.

        None where the person put in something else, which may do as well.

        Raises:
            NoMedium: it is in none.
        """
        for writer in self._writers:
            if self._holds(writer, disc):
                return writer
        burners = [writer for writer in self._writers if not writer.loads_itself]
        absent = self.not_here(disc)
        if burners and self._ports.person.is_there():
            with contextlib.suppress(MediaError, ToolError):
                burners[0].eject()
            if self._ports.person.changes_disc(absent.message, f"Insert {disc.label}."):
                return burners[0] if self._holds(burners[0], disc) else None
        raise absent

    def not_here(self, disc: Disc, alike: Sequence[str] = ()) -> NoMedium:
        """The error that a disc is in no drive, nor any of those `alike` that would do in its place."""
        kept = f", which is kept at {place}," if (place := self.place(disc.disc_id)) else ""
        burners = (writer.device for writer in self._writers if not writer.loads_itself)
        where = next(burners, self._writers[0].device)
        any_of = " or ".join((disc.label, *alike))
        return NoMedium(
            f"{disc.label}{kept} is needed and is not in {where}",
            advice=f"Insert {any_of} and run the same command again: it goes on where this one stopped.",
            label=disc.label,
        )

    def _holds(self, writer: Writer, disc: Disc) -> bool:
        """Whether a drive has a disc, and has it loaded now."""
        try:
            if writer.loads_itself:
                if disc.label not in writer.labels():
                    return False
                seen = writer.load(disc.label)
            else:
                seen = writer.observe()
            known = known_disc(seen, self._ports)
        except Interrupted:
            raise
        except (MediaError, ToolError) as error:
            log.info("%s", error.message)
            return False
        return known is not None and known.disc_id == disc.disc_id
