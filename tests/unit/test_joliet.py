"""What Joliet cannot hold or spells otherwise, as it was seen with xorriso 1.5.4."""

from __future__ import annotations

import pytest

from cedarchest.model.image.identifiers import (
    ISO,
    JOLIET,
    Family,
    iso_identifier,
    joliet_name,
    joliet_path_cost,
    number_families,
)
from cedarchest.model.image.joliet_names import JolietLoss, joliet_losses, joliet_paths
from cedarchest.model.index import Entry, Kind


def entry(path: bytes, kind: Kind = Kind.FILE) -> Entry:
    return Entry(path, kind, 0, 0o644, 0, 0, 0)


@pytest.mark.parametrize(
    ("name", "spelt"),
    [
        (b"plain.tar.gz", "plain.tar.gz"),
        (b"a*b/c:d;e?f\\g".replace(b"/", b""), "a_bc_d_e_f_g"),
        (b"tab\there", "tab_here"),
        (b"non\xffutf", "non_utf"),
        (b"ab\xe4\xb8", "ab__"),
        ("\U0001f600".encode(), "_"),
        ("\u00e4".encode(), "\u00e4"),
        (b"x" * 103 + b".gz", "x" * 101 + ".gz"),
        (b"z" * 104, "z" * 103),
        (b"q" * 98 + b".tar.gz", "q" * 98 + ".ta.gz"),
        (b"w" * 100 + b".abc", "w" * 100 + ".abc"),
        (b"trail.", "trail."),
        (b".hid", ".hid"),
    ],
)
def test_a_file_is_spelt_as_xorriso_spells_it(name: bytes, spelt: str) -> None:
    assert joliet_name(name, directory=False) == spelt


@pytest.mark.parametrize(
    ("name", "identifier"),
    [
        (b"a.b.c", b"A_B.C"),
        (b".hid", b".HID"),
        (b"trail.", b"TRAIL_."),
        (b"plain", b"PLAIN."),
        (b"m\xc3\xa4\xff.t\xc3\xb6", b"M__.T_"),
        (b"q" * 98 + b".tar.gz", b"Q" * 28 + b".GZ"),
        (b"v" * 100 + b".abcd", b"V" * 27 + b".ABC"),
    ],
)
def test_an_identifier_is_what_xorriso_makes_of_the_name(name: bytes, identifier: bytes) -> None:
    assert iso_identifier(name, directory=False) == identifier


def test_a_directory_keeps_31_characters_and_no_dot() -> None:
    assert (
        iso_identifier(b"E.dir.longer.than.31.characters.really", directory=True)
        == b"E_DIR_LONGER_THAN_31_CHARACTERS"
    )


def test_links_and_specials_are_left_out() -> None:
    losses = joliet_losses([entry(b"l", Kind.LINK), entry(b"p", Kind.FIFO), entry(b"f")])
    assert losses == (JolietLoss(b"l", ""), JolietLoss(b"p", ""))


def test_a_path_that_costs_more_than_240_is_left_out() -> None:
    folder = b"L" * 98
    entries = [entry(b"d", Kind.DIR), entry(b"d/" + folder, Kind.DIR)]
    entries += [entry(b"d/" + folder + b"/" + b"n" * count) for count in (19, 20)]
    assert [loss.path[-20:] for loss in joliet_losses(entries)] == [b"n" * 20]


def test_below_a_directory_that_is_left_out_nothing_is_listed() -> None:
    paths = [b"/".join([b"x" * 60] * depth) for depth in (1, 2, 3, 4)]
    assert joliet_losses([entry(path, Kind.DIR) for path in paths]) == (JolietLoss(paths[1], ""),)


def test_a_renamed_directory_renames_nothing_below_it() -> None:
    entries = [entry(b"a:b", Kind.DIR), entry(b"a:b/f"), entry(b"a:b/g?")]
    assert joliet_losses(entries) == (JolietLoss(b"a:b", "a_b"), JolietLoss(b"a:b/g?", "g_"))


def test_names_that_become_equal_are_all_numbered() -> None:
    losses = joliet_losses([entry(b"a:b"), entry(b"a?b"), entry(b"a_b"), entry(b"c")])
    assert losses == tuple(JolietLoss(path, "a_b", numbered=True) for path in (b"a:b", b"a?b", b"a_b"))


def test_an_ordinary_tree_loses_nothing() -> None:
    assert joliet_losses([entry(b"2026", Kind.DIR), entry("2026/gr\u00fc\u00dfe.txt".encode())]) == ()


def test_a_path_costs_two_a_character_and_one_a_component() -> None:
    assert joliet_path_cost("ab/c") == 1 + (1 + 4) + (1 + 2)


def files(**sizes: int) -> dict[str, Family]:
    return {base.replace("__", "."): Family(size, is_directory=False) for base, size in sizes.items()}


def test_a_family_counts_before_its_extension_and_skips_what_is_there() -> None:
    found = number_families(files(a_b__txt=3), ["a_b1.txt", "c"], JOLIET)
    assert found == {"a_b.txt": ("a_b0.txt", "a_b2.txt", "a_b3.txt")}


def test_an_empty_extension_keeps_its_dot_in_iso_9660_only() -> None:
    assert number_families(files(A__=2), (), ISO) == {"A.": ("A0.", "A1.")}
    assert number_families(files(a__=2), (), JOLIET) == {"a.": ("a0", "a1")}


def test_a_directory_has_no_extension() -> None:
    assert number_families({"a.b": Family(2, is_directory=True)}, (), JOLIET) == {"a.b": ("a.b0", "a.b1")}


def test_a_family_of_more_than_ten_begins_again_on_its_first_number() -> None:
    found = number_families(files(a__b=11), (), JOLIET)
    assert found == {"a.b": tuple(f"a0{number:02}.b" for number in range(11))}


def test_a_long_name_is_cut_for_its_number() -> None:
    found = number_families(files(**{"x" * 103: 2, "y" * 100 + "__abc": 2}), (), JOLIET)
    assert found["x" * 103] == ("x" * 102 + "0", "x" * 102 + "1")
    assert found["y" * 100 + ".abc"] == ("y" * 99 + "0.abc", "y" * 99 + "1.abc")


def test_a_name_that_became_free_is_given_to_another_family() -> None:
    one, two = "x" * 99 + "0.abc", "x" * 99 + "7.abc"
    families = {base: Family(2, is_directory=False) for base in (one, two)}
    found = number_families(families, (), JOLIET)
    assert found[one] == ("x" * 99 + "1.abc", "x" * 99 + "2.abc")
    assert found[two] == (one, "x" * 99 + "3.abc")


def test_a_plain_directory_of_a_family_takes_along_what_is_in_it() -> None:
    held = [(b"a:", True), (b"a:/f", False), (b"a_", True), (b"a_/f", False), (b"g", False)]
    assert joliet_paths(held, [b"a:", b"a:/f"]) == {
        b"a:": "a_0",
        b"a:/f": "a_0/f",
        b"a_": "a_1",
        b"a_/f": "a_1/f",
    }
