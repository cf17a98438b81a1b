"""What a source is found to have, and what of it is taken from an earlier look."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cedarchest.adapters.sources import LocalSources
from cedarchest.config.model import Config
from cedarchest.model.increments import Held, Seen
from cedarchest.ports import KeptOut

DIGEST = bytes(range(32))
NOTHING = KeptOut()


def look(
    top: Path, known: dict[bytes, Held] | None = None, own: KeptOut = NOTHING, **keys: object
) -> dict[bytes, Seen]:
    """All of a folder by path from `/`."""
    source = {"path": str(top), **keys}
    config = Config.from_mapping({"collect": {"dir": "collect", "source": [source]}}, top.parent)
    collect = config.require_collect()
    archives = LocalSources().look(collect, collect.source[0], known or {}, own).archives
    return {one.entry.path: one for several in archives.values() for one in several}


def held(several: dict[bytes, Seen]) -> dict[bytes, Held]:
    return {path: Held(one.entry._replace(sha256=DIGEST), one.fingerprint) for path, one in several.items()}


def grown(path: Path) -> None:
    path.write_bytes(b"something else")


def renewed(path: Path) -> None:
    """The same content and time in another inode."""
    other = path.with_name("other")
    other.write_bytes(path.read_bytes())
    os.utime(other, ns=(path.stat().st_mtime_ns, path.stat().st_mtime_ns))
    other.replace(path)


def marked(path: Path) -> None:
    os.setxattr(path, "user.mark", b"x")


def given_another_mode(path: Path) -> None:
    path.chmod(0o600)


def linked(path: Path) -> None:
    os.link(path, path.with_name("zzz"))


@pytest.fixture
def top(tmp_path: Path) -> Path:
    folder = tmp_path / "top"
    folder.mkdir()
    for name in ("a", "b", "c"):
        (folder / name).write_bytes(name.encode())
    return folder


def test_what_is_as_it_was_known_is_given_as_it_was_known(top: Path) -> None:
    known = held(look(top))
    again = look(top, known)
    assert again.keys() == known.keys()
    assert all(one.entry is known[path].entry for path, one in again.items())


@pytest.mark.parametrize("change", [grown, renewed, marked, given_another_mode, linked])
def test_what_is_not_as_it_was_is_looked_at_again(top: Path, change: Callable[[Path], None]) -> None:
    known = held(look(top))
    change(top / "b")
    again = look(top, known)
    path = os.fsencode(top / "b")[1:]
    assert again[path] == look(top)[path]
    assert not again[path].entry.sha256
    unchanged = os.fsencode(top / "a")[1:]
    assert again[unchanged].entry is known[unchanged].entry


def test_an_owner_that_has_another_name_now_is_looked_at_again(top: Path) -> None:
    known = held(look(top))
    path = os.fsencode(top / "a")[1:]
    known[path] = known[path]._replace(entry=known[path].entry._replace(user="somebody else"))
    assert look(top, known)[path] == look(top)[path]


def test_names_of_one_file_know_each_other_whatever_was_known(top: Path) -> None:
    known = held(look(top))
    os.link(top / "c", top / "0")
    again = look(top, known)
    first, second = (os.fsencode(top / name)[1:] for name in ("0", "c"))
    assert (again[first].entry.hardlink, again[second].entry.hardlink) == (b"", first)


def names(top: Path, *own: Path, **keys: object) -> set[str]:
    """What a folder is found to have, less some folders, by path from there."""
    return {os.path.relpath(os.fsdecode(b"/" + path), top) for path in look(top, None, KeptOut(own), **keys)}


def test_folders_of_ours_are_kept_out_below_a_source_and_are_sources_themselves(top: Path) -> None:
    (top / "chest/staging/2026").mkdir(parents=True)
    (top / "discs").mkdir()
    (top / "staging").symlink_to("chest/staging")
    own = (top / "staging", top / "discs", top / "not there")
    assert names(top, *own) == {".", "a", "b", "c", "chest", "staging"}
    assert names(top, *own, recursion_level=2) == {".", "a", "b", "c", "chest", "staging"}
    assert names(top / "chest/staging", *own) == {".", "2026"}
    assert names(top / "chest/staging/2026", *own) == {"."}


def test_of_a_shelf_below_a_source_only_the_images_are_kept_out(top: Path) -> None:
    for name in ("discs/CC_1.iso", "discs/letters/CC_2.iso", "discs/letter", "CC_3.iso"):
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).touch()
    (top / "shelf").symlink_to("discs")
    own = KeptOut(shelves=[top / "shelf", top])
    found = {os.path.relpath(os.fsdecode(b"/" + path), top) for path in look(top, None, own)}
    assert found == {
        *(".", "a", "b", "c", "shelf", "CC_3.iso"),
        *("discs", "discs/letter", "discs/letters", "discs/letters/CC_2.iso"),
    }


@pytest.mark.parametrize("dereference", [False, True])
def test_no_link_leads_to_a_folder_of_ours(top: Path, tmp_path: Path, *, dereference: bool) -> None:
    (tmp_path / "discs").mkdir()
    (tmp_path / "discs/image").touch()
    (top / "link").symlink_to(tmp_path / "discs")
    keys = {"link_depth": 1, "dereference": dereference}
    assert "link/image" in names(top, **keys) or "../discs/image" in names(top, **keys)
    assert names(top, tmp_path / "discs", **keys) == {".", "a", "b", "c", "link"}
