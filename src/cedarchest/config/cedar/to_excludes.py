"""What Cedar Backup leaves out as our patterns and expressions, which mean the same.

To Cedar Backup an excluded path is an exact text, and a pattern an expression between `^` and `$`: its dot
takes no newline, and a newline at the end of a path counts for nothing.
"""

from __future__ import annotations

import posixpath
import re
import warnings
from collections.abc import Callable, Iterable

from cedarchest.config.cedar.draft import Draft
from cedarchest.config.cedar.reading import regex
from cedarchest.config.cedar.sections import Collect, Excludes, Item
from cedarchest.config.wording import Malformed, shown

_PLAIN = re.compile(r"/[\w./@+=:,~%{}()'&;^$#<> -]*[\w./@+=:,~%{}()'&;^$#<>-]")

WRAPPED = "(?-s:...)\\n? means what a pattern means to Cedar Backup: its dot takes no newline."


def write_excludes(
    excludes: Excludes,
    top: str,
    place: str,
    draft: Draft,
    is_alone: Callable[[str], bool] = lambda _path: True,
) -> None:
    """Keys `exclude` and `exclude_regex`; a path that would be a pattern is an expression."""
    paths, regexes = _excluded(excludes, top, place, draft, is_alone)
    expressions = [expression(each, place, draft) for each in excludes.patterns]
    draft.put("exclude", paths or None)
    draft.put("exclude_regex", [*regexes, *expressions] or None, *([WRAPPED] if expressions else []))


def is_alone(collect: Collect) -> Callable[[str], bool]:
    """Whether a path may be a pattern, which leaves out all below it, whatever is met there first.

    To Cedar Backup a path is an exact text: a source below it is collected, and so is what a link leads to.
    """
    tops = ["/" + posixpath.normpath(item.abs_path).lstrip("/") for item in collect.items if item.abs_path]
    anywhere = any(item.dereference and item.link_depth for item in collect.items)
    return lambda path: not anywhere and not any(top.startswith(path.rstrip("/") + "/") for top in tops)


def exclude_of_top(collect: Collect) -> Callable[[Item], str | None]:
    """Gives the exclude that leaves out a directory itself: Cedar Backup then collected nothing of it.

    It looks at no exclude where it collects a file.
    """
    paths, patterns = set(collect.excludes.abs_paths), _compiled(collect.excludes.patterns)

    def exclude_of(item: Item) -> str | None:
        if item.abs_path is None or not item.is_dir:
            return None
        top = item.abs_path if item.abs_path == "/" else item.abs_path.removesuffix("/")
        own = (*item.excludes.abs_paths, *(posixpath.join(top, each) for each in item.excludes.rel_paths))
        if top in paths or top in own:
            return top
        several = (*patterns, *_compiled(item.excludes.patterns))
        return next((text for text, pattern in several if pattern.match(top)), None)

    return exclude_of


def _compiled(patterns: Iterable[str]) -> list[tuple[str, re.Pattern[str]]]:
    """Those that Cedar Backup could use, as it did."""
    made = []
    for text in patterns:
        if _compiles(bound := f"^{text}$"):
            with warnings.catch_warnings(action="ignore"):
                made.append((text, re.compile(bound)))
    return made


def _excluded(
    excludes: Excludes,
    top: str,
    place: str,
    draft: Draft,
    is_alone: Callable[[str], bool],
) -> tuple[list[str], list[str]]:
    """Paths as patterns and as expressions."""
    paths, regexes = [], []
    absolute = [*excludes.abs_paths, *(posixpath.join(top, each) for each in excludes.rel_paths)]
    for path in absolute:
        if not _is_exact(path):
            draft.untaken.append(
                f"exclude {shown(path)} of {shown(place)}: never matched, for Cedar Backup compares exact"
                " texts and no path is written so; it is left out, write it without what is too much to"
                " have it"
            )
        elif _PLAIN.fullmatch(path) and is_alone(path) and path.startswith(top.rstrip("/") + "/"):
            paths.append(path)
        else:
            regexes.append(re.escape(path))
    return paths, regexes


def expression(pattern: str, place: str, draft: Draft) -> str:
    """An expression for whole paths. With a bar outside of parentheses only its ends were bound to those."""
    literal = re.sub(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", "", pattern, flags=re.DOTALL)
    while literal != (literal := re.sub(r"\([^()]*\)", "", literal)):
        pass
    has_bar = "|" in literal
    bound = f"(?-s:^{pattern}$).*" if has_bar else f"(?-s:{pattern})\\n?"
    if not _compiles(bound):
        return pattern
    if has_bar:
        draft.differs(
            f"exclude {shown(pattern)} of {shown(place)}: is written as Cedar Backup took it, where only the"
            " first choice was bound to the begin of a path and only the last to its end; that may not be"
            " what was meant"
        )
    return bound


def _compiles(pattern: str) -> bool:
    try:
        regex(pattern)
    except Malformed:
        return False
    return True


def _is_exact(path: str) -> bool:
    """Whether a path is as a walk from `/` writes it."""
    return path == "/" or (
        path.startswith("/") and all(part not in {"", ".", ".."} for part in path[1:].split("/"))
    )
