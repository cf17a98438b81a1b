"""Packages with extensions for tests, as an installer leaves them in a folder of their own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

HEAD = """\
from cedarchest.extension import Call, Done, Earlier, Extension, ExtensionFailed

def did(call):
    return Done(["done"])

"""


def install(site: Path, package: str, code: str, points: Mapping[str, str] | None = None) -> None:
    """Put a package and its metadata into a folder.

    Its one module has the name of the package and begins with the names of `cedarchest.extension`. It brings
    the `points`, names of extensions with those of values in the module: by default one, called `it`, by the
    name of the package.
    """
    module = package.replace("-", "_")
    site.mkdir(parents=True, exist_ok=True)
    (site / f"{module}.py").write_text(HEAD + code)
    about = site / f"{module}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    lines = [f"{name} = {module}:{value}" for name, value in (points or {package: "it"}).items()]
    (about / "entry_points.txt").write_text("\n".join(["[cedarchest.actions]", *lines, ""]))
