"""A root directory with a shell, a few common tools and their libraries, and nothing else."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import Ran

TOOLS = (
    *("awk", "cat", "chmod", "chown", "cp", "cut", "dirname", "expr", "find", "grep", "gzip", "head", "id"),
    *("ln", "mkdir", "mkfifo", "mv", "od", "rm", "sed", "sha256sum", "sort", "tar", "touch", "tr", "zstd"),
)
"""What the script on a disc says that it needs."""


@dataclass(frozen=True)
class BareRoot:
    """The directory, with `bin`, libraries, `tmp` and `dev/null`: whoever enters it has no more."""

    root: Path

    def run(self, *argv: str, shell: Sequence[str] = ("/bin/sh",), user: str = "") -> Ran:
        """Run a shell in it, with no environment but a path; root may do so as another user, `UID:GID`.

        Where a kernel lets nobody but root change roots, other users stay outside and only the path leads
        to its programs; paths are then those of the machine on the way in, and of the root on the way out.
        """
        command, outside = [*shell, *argv], ""
        if os.geteuid() == 0:
            as_user = [f"--userspec={user}"] if user else []
            command = ["/usr/sbin/chroot", *as_user, str(self.root), *command]
        elif _has_namespaces():
            command = ["/usr/bin/unshare", _AS_ONESELF, f"--root={self.root}", "--wd=/", *command]
        else:
            outside = str(self.root)
            command = [outside + word if word.startswith("/") else word for word in command]
        done = subprocess.run(
            command,
            env={"PATH": f"{outside}/bin"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        said = [raw.decode("utf-8", "backslashreplace") for raw in (done.stdout, done.stderr)]
        out, err = (text.replace(outside, "") if outside else text for text in said)
        return Ran(done.returncode, out, err)


_AS_ONESELF = "--map-current-user"


@functools.cache
def _has_namespaces() -> bool:
    attempt = ["/usr/bin/unshare", _AS_ONESELF, "/bin/true"]
    return not subprocess.run(attempt, capture_output=True, check=False).returncode


def bare_root(folder: Path, shells: Mapping[str, str]) -> BareRoot:
    """Make one; `shells` are programs by the names that they are to have."""
    for name in ("bin", "tmp", "dev"):
        (folder / name).mkdir(parents=True)
    (folder / "tmp").chmod(0o1777)
    (folder / "dev/null").touch()
    (folder / "dev/null").chmod(0o666)
    for name, program in {**{tool: tool for tool in TOOLS}, **shells}.items():
        add_program(folder, name, program)
    return BareRoot(folder)


def add_program(root: Path, name: str, program: str) -> None:
    """Copy a program into a root, with the libraries that it needs."""
    found = shutil.which(program)
    assert found is not None, f"{program} is not installed"
    shutil.copy(Path(found).resolve(), root / "bin" / name)
    for library in _libraries(found):
        target = root / library.lstrip("/")
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, target)


def _libraries(program: str) -> list[str]:
    """The libraries of a program, and what loads them."""
    said = subprocess.run(["/usr/bin/ldd", program], env={}, capture_output=True, text=True, check=False)
    return re.findall(r"(?:=> )?(/\S+) \(0x", said.stdout)
