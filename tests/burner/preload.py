"""A pytest plugin: runs the tests in an interpreter that has the interposer preloaded.

So code under test may open the emulated /dev/sr0 in this very process, once FAKEBURN_SOCK is set. Loaded by
`-p tests.burner.preload` before capture starts, it builds the interposer and re-executes the interpreter
with the same arguments. Workers of xdist inherit the environment and need no second start.
"""

import os
import sys

import pytest
from tests.burner.interposer import NoCompilerError, build_interposer

ALREADY_TRIED = "FAKEBURN_PRELOAD_TRIED"


def available() -> bool:
    """Whether the interposer is in this process."""
    return any("/interposer-" in name for name in _preloaded())


def require() -> None:
    """Skip the calling test where there is no emulated drive; under CI=true that is a failure."""
    if available():
        return
    if os.environ.get("CI") == "true":
        pytest.fail("the interposer is not preloaded: is gcc installed?")
    pytest.skip("no emulated drive: the interposer is not preloaded (gcc missing?)")


def _preloaded() -> list[str]:
    return os.environ.get("LD_PRELOAD", "").replace(":", " ").split()


def _restart_with_interposer() -> None:
    try:
        library = str(build_interposer())
    except NoCompilerError:
        return
    environment = os.environ | {"LD_PRELOAD": ":".join([library, *_preloaded()]), ALREADY_TRIED: "1"}
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, sys.orig_argv, environment)


def _is_main_pytest() -> bool:
    """Not a worker, not a program that merely imports this module."""
    return "PYTEST_VERSION" in os.environ and "PYTEST_XDIST_WORKER" not in os.environ


if sys.platform == "linux" and _is_main_pytest() and not available() and ALREADY_TRIED not in os.environ:
    _restart_with_interposer()
