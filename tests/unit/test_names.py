"""Names as text, as sums lines, as shell words."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cedarchest.model.names import counted, from_text, shell_word, sums_line, to_text

NAMES = st.binary(min_size=1, max_size=60).map(lambda raw: raw.replace(b"\0", b"x"))


@given(NAMES)
def test_the_text_of_a_name_gives_the_name_back(name: bytes) -> None:
    assert from_text(to_text(name)) == name


@given(NAMES)
def test_the_text_of_a_name_is_one_printable_line(name: bytes) -> None:
    text = to_text(name)
    assert text.encode("utf-8").decode("utf-8") == text
    assert not re.search("[\x00-\x1f\x7f-\x9f]", text)


def test_a_backslash_is_doubled_and_a_stray_byte_is_written_in_hexadecimal() -> None:
    assert to_text(b"a\\b\xff\n") == "a\\\\b\\xff\\x0a"


@pytest.mark.parametrize("text", ["\\", "a\\", "\\x0", "\\xZZ", "\\n", "\\X41"])
def test_a_text_that_no_name_has_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="text form"):
        from_text(text)


@given(NAMES)
def test_a_shell_word_is_read_back_as_the_name(name: bytes) -> None:
    word = shell_word(name).decode("latin-1")
    assert shlex.split(word) == [name.decode("latin-1")]


@pytest.mark.parametrize("name", [b"plain", b"new\nline", b"back\\slash", b"re\rturn", b"\xff\xfe", b"-dash"])
def test_coreutils_accepts_a_sums_line_for_any_name(tmp_path: Path, name: bytes) -> None:
    import hashlib
    import os

    with open(os.fsencode(tmp_path) + b"/" + name, "wb") as stream:  # noqa: PTH123 - a name of bytes
        stream.write(b"content")
    sums = tmp_path.parent / f"{tmp_path.name}.sums"
    sums.write_bytes(sums_line(hashlib.sha256(b"content").digest(), b"./" + name))
    done = subprocess.run(["sha256sum", "-c", str(sums)], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("number", "told"), [(0, "0 entries"), (1, "1 entry"), (2, "2 entries")])
def test_what_is_one_is_told_as_one(number: int, told: str) -> None:
    assert counted(number, "entry", "entries") == told
    assert counted(number, "file") == told.replace("entry", "file").replace("entries", "files")
