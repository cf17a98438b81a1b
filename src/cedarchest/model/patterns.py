r"""Patterns that paths are looked for with: globs, regular expressions, pieces of text.

One without a slash is held against base names, any other against whole paths. A glob matches the whole: `*`
and `?` stop at a slash, `**` does not, `[a-z]` is one character of a set, `\` takes the next one as it is.
What of a pattern is literal is told apart, so that whoever searches need not look at everything.
"""

from __future__ import annotations

import contextlib
import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from cedarchest.model.names import from_text


class PatternKind(StrEnum):
    """How a pattern is to be understood."""

    GLOB = "glob"
    SUBSTRING = "substring"
    REGEX = "regex"


@dataclass(frozen=True, slots=True)
class PathPattern:
    """A pattern: what is matched begins with `start`, or is it where it is `exact`, and has `piece` in it.

    With `of_path` that is the path, without leading slash; else the base name. All text is as
    `surrogateescape` decodes it.
    """

    regex: re.Pattern[str]
    of_path: bool
    start: str = ""
    exact: bool = False
    piece: str = ""
    rooted: bool = False  # it is held against paths with a leading slash
    folders_only: bool = False

    def matches(self, path: bytes) -> bool:
        """Whether a path, without leading slash, is meant."""
        text = path.decode("utf-8", "surrogateescape")
        return self.regex.search(self.subject(text)) is not None

    def subject(self, path: str) -> str:
        """What of a path is held against it."""
        if not self.of_path:
            return path.rpartition("/")[2]
        return "/" + path if self.rooted else path


def path_pattern(text: str, kind: PatternKind = PatternKind.GLOB) -> PathPattern:
    """The pattern of a text.

    Raises:
        ValueError: it is empty, or no regular expression; says why.
    """
    if not text.strip("/"):
        raise ValueError("there is nothing in it to look for")
    of_path = "/" in text.rstrip("/")
    if kind is PatternKind.REGEX:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of what may mean something else in a later Python
                return PathPattern(re.compile(text, re.DOTALL), "/" in text, rooted=True)
        except (re.error, RecursionError, OverflowError) as error:
            raise ValueError(f"it is no regular expression: {error}") from error
    if kind is PatternKind.SUBSTRING:
        regex = re.compile(re.escape(text))
        return PathPattern(regex, "/" in text, piece=_longest([text]), rooted=True)
    bare = text.strip("/")
    tokens = list(_tokens(bare))
    regex = re.compile(r"\A" + "".join(pattern for pattern, _ in tokens) + r"\Z", re.DOTALL)
    start = _start(tokens)
    return PathPattern(
        regex,
        of_path,
        start,
        exact=all(literal for _, literal in tokens),
        piece=_longest(_runs(tokens)),
        folders_only=text.endswith("/"),
    )


def exactly(path: bytes) -> PathPattern:
    """The pattern of one path alone."""
    text = path.decode("utf-8", "surrogateescape")
    return PathPattern(re.compile(r"\A" + re.escape(text) + r"\Z"), of_path=True, start=text, exact=True)


_GLOB = re.compile(
    r"(?P<folders>(?:(?<=/)|(?<!.))\*\*/)|(?P<below>(?<=/)\*\*\Z)|(?P<all>\*\*+)|(?P<some>\*)|(?P<one>\?)"
    r"|\[(?P<not>[!^]?)(?P<set>\]?[^\]/]*)\]|\\(?P<escaped>.)|(?P<plain>.)",
    re.DOTALL,
)


def _tokens(text: str) -> Iterable[tuple[str, str]]:
    """A regular expression for each part of a glob, and the character it is where it is a literal one."""
    for match in _GLOB.finditer(text):
        if match["folders"]:
            yield "(?:.*/)?", ""
        elif match["below"]:
            yield ".+", ""
        elif match["all"]:
            yield ".*", ""
        elif match["some"]:
            yield "[^/]*", ""
        elif match["one"]:
            yield "[^/]", ""
        elif match["set"]:
            yield _set(match["set"], negated=bool(match["not"])), ""
        else:
            literal = match["escaped"] or match["plain"] or match[0]
            yield re.escape(literal), literal


_RANGE = re.compile("(.)-(.)|(.)", re.DOTALL)


def _set(members: str, *, negated: bool) -> str:
    """One character of a set; a range that is upside down has none."""
    parts = []
    for match in _RANGE.finditer(members):
        if match[3]:
            parts.append(re.escape(match[3]))
        elif match[1] <= match[2]:
            parts.append(f"{re.escape(match[1])}-{re.escape(match[2])}")
    if negated:
        return f"[^/{''.join(parts)}]"
    return f"(?!/)[{''.join(parts)}]" if parts else r"(?!)"


def _start(tokens: Iterable[tuple[str, str]]) -> str:
    start = ""
    for _, literal in tokens:
        if not literal:
            break
        start += literal
    return start


def _runs(tokens: Iterable[tuple[str, str]]) -> list[str]:
    runs = [""]
    for _, literal in tokens:
        if literal:
            runs[-1] += literal
        else:
            runs.append("")
    return runs


def _longest(runs: Iterable[str]) -> str:
    """The longest of what must be there in one name."""
    return max((piece for run in runs for piece in run.split("/")), key=len, default="")


class Selection:
    """Paths that are named, with all below them; a name may be a glob, or as `find` shows it. None: all."""

    def __init__(self, paths: Sequence[bytes] = ()) -> None:
        self._names = [path.strip(b"/") for path in paths]
        self._plain: dict[bytes, bytes] = {}
        self._patterns: list[tuple[bytes, PathPattern]] = []
        for path, name in zip(paths, self._names, strict=True):
            self._plain[name] = name
            with contextlib.suppress(ValueError):
                self._plain[from_text(name.decode())] = name
                if any(sign in name for sign in (b"*", b"?", b"[")):
                    anchored = path.decode().rstrip("/") if path.startswith(b"/") else name.decode()
                    self._patterns.append((name, path_pattern(anchored, PatternKind.GLOB)))
        self._known: dict[bytes, bool] = {b"": not paths or b"" in self._plain}
        self._met: set[bytes] = {b""}

    def __call__(self, path: bytes) -> bool:
        """Whether a path is selected."""
        if not self._names:
            return True
        below: list[bytes] = []
        while (found := self._known.get(path)) is None:
            below.append(path)
            path = path.rpartition(b"/")[0]
        for each in reversed(below):
            names = [name for name, pattern in self._patterns if pattern.matches(each)]
            if each in self._plain:
                names.append(self._plain[each])
            self._met.update(names)
            found = self._known[each] = bool(names) or found
        return found

    def unmet(self) -> list[bytes]:
        """Names that nothing was found of."""
        return [name for name in self._names if name not in self._met]
