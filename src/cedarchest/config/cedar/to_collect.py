"""Section `collect` as our table, with its files and directories as sources."""

from __future__ import annotations

from collections.abc import Sequence

from cedarchest.config.cedar.draft import Draft
from cedarchest.config.cedar.left_behind import Left, Suffix
from cedarchest.config.cedar.reading import first
from cedarchest.config.cedar.sections import CedarConfig, Collect, Item
from cedarchest.config.cedar.to_excludes import exclude_of_top, is_alone, write_excludes
from cedarchest.config.wording import shown

ARCHIVES = {"tar": "tar", "targz": "tar.gz", "tarbz2": "tar.bz2"}
PACKINGS = {"none": "tar", "gzip": "tar.gz", "bzip2": "tar.bz2"}
DEEPEST = 100
MOST_OFTEN = ("daily", "incr", "weekly")

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
    write_excludes(collect.excludes, "", "collect", draft, is_alone(collect))
    draft.taken.append(f"<collect>: into {shown(collect.collect_dir)}")
    for line in (WHOLE, NAMES, MORE, EXIT):
        draft.differs(line)
    return True


def write_sources(collect: Collect, draft: Draft) -> set[str]:
    """Tables `[[collect.source]]`; gives the paths that are collected."""
    by_path: dict[str, list[Item]] = {}
    exclude_of = exclude_of_top(collect)
    for item in collect.items:
        kind = "dir" if item.is_dir else "file"
        if item.abs_path is None:
            draft.missing.append(f"<{kind}> in collect: has no <abs_path>, and is left out")
            continue
        path = item.abs_path.rstrip("/") or "/"
        if (exclude := exclude_of(item)) is not None:
            draft.untaken.append(
                f"<dir> {shown(path)} in collect: is itself left out, by exclude {shown(exclude)}; Cedar"
                " Backup collected nothing of it, and nothing is collected now. Take the exclude out to"
                " have it"
            )
            continue
        by_path.setdefault(path, []).append(item)
    for path, items in by_path.items():
        item = items[0] if len(items) == 1 else _one_of(items, collect, path, draft)
        _write_source(item, collect, path, draft)
        draft.taken.append(f"<{'dir' if item.is_dir else 'file'}> {shown(path)}: a source")
    if not any(item.abs_path for item in collect.items):
        draft.missing.append("<collect>: has neither <file> nor <dir>")
    return set(by_path)


def _one_of(items: Sequence[Item], collect: Collect, path: str, draft: Draft) -> Item:
    """Of several with one path the one that counts: the last of those that are collected most often."""
    modes = [first(item.mode, collect.mode) or MOST_OFTEN[0] for item in items]
    mode = min(modes, key=MOST_OFTEN.index)
    counts = next(item for item, each in zip(reversed(items), reversed(modes), strict=True) if each == mode)
    often = "twice" if len(items) == 2 else f"{len(items)} times"
    archives = {(item.abs_path, first(item.archive, collect.archive), item.recursion_level) for item in items}
    was_replaced = counts is items[-1] and len(archives) == 1 and mode != "incr"
    if was_replaced or all(item == counts for item in items):
        why = "the last one counts, whose archive took the place of what the others had"
    else:
        why = (
            f'only the last one that is collected "{mode}" counts; Cedar Backup had archives of each, by'
            " their days and packings. Write into one what all of them are to hold"
        )
    kind = "dir" if counts.is_dir else "file"
    draft.untaken.append(f"<{kind}> {shown(path)} in collect: is there {often}; {why}")
    return counts


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
    write_excludes(item.excludes, path, path, draft)
