"""What a pattern means, and that what is told of it beforehand never hides what it matches."""

from __future__ import annotations

import os
import re
import subprocess
from fnmatch import translate
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cedarchest.model.names import to_text
from cedarchest.model.patterns import PathPattern, PatternKind, exactly, path_pattern

PATHS = (b"etc/fstab", b"fstab", b"etc/apt/sources.list", b"home/ann/a\nb.txt", b"home/ann/\xff.txt", b"etc")


def found(text: str, kind: PatternKind = PatternKind.GLOB) -> set[bytes]:
    pattern = path_pattern(text, kind)
    return {path for path in PATHS if pattern.matches(path)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("fstab", {b"etc/fstab", b"fstab"}),
        ("/fstab", {b"fstab"}),
        ("etc/fstab", {b"etc/fstab"}),
        ("/etc/fstab", {b"etc/fstab"}),
        ("*.list", {b"etc/apt/sources.list"}),
        ("etc/*", {b"etc/fstab"}),
        ("etc/**", {b"etc/fstab", b"etc/apt/sources.list"}),
        ("**/fstab", {b"etc/fstab", b"fstab"}),
        ("etc/**/sources.list", {b"etc/apt/sources.list"}),
        ("etc/**/fstab", {b"etc/fstab"}),
        ("*.txt", {b"home/ann/a\nb.txt", b"home/ann/\xff.txt"}),
        ("?.txt", {b"home/ann/\xff.txt"}),
        ("fst[a-c]b", {b"etc/fstab", b"fstab"}),
        ("fst[!a]b", set()),
        ("et[^x]", {b"etc"}),
        ("f[z-a]tab", set()),
        (r"fst\ab", {b"etc/fstab", b"fstab"}),
        (r"\*", set()),
        ("etc/", {b"etc"}),
        ("FSTAB", set()),
    ],
)
def test_a_glob_means(text: str, expected: set[bytes]) -> None:
    assert found(text) == expected


def test_a_glob_with_a_slash_behind_it_is_of_folders_only() -> None:
    assert path_pattern("etc/").folders_only
    assert not path_pattern("etc").folders_only


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("fst", {b"etc/fstab", b"fstab"}),
        ("/fst", {b"etc/fstab", b"fstab"}),
        ("c/a", {b"etc/apt/sources.list"}),
        ("*", set()),
    ],
)
def test_a_substring_means(text: str, expected: set[bytes]) -> None:
    assert found(text, PatternKind.SUBSTRING) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("^f.*b$", {b"etc/fstab", b"fstab"}),
        ("^/etc/.*[st]$", {b"etc/apt/sources.list"}),
        ("(?i)FSTAB", {b"etc/fstab", b"fstab"}),
        ("a.b", {b"home/ann/a\nb.txt"}),
    ],
)
def test_a_regular_expression_means(text: str, expected: set[bytes]) -> None:
    assert found(text, PatternKind.REGEX) == expected


@pytest.mark.parametrize("text", ["", "/", "//"])
def test_nothing_is_no_pattern(text: str) -> None:
    for kind in PatternKind:
        with pytest.raises(ValueError, match="nothing in it"):
            path_pattern(text, kind)


def test_what_is_no_regular_expression_is_said_to_be_none() -> None:
    with pytest.raises(ValueError, match=r"no regular expression: .*position 0"):
        path_pattern("(a", PatternKind.REGEX)


NAME = st.text("ab*?[]!-^\\.éß\udcff\n", min_size=1, max_size=5)
PATH = st.lists(NAME.filter(lambda name: name.strip(".")), min_size=1, max_size=4).map("/".join)
PATTERN = st.text("ab*?[]!-^\\./éß\udcff\n", min_size=1, max_size=9).filter(lambda text: text.strip("/"))


def is_let_through(pattern: PathPattern, path: bytes) -> bool:
    """Whether what is told of a pattern beforehand leaves a path, in the text form of a catalog, in."""
    text = to_text(path)
    subject = text if pattern.of_path else text.rpartition("/")[2]

    def in_text(literal: str) -> str:
        return to_text(literal.encode("utf-8", "surrogateescape"))

    if pattern.exact:
        return subject == in_text(pattern.start)
    return subject.startswith(in_text(pattern.start)) and in_text(pattern.piece) in subject


@given(PATTERN, PATH, st.sampled_from(PatternKind))
def test_what_is_told_beforehand_never_hides_a_match(text: str, path: str, kind: PatternKind) -> None:
    raw = path.encode("utf-8", "surrogateescape")
    try:
        pattern = path_pattern(text, kind)
    except ValueError:
        return
    if pattern.matches(raw):
        assert is_let_through(pattern, raw)


@given(st.text("ab*?[]!-.", min_size=1, max_size=6), st.text("ab!-.]", min_size=1, max_size=4))
def test_a_glob_of_a_name_means_what_it_means_to_python(text: str, name: str) -> None:
    if "**" in text or "[]" in text or "[!]" in text:  # of these the documentation says nothing
        return
    expected = re.compile(translate(text)).match(name) is not None
    assert path_pattern(text).matches(name.encode()) == expected


@given(PATH)
def test_one_path_alone_is_matched_by_its_own_pattern(path: str) -> None:
    raw = path.encode("utf-8", "surrogateescape")
    assert exactly(raw).matches(raw)
    assert not exactly(raw).matches(raw + b"\n")
    assert not exactly(raw).matches(b"x/" + raw)
    assert is_let_through(exactly(raw), raw)


@pytest.mark.parametrize("text", ["*", "a*", "**/b", "a/**", "a/*/b", "?", "[!a]", "a/**/b"])
def test_a_glob_of_paths_means_what_it_means_to_a_shell(tmp_path: Path, text: str) -> None:
    for path in ("a", "a/b", "a/c/b", "a/c/d/b", "c/b"):
        (tmp_path / path).mkdir(parents=True, exist_ok=True)
    shell = ["bash", "-O", "globstar", "-O", "nullglob", "-O", "dotglob", "-c", f"printf '%s\\n' {text}"]
    told = subprocess.run(shell, cwd=tmp_path, capture_output=True, check=True).stdout.splitlines()
    pattern = path_pattern(text if "/" in text else f"/{text}")
    all_paths = [os.path.relpath(path, tmp_path).encode() for path in tmp_path.rglob("*")]
    assert {path for path in all_paths if pattern.matches(path)} == {path.rstrip(b"/") for path in told} - {
        b"a" if text == "a/**" else b""
    }
