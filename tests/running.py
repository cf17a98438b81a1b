"""A run of the program at work, for tests that interrupt or kill it."""

from __future__ import annotations

import os

from tests.conftest import Project
from tests.forked import AtWork


def started(project: Project, *arguments: str, path: str = "") -> AtWork:
    """A run in a process group of its own; what it leaves when it is killed goes with the project."""
    scratch = project.root / "tmp"
    scratch.mkdir(exist_ok=True)
    environ = {**os.environ, "TMPDIR": str(scratch), **project.environ}
    return AtWork(
        ["-c", str(project.config), *arguments],
        environ={**environ, "PATH": path} if path else environ,
        cwd=project.root,
        scratch=scratch,
    )
