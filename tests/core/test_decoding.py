"""Plain values to typed ones: what is taken, and how what is wrong is said."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct

from robot_learning.core.decoding import decode, mistakes
from robot_learning.core.errors import ConfigurationError, ProfileError


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Joint:
    name: Annotated[str, Meta(min_length=1)]
    velocity: Annotated[float, Meta(gt=0)]
    limits: tuple[float, float] = (-1.0, 1.0)

    def __post_init__(self) -> None:
        if self.limits[0] >= self.limits[1]:
            raise ConfigurationError(f"limits: expected low < high, found {self.limits}")


@dataclass(frozen=True)
class Arm:
    joints: tuple[Joint, ...]
    kind: Literal["long", "short"] = "short"
    colour: Colour = Colour.RED
    count: Annotated[int, Meta(ge=0, le=3)] = 0
    share: Annotated[float, Meta(ge=0)] | None = None
    flag: bool = False
    gains: dict[str, float] = field(default_factory=dict)


JOINT = {"name": "a", "velocity": 1}


def test_plain_values_become_an_instance():
    arm = decode(
        {"joints": [JOINT], "colour": "blue", "share": None, "gains": {"p": 2}, "count": 3}, Arm
    )
    assert arm == Arm((Joint("a", 1.0),), colour=Colour.BLUE, gains={"p": 2.0}, count=3)
    assert isinstance(arm.joints[0].velocity, float)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"kin": "long"}, "f.yaml: unknown key 'kin'; did you mean 'kind'? Valid: colour, count"),
        ({"joints": 3}, "f.yaml: joints: expected a list, found 3"),
        ({"joints": [3]}, "f.yaml: joints[0]: expected a mapping of keys to values, found 3"),
        ({"joints": [{"name": "a"}]}, "joints[0]: the key 'velocity' is missing; found name"),
        ({"joints": [JOINT | {"name": ""}]}, "joints[0].name: expected text, found ''"),
        ({"joints": [JOINT | {"velocity": 0}]}, "joints[0].velocity: expected above 0, found 0"),
        ({"joints": [JOINT | {"velocity": "1e2"}]}, "which is text in YAML; write 100 or 1.0e+2"),
        ({"joints": [JOINT | {"velocity": float("nan")}]}, "expected a finite number, found nan"),
        ({"joints": [JOINT | {"velocity": True}]}, "expected a number, found True"),
        ({"joints": [JOINT | {"limits": [1]}]}, "limits: expected a list of 2 numbers, found a"),
        ({"joints": [JOINT | {"limits": [1, "b"]}]}, "joints[0].limits[1]: expected a number"),
        ({"joints": [JOINT | {"limits": [1, 1]}]}, "f.yaml: limits: expected low < high"),
        ({"kind": "shorter"}, "kind: unknown value 'shorter'; did you mean 'short'?"),
        ({"colour": "green"}, "colour: unknown value 'green'; valid: blue, red"),
        ({"count": 4}, "count: expected at least 0 and at most 3, found 4"),
        ({"count": 1.0}, "count: expected a whole number, found 1.0"),
        ({"count": None}, "count: expected a whole number, found nothing"),
        ({"share": -1}, "share: expected at least 0, found -1"),
        ({"flag": 1}, "flag: expected true or false, found 1"),
        ({"gains": {"p": "x"}}, "gains.p: expected a number, found 'x'"),
    ],
)
def test_a_mistake_names_file_key_found_and_valid(change, text):
    with pytest.raises(ProfileError) as raised:
        decode({"joints": [JOINT], **change}, Arm, "f.yaml", error=ProfileError)
    assert text in str(raised.value)
    assert str(raised.value).startswith("f.yaml: ")


def test_every_mistake_can_be_had_in_one_pass():
    value = {"joints": [{"velocity": -1}], "flag": "no", "count": 5, "more": 1}
    assert [mistake.key for mistake in mistakes(value, Arm, "arm")] == [
        *("arm", "arm.joints[0]", "arm.joints[0].velocity", "arm.count", "arm.flag"),
    ]


def test_a_key_may_be_given_for_a_part():
    with pytest.raises(ConfigurationError, match=r"^arms\[1\]\.count: expected"):
        decode({"joints": [], "count": 9}, Arm, key="arms[1]")


class Turn(Struct, frozen=True, tag_field="kind", tag="turn"):
    angle_rad: float


class Slide(Struct, frozen=True, tag_field="kind", tag="slide", rename={"way": "way_m"}):
    way: float = 0.0


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"kind": "turn"}, "m: the key 'angle_rad' is missing; found kind"),
        ({"kind": "turn", "angle": 1}, "m: unknown key 'angle'; did you mean 'angle_rad'?"),
        ({"kind": "slid"}, "m.kind: unknown value 'slid'; did you mean 'slide'? Valid: slide, t"),
        ({"kind": ["turn"]}, "m.kind: unknown value '['turn']'; did you mean 'turn'? Valid: s"),
        ({"way_m": 1}, "m: the key 'kind' is missing; found way_m"),
        ({"kind": "slide", "way_m": "1"}, "m.way_m: expected a number, found '1'"),
        ({"kind": "slide", "way": 1}, "m: unknown key 'way'; did you mean 'way_m'?"),
        (3, "m: expected a mapping of keys to values, found 3"),
    ],
)
def test_a_tag_decides_what_is_valid(value, text):
    with pytest.raises(ConfigurationError) as raised:
        decode(value, Turn | Slide, key="m")
    assert str(raised.value).startswith(text)


def test_a_tagged_value_becomes_an_instance_of_its_struct():
    assert decode({"kind": "turn", "angle_rad": 1}, Turn | Slide) == Turn(1.0)
    assert decode({"kind": "slide", "way_m": 2}, Turn | Slide) == Slide(2.0)
    assert decode(None, Turn | Slide | None) is None


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)


@given(json_like | st.dictionaries(st.sampled_from(["joints", "kind", "count"]), json_like))
def test_whatever_stands_there_only_our_error_comes_out(value):
    try:
        decode(value, Arm, "file.yaml")
    except ConfigurationError as error:
        assert str(error).startswith("file.yaml: ")
