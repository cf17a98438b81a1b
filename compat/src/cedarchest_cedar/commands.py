"""The commands of Cedar Backup: `cback` and `cback3`.

Switches, log, screen and exit status are Cedar Backup's: 2 for the command line, 3 for the log, 4 for the
configuration, 5 for an interrupt, and 6 for whatever else was not as it should be.
"""

from __future__ import annotations

import contextlib
import getopt
import logging
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cedarchest import __version__
from cedarchest.errors import CedarchestError, ConfigError, ExitCode, Interrupted, LoggingFailed
from cedarchest.invocation import prepare_streams
from cedarchest_cedar.logs import logging_as
from cedarchest_cedar.options import Options, Switch
from cedarchest_cedar.util import Diagnostics

log = logging.getLogger(__name__)

STACK = 1
"""What Python itself ends with after a stack trace."""

ACTIONS = """
Actions: collect, stage, store and purge, several of them in any order, and with them extensions that the
configuration names; or one of all, rebuild, validate and initialize. They are run in the order that the
configuration gives them.
"""


@dataclass(frozen=True, slots=True)
class Program:
    """A command under one of its names, with what it takes where nothing is named."""

    name: str
    config: Path
    logfile: Path
    usage: str = "[SWITCH]... ACTION..."
    told: str = ACTIONS


CBACK = Program("cback", Path("/etc/cback.conf"), Path("/var/log/cback.log"))
CBACK3 = Program("cback3", Path("/etc/cback3.conf"), Path("/var/log/cback3.log"))


def cback() -> None:
    """The command of Cedar Backup 2."""
    sys.exit(main(sys.argv[1:], CBACK))


def cback3() -> None:
    """The command of Cedar Backup 3."""
    sys.exit(main(sys.argv[1:], CBACK3))


def main(arguments: Sequence[str], program: Program) -> int:
    """Run the actions of a command line; gives the exit status."""
    return command(arguments, program, Options, _run_actions)


def command(
    arguments: Sequence[str],
    program: Program,
    options_of: Callable[[Sequence[str]], Options],
    work: Callable[[Options, Program], int],
) -> int:
    """Read a command line, open the log, do the work; gives the exit status."""
    prepare_streams()
    try:
        options = options_of(arguments)
    except (getopt.GetoptError, ValueError) as error:
        sys.stderr.write(f"{program.name}: {error}\n  `{program.name} --help` says what there is.\n")
        return ExitCode.USAGE
    if options.help:
        sys.stdout.write(usage(program, options.switches))
        return ExitCode.OK
    if options.version:
        sys.stdout.write(f"{program.name} of cedarchest {__version__}, in place of Cedar Backup's\n")
        return ExitCode.OK
    if options.diagnostics:
        Diagnostics().printDiagnostics()
        return ExitCode.OK
    logfile = Path(options.logfile) if options.logfile else program.logfile
    try:
        with logging_as(options, logfile):
            return _logged(options, program, work)
    except LoggingFailed as error:
        if not options.quiet:
            sys.stderr.write(f"{program.name}: {error.message}\n  {error.advice}\n")
        return ExitCode.LOGGING


def usage(program: Program, switches: Sequence[Switch]) -> str:
    """What there is, for a person."""
    lines = [
        f"Usage: {program.name} {program.usage}",
        program.told.rstrip(),
        "",
        "Switches, before all else:",
    ]
    for each in switches:
        name = f"-{each.letter}, --{each.name}" + (" VALUE" if each.has_value else "")
        lines.append(f"  {name:<28}{each.purpose.format(config=program.config, logfile=program.logfile)}")
    listed = "\n".join(lines)
    return textwrap.dedent(f"""{listed}

Exit status: 0 done; 2 usage; 3 logging; 4 configuration; 5 interrupted; 6 failed, or something left out.
""")


def _logged(options: Options, program: Program, work: Callable[[Options, Program], int]) -> int:
    log.info("%s of cedarchest %s: %s", program.name, __version__, options.buildArgumentString())
    try:
        status = work(options, program)
    except (Interrupted, KeyboardInterrupt):
        if options.stacktrace:
            raise
        status = ExitCode.INTERRUPTED
    if status == ExitCode.INTERRUPTED:
        log.error("interrupted; run the same command again, and it goes on where this one stopped")
    log.info("ended with %d", status)
    return status


def _run_actions(options: Options, program: Program) -> int:
    from cedarchest.config.load import load
    from cedarchest_cedar.running import CedarRun

    config_path = options.config or str(program.config)
    with told(options) as reading:
        run = CedarRun(options, config_path, load(Path(config_path)))
    if reading.failed:
        return ExitCode.CONFIG
    for line in run.warnings():
        log.warning("%s: %s", config_path, line)
    log.info("the order of actions: %s", ", ".join(run.order))
    well = False
    with told(options) as running:
        well = run.run()
    return ExitCode.OK if well and not running.failed else ExitCode.FAILED


@dataclass
class Told:
    """What failed, and was told."""

    error: Exception | None = None

    @property
    def failed(self) -> bool:
        """Whether there was a failure."""
        return self.error is not None


@contextlib.contextmanager
def told(options: Options) -> Iterator[Told]:
    """Have a failure logged, or with `--stack` shown as Python shows it."""
    kept = Told()
    try:
        yield kept
    except Interrupted:
        raise
    except Exception as error:
        if options.stacktrace:
            raise
        kept.error = error
        log.debug("where", exc_info=True)
    if (failure := kept.error) is not None:
        log.error("%s", failure if str(failure) else type(failure).__name__)
        if isinstance(failure, CedarchestError) and failure.advice and failure.advice != ConfigError.advice:
            log.error("  %s", failure.advice)
