"""A run of `cback3`: actions of ours, extensions between them, hooks round them, in Cedar Backup's order.

Our actions do the work, with what `-c` makes of the XML. What they leave to be decided here is what Cedar
Backup's words mean: which of them run, when a failure stops the rest, and which exit status that is.
"""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from cedarchest import recorded, runs
from cedarchest.actions.initialize import InitializeOptions, execute_initialize
from cedarchest.actions.managed import SAID_LINES
from cedarchest.actions.rebuild import execute_rebuild
from cedarchest.actions.room import warn_of_room
from cedarchest.actions.store import StoreOptions
from cedarchest.actions.validate import execute_validate
from cedarchest.adapters.hooks import HookPrograms
from cedarchest.config.cedar.commands import words_of
from cedarchest.config.cedar.reading import first
from cedarchest.config.cedar.sections import CedarConfig, Peer
from cedarchest.config.cedar.translate import OWN_EXTENSIONS, Migrated
from cedarchest.config.choices import ManagedAction
from cedarchest.config.load import Loaded
from cedarchest.config.model import Config as OurConfig
from cedarchest.config.wording import command_place
from cedarchest.errors import (
    CedarchestError,
    ConfigError,
    ExitCode,
    ExtensionFailed,
    Interrupted,
    MediaError,
    PeerError,
    UnexpectedFailure,
)
from cedarchest.model.days import format_day
from cedarchest.model.names import readable
from cedarchest.ports import Ports
from cedarchest.report import text
from cedarchest.report.outcome import Outcome, Result
from cedarchest.report.progress import ProgressReporter
from cedarchest.report.stored import stored
from cedarchest.wiring import journal_of, keep_secrets, wired
from cedarchest_cedar.config import Config
from cedarchest_cedar.options import Options
from cedarchest_cedar.ordering import Extension, extensions_of, in_order
from cedarchest_cedar.util import PathResolverSingleton, getFunctionReference

log = logging.getLogger(__name__)

Function = Callable[[str, Options, Config], object]

ANSWERED_ELSEWHERE = ("<action> ", "<pre_action_hook> ", "<post_action_hook> ")
"""Beginnings of what a translation cannot take over, and this run does."""

SECTIONS = {"collect": "collect", "stage": "stage", "store": "store", "rebuild": "store", "purge": "purge"}
"""The section that an action cannot do without."""


def cedar_file(config_path: str, loaded: Loaded) -> Loaded:
    """What was read, if it is of Cedar Backup.

    Raises:
        ConfigError: it is not.
    """
    if loaded.cedar is None:
        raise ConfigError(
            f"{readable(config_path)} is no XML of Cedar Backup's",
            advice="Give a file of cedarchest's own to `cedarchest -c`.",
        )
    return loaded


class Acting:
    """Runs our actions with a configuration whose hooks are not run, and tells what came of them."""

    def __init__(self, config_path: str, config: OurConfig) -> None:
        self.path = Path(config_path).absolute()
        self.config = config.model_copy(update={"hook": ()})
        self.reporter = ProgressReporter(quiet=True)
        self.is_well = True

    def act(
        self,
        word: str,
        run: runs.Run,
        *,
        reads: bool = False,
        needs_catalog: bool = True,
        recorded_too: bool = True,
    ) -> Result:
        """Run an action, recorded in the journal."""

        def work() -> Result:
            with wired(self.config, self.reporter, read_only=reads, needs_catalog=needs_catalog) as ports:
                return run(self.path, self.config, ports)

        gc.disable()  # as for `cedarchest`: entries by the hundred thousand, and hardly a cycle among them
        try:
            return recorded.journalled(word, self.config, self.reporter, work) if recorded_too else work()
        finally:
            gc.enable()

    def tell(self, result: Result) -> None:
        """Log what came of an action.

        Raises:
            CedarchestError: it failed.
        """
        for line in result.text:
            log.info("%s", line)
        for line in result.left_out:
            log.error("%s: %s", result.action, line)
            self.is_well = False
        for problem in result.problems[1:]:
            log.error("%s", problem.message)
        if result.problems:
            raise _first(result)
        if result.exit_code and not result.left_out:
            raise UnexpectedFailure(f"{result.action} ended with {result.exit_code}")


class CedarRun(Acting):
    """The actions of a command line, with one configuration."""

    def __init__(self, options: Options, config_path: str, loaded: Loaded, *, hooks: bool = True) -> None:
        """See that all that is asked for can be run; nothing is run yet.

        Raises:
            ConfigError: something cannot.
        """
        super().__init__(config_path, cedar_file(config_path, loaded).config)
        assert loaded.cedar is not None
        self._options, self._config_path, self._has_hooks = options, config_path, hooks
        self._made: Migrated = loaded.cedar
        self._secrets = loaded.secrets
        self._cedar: CedarConfig = loaded.cedar.config
        self._facade = Config()
        self._facade.take(self._cedar)
        self._facade.stateDir = str(self.config.options.state_dir)
        self._facade.validate()
        self._extensions = extensions_of(self._cedar)
        self.order = in_order(options.actions, self._cedar)
        self._functions = self._loaded_functions()
        overrides = self._cedar.options.overrides if self._cedar.options else {}
        PathResolverSingleton.getInstance().fill(overrides)

    def warnings(self) -> list[str]:
        """What is to be said of the XML: what has no effect."""
        report = self._made.report
        untaken = (line for line in report.untaken if not line.startswith(ANSWERED_ELSEWHERE))
        return [
            *(f"Cedar Backup ignored: {line}" for line in report.ignored),
            *(f"is not taken over: {line}" for line in untaken),
        ]

    def run(self) -> bool:
        """Run all actions; whether nothing was left out.

        Raises:
            CedarchestError: an action failed, and those after it were not run.
        """
        keep_secrets(self._secrets)
        for word in self.order:
            if not self._options.managedOnly:
                self._here(word)
            if self._options.managed or self._options.managedOnly:
                self._on_peers(word)
        return self.is_well

    # -- here -------------------------------------------------------------------------------------

    def _here(self, word: str) -> None:
        self._run_hooks(word, before=True)
        log.info("%s begins", word)
        extension = self._extensions.get(word)
        if extension is None:
            self._run_ours(word)
        elif word in self._functions:
            self._run_foreign(extension)
        else:
            self._run_native(extension)
        self._run_hooks(word, before=False)

    def _run_hooks(self, word: str, *, before: bool) -> None:
        """Run the commands that go with an action; one that fails ends the run, one after it as well."""
        options = self._cedar.options if self._has_hooks else None
        for hook in options.hooks if options else ():
            argv = words_of(hook.command or "")
            if hook.action == word and hook.is_before is before and argv:
                when = "before" if before else "after"
                HookPrograms().run(argv, {"CEDARCHEST_ACTION": word, "CEDARCHEST_WHEN": when})

    def _run_ours(self, word: str) -> None:
        section = SECTIONS.get(word)
        if section and getattr(self._cedar, section) is None:
            raise ConfigError(
                f"{readable(self._config_path)} has no <{section}>, so there is nothing to {word}",
                advice=f"Add the section, or leave {word} out of the command.",
            )
        if word == "purge" and not self._cedar.purge:
            log.info("purge names no folder, so there is nothing to purge")
            return
        if word == "validate":
            self._check_extensions()
        full = self._options.full
        acts: Mapping[str, Callable[[], Result]] = {
            "collect": lambda: self._collects(
                word, runs.collect(full=full, dry_run=False, only=self._left_to_collect())
            ),
            "stage": lambda: self.act(word, runs.stage(full=full, dry_run=False), reads=True),
            "store": lambda: self.act(word, runs.store(full=full, dry_run=False)),
            "purge": lambda: self.act(word, runs.purge(dry_run=False), reads=True),
            "rebuild": lambda: self.act(word, _rebuild),
            "validate": lambda: self.act(word, _validate, reads=True, recorded_too=False),
            "initialize": lambda: self.act(word, _initialize),
        }
        result = acts[word]()
        if word == "purge":
            self._tell_of_absent_folders()
        self.tell(result)
        has_stored = result.outcome is not Outcome.NOTHING_TO_DO or result.left_out
        if word == "store" and not has_stored and not self._was_nothing_staged():
            raise MediaError(
                "there is nothing to store: no staged day waits",
                advice="Stage a day first; it is staged when it holds cback.stage.",
            )

    def _tell_of_absent_folders(self) -> None:
        """Have it seen where there is no folder to purge: Cedar Backup failed there, ours only warns."""
        for folder in self.config.purge.dir:
            if not folder.path.exists():
                log.error("purge: %s is not there", readable(str(folder.path)))
                self.is_well = False

    def _was_nothing_staged(self) -> bool:
        """Whether the last stage found nothing new: Cedar Backup would have staged a day without files."""
        journal, clock = journal_of(self.config)
        stages = [run for run in journal.runs() if run.action == "stage"]
        if not stages or clock.now() - stages[-1].began > timedelta(days=1):
            return False
        day = self.config.require_stage().dir / format_day(stages[-1].began.date())
        return stages[-1].outcome == Outcome.NOTHING_TO_DO and not day.is_dir()

    def _collects(self, word: str, run: runs.Run) -> Result:
        """Run what needs no catalog."""
        return self.act(word, run, reads=True, needs_catalog=False)

    # -- extensions -------------------------------------------------------------------------------

    def _loaded_functions(self) -> dict[str, Function]:
        """The functions of extensions that others wrote and that are to be run."""
        found: dict[str, Function] = {}
        for word in () if self._options.managedOnly else self.order:
            extension = self._extensions.get(word)
            if extension is not None and extension.module not in OWN_EXTENSIONS:
                found[word] = _loaded(extension)
        return found

    def _check_extensions(self) -> None:
        """Tell which extensions could not be loaded."""
        for extension in self._extensions.values():
            if extension.module in OWN_EXTENSIONS:
                continue
            if problem := _why_not_loaded(extension):
                log.error("%s", problem)
                self.is_well = False

    def _run_foreign(self, extension: Extension) -> None:
        function = self._functions[extension.name]
        before = dict(os.environ)
        os.environ["LANG"] = "C"
        try:
            function(self._config_path, self._options, self._facade)
        except (Exception, SystemExit) as error:
            if isinstance(error, CedarchestError):
                raise
            raise ExtensionFailed(
                f"the extension {extension.name} failed: {error}",
                advice="--stack shows where it failed.",
            ) from error
        finally:
            os.environ.clear()
            os.environ.update(before)

    def _dumped_by(self, extension: Extension) -> frozenset[str]:
        """Sources and commands that `collect` has for an extension of Cedar Backup's own."""
        several = self._made.dumped.get(extension.module.rpartition(".")[2], ())
        return frozenset(str(Path(each)) if each.startswith("/") else each for each in several)

    def _left_to_collect(self) -> frozenset[str] | None:
        """What `collect` does itself: all that no word of its own does."""
        own = [each for each in self._extensions.values() if each.module in OWN_EXTENSIONS]
        elsewhere = frozenset().union(*map(self._dumped_by, own))
        if not elsewhere or self.config.collect is None:
            return None
        collect = self.config.collect
        everything = {
            *(str(source.path) for source in collect.source),
            *(command_place(command.name) for command in collect.command),
        }
        for each in own:
            if each.name not in self.order and self._dumped_by(each):
                log.warning("%s is not run: its name is not in the command", each.name)
        return frozenset(everything - elsewhere)

    def _run_native(self, extension: Extension) -> None:
        """Do what an extension of Cedar Backup's own did, where no action does it by itself."""
        kind = extension.module.rpartition(".")[2]
        if kind == "split":
            log.info("%s: nothing is to be done; store cuts what no disc takes", extension.name)
        elif kind == "capacity":
            self._check_room(extension.name)
        elif dumped := self._dumped_by(extension):
            run = runs.collect(full=self._options.full, dry_run=False, only=dumped, part=True)
            self.tell(self._collects(extension.name, run))
        else:
            raise ConfigError(
                f"{extension.name} has nothing to do: {readable(self._config_path)} has no <{kind}> that says"
                " what, or no <collect>",
                advice="Add the section, or leave the word out of the command.",
            )

    def _check_room(self, name: str) -> None:
        """Have it seen on the screen where a disc has less room than is wished."""
        with wired(self.config, self.reporter, read_only=True) as ports:
            heard = _Hearing()
            labels = [disc.label for disc in ports.catalog.discs()]
            warn_of_room(self.config, labels, replace(ports, reporter=heard))
        for line in heard.warnings:
            log.error("%s: %s", name, line)

    # -- peers ------------------------------------------------------------------------------------

    def _on_peers(self, word: str) -> None:
        peers = [peer for peer in self._managed_peers() if word in self._wanted(peer)]
        if not peers:
            log.info("no managed peer is there for %s", word)
        elif word in set(ManagedAction):
            run = runs.reaching(
                ManagedAction(word), _nothing, runs.Where.PEERS, full=self._options.full, dry_run=False
            )
            self._tell_of_peers(self._collects(word, run))
        else:
            for peer in peers:
                self._on_peer(peer, word)

    def _tell_of_peers(self, result: Result) -> None:
        """Log what came of an action on peers, which stops nothing."""
        for line in result.text:
            log.info("%s", line)
        for line in result.left_out:
            log.error("%s", line)
        for problem in result.problems:
            if isinstance(problem, Interrupted):
                raise problem
            log.error("%s", problem.message)
        self.is_well = self.is_well and not result.exit_code

    def _managed_peers(self) -> list[Peer]:
        own = self._cedar.stage.peers if self._cedar.stage else ()
        peers = own or self._cedar.peers or ()
        return [peer for peer in peers if peer.managed and peer.name and peer.collect_dir]

    def _wanted(self, peer: Peer) -> tuple[str, ...]:
        general = self._cedar.options.managed_actions if self._cedar.options else None
        return first(peer.managed_actions, general) or ()

    def _on_peer(self, peer: Peer, word: str) -> None:
        """Run an action there that the master of ours has no part in."""
        general = self._cedar.options.cback_command if self._cedar.options else None
        command = words_of(first(peer.cback_command, general) or "")
        argv = [*command, *(["--full"] if self._options.full else []), word]
        problem = "" if command else f"no <cback_command> says how {word} is run on {peer.name}"
        if command:
            try:
                with wired(self.config, self.reporter, read_only=True, needs_catalog=False) as ports:
                    came = ports.peers.act(peer.name or "", argv)
                if came.status != ExitCode.OK:
                    said = " / ".join(readable(line.strip()) for line in came.said[-SAID_LINES:])
                    problem = f"{word} on {peer.name} ended with {came.status}: {said}"
            except PeerError as error:
                problem = error.message
        if problem:
            log.error("%s", problem)
            self.is_well = False


class _Hearing(ProgressReporter):
    """Keeps warnings, and logs none."""

    def __init__(self) -> None:
        super().__init__(quiet=True)

    def warn(self, message: str) -> None:
        """Something to know."""
        self.warnings.append(message)


def _loaded(extension: Extension) -> Function:
    """The function of an extension that somebody else wrote.

    Raises:
        ConfigError: it cannot be loaded.
    """
    try:
        return getFunctionReference(extension.module, extension.function)
    except Exception as error:
        raise ConfigError(
            f"the extension {extension.name} cannot be loaded from {extension.module}.{extension.function}:"
            f" {type(error).__name__}: {error}",
            advice="Install its module where this Python finds it, or name its folder in PYTHONPATH.",
        ) from error


def _why_not_loaded(extension: Extension) -> str:
    try:
        _loaded(extension)
    except ConfigError as error:
        return error.message
    return ""


def _first(result: Result) -> CedarchestError:
    """The failure that a run ends with: an interrupt before all others."""
    return next((each for each in result.problems if isinstance(each, Interrupted)), result.problems[0])


def _rebuild(path: Path, config: OurConfig, ports: Ports) -> Result:
    report = execute_rebuild(path, StoreOptions(), config, ports=ports)
    return stored("rebuild", report, dry_run=False)


def _validate(path: Path, config: OurConfig, ports: Ports) -> Result:
    return text.validated(path, execute_validate(config, ports=ports))


def _initialize(_path: Path, config: OurConfig, ports: Ports) -> Result:
    """Whoever starts this is not asked again; a disc that is not ours is refused all the same."""
    options = InitializeOptions(confirmed=True)
    return text.initialized(execute_initialize(config, options, ports=ports, confirm=lambda _question: True))


def _nothing(_path: Path, _config: object, _ports: Ports) -> Result:
    raise AssertionError("this is not run here")
