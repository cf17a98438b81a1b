"""How much of Cedar Backup's own tests our `CedarBackup3` passes: a table, file by file.

`python -m scripts.cedar_suite CHECKOUT [--why] [tests/FILE...]`, or `make cedar-suite CEDAR=CHECKOUT`.

Of the checkout only its tests and the utilities that they share are copied, into a folder that is removed
afterwards; all else that they import is ours. What ours does not have fails the tests that use it, and no
others: a stand-in takes the place of its name, which ends a test as soon as it is used.

The same module is the plugin for pytest that does so.
"""

from __future__ import annotations

import argparse
import builtins
import importlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NoReturn
from xml.etree import ElementTree as ET

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = "CedarBackup3"
UTILITIES = f"{PACKAGE}.testutil"
VARIABLE = "CEDAR_SUITE"
OUTCOMES = {"failure": "failed", "error": "errors", "skipped": "skipped"}
RAN = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)


# -- the plugin -----------------------------------------------------------------------------------


class Absent:
    """In the place of what our package does not have; a test that uses it fails."""

    def __init__(self, name: str) -> None:
        self.__dict__["_name"] = name

    def _end(self, *_: object, **__: object) -> NoReturn:
        # no `Exception`: a test that expects one must not pass by it
        pytest.fail(f"not there: {self.__dict__['_name']}", pytrace=False)

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):  # pytest looks at what a module has
            raise AttributeError(name)
        self._end()

    __call__ = __eq__ = __setattr__ = __iter__ = __bool__ = __str__ = __repr__ = _end
    __hash__ = __lt__ = __le__ = __gt__ = __ge__ = __contains__ = __getitem__ = __len__ = __index__ = _end


def imported(module: str, names: Sequence[str]) -> SimpleNamespace:
    """What our package has of these names, and stand-ins for the others."""
    try:
        found: ModuleType | None = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith(PACKAGE):
            raise
        found = None
    return SimpleNamespace(**{name: getattr(found, name, Absent(f"{module}.{name}")) for name in names})


def pytest_configure() -> None:
    """Have the tests, and their utilities, import ours."""
    plain = builtins.__import__

    def chosen(
        name: str,
        globals: Mapping[str, object] | None = None,  # noqa: A002 - Python's own name
        locals: Mapping[str, object] | None = None,  # noqa: A002 - the same
        fromlist: Sequence[str] = (),
        level: int = 0,
    ) -> Any:
        importer = str((globals or {}).get("__name__"))
        asks = importer == UTILITIES or importer.startswith("tests.")
        if asks and fromlist and name.partition(".")[0] == PACKAGE:
            return imported(name, fromlist)
        return plain(name, globals, locals, fromlist, level)

    builtins.__import__ = chosen
    spec = importlib.util.spec_from_file_location(UTILITIES, Path("testutil.py").absolute())
    assert spec is not None
    assert spec.loader is not None
    sys.modules[UTILITIES] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[UTILITIES])


# -- the run --------------------------------------------------------------------------------------


@dataclass
class Counts:
    """How the tests of one file ended."""

    passed: int = 0
    failed: int = 0
    errors: int = 0
    skipped: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def all(self) -> int:
        """All of them."""
        return self.passed + self.failed + self.errors + self.skipped


def copied(checkout: Path, into: Path) -> None:
    """Copy the tests and their utilities.

    Raises:
        SystemExit: this is no checkout of Cedar Backup 3.
    """
    utilities = checkout / "src" / PACKAGE / "testutil.py"
    for path in (checkout / "tests" / "__init__.py", utilities):
        if not path.is_file():
            raise SystemExit(
                f"{checkout} is no source of Cedar Backup 3 with its tests: {path} is not there.\n"
                "To have one: pip download --no-deps --no-binary :all: cedar-backup3, and unpack it."
            )
    shutil.copytree(checkout / "tests", into / "tests")
    shutil.copy(utilities, into / "testutil.py")
    (into / "pytest.ini").write_text("[pytest]\n")


def version_of(checkout: Path) -> str:
    """The version that the checkout's list of changes has on top."""
    changes = checkout / "Changelog"
    text = changes.read_text(errors="replace") if changes.is_file() else ""
    found = re.search(r"^Version\s+(\S+)", text, re.MULTILINE)
    return found[1] if found else "of no known version"


def run(folder: Path, arguments: Sequence[str]) -> dict[str, Counts]:
    """Run the tests in a folder; how they ended, file by file.

    Raises:
        SystemExit: pytest could not run them.
    """
    result = folder / "result.xml"
    tests = [] if any(each.startswith("tests/") for each in arguments) else ["tests"]
    fixed = ["-q", "--tb=no", "--no-header", "--no-summary", "-p", "no:cacheprovider", "-p", __spec__.name]
    argv = [
        sys.executable,
        "-m",
        "pytest",
        "--continue-on-collection-errors",
        *fixed,
        f"--junitxml={result}",
        "-o",
        "junit_family=xunit1",
    ]
    done = subprocess.run(
        [*argv, *arguments, *tests],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode not in RAN or not result.is_file():
        raise SystemExit(f"pytest could not run the tests:\n{done.stdout[-4000:]}")
    return counted(result)


def counted(result: Path) -> dict[str, Counts]:
    """How tests ended, by their file."""
    files: dict[str, Counts] = {}
    for case in ET.parse(result).iter("testcase"):  # noqa: S314 - our own pytest wrote it
        name = case.get("file") or (case.get("classname") or case.get("name") or "").replace(".", "/")
        counts = files.setdefault(Path(name).name, Counts())
        ended = next((each for each in case if each.tag in OUTCOMES), None)
        kind = "passed" if ended is None else OUTCOMES[ended.tag]
        setattr(counts, kind, getattr(counts, kind) + 1)
        if ended is not None and kind != "skipped":
            counts.reasons[(ended.get("message") or "").split("\n")[0][:150]] += 1
    return dict(sorted(files.items()))


def table(version: str, files: Mapping[str, Counts], *, why: bool) -> str:
    """The counts as a table in Markdown, and on demand what the tests that do not pass said."""
    lines = [
        f"Cedar Backup {version}:",
        "",
        "| file | all | passed | failed | errors | skipped |",
        "|---|---|---|---|---|---|",
    ]
    for name, each in files.items():
        row = (name, each.all, each.passed, each.failed, each.errors, each.skipped)
        lines.append(f"| {' | '.join(map(str, row))} |")
    if why:
        for name, each in files.items():
            lines += ["", name] if each.reasons else []
            lines += [f"{count:6} {reason}" for reason, count in each.reasons.most_common()]
    return "\n".join(lines)


def main() -> None:
    """Run the suite and print the table."""
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("checkout", nargs="?", default=os.environ.get(VARIABLE), help=f"or ${VARIABLE}")
    parser.add_argument("--why", action="store_true", help="tell what each test said that does not pass")
    chosen, arguments = parser.parse_known_args()
    if not chosen.checkout:
        parser.error(f"where are the sources of Cedar Backup? Name the folder, or set {VARIABLE}")
    checkout = Path(chosen.checkout)
    with tempfile.TemporaryDirectory(prefix="cedar-suite-") as folder:
        copied(checkout, Path(folder))
        files = run(Path(folder), arguments)
    sys.stdout.write(table(version_of(checkout), files, why=chosen.why) + "\n")


if __name__ == "__main__":
    main()
