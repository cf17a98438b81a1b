"""Starts the program; `--version` answers without importing anything else."""

from __future__ import annotations

import contextlib
import os
import sys


def main() -> None:
    """The console script `cedarchest`."""
    if sys.argv[1:] == ["--version"] and sys.stdout is not None:
        from cedarchest import __version__

        with contextlib.suppress(OSError):  # past the buffer, where a text that cannot be written would stay
            os.write(sys.stdout.fileno(), f"cedarchest {__version__}\n".encode())
            return
    import gc
    import logging

    from cedarchest.cli import run

    # A run makes hundreds of thousands of entries and hardly a cycle; searching them for garbage cost a
    # third of a store of 40,000 files.
    gc.disable()
    status = run(sys.argv[1:])
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        if not stream.closed:
            stream.flush()
    os._exit(status)  # everything is given back; taking the entries apart one by one helps nobody


if __name__ == "__main__":
    main()
