"""What a night does: the actions that are configured, in order, with extensions where they say."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from cedarchest import runs
from cedarchest.config.choices import ManagedAction
from cedarchest.errors import ConfigError
from cedarchest.report.outcome import Result, combined, failed

if TYPE_CHECKING:
    from cedarchest.config.model import Config
    from cedarchest.extension import Earlier
    from cedarchest.ports import Ports


def extension(
    name: str, *, full: bool, dry_run: bool, earlier: Mapping[str, Earlier] | None = None
) -> runs.Run:
    """Run one extension, by itself or after what ran `earlier` in the night."""
    from cedarchest.actions.extensions import ExtensionOptions, execute_extension
    from cedarchest.report import text

    options = ExtensionOptions(full=full, dry_run=dry_run, earlier=earlier or {})
    return lambda path, config, ports: text.extended(
        execute_extension(path, name, options, config, ports=ports), dry_run=dry_run
    )


def everything(where: runs.Where, *, full: bool, dry_run: bool) -> runs.Run:
    """Collect, stage, store and purge, as far as they are configured, with extensions where they say.

    Each of ours goes by what it finds and not by what the one before it said, so one that fails stops no
    other, but for a purge of what nobody has to prove: it waits for a store that worked. An extension waits
    for what it needs. One that cannot be run is told first, and the night goes on without it. What peers are
    managed for is run there too, or there only: `where` says.
    """
    from cedarchest.actions.extensions import plan_night

    def run(path: Path, config: Config, ports: Ports) -> Result:
        places = _places(config, where)
        ours = _ours(places, full=full, dry_run=dry_run)
        extended = config if where is not runs.Where.PEERS else config.model_copy(update={"extension": {}})
        plan = plan_night(list(places), extended, ports=ports)
        results = {name: failed(name, error) for name, error in plan.broken.items()}
        waiting: set[str] = set()
        for action in plan.order:
            unmet = {name for name, each in results.items() if each.problems} | waiting
            here = places.get(action) is not runs.Where.PEERS
            if here and (reason := _must_wait(action, plan.needs.get(action, ()), unmet, config)):
                results[action] = Result(action).with_left_out([reason])
                waiting.add(action)
                continue
            act = ours.get(action) or runs.hooked(
                action,
                extension(action, full=full, dry_run=dry_run, earlier=_earlier(results)),
                dry_run=dry_run,
            )
            results[action] = runs.attempt(action, act, path, config, ports)
            if runs.is_interrupted(results[action]):
                break
        return combined("all", list(results.values()))

    return run


def _ours(places: Mapping[str, runs.Where], *, full: bool, dry_run: bool) -> dict[str, runs.Run]:
    """Our own actions with their hooks, each in its place."""
    collect, purge = runs.collect(full=full, dry_run=dry_run), runs.purge(dry_run=dry_run)
    after_collect = places.get("collect") not in (None, runs.Where.PEERS)
    stage = runs.stage(full=full, dry_run=dry_run, after_collect=after_collect)
    store = runs.store(full=full, dry_run=dry_run, after_stage="stage" in places)
    here = {
        "stage": runs.hooked("stage", stage, dry_run=dry_run),
        "store": runs.hooked("store", store, dry_run=dry_run),
    }
    reaching = {
        action.value: runs.reaching(action, run, places[action], full=full, dry_run=dry_run)
        for action, run in ((ManagedAction.COLLECT, collect), (ManagedAction.PURGE, purge))
        if action in places
    }
    return {**here, **reaching}


def _places(config: Config, where: runs.Where) -> dict[str, runs.Where]:
    """The actions that the configuration has tables or managed peers for, in order, and where each is run.

    Raises:
        ConfigError: there is none, and no extension either.
    """
    from cedarchest.actions.managed import managed_peers, require_managed

    tables = {
        "collect": config.collect and (config.collect.source or config.collect.command),
        "stage": config.peer,
        "store": config.store,
        "purge": config.purge.dir,
    }
    if where is not runs.Where.HERE:
        require_managed(config, list(ManagedAction))
    reached = {action.value for action in ManagedAction if managed_peers(config, action)}
    places = {}
    for action, table in tables.items():
        here = bool(table) and where is not runs.Where.PEERS
        away = action in reached and where is not runs.Where.HERE
        if here or away:
            places[action] = (
                runs.Where.BOTH if here and away else runs.Where.HERE if here else runs.Where.PEERS
            )
    if places or config.extension:
        return places
    raise ConfigError(
        "the configuration says nothing of collect, stage, store or purge",
        advice="Add [[collect.source]], [[peer]], [store] or [[purge.dir]].",
    )


def _must_wait(action: str, needs: tuple[str, ...], unmet: set[str], config: Config) -> str:
    """Why an action is not to be run now; empty where it may be."""
    if action == "purge":
        unproven = [str(folder.path) for folder in config.purge.dir if not folder.require_stored]
        if unproven and "store" in unmet:
            return f"purge: nothing was stored, and {unproven[0]} would be purged without a proof"
    missed = [each for each in needs if each in unmet]
    return f"{action}: it needs {missed[0]}, which did not do its work" if missed else ""


def _earlier(results: Mapping[str, Result]) -> dict[str, Earlier]:
    """What an extension is told of the night so far."""
    from cedarchest.extension import Earlier

    return {
        action: Earlier(result.exit_code, tuple(result.days), tuple(result.discs))
        for action, result in results.items()
    }
