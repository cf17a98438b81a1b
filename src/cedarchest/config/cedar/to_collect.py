"""Section `collect` as our table, with its files and directories as sources."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable

from cedarchest.config.cedar.draft import Draft
from cedarchest.config.cedar.left_behind import Left, Suffix
from cedarchest.config.cedar.reading import first, regex
from cedarchest.config.cedar.sections import CedarConfig, Collect, Excludes, Item
from cedarchest.config.wording import Malformed, shown

ARCHIVES = {"tar": "tar", "targz": "tar.gz", "tarbz2": "tar.bz2"}
PACKINGS = {"none": "tar", "gzip": "tar.gz", "bzip2": "tar.bz2"}
DEEPEST = 100

_PLAIN = re.compile(r"/[\w./@+=:,~%{}()'&;^$#<> -]*[\w./@+=:,~%{}()'&;^$#<>-]")

INCREMENTS = (
    'mode "incr": an increment holds what is not yet proven to be on disc, so that a day that was never'
    " stored is handed over again; Cedar Backup compared with the last run only."
)
NAMES = (
    "archives: their names never clash, and stay as they were where they are unique; /a-b and /a/b shared"
    " one name, and the later archive replaced the other."
)
WHOLE = (
    "collect: `cback.collect` is taken away when a run begins, and archives come to their names when they"
    " are whole; Cedar Backup left half archives that looked finished."
)
MORE = (
    "collect: folders, empty ones too, links that lead nowhere, attributes and what is sparse are archived"
    " as well, by GNU tar; Cedar Backup left them out."
)
EXIT = (
    "exit status: what could not be collected or staged makes the run end with 11 or worse; Cedar Backup"
    " left it out and ended with 0."
)


def write_collect(config: CedarConfig, draft: Draft) -> bool:
    """Table `[collect]` and its sources; whether it stands."""
    collect = config.collect
    if collect is None:
        draft.missing.append("<collect>: is missing; this machine collects nothing")
        return False
    if collect.collect_dir is None:
        draft.missing.append("<collect_dir> in collect: is missing; without it nothing of <collect> is taken")
        return False
    draft.table("collect")
    draft.put("dir", collect.collect_dir)
    draft.put("mode", collect.mode)
    draft.put("archive", ARCHIVES.get(collect.archive or ""))
    draft.put("ignore_file", collect.ignore_file)
    paths, regexes = _excluded(collect.excludes, "", "collect", draft, _is_alone(collect))
    draft.put("exclude", paths or None)
    draft.put("exclude_regex", regexes or None)
    draft.taken.append(f"<collect>: into {shown(collect.collect_dir)}")
    for line in (WHOLE, NAMES, MORE, EXIT):
        draft.differs(line)
    return True


def write_sources(collect: Collect, draft: Draft) -> set[str]:
    """Tables `[[collect.source]]`; gives the paths that are collected."""
    seen: set[str] = set()
    for item in collect.items:
        kind = "dir" if item.is_dir else "file"
        if item.abs_path is None:
            draft.missing.append(f"<{kind}> in collect: has no <abs_path>, and is left out")
            continue
        path = item.abs_path.rstrip("/") or "/"
        if path in seen:
            draft.untaken.append(f"<{kind}> {shown(path)} in collect: is there twice; the first one counts")
            continue
        seen.add(path)
        _write_source(item, collect, path, draft)
        draft.taken.append(f"<{kind}> {shown(path)}: a source")
    if not seen:
        draft.missing.append("<collect>: has neither <file> nor <dir>")
    return seen


def _write_source(item: Item, collect: Collect, path: str, draft: Draft) -> None:
    draft.table("collect.source", several=True)
    draft.put("path", path)
    draft.put("mode", item.mode)
    draft.put("archive", ARCHIVES.get(item.archive or ""))
    if "incr" in {item.mode, collect.mode if item.mode is None else None}:
        draft.differs(INCREMENTS)
        draft.left.append(Left(item.abs_path or path, Suffix.DIGESTS, below=item.recursion_level != 0))
    for name, own, of_all in (("mode", item.mode, collect.mode), ("archive", item.archive, collect.archive)):
        if first(own, of_all) is None:
            element = f"<{'collect' if name == 'mode' else 'archive'}_mode>"
            draft.missing.append(f"{element} for {shown(path)}: is missing; our default stands")
    draft.put("ignore_file", item.ignore_file)
    draft.put("link_depth", min(item.link_depth, DEEPEST) or None)
    draft.put("dereference", True if item.dereference and item.link_depth else None)
    levels = item.recursion_level if 0 <= item.recursion_level <= DEEPEST else DEEPEST
    draft.put("recursion_level", levels or None)
    if item.recursion_level < 0:
        draft.differs(f"recursion_level {item.recursion_level}: is {DEEPEST} levels, deeper than folders go")
    elif max(item.recursion_level, item.link_depth) > DEEPEST:
        draft.differs(f"levels of {shown(path)}: are {DEEPEST}, the most that there are")
    paths, regexes = _excluded(item.excludes, path, path, draft)
    draft.put("exclude", paths or None)
    draft.put("exclude_regex", regexes or None)


def _is_alone(collect: Collect) -> Callable[[str], bool]:
    """Whether a path may be a pattern, which leaves out all below it, whatever is met there first.

    To Cedar Backup a path is an exact text: a source below it is collected, and so is what a link leads to.
    """
    tops = ["/" + posixpath.normpath(item.abs_path).lstrip("/") for item in collect.items if item.abs_path]
    anywhere = any(item.dereference and item.link_depth for item in collect.items)
    return lambda path: not anywhere and not any(top.startswith(path.rstrip("/") + "/") for top in tops)


def _excluded(
    excludes: Excludes,
    top: str,
    place: str,
    draft: Draft,
    is_alone: Callable[[str], bool] = lambda _path: True,
) -> tuple[list[str], list[str]]:
    """What is left out as patterns and as expressions; a path that would be a pattern is an expression."""
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
    return paths, [*regexes, *(_expression(each, place, draft) for each in excludes.patterns)]


def _expression(pattern: str, place: str, draft: Draft) -> str:
    """An expression for whole paths. With a bar outside of parentheses only its ends were bound to those."""
    literal = re.sub(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", "", pattern, flags=re.DOTALL)
    while literal != (literal := re.sub(r"\([^()]*\)", "", literal)):
        pass
    bound = f"(?-s:^{pattern}$).*"
    if "|" not in literal or not _compiles(bound):
        return pattern
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
