"""Which discs are read, in which order, and what from each: the fewest changes, and every piece once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from cedarchest.model.disc_choice import fewest
from cedarchest.model.restoring import Piece, Place, Role, Source, trust

_CHANGE = 1_000_000
_FIRST = (Role.INDEX, Role.SESSION)


class Reading(NamedTuple):
    """A piece that has to be read, of what, and the places that are left to read it from."""

    source: Source
    piece: Piece
    places: tuple[Place, ...]


class Disc(NamedTuple):
    """A disc that is needed; at hand where no hand is needed, `away` by how far it is otherwise."""

    disc_id: str
    label: str
    at_hand: bool
    away: int = 0  # less than a change


@dataclass(frozen=True, slots=True)
class DiscReading:
    """What is read from a disc, in this order."""

    disc: Disc
    readings: tuple[tuple[Reading, Place], ...]

    @property
    def size(self) -> int:
        """Bytes that are read."""
        return sum(reading.piece.size for reading, _ in self.readings)


def plan_discs(
    readings: Iterable[Reading], discs: Mapping[str, Disc], without: Collection[str] = ()
) -> tuple[DiscReading, ...]:
    """The discs to read, those at hand first, then those whose indexes tell of what is on others.

    Of the places of a piece only those count that are known to be as good as any of them. Discs `without` are
    not to be had; what is on no other one is left out.
    """
    several = [
        (reading, {place.disc_id: place for place in reversed(_best(reading.places, without))})
        for reading in readings
    ]
    several = [each for each in several if each[1]]
    costs = {disc_id: _cost(discs[disc_id]) for _, places in several for disc_id in places}
    chosen = fewest((places.keys() for _, places in several), costs)
    read: dict[str, list[tuple[Reading, Place]]] = {}
    for reading, places in several:
        disc_id = min((each for each in places if each in chosen), key=lambda each: (costs[each], each))
        read.setdefault(disc_id, []).append((reading, places[disc_id]))
    found = [DiscReading(discs[disc_id], tuple(sorted(each, key=_order))) for disc_id, each in read.items()]
    return tuple(sorted(found, key=_turn))


def _best(places: Sequence[Place], without: Collection[str]) -> list[Place]:
    there = [place for place in places if place.disc_id not in without]
    least = min(map(trust, there), default=0)
    return [place for place in there if trust(place) == least]


def _cost(disc: Disc) -> int:
    return 1 if disc.at_hand else _CHANGE + min(disc.away, 1000)


def _order(each: tuple[Reading, Place]) -> tuple[bool, int, bytes]:
    reading, place = each
    return (reading.source.role not in _FIRST, place.start, place.path)


def _turn(each: DiscReading) -> tuple[bool, bool, int, str]:
    tells = any(reading.source.role in _FIRST for reading, _ in each.readings)
    return (not each.disc.at_hand, not tells, each.disc.away, each.disc.label)
