"""Reads a value on after a mistake, so that rules between its parts can be checked in one pass.

Something stands for what cannot be read: NaN for a number, since no comparison with it holds, and
an empty text, list or mapping. A value without mistakes is simply decoded.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from msgspec import inspect

from robot_learning.core.decoding import (
    Mistake,
    choices_of,
    decode,
    joined,
    mistakes,
    mistakes_of,
    plain_type,
    type_of,
    variants_of,
)

T = TypeVar("T")
_ABSENT = object()
_STAND_INS: dict[type, Any] = {
    inspect.FloatType: math.nan,
    inspect.IntType: 0,
    inspect.StrType: "",
    inspect.BoolType: False,
    inspect.VarTupleType: (),
    inspect.DictType: {},
    inspect.CustomType: Path(),
}


@dataclass(frozen=True)
class Draft(Generic[T]):
    """What could be read of a value.

    Attributes:
        value: the instance, with something in the place of what could not be read.
        mistakes: everything in the value that does not fit its type.
        unread: keys of the parts that could not be read.
    """

    value: T
    mistakes: tuple[Mistake, ...]
    unread: Collection[str]

    def is_read(self, key: str) -> bool:
        """Whether the part at a key could be read, and all that is in it."""
        return not any(_holds(key, unread) for unread in self.unread)

    def is_lost(self, key: str) -> bool:
        """Whether the part at a key could not be read, or lies in one that could not."""
        return any(_holds(unread, key) for unread in self.unread)


def draft(value: object, kind: type[T]) -> Draft[T]:
    """What can be read of a plain value.

    Args:
        value: a plain value, as YAML or JSON gives it.
        kind: a struct or dataclass of plain values, paths, and more of its sort.
    """
    found = tuple(mistakes(value, kind))
    if not found:
        return Draft(decode(value, kind), (), ())
    reader = _Reader()
    return Draft(reader.read(value, type_of(kind), ""), found, frozenset(reader.unread))


class _Reader:
    """Reads what can be read, and notes the keys of the rest."""

    def __init__(self) -> None:
        self.unread: set[str] = set()

    def read(self, value: Any, info: inspect.Type, key: str) -> Any:
        if value is None and isinstance(info, inspect.UnionType) and info.includes_none:
            return None
        plain = plain_type(info)
        if isinstance(plain, inspect.UnionType) and variants_of(plain):
            plain = self._variant(value, variants_of(plain), key)
        if isinstance(plain, inspect.StructType | inspect.DataclassType):
            return self._instance(value, plain, key)
        if isinstance(plain, inspect.VarTupleType) and isinstance(value, list | tuple):
            kind = plain.item_type
            if _is_nested(kind):
                return tuple(self.read(each, kind, f"{key}[{i}]") for i, each in enumerate(value))
        if isinstance(plain, inspect.DictType) and isinstance(value, dict):
            kind = plain.value_type
            if _is_nested(kind):
                return {name: self.read(v, kind, joined(key, name)) for name, v in value.items()}
        if next(mistakes_of(value, info, key), None) is not None:
            self.unread.add(key)
            return _stand_in(plain)
        return _converted(value, plain)

    def _variant(
        self, value: Any, variants: Mapping[str, inspect.StructType], key: str
    ) -> inspect.StructType:
        first = next(iter(variants.values()))
        tag = value.get(first.tag_field) if isinstance(value, dict) else None
        if tag in list(variants):
            return variants[tag]
        # Which keys it should have is not known, so that none of them is looked at.
        self.unread.add(key)
        return first

    def _instance(
        self, value: Any, info: inspect.StructType | inspect.DataclassType, key: str
    ) -> Any:
        if not isinstance(value, dict):
            self.unread.add(key)
        given = value if isinstance(value, dict) else {}
        parts = {
            field.name: self.read(
                given.get(field.encode_name, _ABSENT), field.type, joined(key, field.encode_name)
            )
            for field in info.fields
            if field.required or field.encode_name in given
        }
        return info.cls(**parts)


def _is_nested(info: inspect.Type) -> bool:
    """Whether a type has parts that can be read one by one."""
    kinds = inspect.StructType | inspect.DataclassType | inspect.UnionType
    return isinstance(plain_type(info), kinds)


def _converted(value: Any, plain: inspect.Type) -> Any:
    if isinstance(plain, inspect.EnumType):
        return plain.cls(value)
    if isinstance(plain, inspect.CustomType):
        return Path(value)
    return tuple(value) if isinstance(value, list) else value


def _stand_in(plain: inspect.Type) -> Any:
    if isinstance(plain, inspect.TupleType):
        return tuple(_stand_in(plain_type(each)) for each in plain.item_types)
    if isinstance(plain, inspect.LiteralType | inspect.EnumType):
        return _converted(choices_of(plain)[0], plain)
    if isinstance(plain, inspect.UnionType):
        return _stand_in(plain_type(plain.types[0]))
    return _STAND_INS[type(plain)]


def _holds(whole: str, place: str) -> bool:
    """Whether a key is another one or lies in it: `arms[0].name` in `arms`, all in an empty one."""
    return not whole or place == whole or place.startswith((f"{whole}.", f"{whole}["))
