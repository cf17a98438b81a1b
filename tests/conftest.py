"""What tests of all kinds share: a project on a shelf, staged days, the program as users run it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import settings
from tests.forked import run_program
from tests.gpg import WHO, key_ring

# A machine that decides repeats its examples, people find new ones; neither judges by time.
settings.register_profile("ours", deadline=None, derandomize=os.environ.get("CI") == "true")
settings.load_profile("ours")

REPOSITORY = Path(__file__).parents[1]
NOBODY = 65534


@dataclass
class Ran:
    """A run of the program as a user sees it."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, object]:
        """The object on standard output."""
        value = json.loads(self.out)
        assert isinstance(value, dict)
        return value


@dataclass
class Project:
    """A folder made by `cedarchest init`, with ways to stage days and to run the program."""

    root: Path
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self.root / "cedarchest.toml"

    @property
    def staging(self) -> Path:
        """The staging folder."""
        return self.root / "staging"

    @property
    def shelf(self) -> Path:
        """The shelf."""
        return self.root / "shelf"

    def images(self) -> list[Path]:
        """The discs on the shelf, oldest first."""
        return sorted(self.shelf.glob("*.iso"))

    def configure(self, **store: object) -> None:
        """Replace the store table by the shelf and these keys."""
        values = {"device": "shelf:shelf", **store}
        lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
        self.config.write_text(
            '[options]\nstate_dir = "state"\n[stage]\ndir = "staging"\n[store]\n' + "\n".join(lines) + "\n"
        )

    def stage(self, day: str, files: Mapping[str, bytes] | None = None) -> Path:
        """A staged day `YYYY/MM/DD` with these files below peer `alpha`."""
        folder = self.staging / day
        for name, content in (files or {"a.txt": f"{day}\n".encode(), "sub/b.bin": bytes(5000)}).items():
            path = folder / "alpha" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        (folder / "cback.stage").touch()
        return folder

    def is_marked(self, day: str) -> bool:
        """Whether a day has its store indicator."""
        return (self.staging / day / "cback.store").is_file()

    def run(self, *arguments: str, environ: Mapping[str, str] | None = None, timeout: float = 240) -> Ran:
        """Run the program in a process of its own."""
        done = run_program(
            ["-c", str(self.config), *arguments],
            environ={**os.environ, **self.environ, **(environ or {})},
            cwd=self.root,
            timeout_s=timeout,
        )
        return Ran(done.returncode, done.stdout.decode(), done.stderr.decode("utf-8", "backslashreplace"))

    def run_as_user(
        self, *arguments: str, environ: Mapping[str, str] | None = None, configured: bool = True
    ) -> Ran:
        """Run the program as somebody who is not root; needs a project that such a one may enter."""
        variables = {**os.environ, **(environ or {})}
        variables.pop("LD_PRELOAD", None)
        prefix: list[str] = []
        if os.geteuid() == 0:
            subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", str(self.root)], check=True)
            prefix = ["/usr/bin/setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
            attempt = [*prefix, sys.executable, "-c", "import cedarchest"]
            if subprocess.run(attempt, capture_output=True, check=False).returncode:
                pytest.skip("another user may not use this interpreter")
        named = ["-c", str(self.config)] if configured else []
        done = subprocess.run(
            [*prefix, sys.executable, "-m", "cedarchest", *named, *arguments],
            env=variables,
            capture_output=True,
            cwd=self.root,
            check=False,
            timeout=120,
        )
        return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """`make quick` leaves whole folders out: with faults, drives and servers they take most of the time.

    What `make test` leaves to `make test-long` it leaves out as well.
    """
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.slow)
        if not {"faults", "integration", "burner", "differential"}.isdisjoint(item.path.parts):
            item.add_marker(pytest.mark.slow)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty project on a shelf."""
    made = Project(tmp_path / "project")
    for folder in (made.staging, made.shelf):
        folder.mkdir(parents=True)
    made.configure()
    return made


@pytest.fixture
def of_user() -> Iterator[Project]:
    """An empty project of an ordinary user, outside the folders that pytest keeps to its own."""
    with tempfile.TemporaryDirectory(prefix="cedarchest-test-") as folder:
        Path(folder).chmod(0o755)
        made = Project(Path(folder) / "project")
        for directory in (made.staging, made.shelf):
            directory.mkdir(parents=True)
        made.configure()
        yield made


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Whom something can be encrypted for; the key is in the key ring of whatever runs here."""
    with key_ring() as home:
        monkeypatch.setenv("GNUPGHOME", home)
        yield WHO


@pytest.fixture
def flip() -> Callable[[Path, int], None]:
    """Flips one bit of a file at an offset."""

    def flip_bit(path: Path, offset: int) -> None:
        with path.open("r+b") as stream:
            stream.seek(offset)
            byte = stream.read(1)[0]
            stream.seek(offset)
            stream.write(bytes([byte ^ 0x10]))

    return flip_bit
