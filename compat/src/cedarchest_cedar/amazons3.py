"""`cback3-amazons3-sync`, which is not done here: it says so, and fails."""

from __future__ import annotations

import logging
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from cedarchest.config.wording import shown
from cedarchest.errors import ExitCode
from cedarchest_cedar.commands import Program, command
from cedarchest_cedar.options import Options, SyncOptions

log = logging.getLogger(__name__)

TOLD = """
Nothing is copied to S3 by cedarchest: this ends with 6 whatever is named, and says what does it.
"""
CBACK_SYNC = Program(
    "cback-amazons3-sync", Path(), Path("/var/log/cback.log"), "[SWITCH]... FOLDER s3://BUCKET/PATH", TOLD
)
CBACK3_SYNC = Program(
    "cback3-amazons3-sync", Path(), Path("/var/log/cback3.log"), "[SWITCH]... FOLDER s3://BUCKET/PATH", TOLD
)


def cback_amazons3_sync() -> None:
    """The command of Cedar Backup 2."""
    sys.exit(main(sys.argv[1:], CBACK_SYNC))


def cback3_amazons3_sync() -> None:
    """The command of Cedar Backup 3."""
    sys.exit(main(sys.argv[1:], CBACK3_SYNC))


def main(arguments: Sequence[str], program: Program) -> int:
    """Say that it is not done; gives the exit status."""
    return command(arguments, program, SyncOptions, _refuse)


def _refuse(options: Options, program: Program) -> int:
    folder, address = options.actions
    delete = [] if getattr(options, "uploadOnly", False) else ["--delete"]
    argv = shlex.join(["aws", "s3", "sync", *delete, folder, address])
    what = f"{shown(folder)} was not copied to {shown(address)}"
    log.error("%s: %s of cedarchest copies nothing", what, program.name)
    log.error("  This does, without comparing afterwards: %s", argv)
    return ExitCode.FAILED
