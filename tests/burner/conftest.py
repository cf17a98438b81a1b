"""What the tests of the emulated burner share."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three small trees to burn: /one (1.2 MB), /two, /three."""
    root = tmp_path_factory.mktemp("trees")
    for name, size in [("one", 1_200_000), ("two", 400_000), ("three", 300_000)]:
        (root / name).mkdir()
        (root / name / "random").write_bytes(os.urandom(size))
        (root / name / "text").write_text(name)
    return root
