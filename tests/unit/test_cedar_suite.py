"""What runs Cedar Backup's own tests against our names, tried with a checkout made up here."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

UTILITIES = """
from CedarBackup3.customize import nothing_of_ours
from CedarBackup3.util import pathJoin

def joined():
    return pathJoin("/a", "b")

def adjusted():
    nothing_of_ours()
"""
TESTS = """
import os
import unittest
from CedarBackup3.config import OptionsConfig
from CedarBackup3.testutil import adjusted, joined
from CedarBackup3.util import notOurs

class TestThings(unittest.TestCase):
    def test_ours(self):
        self.assertEqual("/a/b", joined())
        self.assertEqual(OptionsConfig(), OptionsConfig())
        self.assertFalse(os.path.exists("src"))

    def test_what_is_absent(self):
        self.assertRaises(Exception, notOurs, 1)

    def test_what_is_absent_and_compared(self):
        self.assertNotEqual(1, notOurs)

    def test_utility_that_needs_more(self):
        adjusted()

    def test_wrong(self):
        open("left-behind", "w").close()
        self.assertEqual(1, 2)

    @unittest.skip("not now")
    def test_left_out(self):
        pass
"""
ELSEWHERE = """
from CedarBackup3.extend.nowhere import action

def test_of_a_module_that_is_absent():
    action()

def test_without_it():
    assert True
"""
BROKEN = "raise RuntimeError('cannot be loaded')\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    made = tmp_path / "cedar"
    (made / "tests").mkdir(parents=True)
    (made / "src" / "CedarBackup3").mkdir(parents=True)
    (made / "Changelog").write_text("Version 9.8.7     01 Jan 2026\n\nVersion 9.8.6\n")
    (made / "src" / "CedarBackup3" / "__init__.py").write_text("raise RuntimeError('theirs')\n")
    (made / "src" / "CedarBackup3" / "testutil.py").write_text(UTILITIES)
    (made / "tests" / "__init__.py").touch()
    (made / "tests" / "test_things.py").write_text(TESTS)
    (made / "tests" / "test_elsewhere.py").write_text(ELSEWHERE)
    (made / "tests" / "test_broken.py").write_text(BROKEN)
    return made


def suite(*arguments: str, variable: Path | None = None) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if name != "CEDAR_SUITE"}
    return subprocess.run(
        [sys.executable, "-m", "scripts.cedar_suite", *arguments],
        cwd=ROOT,
        env=env if variable is None else {**env, "CEDAR_SUITE": str(variable)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_table_tells_of_each_file_how_its_tests_ended(checkout: Path) -> None:
    before = sorted(checkout.rglob("*"))

    done = suite("--why", variable=checkout)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[:7] == [
        "Cedar Backup 9.8.7:",
        "",
        "| file | all | passed | failed | errors | skipped |",
        "|---|---|---|---|---|---|",
        "| test_broken.py | 1 | 0 | 0 | 1 | 0 |",
        "| test_elsewhere.py | 2 | 1 | 1 | 0 | 0 |",
        "| test_things.py | 6 | 1 | 4 | 0 | 1 |",
    ]
    assert "     2 Failed: not there: CedarBackup3.util.notOurs" in done.stdout
    assert "     1 Failed: not there: CedarBackup3.customize.nothing_of_ours" in done.stdout
    assert "     1 Failed: not there: CedarBackup3.extend.nowhere.action" in done.stdout
    assert sorted(checkout.rglob("*")) == before


def test_one_file_is_enough(checkout: Path) -> None:
    done = suite(str(checkout), "tests/test_elsewhere.py")
    assert done.stdout.splitlines()[4:] == ["| test_elsewhere.py | 2 | 1 | 1 | 0 | 0 |"]


def test_a_folder_without_the_suite_is_refused(tmp_path: Path) -> None:
    done = suite(str(tmp_path))
    assert done.returncode == 1
    assert f"{tmp_path}/tests/__init__.py is not there" in done.stderr


def test_a_folder_has_to_be_named() -> None:
    done = suite()
    assert done.returncode == 2
    assert "Name the folder, or set CEDAR_SUITE" in done.stderr
