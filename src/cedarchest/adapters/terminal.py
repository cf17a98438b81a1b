"""Somebody at the terminal, who can do with a hand what no command can."""

from __future__ import annotations

import sys


def is_attended() -> bool:
    """Whether somebody can be asked."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr is not None and sys.stderr.isatty()


def ask(what: str) -> bool:
    """Ask for something to be done, and wait; False when the terminal is gone."""
    try:
        sys.stderr.write(f"{what} ")
        sys.stderr.flush()
        return bool(sys.stdin.readline())
    except OSError:
        return False
