"""Settings as texts: what a launch argument, `name:=value` and a command line hold.

A setting that is not given is an empty text; where a text cannot be meant, also `auto`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, TypeVar

from robot_learning.core.decoding import decode
from robot_learning.core.options.option import Option, nested, options_of

T = TypeVar("T")
AUTO = "auto"


def from_texts(kind: type[T], texts: Mapping[str, str]) -> T:
    """The settings that texts stand for; what is not among them has its default.

    Args:
        kind: a settings class.
        texts: text by name of the option; every name is one of the class.

    Raises:
        ConfigurationError: a text that cannot be the value of its option; says what is valid.
    """
    known = {option.name: option for option in options_of(kind)}
    plain = nested({name: value_of(known[name], text) for name, text in texts.items()})
    return decode(plain, kind)


def value_of(option: Option, text: str) -> Any:
    """The value that a text stands for; the text itself, where it cannot be one."""
    if option.is_optional and text in ("", *([] if _is_free(option) else [AUTO])):
        return None
    if option.kind is bool:
        return {"true": True, "false": False}.get(text.lower(), text)
    if option.kind is tuple:
        return [name.strip() for name in text.split(",") if name.strip()]
    if option.kind is str:
        return text
    try:
        return option.kind(text)
    except ValueError:
        return text


def text_of(option: Option, value: Any) -> str:
    """The text that stands for a value of an option."""
    if value is None:
        return "" if _is_free(option) else AUTO
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(value)
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, float):
        short = f"{value:g}"
        return short if float(short) == value else repr(value)
    return str(value)


def text_choices(option: Option) -> tuple[str, ...]:
    """The texts that are valid, where only some are."""
    choices = ("true", "false") if option.kind is bool else option.choices
    return (AUTO, *choices) if choices and option.is_optional else choices


def _is_free(option: Option) -> bool:
    """Whether any text is a value, `auto` too."""
    return option.kind is str and not option.choices
