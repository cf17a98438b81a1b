"""The program as it is run without a project: nothing of the tester's own configuration counts."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.conftest import REPOSITORY, Ran
from tests.forked import run_program

ACTIONS = (
    "init",
    "migrate",
    "all",
    "backup",
    "collect",
    "stage",
    "store",
    "rebuild",
    "purge",
    "verify",
    "audit",
    "discs",
    "seal",
    "copy",
    "catalog",
    "find",
    "history",
    "restore",
    "drives",
    "status",
    "validate",
    "initialize",
    "schedule",
)
NEEDED: Mapping[str, tuple[str, ...]] = {
    "find": ("fstab",),
    "migrate": ("cback3.conf",),
    "history": ("etc/fstab",),
    "backup": (".",),
    "seal": ("CC_20261122_001",),
    "copy": ("CC_20261122_001",),
    "catalog": ("rebuild",),
    "restore": ("--to", "restored"),
}
"""Arguments that an action cannot do without."""

SCHEMA = REPOSITORY / "docs/reference/json.schema.json"


def program(*arguments: str, cwd: Path, environ: Mapping[str, str] | None = None) -> Ran:
    """Run the program in a folder, whose `home` is the home folder; no configuration is named."""
    bare = {
        name: value
        for name, value in os.environ.items()
        if name not in {"CEDARCHEST_CONFIG", "CEDARCHEST_NOW", "XDG_CONFIG_HOME", "XDG_STATE_HOME"}
    }
    done = run_program(
        arguments, environ={**bare, "HOME": str(cwd / "home"), "COLUMNS": "80", **(environ or {})}, cwd=cwd
    )
    return Ran(done.returncode, done.stdout.decode(), done.stderr.decode("utf-8", "backslashreplace"))


def told(ran: Ran) -> dict[str, Any]:
    """The object on standard output with its figures; fails when anything else stands there."""
    value = json.loads(ran.out)
    assert isinstance(value, dict)
    assert ran.out.endswith("}\n")
    return value


def error_of(ran: Ran) -> dict[str, Any]:
    """The error in the object on standard output; its message and advice stand on standard error too."""
    error = told(ran)["error"]
    assert isinstance(error, dict), ran.err
    assert error["code"] == ran.status
    assert f"cedarchest: {error['message']}\n  {error['advice']}\n" in ran.err
    return error
