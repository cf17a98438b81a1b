"""What is made of a configuration of Cedar Backup means the same as it, and what is odd in it is told."""

from __future__ import annotations

import contextlib
import os
import random
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cedar_xml import BASE, CEDAR_2, CEDAR_3, migrated, ours

from cedarchest.config.collect import CollectSource
from cedarchest.config.model import Config
from cedarchest.errors import ConfigError
from cedarchest.model.excludes import Excludes

TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"),
    min_size=1,
    max_size=12,
)
NAME = TEXT.map(lambda text: text.replace("/", "_")).filter(lambda name: name not in {".", ".."})
PATH = st.lists(NAME, min_size=1, max_size=3).map(lambda names: "/" + "/".join(names))
MODE = st.sampled_from(["daily", "weekly", "incr"])
ARCHIVE = st.sampled_from(["tar", "targz", "tarbz2"])
OURS = {"tar": "tar", "targz": "tar.gz", "tarbz2": "tar.bz2", None: None}
ROOT = ET.fromstring(CEDAR_3.read_bytes())


@dataclass
class Node:
    """An element that is to be written."""

    name: str
    text: str = ""
    children: list[Node] = field(default_factory=list)

    def element(self) -> ET.Element:
        made = ET.Element(self.name)
        made.text = self.text
        made.extend(child.element() for child in self.children)
        return made


def node(element: str, /, **texts: object) -> Node:
    return Node(element, children=[Node(key, str(text)) for key, text in texts.items() if text is not None])


def whole(*sections: Node) -> bytes:
    return bytes(ET.tostring(Node("cb_config", children=list(sections)).element(), encoding="utf-8"))


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "abs_path": PATH,
                "collect_mode": st.none() | MODE,
                "archive_mode": st.none() | ARCHIVE,
                "ignore_file": st.none() | NAME,
                "link_depth": st.none() | st.integers(0, 200),
                "recursion_level": st.none() | st.integers(-3, 200),
            }
        ),
        max_size=4,
        unique_by=lambda each: each["abs_path"],
    ),
    MODE,
    ARCHIVE,
)
def test_each_directory_is_a_source_that_means_the_same(
    dirs: list[dict[str, object]], mode: str, archive: str
) -> None:
    section = node("collect", collect_dir="/c", collect_mode=mode, archive_mode=archive, ignore_file=".no")
    section.children += [node("dir", **each) for each in dirs]
    made = ours(whole(section)).require_collect()
    assert (made.mode, made.archive, made.ignore_file) == (mode, OURS[archive], ".no")

    def level(value: object) -> int:
        return 100 if not 0 <= int(str(value or 0)) <= 100 else int(str(value or 0))

    assert list(made.source) == [
        CollectSource.model_construct(
            **{
                **{name: field.default for name, field in CollectSource.model_fields.items()},
                "path": Path(str(each["abs_path"])),
                "mode": each["collect_mode"],
                "archive": OURS[each["archive_mode"]],  # type: ignore[index]
                "ignore_file": each["ignore_file"],
                "link_depth": level(each["link_depth"]),
                "recursion_level": level(each["recursion_level"]),
            }
        )
        for each in dirs
    ]


@given(PATH, st.lists(NAME, min_size=1, max_size=3), PATH, st.booleans())
def test_an_excluded_path_is_left_out_and_nothing_beside_it(
    top: str, below: list[str], other: str, relative: bool
) -> None:
    path = "/".join([top, *below])
    exclude = node(
        "exclude", **{"rel_path" if relative else "abs_path": "/".join(below) if relative else path}
    )
    section = node("collect", collect_dir="/c", collect_mode="daily", archive_mode="tar", ignore_file=".no")
    section.children.append(Node("dir", children=[Node("abs_path", top), exclude]))
    source = ours(whole(section)).require_collect().source[0]
    excludes = Excludes(os.fsencode(top), (), source.exclude, source.exclude_regex)
    assert excludes.leave_out(os.fsencode(path), is_dir=False)
    assert excludes.leave_out(os.fsencode(path), is_dir=True)
    for beside in (path + "x", path[:-1], top + other, top):
        if beside != path and not beside.startswith(path + "/"):
            assert not excludes.leave_out(os.fsencode(beside), is_dir=True)


@given(
    st.lists(st.tuples(NAME, PATH, st.sampled_from([None, "none", "all", "daily", "weekly"])), max_size=3,
             unique_by=lambda each: each[0]),
    st.lists(st.tuples(PATH, st.integers(0, 100_000)), max_size=3),
)  # fmt: skip
def test_local_peers_and_purged_folders_mean_the_same(
    peers: list[tuple[str, str, str | None]], dirs: list[tuple[str, int]]
) -> None:
    section = Node("peers")
    for name, path, ignore in peers:
        section.children.append(
            node("peer", name=name, type="local", collect_dir=path, ignore_failures=ignore)
        )
    purge = Node("purge", children=[node("dir", abs_path=path, retain_days=days) for path, days in dirs])
    made = ours(whole(section, purge))
    assert [(peer.name, str(peer.collect_dir), peer.ignore_failures, peer.host) for peer in made.peer] == [
        (name, path, ignore or "none", None) for name, path, ignore in peers
    ]
    assert [(str(each.path), each.retain_days) for each in made.purge.dir] == [
        (path, min(days, 36_500)) for path, days in dirs
    ]


FLAGS = st.sampled_from([None, "Y", "N", "y", "n"])


@given(
    FLAGS, FLAGS, FLAGS, st.none() | st.integers(0, 10**6), st.none() | st.integers(1, 1000),
    st.sampled_from([None, "daily", "weekly"]),
    st.none() | st.integers(0, 9999).map(lambda number: number / 100),
)  # fmt: skip
def test_a_store_means_the_same(
    check_data: str | None,
    check_media: str | None,
    warn: str | None,
    delay: int | None,
    speed: int | None,
    mode: str | None,
    factor: float | None,
) -> None:
    section = node(
        "store",
        source_dir="/s",
        target_device="/dev/sr0",
        media_type="dvd+r",
        device_type="dvdwriter",
        check_data=check_data,
        check_media=check_media,
        warn_midnite=warn,
        refresh_media_delay=delay,
        drive_speed=speed,
    )
    section.children.append(node("blank_behavior", mode=mode, factor=factor))
    made = ours(whole(section)).require_store()
    assert made.check == "now"
    assert made.check_media is (check_media not in {"N", "n"})
    assert made.warn_midnight is (warn in {"Y", "y"})
    assert made.load_delay.total_seconds() == (delay or 10)
    assert made.speed == (None if speed is None or speed > 100 else speed)
    assert (made.new_disc, made.blank_factor) == (mode or "weekly", factor)


@given(st.text("abcxyz_", min_size=8, max_size=12), st.randoms(use_true_random=False))
def test_an_unknown_element_is_told_wherever_it_stands(name: str, dice: random.Random) -> None:
    tree = ET.fromstring(ET.tostring(ROOT))
    place = dice.choice(list(tree.iter()))
    place.insert(dice.randrange(len(place) + 1), ET.Element(f"x{name}"))
    made = migrated(ET.tostring(tree))
    assert [line for line in made.report.ignored if f"<x{name}>" in line]
    assert ours(ET.tostring(tree)) == ours(CEDAR_3)


@given(st.randoms(use_true_random=False), TEXT)
def test_any_text_in_any_place_is_refused_or_taken_as_data(dice: random.Random, text: str) -> None:
    tree = ET.fromstring(ET.tostring(ROOT))
    dice.choice([each for each in tree.iter() if not len(each)]).text = text
    with contextlib.suppress(ConfigError):
        made = migrated(ET.tostring(tree, encoding="utf-8"))
        assert made.mapping.keys() <= Config.model_fields.keys()


@given(st.randoms(use_true_random=False), st.sampled_from([CEDAR_2, CEDAR_3]))
def test_a_damaged_file_is_taken_or_refused_and_nothing_else(dice: random.Random, example: Path) -> None:
    raw = bytearray(example.read_bytes())
    for _ in range(dice.randrange(1, 8)):
        start = dice.randrange(len(raw))
        match dice.randrange(3):
            case 0:
                raw[start] = dice.randrange(256)
            case 1:
                del raw[start : start + dice.randrange(1, 30)]
            case _:
                end = dice.randrange(start, min(len(raw), start + 200))
                raw[start:start] = raw[start:end]
    with contextlib.suppress(ConfigError):
        made = migrated(bytes(raw))
        assert BASE.is_absolute()
        assert made.mapping.keys() <= Config.model_fields.keys()


@pytest.mark.parametrize("path", sorted((CEDAR_3.parent / "odd").glob("*.xml")), ids=lambda path: path.stem)
def test_what_was_found_by_damaging_examples_is_taken_or_refused(path: Path) -> None:
    with contextlib.suppress(ConfigError):
        ours(path)
