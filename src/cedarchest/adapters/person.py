"""Whoever sits at the terminal: asked on standard error, answers on standard input."""

from __future__ import annotations

import sys

from cedarchest.model.names import readable


class TerminalPerson:
    """A person, where both standard input and standard error are a terminal."""

    def is_there(self) -> bool:
        """Whether there is somebody to ask."""
        return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))

    def changes_disc(self, problem: str, advice: str) -> bool:
        """Say which disc is wanted, and wait for Enter; an answer of any kind ends the waiting."""
        print(f"\n{readable(problem)}\n{readable(advice)}", file=sys.stderr)  # noqa: T201
        print("Press Enter when it is in the drive, or type q and Enter to end: ", end="", file=sys.stderr)  # noqa: T201
        sys.stderr.flush()
        answer = sys.stdin.readline()
        return answer == "\n"
