"""A key ring of its own, and what is encrypted for it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator

import pytest

WHO = "ann@example.org"


@contextlib.contextmanager
def key_ring() -> Iterator[str]:
    """The home of a gpg that has a key for `WHO`; under CI=true gpg has to be there."""
    if not shutil.which("gpg"):
        if os.environ.get("CI") == "true":
            pytest.fail("gpg is not installed")
        pytest.skip("gpg is not installed")
    with tempfile.TemporaryDirectory(prefix="gpg-") as home:  # its agent's socket needs a short path
        own = {**os.environ, "GNUPGHOME": home}
        made = ["gpg", "--batch", "--quiet", "--passphrase", "", "--quick-gen-key", WHO, "default", "default"]
        subprocess.run(made, env=own, check=True, capture_output=True)
        yield home
        subprocess.run(["gpgconf", "--kill", "all"], env=own, check=True, capture_output=True)


def encrypted(content: bytes, who: str) -> bytes:
    """Something for whoever has the key, by the key ring of the environment."""
    argv = ["gpg", "--batch", "--quiet", "--trust-model", "always", "--encrypt", "--recipient", who]
    return subprocess.run(argv, input=content, check=True, capture_output=True).stdout
