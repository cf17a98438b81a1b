"""A run of the program at work, for tests that interrupt or kill it."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.conftest import Project

_PROGRAM = """
import sys
import cedarchest.wiring, cedarchest.actions.{action}, cedarchest.report.text, cedarchest.config.load
from cedarchest.cli import run
print("ready", flush=True)
sys.exit(run(sys.argv[1:]))
"""


def started(project: Project, action: str, *arguments: str) -> subprocess.Popen[bytes]:
    """An action at work, in a process group of its own, once the program is loaded.

    What it leaves when it is killed goes with the project.
    """
    scratch = project.root / "tmp"
    scratch.mkdir(exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM.format(action=action), "-c", str(project.config), action, *arguments],
        env={**os.environ, "TMPDIR": str(scratch), **project.environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        cwd=project.root,
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process
