"""Draws what `make demo` shows as docs/pictures/demo.svg; run it after a change of the demo."""

from __future__ import annotations

import io
import os
import re
import subprocess
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "pictures" / "demo.svg"


def main() -> None:
    """Run the demo and draw its output, without what differs from machine to machine."""
    done = subprocess.run(
        [str(ROOT / "scripts" / "demo.sh")],
        env={**os.environ, "DEMO": "demo"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )
    shown = done.stdout.replace(str(ROOT), "~/cedarchest")
    shown = re.sub(r"id [0-9a-f-]{36}", "id 8d3f0c52-…", shown)
    console = Console(record=True, width=118, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(shown))
    svg = console.export_svg(title="make demo", unique_id="demo")
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    PICTURE.write_text(re.sub(r"@font-face \{.*?\}\n", "", svg, flags=re.DOTALL), encoding="utf-8")


if __name__ == "__main__":
    main()
