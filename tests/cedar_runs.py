"""One configuration of Cedar Backup's for its own commands and for ours of the same names."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import escape

from tests.conftest import Ran

EXTENSIONS = Path(__file__).parent / "cedar_extensions"
HOOK = '#!/bin/sh\necho "$@" >> "{trace}"\ntest "$1" != fail\n'


@dataclass
class CedarPool:
    """A folder with all that a configuration names. Monday, 2026-11-23, is the day of our runs."""

    root: Path
    environ: dict[str, str] = field(default_factory=lambda: {"CEDARCHEST_NOW": "2026-11-24T01:00"})

    def __post_init__(self) -> None:
        for name in ("work", "collect", "staging", "home", "shelf"):
            (self.root / name).mkdir(parents=True, exist_ok=True)
        (self.root / "home" / "letter").write_text("dear reader\n")
        hook = self.root / "hook"
        hook.write_text(HOOK.format(trace=self.trace))
        hook.chmod(0o755)

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self.root / "cback3.conf"

    @property
    def log(self) -> Path:
        """The log that commands are given."""
        return self.root / "cback3.log"

    @property
    def trace(self) -> Path:
        """Where hooks and extensions say that they ran."""
        return self.root / "work" / "trace"

    def configure(self, rest: str = "", *, options: str = "", collect: str | None = None) -> None:
        """Write the configuration: options and collect as they are needed, and then the rest."""
        root = escape(str(self.root))
        if collect is None:
            collect = (
                f"<collect><collect_dir>{root}/collect</collect_dir><collect_mode>daily</collect_mode>"
                f"<archive_mode>tar</archive_mode><ignore_file>.no</ignore_file>"
                f"<dir><abs_path>{root}/home</abs_path></dir></collect>"
            )
        self.config.write_text(
            "<cb_config><reference><author>a</author></reference><options><starting_day>monday</starting_day>"
            f"<working_dir>{root}/work</working_dir><backup_user>root</backup_user>"
            f"<backup_group>root</backup_group><rcp_command>scp</rcp_command>{options}</options>{collect}"
            f"{rest}</cb_config>"
        )

    def stage(self, day: str, files: Mapping[str, bytes]) -> None:
        """A staged day `YYYY/MM/DD` of a peer `here`."""
        folder = self.root / "staging" / day
        for name, content in files.items():
            path = folder / "here" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "cback.stage").touch()

    def run(self, *arguments: str, command: str = "cback3", config: bool = True) -> Ran:
        """Run our command of a name with the configuration and the log."""
        given = ["-c", str(self.config), *arguments] if config else list(arguments)
        return self._run(Path(sys.executable).with_name(command), given)

    def run_theirs(self, *arguments: str) -> Ran:
        """Run Cedar Backup's."""
        return self._run(Path("/usr/bin/cback3"), ["-c", str(self.config), *arguments])

    def _run(self, program: Path, arguments: Sequence[str]) -> Ran:
        done = subprocess.run(
            [str(program), "-l", str(self.log), *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            cwd=self.root,
            env={**os.environ, "PYTHONPATH": str(EXTENSIONS), **self.environ},
            check=False,
            timeout=120,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def traced(self) -> list[str]:
        """What hooks and extensions said, which is then forgotten."""
        lines = self.trace.read_text().splitlines() if self.trace.exists() else []
        self.trace.unlink(missing_ok=True)
        return lines


def extension(name: str, place: int | str, function: str = "note", module: str = "tracing") -> str:
    """An `<action>` in extensions, with an index or with what its `<depends>` holds."""
    where = f"<index>{place}</index>" if isinstance(place, int) else f"<depends>{place}</depends>"
    return (
        f"<action><name>{name}</name><module>{module}</module><function>{function}</function>{where}</action>"
    )


def extensions(*actions: str, mode: str = "index") -> str:
    """The section `extensions`."""
    return f"<extensions><order_mode>{mode}</order_mode>{''.join(actions)}</extensions>"


def hook(pool: CedarPool, when: str, action: str, *words: str) -> str:
    """A hook that says its words in the trace, and fails where the first is `fail`."""
    command = escape(" ".join([f'"{pool.root}/hook"', *words]))
    return f"<{when}_action_hook><action>{action}</action><command>{command}</command></{when}_action_hook>"
