"""The administrator's own programs, before and after an action."""

from __future__ import annotations

from collections.abc import Mapping

from cedarchest.config.choices import HookTime
from cedarchest.config.model import Config
from cedarchest.errors import HookFailed
from cedarchest.ports import Ports


def run_before(config: Config, action: str, *, ports: Ports) -> None:
    """Run what is to be done before an action, in the order of the configuration.

    Raises:
        HookFailed: one of them failed: the action must not begin.
    """
    for argv in _programs(config, action, HookTime.BEFORE):
        ports.hooks.run(argv, _told(action, HookTime.BEFORE))


def run_after(config: Config, action: str, status: int, *, ports: Ports) -> tuple[str, ...]:
    """Run what is to be done after an action, whatever came of it; gives a line for each that failed.

    Each is told the exit status of the action, so that it can tell success from failure.
    """
    failures = []
    for argv in _programs(config, action, HookTime.AFTER):
        try:
            ports.hooks.run(argv, {**_told(action, HookTime.AFTER), "CEDARCHEST_STATUS": str(status)})
        except HookFailed as error:
            failures.append(error.message)
    return tuple(failures)


def _programs(config: Config, action: str, when: HookTime) -> list[tuple[str, ...]]:
    return [hook.argv for hook in config.hook if (hook.action, hook.when) == (action, when)]


def _told(action: str, when: HookTime) -> Mapping[str, str]:
    return {"CEDARCHEST_ACTION": action, "CEDARCHEST_WHEN": when}
