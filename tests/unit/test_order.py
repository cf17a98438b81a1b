from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cedarchest.model.order import Circle, Place, in_order

CHAIN = ("collect", "stage", "store", "purge")
NAMES = ("a", "b", "c", "d")


def order(**places: Place) -> str:
    return " ".join(in_order(CHAIN, places))


def test_the_chain_alone_stays_as_it_is() -> None:
    assert order() == "collect stage store purge"


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (Place(), "collect stage store purge x"),
        (Place(before=("collect",)), "x collect stage store purge"),
        (Place(before=("purge",)), "collect stage store x purge"),
        (Place(before=("purge", "store")), "collect stage x store purge"),
        (Place(after=("collect",)), "collect stage store purge x"),
        (Place(after=("collect",), before=("stage",)), "collect x stage store purge"),
        (Place(before=("nobody",), after=("nobody",)), "collect stage store purge x"),
    ],
)
def test_each_comes_as_late_as_it_may(place: Place, expected: str) -> None:
    assert order(x=place) == expected


def test_at_one_spot_the_order_is_the_one_given() -> None:
    here = Place(before=("store",))
    assert order(z=here, a=here, m=here) == "collect stage z a m store purge"
    assert order(z=Place(), a=Place()) == "collect stage store purge z a"


def test_others_may_name_each_other_whichever_is_given_first() -> None:
    assert order(a=Place(after=("b",)), b=Place(before=("stage",))) == "collect b stage store purge a"
    assert order(a=Place(after=("b",)), b=Place()) == "collect stage store purge b a"
    assert order(b=Place(before=("a",)), a=Place(before=("collect",))) == "b a collect stage store purge"


@pytest.mark.parametrize(
    ("places", "names"),
    [
        ({"x": Place(before=("x",))}, {"x"}),
        ({"x": Place(before=("collect",), after=("stage",))}, {"x", "collect", "stage"}),
        ({"x": Place(before=("y",)), "y": Place(before=("x",)), "z": Place()}, {"x", "y"}),
    ],
)
def test_what_goes_in_a_circle_is_named(places: dict[str, Place], names: set[str]) -> None:
    with pytest.raises(Circle) as caught:
        in_order(CHAIN, places)
    assert set(caught.value.names) == names


def test_a_circle_is_told_in_the_order_of_time() -> None:
    with pytest.raises(Circle) as caught:
        in_order(CHAIN, {"x": Place(before=("collect",), after=("stage",))})
    turns = {f"{one} {other}" for one, other in pairwise((*caught.value.names, caught.value.names[0]))}
    assert turns == {"x collect", "collect stage", "stage x"}
    assert str(caught.value).count(" → ") == 3


SOME = st.lists(st.sampled_from((*CHAIN, *NAMES, "nobody")), max_size=2).map(tuple)
PLACES = st.dictionaries(st.sampled_from(NAMES), st.builds(Place, before=SOME, after=SOME))


@given(PLACES)
def test_every_order_keeps_every_word_and_every_circle_is_one(places: dict[str, Place]) -> None:
    wanted = {*pairwise(CHAIN)}
    for name, place in places.items():
        wanted |= {(name, each) for each in place.before} | {(each, name) for each in place.after}
    circle: tuple[str, ...] = ()
    made: tuple[str, ...] = ()
    try:
        made = in_order(CHAIN, places)
    except Circle as error:
        circle = error.names
    if circle:
        assert {*pairwise((*circle, circle[0]))} <= wanted
        return
    assert sorted(made) == sorted((*CHAIN, *places))
    assert [each for each in made if each in CHAIN] == list(CHAIN)
    at = {name: number for number, name in enumerate(made)}
    assert all(at[one] < at[other] for one, other in wanted if one in at and other in at)
