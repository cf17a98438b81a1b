"""`cback3-span`: staged days that no disc takes alone, over several; asked at a terminal, and nowhere else.

The store action plans the set, writes each disc, reads it back, and goes on where a run was stopped. Here
it is only asked whether that is wanted.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from cedarchest import runs
from cedarchest.config.load import Loaded, load
from cedarchest.config.store import Store
from cedarchest.errors import ExitCode
from cedarchest.report.outcome import Outcome
from cedarchest.wiring import keep_secrets
from cedarchest_cedar.commands import Program, command, told
from cedarchest_cedar.options import Options, SpanOptions
from cedarchest_cedar.running import Acting, cedar_file

log = logging.getLogger(__name__)

TOLD = """
Staged days that are not stored go to as many discs as they need. At a terminal it is asked before anything
is written, and for each disc; without one, or with --yes, all answers are yes, and the run ends where
another disc is needed: insert it, and run the same command again.
"""
CBACK_SPAN = Program("cback-span", Path("/etc/cback.conf"), Path("/var/log/cback.log"), "[SWITCH]...", TOLD)
CBACK3_SPAN = Program(
    "cback3-span", Path("/etc/cback3.conf"), Path("/var/log/cback3.log"), "[SWITCH]...", TOLD
)


def cback_span() -> None:
    """The command of Cedar Backup 2."""
    sys.exit(main(sys.argv[1:], CBACK_SPAN))


def cback3_span() -> None:
    """The command of Cedar Backup 3."""
    sys.exit(main(sys.argv[1:], CBACK3_SPAN))


def main(arguments: Sequence[str], program: Program) -> int:
    """Span what waits; gives the exit status."""
    return command(arguments, program, SpanOptions, _span)


def _span(options: Options, program: Program) -> int:
    config_path = options.config or str(program.config)
    with told(options) as reading:
        loaded = cedar_file(config_path, load(Path(config_path)))
        store = loaded.config.require_store()
        loaded.config.require_stage()
    if reading.failed:
        return ExitCode.CONFIG
    well = False
    with told(options) as running:
        well = _asked(options, config_path, loaded, store)
    return ExitCode.OK if well and not running.failed else ExitCode.FAILED


def _asked(options: Options, config_path: str, loaded: Loaded, store: Store) -> bool:
    """Ask, plan, ask again, store; whether nothing was left out."""
    acting = Acting(config_path, loaded.config)
    asks = not getattr(options, "yes", False) and sys.stdin.isatty() and sys.stdout.isatty()
    devices = ", ".join(map(str, store.device))
    _say(f"staging dir: {loaded.config.require_stage().dir}", f"drive: {devices}")
    if asks and not (_yes("Continue?") and _wait(f"Put the first disc into {devices}")):
        return True
    plan = acting.act("store", runs.store(full=False, dry_run=True), reads=True, recorded_too=False)
    acting.tell(plan)
    _say(*plan.text)
    if plan.outcome is Outcome.NOTHING_TO_DO or (asks and not _yes("Accept this?")):
        return acting.is_well
    keep_secrets(loaded.secrets)
    result = acting.act("store", runs.store(full=False, dry_run=False))
    _say(*result.text)
    acting.tell(result)
    return acting.is_well


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def _yes(question: str) -> bool:
    """Whether a person says yes, which nothing but Enter does as well; the end of all input is a no."""
    while True:
        answer = _answer(f"{question} [Y/n]: ")
        if answer in {"\n", "y\n", "Y\n", "yes\n"}:
            return True
        if answer.strip().lower() in {"", "n", "no"}:
            return False


def _wait(wish: str) -> bool:
    return _answer(f"{wish}, and press Enter: ") != ""


def _answer(text: str) -> str:
    sys.stdout.write(f"\n{text}")
    sys.stdout.flush()
    return sys.stdin.readline()
