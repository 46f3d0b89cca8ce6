"""What a settings class declares, as options."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

import pytest
from msgspec import Meta

from robot_learning.core.options.option import LIVE, Option, nested, option, options_of


@dataclass(frozen=True, kw_only=True)
class Noise:
    sigma: Annotated[float, Meta(ge=0, le=1, description="spread"), LIVE] = 0.1


@dataclass(frozen=True, kw_only=True)
class Settings:
    rate: Annotated[float, Meta(gt=0, description="rate, Hz")] | None = None
    kind: Annotated[Literal["a", "b"], Meta(description="kind")] = "a"
    noise: Noise = field(default_factory=Noise)


@dataclass(frozen=True)
class Odd:
    when: complex = 1j


def test_a_class_says_type_range_and_meaning_of_each_option():
    rate, kind, sigma = options_of(Settings)
    assert rate == Option("rate", float, None, True, "rate, Hz", gt=0)
    assert kind == Option("kind", str, "a", False, "kind", choices=("a", "b"))
    expected = Option("noise.sigma", float, 0.1, False, "spread", ge=0, le=1, is_live=True)
    assert sigma == expected == option(Settings, "noise.sigma")


def test_no_option_is_of_another_type():
    with pytest.raises(TypeError):
        options_of(Odd)


def test_full_names_are_nested():
    assert nested({"a": 1, "b.c": 2, "b.d.e": 3}) == {"a": 1, "b": {"c": 2, "d": {"e": 3}}}
