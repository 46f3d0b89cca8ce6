"""Settings as texts, back and forth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import pytest
from msgspec import Meta

from robot_learning.core.errors import ConfigurationError
from robot_learning.core.options.option import option, options_of
from robot_learning.core.options.texts import from_texts, text_choices, text_of


@dataclass(frozen=True, kw_only=True)
class Settings:
    flag: bool = False
    maybe: bool | None = None
    count: int = 3
    share: Annotated[float, Meta(gt=0, le=1)] | None = None
    kind: Literal["a", "b"] | None = None
    name: str | None = None
    names: tuple[str, ...] = ("all",)
    cameras: tuple[str, ...] | None = None


def test_texts_become_values():
    texts = {"flag": "True", "count": "5", "share": "0.5", "kind": "b", "names": "x, y,"}
    settings = from_texts(Settings, {**texts, "name": "auto", "cameras": "none"})
    assert settings == Settings(
        flag=True, count=5, share=0.5, kind="b", names=("x", "y"), name="auto", cameras=("none",)
    )


@pytest.mark.parametrize("text", ["", "auto"])
def test_what_is_not_given_is_an_empty_text_or_auto(text):
    names = ("maybe", "share", "kind", "cameras")
    assert from_texts(Settings, dict.fromkeys(names, text)) == Settings()
    assert from_texts(Settings, {"name": ""}) == Settings()


def test_values_survive_as_texts():
    given = Settings(flag=True, share=0.25, kind="a", name="x", names=("a", "b"))
    for settings in (given, Settings(), Settings(share=0.123456789)):
        texts = {
            each.name: text_of(each, getattr(settings, each.name)) for each in options_of(Settings)
        }
        assert from_texts(Settings, texts) == settings


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("flag", "1", "flag: expected true or false, found '1'"),
        ("count", "1.5", "count: expected a whole number, found '1.5'"),
        ("share", "much", "share: expected a number, found 'much'"),
        ("share", "0", "share: expected above 0 and at most 1, found 0.0"),
        ("share", "nan", "share: expected a finite number"),
        ("kind", "c", "kind: unknown value 'c'; valid: a, b"),
    ],
)
def test_a_text_that_is_no_value_says_what_is_valid(name, text, said):
    with pytest.raises(ConfigurationError, match=said):
        from_texts(Settings, {name: text})


def test_choices_hold_what_is_not_given():
    assert text_choices(option(Settings, "maybe")) == ("auto", "true", "false")
    assert text_choices(option(Settings, "flag")) == ("true", "false")
    assert text_choices(option(Settings, "kind")) == ("auto", "a", "b")
    assert text_choices(option(Settings, "name")) == ()
