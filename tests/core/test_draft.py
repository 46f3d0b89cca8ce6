"""What can be read of a value with mistakes, and what stands for the rest."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct

from robot_learning.core.decoding import UNIQUE, Text, decode
from robot_learning.core.draft import draft


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Wheel(Struct, frozen=True, tag_field="kind", tag="wheel"):
    name: Text
    radius_m: Annotated[float, Meta(gt=0)]


class Track(Struct, frozen=True, tag_field="kind", tag="track"):
    name: Text
    links: int = 3


@dataclass(frozen=True)
class Cart:
    parts: tuple[Wheel | Track, ...]
    spare: Wheel | Track | None = None
    names: Annotated[tuple[str, ...], UNIQUE] = ()
    drive: Literal["front", "rear"] = "front"
    colour: Colour = Colour.RED
    place: tuple[float, float] = (0.0, 0.0)
    file: Path = Path("cart")
    sizes: dict[str, float] | None = None
    by_name: dict[str, Wheel] | None = None
    flag: bool = False


WHEEL = {"kind": "wheel", "name": "left", "radius_m": 0.5}
CART = {
    "parts": [WHEEL, {"kind": "track", "name": "right"}],
    "spare": WHEEL,
    "names": ["a", "b"],
    "drive": "rear",
    "colour": "blue",
    "place": [1, 2],
    "file": "a.xml",
    "sizes": {"x": 1},
    "by_name": {"w": WHEEL},
    "flag": True,
}


def test_a_value_without_mistakes_is_decoded():
    read = draft(CART, Cart)
    assert read.value == decode(CART, Cart)
    assert (read.mistakes, list(read.unread)) == ((), [])


def test_what_can_be_read_stands_beside_a_mistake():
    read = draft({**CART, "wings": 2}, Cart)
    assert read.value == decode(CART, Cart)
    assert [mistake.text[:19] for mistake in read.mistakes] == ["unknown key 'wings'"]
    assert read.is_read("parts")


@pytest.mark.parametrize(
    ("change", "key", "stand_in"),
    [
        ({"names": ["a", "a"]}, "names", ()),
        ({"names": 3}, "names", ()),
        ({"drive": "both"}, "drive", "front"),
        ({"colour": "green"}, "colour", Colour.RED),
        ({"file": 3}, "file", Path()),
        ({"sizes": {"x": "wide"}}, "sizes", {}),
        ({"flag": "yes"}, "flag", False),
        ({"parts": 3}, "parts", ()),
    ],
)
def test_something_stands_for_what_cannot_be_read(change: dict[str, Any], key: str, stand_in: Any):
    read = draft({**CART, **change}, Cart)
    assert list(read.unread) == [key]
    assert getattr(read.value, key) == stand_in
    assert read.is_lost(key)
    assert not read.is_read(key)


def test_nan_stands_for_numbers():
    read = draft({**CART, "place": [1], "spare": {**WHEEL, "radius_m": -1}}, Cart)
    assert all(map(math.isnan, read.value.place))
    assert isinstance(read.value.spare, Wheel)
    assert read.value.spare.name == "left"
    assert math.isnan(read.value.spare.radius_m)
    assert sorted(read.unread) == ["place", "spare.radius_m"]
    assert not read.is_lost("spare")
    assert not read.is_read("spare")


def test_a_missing_key_is_an_unread_part():
    read = draft({"parts": [{"kind": "track"}]}, Cart)
    assert read.value.parts == (Track(""),)
    assert list(read.unread) == ["parts[0].name"]


def test_of_an_unknown_kind_nothing_is_looked_at_but_what_all_have():
    read = draft({"parts": [{"kind": "ski", "name": "left", "length_m": 2}]}, Cart)
    assert [str(mistake) for mistake in read.mistakes] == [
        "parts[0].kind: unknown value 'ski'; valid: track, wheel"
    ]
    assert read.value.parts[0].name == "left"
    assert read.is_lost("parts[0].radius_m")


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*CART]), json_like) | json_like)
def test_whatever_stands_there_is_a_draft_of_its_class(value: Any):
    read = draft(value, Cart)
    assert isinstance(read.value, Cart)
    assert bool(read.mistakes) == bool(read.unread) or isinstance(value, dict)
