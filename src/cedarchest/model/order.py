"""The order in which a chain of actions and others that say before and after what they come are run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Place:
    """Names of what somebody comes before, and of what he comes after."""

    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


class Circle(ValueError):
    """There is no order: each of `names` is to come before the next, and the last before the first."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(" → ".join((*names, names[0])))
        self.names = tuple(names)


def in_order(chain: Sequence[str], places: Mapping[str, Place]) -> tuple[str, ...]:
    """The chain with the others in it, each as late as its place allows.

    That is right before what it has to come before, else at the end; where several could stand at one spot
    they keep the order of `places`. Names in places that are neither in the chain nor in `places` are passed
    over.

    Raises:
        Circle: places contradict each other or the chain.
    """
    names = [*chain, *places]
    followers: dict[str, set[str]] = {name: set() for name in names}
    for earlier, later in pairwise(chain):
        followers[earlier].add(later)
    for name, place in places.items():
        followers[name].update(each for each in place.before if each in followers)
        for each in place.after:
            if each in followers:
                followers[each].add(name)
    return _latest_first(names, followers)[::-1]


def _latest_first(names: Sequence[str], followers: Mapping[str, set[str]]) -> tuple[str, ...]:
    sorter = TopologicalSorter(followers)
    try:
        sorter.prepare()
    except CycleError as error:
        raise Circle(error.args[1][:0:-1]) from None
    picked: list[str] = []
    ready: list[str] = []
    while sorter.is_active():
        ready += sorter.get_ready()
        latest = max(ready, key=names.index)
        ready.remove(latest)
        picked.append(latest)
        sorter.done(latest)
    return tuple(picked)
