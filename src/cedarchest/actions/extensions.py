"""Extensions in a night and by themselves: which there are, their order, and a run of one.

Nothing about an extension keeps the actions of cedarchest from running: one that is not there, cannot be
loaded or cannot be put in order is broken by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cedarchest.config.model import Config
from cedarchest.config.wording import shown
from cedarchest.errors import CedarchestError, ConfigError, ExtensionFailed
from cedarchest.extension import Call, Done, Earlier, Extension
from cedarchest.model.order import Circle, Place, in_order
from cedarchest.ports import Ports

NIGHT = ("collect", "stage", "store", "purge")
"""What `all` runs, in the order in which each finds what the one before it made."""


@dataclass(frozen=True, slots=True)
class NightPlan:
    """The order of a night, what extensions need, and why some of them cannot be run."""

    order: tuple[str, ...]
    needs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    broken: Mapping[str, CedarchestError] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ExtensionOptions:
    """As for the other actions; and what ran earlier in the same night."""

    full: bool = False
    dry_run: bool = False
    earlier: Mapping[str, Earlier] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ExtensionReport:
    """What an extension did, and the package that brought it."""

    name: str
    package: str
    done: Done


def plan_night(ours: Sequence[str], config: Config, *, ports: Ports) -> NightPlan:
    """The actions of a night that are configured, `ours` and extensions; nothing is run."""
    loaded: dict[str, Extension] = {}
    broken: dict[str, CedarchestError] = {}
    for name in config.extension:
        try:
            loaded[name] = ports.extensions.load(name)
            _refuse_unknown(name, loaded[name], config, ports)
        except (ConfigError, ExtensionFailed) as error:
            loaded.pop(name, None)
            broken[name] = error
    order = _ordered(loaded, broken)
    return NightPlan(
        tuple(each for each in order if each in ours or each in loaded),
        {name: extension.needs for name, extension in loaded.items()},
        broken,
    )


def _refuse_unknown(name: str, extension: Extension, config: Config, ports: Ports) -> None:
    known = {*NIGHT, *config.extension, *ports.extensions.installed()}
    for key in ("before", "after", "needs"):
        for each in getattr(extension, key):
            if each not in known:
                raise _misplaced(name, f"its `{key}` names {shown(each)}, and there is no such action")


def _ordered(loaded: dict[str, Extension], broken: dict[str, CedarchestError]) -> tuple[str, ...]:
    """All in order; what goes in a circle is moved to what is broken."""
    while True:
        places = {name: Place(each.before, (*each.after, *each.needs)) for name, each in loaded.items()}
        try:
            return in_order(NIGHT, places)
        except Circle as circle:
            for name in set(circle.names) & loaded.keys():
                del loaded[name]
                broken[name] = _misplaced(name, f"its `before` and `after` go in a circle: {circle}")


def _misplaced(name: str, wrong: str) -> ConfigError:
    problem = f"extension.{name}: {wrong}"
    return ConfigError(
        problem,
        problems=[problem],
        advice=f"Take [extension.{name}] out of the configuration, and tell its authors.",
    )


def check_extension(name: str, config: Config, *, ports: Ports) -> str:
    """See that an extension can be run with its settings and has its place; gives its package.

    Raises:
        ConfigError: it is not installed, cannot be put in order, or its settings are wrong.
        ExtensionFailed: it cannot be loaded.
    """
    if problem := plan_night(NIGHT, config, ports=ports).broken.get(name):
        raise problem
    _check_settings(name, config, ports)
    return ports.extensions.package(name)


def _check_settings(name: str, config: Config, ports: Ports) -> None:
    if wrong := ports.extensions.check(name, config.extension[name]):
        problems = [f"extension.{name}.{line}" for line in wrong]
        raise ConfigError("\n  ".join(problems), problems=problems)


def execute_extension(
    path: Path, name: str, options: ExtensionOptions, config: Config, *, ports: Ports
) -> ExtensionReport:
    """Run one extension; but for a dry run no other run is at work meanwhile.

    Raises:
        ConfigError: it has no table, is not installed, or its settings are wrong.
        ExtensionFailed: it cannot be loaded, or failed.
        LockedError: another run is at work.
    """
    if name not in config.extension:
        raise ConfigError(
            f"the configuration has no [extension.{name}] table",
            problems=[f"extension.{name}: is missing; a table, written as [extension.{name}]"],
            advice=f"Add an [extension.{name}] table, if only an empty one, to have this extension run.",
        )
    _check_settings(name, config, ports)
    call = _call(path, config, config.extension[name], options, ports)
    if options.dry_run:
        done = ports.extensions.run(name, call)
    else:
        with ports.locks.hold(config.options.state_dir):
            done = ports.extensions.run(name, call)
    ports.interrupts.check()  # should it have kept the interrupt to itself
    return ExtensionReport(name, ports.extensions.package(name), done)


def _call(
    path: Path, config: Config, settings: Mapping[str, object], options: ExtensionOptions, ports: Ports
) -> Call:
    return Call(
        config_path=path,
        now=ports.clock.now(),
        full=options.full,
        dry_run=options.dry_run,
        settings=settings,
        state_dir=config.options.state_dir,
        working_dir=config.options.working_dir,
        collect_dir=config.collect.dir if config.collect else None,
        staging_dir=config.stage.dir if config.stage else None,
        reporter=ports.reporter,
        earlier=options.earlier,
    )
