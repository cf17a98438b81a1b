"""Sections `options` and hooks as our tables."""

from __future__ import annotations

from cedarchest.config.cedar.commands import words_of
from cedarchest.config.cedar.draft import Draft
from cedarchest.config.cedar.sections import CedarConfig, Hook, Options
from cedarchest.config.choices import ActionName
from cedarchest.config.wording import shown

HOOKED = ("collect", "stage", "store", "rebuild", "purge", "validate", "initialize")
"""Actions that hooks of Cedar Backup fire on and that are actions of ours."""

DISC_TOOLS = frozenset(
    {"cdrecord", "wodim", "growisofs", "mkisofs", "genisoimage", "eject", "mount", "umount", "volname"}
)

FAILING_HOOKS = (
    "hooks: an `after` runs whatever came of its action, and a program that fails there makes the run end"
    " with 11; Cedar Backup ran it after a success only, and stopped all that came later with 6."
)


def write_options(config: CedarConfig, draft: Draft) -> None:
    """Table `[options]`."""
    options = config.options
    if options is None:
        draft.missing.append("<options>: is missing; our defaults stand, such as monday for the starting day")
        return
    draft.table("options")
    draft.put("starting_day", options.starting_day)
    draft.put(
        "working_dir",
        options.working_dir,
        "What changed since the last run, catalog and journal are in `state_dir`, not here.",
    )
    draft.put("user", options.backup_user, "Who owns what root collects.")
    draft.put("group", options.backup_group)
    for name in ("starting_day", "working_dir", "backup_user", "backup_group"):
        if getattr(options, name) is None:
            draft.missing.append(f"<{name}> in options: is missing; our default stands")
    draft.taken.append("<options>: starting day, working dir, owner of what is collected")


def write_overrides(options: Options | None, used: set[str], draft: Draft) -> None:
    """Report what becomes of `<override>`; `used` are commands whose paths were taken."""
    for command, path in (options.overrides if options else {}).items():
        what = f"<override> of {shown(command)} by {shown(path)}"
        if command in used:
            draft.taken.append(f"{what}: in the command that runs it")
        elif command in DISC_TOOLS:
            draft.differs(f"{what}: is not needed; discs are written and read by xorriso, as found on PATH")
        else:
            draft.untaken.append(f"{what}: programs are found on PATH; put it there if it is needed")


def write_hooks(config: CedarConfig, draft: Draft) -> None:
    """Tables `[[hook]]`."""
    for hook in config.options.hooks if config.options else ():
        _write_hook(hook, config, draft)


def _write_hook(hook: Hook, config: CedarConfig, draft: Draft) -> None:
    when = "before" if hook.is_before else "after"
    what = f"<{'pre' if hook.is_before else 'post'}_action_hook> of {shown(hook.action or '')}"
    argv = words_of(hook.command or "")
    if not hook.action or not argv:
        draft.missing.append(f"{what}: has no action or no command, and is left out")
    elif hook.action == ActionName.ALL:
        draft.untaken.append(f"{what}: never ran, for Cedar Backup fires no hooks on `all`; it is left out")
    elif hook.action not in HOOKED:
        known = any(hook.action == action.name for action in config.actions or ())
        why = "its extension runs with `collect` now, or not at all" if known else "no such action ever ran"
        draft.untaken.append(f"{what}: {why}; it is left out")
    else:
        draft.table("hook", several=True)
        draft.put("action", hook.action)
        draft.put("when", when)
        draft.put("argv", argv)
        draft.taken.append(f"{what}: {shown(argv[0])} {when} the action")
        if not hook.is_before:
            draft.differs(FAILING_HOOKS)
