"""What a disc says, merged with what the catalog knows of it: decided here, written elsewhere.

What was proven here, or judged in any way, stands. Claims add to claims, so that nothing depends on which
disc, or which image of one disc, comes first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from cedarchest.actions.cedar_disc import GROWS_OVER
from cedarchest.actions.found_disc import UNKNOWN, FoundDisc, FoundSession
from cedarchest.model.claims import OtherVolume
from cedarchest.model.disc import BAD_SESSION, CLOSED, DiscRecord, SessionRecord, SessionStatus


@dataclass(frozen=True, slots=True)
class Merged:
    """A disc as it is to be recorded, with the sessions that are new or better known, and the others."""

    disc: DiscRecord
    sessions: tuple[FoundSession, ...]
    known: tuple[int, ...]
    wrong: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MissingVolume:
    """A volume of a set that is known of and not there; `volumes` is 0, the label empty if not known."""

    volume: int
    volumes: int
    label: str
    days: tuple[str, ...]


def merge(before: DiscRecord | None, known: Sequence[SessionRecord], found: FoundDisc) -> Merged:
    """A disc that was found, with what is known of it and its sessions."""
    by_number = {session.number: session for session in known}
    news: list[FoundSession] = []
    same: list[int] = []
    wrong = list(found.wrong)
    for session in found.sessions:
        number = session.record.number
        earlier = by_number.get(number)
        if earlier is not None and not _is_same(earlier, session.record):
            label = found.disc.label
            wrong.append(f"{label} session {number}: the catalog knows another of this number, and keeps it")
            continue
        after = session.record if earlier is None else _more(earlier, session.record)
        if after == earlier:
            same.append(number)
        else:
            news.append(replace(session, record=after))
    everything = {**by_number, **{each.record.number: each.record for each in news}}
    disc = _disc(before, found.disc, [each.record for each in news], everything.values())
    return Merged(disc, tuple(news), tuple(same), tuple(wrong))


def _disc(
    before: DiscRecord | None,
    found: DiscRecord,
    news: Sequence[SessionRecord],
    sessions: Iterable[SessionRecord],
) -> DiscRecord:
    """What was known of a disc stands, unless its drive says that it is closed, or a session is bad."""
    disc = before or found
    if before is not None and before.reason == GROWS_OVER != found.reason:  # an image told it before
        disc = replace(found, label=before.label, given_up=before.given_up)
    if disc.accepts_sessions and found.reason == CLOSED:
        disc = replace(disc, accepts_sessions=False, reason=CLOSED)
    if any(each.status is SessionStatus.BAD for each in news):
        return replace(disc, accepts_sessions=False, reason=disc.reason or BAD_SESSION)
    bad = any(each.status is SessionStatus.BAD for each in sessions)
    if news and disc.reason == BAD_SESSION and not bad:  # what could not be read in one image is in another
        return replace(disc, accepts_sessions=found.accepts_sessions, reason=found.reason)
    return disc


def _is_same(known: SessionRecord, found: SessionRecord) -> bool:
    """Whether two records are of one session; where one cannot be read, its place has to do."""
    if known.status is SessionStatus.INTENDED:
        return True  # the disc says more of it once it is settled
    if known.has_no_index and found.has_no_index and known.block_map and found.block_map:
        return (known.start, known.block_map) == (found.start, found.block_map)
    if known.index_sha256 and found.index_sha256 and known.index_sha256 != found.index_sha256:
        return False
    return known.start == found.start


def _more(known: SessionRecord, found: SessionRecord) -> SessionRecord:
    """A known session with what a disc tells beyond it: of what is only claimed, or could not be read."""
    if not known.index_sha256 and found.index_sha256 and known.status is not SessionStatus.INTENDED:
        return found
    if known.has_no_index and known.reason.startswith(UNKNOWN) and found.status is SessionStatus.CLAIMED:
        return found
    if known.status is not SessionStatus.CLAIMED or not found.index_sha256:
        return known
    told = found if found.status is not SessionStatus.CLAIMED else known
    return replace(
        known,
        status=told.status,
        reason=told.reason,
        block_map=known.block_map or found.block_map,
        speed_used=known.speed_used or found.speed_used,
    )


def missing_volumes(
    sessions: Iterable[SessionRecord], others: Mapping[str, Mapping[int, OtherVolume]]
) -> tuple[MissingVolume, ...]:
    """The volumes that are known of and not among the sessions, in order of their days.

    `others` is what sessions told of other volumes, by set and number.
    """
    there = [each for each in sessions if each.status is not SessionStatus.ABANDONED]
    names = {each.name for each in there}
    wanted: dict[tuple[str, int], set[str]] = {}
    volumes: dict[str, int] = {}
    for session in there:
        for number in range(1, session.volumes + 1) if session.volumes > 1 else ():
            days = wanted.setdefault((session.volume_set, number), set())
            days |= {content.day for content in session.days if content.partial}
        volumes[session.volume_set] = max(session.volumes, volumes.get(session.volume_set, 0))
        for content in session.days:
            for name in content.rests_on:
                of_set, _, number_text = name.rpartition(" ")
                wanted.setdefault((of_set, int(number_text)), set()).add(content.day)
    whole = {
        content.day
        for session in there
        for content in session.days
        if not (content.partial or content.rests_on) and content.pieces == 1
    }
    found = []
    for (of_set, number), days in wanted.items():
        if f"{of_set} {number}" in names:
            continue
        told = others.get(of_set, {}).get(number)
        held = told.days if told and told.days else tuple(sorted(days))
        if not days and whole.issuperset(held):
            continue  # planned for days of its own, which went elsewhere
        label = told.label if told else ""
        found.append(MissingVolume(number, volumes.get(of_set, 0), label, held))
    return tuple(sorted(found, key=lambda each: (each.days, each.label, each.volume)))
