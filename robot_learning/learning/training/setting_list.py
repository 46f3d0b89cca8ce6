"""The settings of a training, as a list for people: name, type, default, range and meaning.

Everything is read off the configuration's own fields, annotations and docstrings, so that the list
cannot fall behind them.
"""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from msgspec import Meta

from robot_learning.core.decoding import bounds_text

_ATTRIBUTE = re.compile(r"^    (\w+(?:, \w+)*): (.*)$")
_SENTENCE = re.compile(r"\.(?: (?=[A-Z])|$)")
# A bound this high only keeps numbers sane and is not worth showing.
_UNBOUNDED = re.compile(r" and at most 1000000000$")
_NAMES = {int: "int", float: "float", str: "text", bool: "bool", type(None): "null", Any: "any"}


@dataclass(frozen=True)
class Setting:
    """One setting: its dotted name, and what `--set` takes for it."""

    name: str
    kind: str
    default: str
    valid: str
    meaning: str

    @property
    def line(self) -> str:
        """The setting in one line, for a person."""
        valid = f", {self.valid}" if self.valid else ""
        meaning = f"  {self.meaning}" if self.meaning else ""
        return f"{self.name}={self.default}  ({self.kind}{valid}){meaning}"


def settings_of(section: Any, prefix: str = "") -> Iterator[Setting]:
    """The settings of a configuration with its present values as defaults, sections one by one.

    Args:
        section: instance of a frozen dataclass of settings.
        prefix: prefix of the settings' names, such as `optimizer.`; empty for none.
    """
    hints = typing.get_type_hints(type(section), include_extras=True)
    meanings = _meanings(type(section))
    for item in fields(section):
        value = getattr(section, item.name)
        if is_dataclass(value):
            yield from settings_of(value, f"{prefix}{item.name}.")
        else:
            kind, valid = _kind_and_range(hints[item.name])
            meaning = _SENTENCE.split(meanings.get(item.name, ""), maxsplit=1)[0].rstrip(".")
            yield Setting(f"{prefix}{item.name}", kind, _text(value), valid, meaning)


def _kind_and_range(hint: Any) -> tuple[str, str]:
    """The type in words, and its range or its valid values."""
    notes = [each for each in getattr(hint, "__metadata__", ()) if isinstance(each, Meta)]
    ranges = [_UNBOUNDED.sub("", bounds_text(each)) for each in notes]
    bare = hint.__origin__ if ranges else hint
    origin, inner = typing.get_origin(bare), typing.get_args(bare)
    if origin is typing.Literal:
        return "text" if isinstance(inner[0], str) else "int", " | ".join(map(str, inner))
    if origin in (types.UnionType, typing.Union):
        parts = [_kind_and_range(part) for part in inner]
        return " or ".join(kind for kind, _ in parts), next((v for _, v in parts if v), "")
    if origin is tuple:
        kind, valid = _kind_and_range(inner[0])
        return f"list of {kind}", "; ".join(ranges) or valid
    if isinstance(origin, type) and issubclass(origin, Mapping):
        kind, valid = _kind_and_range(inner[1])
        return f"names with {kind}", "; ".join(ranges) or valid
    return _NAMES.get(bare, getattr(bare, "__name__", str(bare))), "; ".join(ranges)


def _meanings(owner: type) -> dict[str, str]:
    """The text of each attribute in the docstrings of a class and its bases, on one line."""
    found: dict[str, str] = {}
    for base in reversed(owner.__mro__):
        names: list[str] = []
        for line in inspect.cleandoc(base.__doc__ or "").partition("Attributes:")[2].splitlines():
            if match := _ATTRIBUTE.match(line):
                names = match[1].split(", ")
                found |= dict.fromkeys(names, match[2])
            elif line.startswith("        "):
                found |= {name: f"{found[name]} {line.strip()}" for name in names}
            else:
                names = []
    return found


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_text, value))}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_text(each)}" for name, each in value.items()) + "}"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value) or "''"
