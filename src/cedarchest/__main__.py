"""Starts the program; `--version` answers without importing anything else."""

from __future__ import annotations

import sys


def main() -> None:
    """The console script `cedarchest`."""
    if sys.argv[1:] == ["--version"]:
        from cedarchest import __version__

        sys.stdout.write(f"cedarchest {__version__}\n")
        return
    from cedarchest.cli import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
