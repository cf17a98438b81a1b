"""A set of volumes: which place each has in it, and what it says of the others."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from cedarchest.actions.planning import DayDue, Planned
from cedarchest.actions.selection import DayShare
from cedarchest.model.disc import DiscRecord, SessionRecord, SessionStatus
from cedarchest.model.parts import Part, Split
from cedarchest.model.session import VolumePlace
from cedarchest.ports import Ports


@dataclass(slots=True)
class VolumeSet:
    """The volumes of a plan, and those before them which they go on from, by their numbers."""

    volume_set: str
    planned: Planned
    numbers: tuple[int, ...]
    volumes: int
    described: dict[int, Mapping[str, object]] = field(default_factory=dict)
    pieces: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, planned: Planned, ports: Ports) -> VolumeSet:
        """The set of a plan: a new one, or one that an earlier run could not finish."""
        earlier = _begun(planned, ports)
        taken = {session.volume for _, session in earlier}
        free = (number for number in itertools.count(1) if number not in taken)
        numbers = tuple(itertools.islice(free, len(planned.plan.volumes)))
        of_set = earlier[0][1].volume_set if earlier else str(uuid.uuid4())
        found = cls(of_set, planned, numbers, max((*numbers, *taken), default=1))
        for label, session in earlier:
            found.described[session.volume] = _written(session, label)
        for number, volume in zip(numbers, planned.plan.volumes, strict=True):
            holds = [share.described for share in volume.shares]
            found.described[number] = {"volume": number, "disc": volume.label or None, "holds": holds}
        before = [content for _, session in earlier for content in session.days]
        found.pieces = {
            day: planned.plan.discs_of(day)
            + sum(each.day == day and each.index_digest == due.index.digest for each in before)
            for day, due in planned.days.items()
        }
        return found

    def place(self, position: int) -> VolumePlace:
        """The place of a volume of the plan."""
        number = self.numbers[position]
        others = tuple(self.described[each] for each in sorted(self.described) if each != number)
        return VolumePlace(self.volume_set, number, self.volumes, others)

    def shares(self, position: int) -> list[DayShare]:
        """What a volume of the plan takes of which days."""
        return [
            self.planned.days[share.day].share(share, self.pieces[share.day])
            for share in self.planned.plan.volumes[position].shares
        ]

    def has_label(self, position: int, disc: DiscRecord) -> None:
        """A volume of the plan is on a disc: those to come say on which."""
        number = self.numbers[position]
        self.described[number] = {**self.described[number], "disc": disc.label}


def _begun(planned: Planned, ports: Ports) -> list[tuple[str, SessionRecord]]:
    """The proven volumes of the set begun last for days of a plan, with the labels of their discs."""
    rests_on = {name for due in planned.days.values() for name in due.rests_on}
    if not rests_on or not planned.plan.volumes:
        return []
    copy = planned.plan.volumes[0].copy
    discs = [disc for disc in ports.catalog.discs() if disc.copy == copy and not disc.given_up]
    labelled = [(disc.label, each) for disc in discs for each in ports.catalog.sessions(disc.disc_id)]
    begun = [each for _, each in labelled if each.name in rests_on and each.volumes > 1]
    if not begun:
        return []
    newest = max(begun, key=lambda session: session.created_at)
    return [
        (label, session)
        for label, session in labelled
        if session.volume_set == newest.volume_set and session.status is SessionStatus.VERIFIED
    ]


def _written(session: SessionRecord, label: str) -> Mapping[str, object]:
    days = [{"day": content.day} for content in session.days]
    return {"volume": session.volume, "disc": label, "session": session.number, "holds": days}


def with_part_digests(planned: Planned, ports: Ports) -> Planned:
    """The plan with the digest of each part: a file that was never cut so before is read once for them.

    Raises:
        StagingError: a file is not what its digest in the index says.
    """
    days = {
        day: replace(due, parts={part.entry.path: part for part in _digested(due, ports)})
        for day, due in planned.days.items()
    }
    return replace(planned, days=days)


def _digested(due: DayDue, ports: Ports) -> Iterator[Part]:
    for _, several in itertools.groupby(due.parts.values(), key=lambda part: part.whole.path):
        parts = list(several)
        if not parts[0].entry.sha256:
            whole, part_bytes = parts[0].whole, parts[0].entry.size
            digests = ports.staging.part_digests(due.index, whole, part_bytes)
            ports.catalog.put_split(whole.sha256, Split(part_bytes, digests))
            pairs = zip(parts, digests, strict=True)
            parts = [replace(part, entry=part.entry._replace(sha256=digest)) for part, digest in pairs]
        yield from parts
