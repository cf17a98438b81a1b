"""A pool of peers for tests: configured in a project, with what a collect leaves in their folders."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from tests.conftest import Project

from cedarchest.model.handover import Collected, write_collected


def peers(project: Project, *tables: dict[str, object], **stage: object) -> None:
    """Configure peers; each has a collect dir of its name below the project unless it says otherwise."""
    project.configure()
    text = project.config.read_text().replace("[store]", f"{_keys(stage)}[store]")
    for table in tables:
        folder = project.root / "collect" / str(table["name"])
        folder.mkdir(parents=True, exist_ok=True)
        text += f"[[peer]]\n{_keys({'collect_dir': str(folder), **table})}"
    project.config.write_text(text)


def _keys(values: dict[str, object]) -> str:
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())


def collect(project: Project, peer: str, files: dict[str, bytes] | None = None) -> Path:
    """What a collect of Cedar Backup, or a person, leaves for staging."""
    folder = project.root / "collect" / peer
    for name, content in (files or {f"{peer}.tar": peer.encode() * 100}).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (folder / "cback.collect").touch()
    return folder


def list_all(folder: Path) -> None:
    """The list of files that a collect of ours leaves beside its mark."""
    files = {
        os.fsencode(path.relative_to(folder)): Collected(
            path.stat().st_size, hashlib.sha256(path.read_bytes()).digest()
        )
        for path in folder.rglob("*")
        if path.is_file() and not str(path.relative_to(folder)).startswith("cback.")
    }
    (folder / "cback.collect.jsonl").write_bytes(write_collected(files))


def staged(project: Project, day: str = "2026/11/22") -> dict[str, bytes]:
    """The files of a day, without ours."""
    top = project.staging / day
    ours = ("cback.stage", "cback.store", "INDEX.jsonl.gz", "SHA256SUMS")
    return {
        str(path.relative_to(top)): path.read_bytes()
        for path in top.rglob("*")
        if path.is_file() and not path.is_symlink() and str(path.relative_to(top)) not in ours
    }
