"""A configuration of Cedar Backup as our TOML, with a report.

`migrate` is the way in: bytes to a `Migrated`. Nothing is read or written here besides, and the same text is
what `-c` takes where it is given XML, so that both mean the same. What is written is held against our own
model before it is given away; only the reserved keys, which are there to be refused, are not.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cedarchest.config.cedar import parts, tree
from cedarchest.config.cedar.draft import Draft, Folders, Report, Secret
from cedarchest.config.cedar.left_behind import Left
from cedarchest.config.cedar.reading import Notes
from cedarchest.config.cedar.sections import Action, CedarConfig
from cedarchest.config.cedar.to_collect import write_collect, write_sources
from cedarchest.config.cedar.to_commands import write_commands
from cedarchest.config.cedar.to_options import write_hooks, write_options, write_overrides
from cedarchest.config.cedar.to_pool import write_peers, write_stage
from cedarchest.config.cedar.to_store import write_purge, write_store
from cedarchest.config.model import Config, told
from cedarchest.config.wording import shown
from cedarchest.errors import ConfigError

RESERVED = ("encrypt", "s3")
OWN_EXTENSIONS = frozenset(
    f"CedarBackup{version}.extend.{name}"
    for version in (2, 3)
    for name in (
        *("amazons3", "capacity", "encrypt", "mbox", "mysql", "postgresql", "split", "subversion", "sysinfo"),
    )
)
ADVICE = "Correct the XML, or name another file; nothing was taken over."


@dataclass(frozen=True, slots=True)
class Migrated:
    """What an XML became: TOML, the report on it, and files that it names and that hold what is secret.

    `left` is what runs of Cedar Backup may have left in its `working_dir`.
    """

    toml: str
    report: Report
    config: CedarConfig
    secrets: tuple[Secret, ...] = ()
    dumped: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """By extension of Cedar Backup's the sources and commands that `collect` does for it."""
    working_dir: str = ""
    left: tuple[Left, ...] = ()

    @property
    def mapping(self) -> Mapping[str, object]:
        """The configuration as plain values."""
        return tomllib.loads(self.toml)


def migrate(raw: bytes, *, base: Path, secrets_dir: Path, folders: Folders = lambda _path: None) -> Migrated:
    """Our configuration for one of Cedar Backup's. `base` is where relative paths of ours start.

    `folders` looks up repositories where the file names only the folder that they are in.

    Raises:
        ConfigError: it is no XML that is taken, or something in it is against the rules.
    """
    notes = Notes()
    config = parts.read_config(tree.parse(raw), notes)
    if notes.problems:
        raise _wrong(notes.problems)
    draft = Draft(secrets_dir, folders)
    _write(config, draft)
    report = draft.report(notes.ignored)
    _write_rest(report, draft)
    working_dir = config.options.working_dir if config.options else None
    migrated = Migrated(
        "\n".join(draft.lines) + "\n",
        report,
        config,
        tuple(draft.secrets),
        draft.dumped,
        working_dir or "",
        tuple(draft.left) if working_dir else (),
    )
    try:
        Config.from_mapping(without_reserved(migrated.mapping), base)
    except ConfigError as error:
        raise _wrong([f"as ours, {problem}" for problem in error.problems]) from None
    return migrated


def without_reserved(mapping: Mapping[str, object]) -> dict[str, object]:
    """The same without the keys that every action refuses; without a store that has nothing else."""
    store = mapping.get("store")
    if not isinstance(store, dict):
        return dict(mapping)
    kept = {key: value for key, value in store.items() if key not in RESERVED}
    others = {key: value for key, value in mapping.items() if key != "store"}
    return {**others, "store": kept} if kept else others


def _wrong(problems: list[str]) -> ConfigError:
    return ConfigError(told(problems), problems=problems, advice=ADVICE)


def _write(config: CedarConfig, draft: Draft) -> None:
    draft.say(
        "Configuration of cedarchest, made from one of Cedar Backup by `cedarchest migrate`.",
        "`cedarchest validate` tells whether all of it is there; what is not set here has its default.",
    )
    for name, text in config.reference.items():
        draft.say(f"{name.capitalize()}: {shown(text)}")
    if not config.reference:
        draft.missing.append("<reference>: is missing, or empty; it says nothing but who wrote the file")
    write_options(config, draft)
    collects = write_collect(config, draft)
    sources = write_sources(config.collect, draft) if collects and config.collect else set()
    used = write_commands(config, draft, sources, collects=collects)
    write_stage(config, draft)
    write_peers(config, draft)
    write_store(config, draft)
    write_purge(config.purge, draft)
    write_hooks(config, draft)
    _write_extensions(config, draft)
    write_overrides(config.options, used, draft)


def _write_extensions(config: CedarConfig, draft: Draft) -> None:
    if config.split or config.runs("split"):
        draft.differs(
            "<split>: a file is cut where a disc ends, and only then; the parts are joined by `cat`, and"
            " have digests. Nothing is to be set."
        )
    for action in config.actions or ():
        if action.module not in OWN_EXTENSIONS:
            _write_foreign(action, draft)


def _write_foreign(action: Action, draft: Draft) -> None:
    name, function = action.name or "", f"{action.module}.{action.function}"
    draft.untaken.append(
        f"<action> {shown(name)} in extensions, {shown(function)}: is left out, and what it did is not"
        " done. It runs once a package brings it as an extension of cedarchest and there is a table"
        f" [extension.{name}]"
    )


def _write_rest(report: Report, draft: Draft) -> None:
    """What did not become a key, for who reads the file later."""
    for title, lines in (
        ("Not taken over:", report.untaken),
        ("Cedar Backup ignored this, and so does this file:", report.ignored),
    ):
        if lines:
            draft.lines.append("")
            draft.say(title, *(f"- {line}" for line in lines))
