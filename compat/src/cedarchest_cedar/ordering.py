"""Which actions a command line means, and their order: by index, or by what comes before what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from cedarchest.config.cedar.sections import Action, CedarConfig
from cedarchest.config.kinds import either
from cedarchest.config.wording import shown
from cedarchest.errors import ConfigError
from cedarchest.model.order import Circle

ALL = ("collect", "stage", "store", "purge")
ALONE = ("all", "rebuild", "validate", "initialize")
INDEXES = {
    "rebuild": 0,
    "validate": 0,
    "initialize": 0,
    "collect": 100,
    "stage": 200,
    "store": 300,
    "purge": 400,
}


@dataclass(frozen=True, slots=True)
class Extension:
    """An extension that is named in `extensions`, with all that is needed to run it."""

    name: str
    module: str
    function: str


def extensions_of(config: CedarConfig) -> dict[str, Extension]:
    """The extensions by name.

    Raises:
        ConfigError: one is not described as the order mode wants it, or two have a name.
    """
    problems: list[str] = []
    found: dict[str, Extension] = {}
    for action in config.actions or ():
        name = action.name or ""
        if problem := _wrong(action, config.order_mode or "index"):
            problems.append(f"<action> {shown(name)} in extensions {problem}")
        elif name in found:
            problems.append(f"<action> {shown(name)} in extensions is there twice; a name for each")
        else:
            found[name] = Extension(name, action.module or "", action.function or "")
    if problems:
        raise _refused(problems)
    return found


def _wrong(action: Action, mode: str) -> str:
    for what in ("name", "module", "function"):
        if not getattr(action, what):
            return f"has no <{what}>"
    if action.name in INDEXES or action.name == "all":
        return "has the name of an action that is there already"
    if mode == "index" and action.index is None:
        return "has no <index>, which the order mode `index` wants"
    if mode == "dependency" and action.before is None and action.after is None:
        return "has no <depends>, which the order mode `dependency` wants"
    return ""


def in_order(words: Sequence[str], config: CedarConfig) -> list[str]:
    """The actions that are meant, in the order in which they are run.

    Raises:
        ConfigError: a word is no action, or may not stand with others; or there is no order.
    """
    extensions = extensions_of(config)
    known = {*INDEXES, "all", *extensions}
    if unknown := [word for word in words if word not in known]:
        raise _refused(
            [f"{shown(unknown[0])} is no action: {either(sorted(known))}"],
            "Name one of these; switches stand before all actions.",
        )
    if len(words) > 1 and (lonely := [word for word in words if word in ALONE]):
        raise _refused([f"{lonely[0]} cannot be named together with other actions"], "Run it by itself.")
    meant = ALL if "all" in words else words
    if (config.order_mode or "index") == "dependency":
        places = _sorted(config.actions or (), set(known))
        return sorted(meant, key=places.index)
    indexes = {**INDEXES, **{action.name or "": action.index or 0 for action in config.actions or ()}}
    return sorted(meant, key=indexes.__getitem__)


def _sorted(actions: Iterable[Action], known: set[str]) -> list[str]:
    """All actions, each after what it depends on and otherwise as early as that leaves it.

    Raises:
        ConfigError: one depends on what is not there, or on itself.
    """
    followers: dict[str, list[str]] = {name: [] for name in INDEXES}
    for earlier, later in pairwise(ALL):
        followers[earlier].append(later)
    for action in actions:
        followers.setdefault(action.name or "", [])
    for action in actions:
        name = action.name or ""
        for each in (*(action.before or ()), *(action.after or ())):
            if each not in known or each == "all":
                raise _refused([f"<depends> of {shown(name)} names {shown(each)}, which is no action"])
        followers[name] += action.before or ()
        for each in action.after or ():
            followers[each].append(name)
    try:
        return depth_first(followers)
    except Circle as circle:
        raise _refused([f"<depends> of extensions go in a circle: {circle}"]) from None


def depth_first(followers: Mapping[str, Sequence[str]]) -> list[str]:
    """All names, each before its followers; what comes late in a mapping or list as early as that allows.

    Raises:
        Circle: a name comes before itself.
    """
    order: list[str] = []
    ended: set[str] = set()
    for first in followers:
        path, waiting = [first], [iter(followers[first])]
        while path and first not in ended:
            following = next(waiting[-1], None)
            if following is None:
                waiting.pop()
                ended.add(path[-1])
                order.append(path.pop())
            elif following in path:
                raise Circle(path[path.index(following) :])
            elif following not in ended:
                path.append(following)
                waiting.append(iter(followers[following]))
    return order[::-1]


def _refused(problems: list[str], advice: str = "Correct <extensions> in the XML.") -> ConfigError:
    return ConfigError("; ".join(problems), problems=problems, advice=advice)
