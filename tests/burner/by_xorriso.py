"""Unmodified xorriso at work on the emulated drive, for tests."""

import subprocess
from pathlib import Path

from tests.burner.burner import Burner

DEVICE = "/dev/sr0"
TIMEOUT_S = 60

Done = subprocess.CompletedProcess[str]


def xorriso(burner: Burner, *arguments: str | Path) -> Done:
    argv = ["xorriso", "-no_rc", "-abort_on", "FAILURE", "-md5", "on", *map(str, arguments)]
    return subprocess.run(
        argv, env=burner.env(), capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )


def burn(burner: Burner, tree: Path, *settings: str, device: str = "-dev") -> Done:
    return xorriso(burner, *settings, device, DEVICE, "-map", tree, f"/{tree.name}", "-commit")


def toc(burner: Burner) -> str:
    return xorriso(burner, "-outdev", DEVICE, "-toc").stdout


def told(text: str, key: str) -> list[str]:
    """Give what stands behind `key :` in what xorriso says."""
    lines = (line.partition(":") for line in text.splitlines())
    return [value.strip() for name, _, value in lines if name.strip() == key]
