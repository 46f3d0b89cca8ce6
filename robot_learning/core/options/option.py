"""The options that a settings class declares: what parameters, arguments and pages are made of.

A settings class is a frozen dataclass. Each of its fields has a type, a default and, by
`Annotated`, a description with the unit and the range:

    rate_hz: Annotated[float, Meta(ge=1, description="Rate of the commands, Hz")] = 50.0

`T | None` is an option that need not be given. A field that is a settings class itself groups
options: `noise.sigma` is the field `sigma` of the field `noise`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any, Literal, get_args, get_origin, get_type_hints

from msgspec import Meta, inspect

from robot_learning.core.decoding import dataclass_type, plain_type

LIVE = Meta(extra={"is_live": True})
"""Annotation of a field that may change while the node runs."""

OptionValue = bool | int | float | str | tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a settings class.

    Attributes:
        name: field name, after the names of the groups that it is in and dots.
        kind: type of the option's value: bool, int, float, str or tuple (of texts).
        default: value of the option where none is given.
        is_optional: whether the option may be without a value.
        description: meaning of the option, with the unit.
        choices: valid texts; empty where any text is valid.
        ge: smallest valid number; None for no such bound.
        gt: number below every valid one; None for no such bound.
        le: largest valid number; None for no such bound.
        is_live: whether the option may change while the node runs.
    """

    name: str
    kind: type
    default: OptionValue
    is_optional: bool
    description: str
    choices: tuple[str, ...] = ()
    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    is_live: bool = False


def options_of(settings: type) -> tuple[Option, ...]:
    """The options of a settings class, those of its groups included, in the order of its fields.

    Raises:
        TypeError: a field is of a type that no option can have.
    """
    # A class can be hashed, whatever its instances can.
    return _options_of(settings)


@cache
def _options_of(settings: type) -> tuple[Option, ...]:
    """`options_of`, once for each class: reading annotations takes a millisecond."""
    return tuple(_options(dataclass_type(settings), ""))


def option(settings: type, name: str) -> Option:
    """The option of this name.

    Raises:
        KeyError: the class has none.
    """
    return {each.name: each for each in options_of(settings)}[name]


def nested(values: dict[str, Any]) -> dict[str, Any]:
    """Values by the full names of options, as the mapping of mappings that is decoded.

    >>> nested({"seed": 1, "noise.sigma": 0.1})
    {'seed': 1, 'noise': {'sigma': 0.1}}
    """
    tree: dict[str, Any] = {}
    for name, value in values.items():
        *groups, last = name.split(".")
        place = tree
        for group in groups:
            place = place.setdefault(group, {})
        place[last] = value
    return tree


def _options(info: inspect.DataclassType, prefix: str) -> Iterator[Option]:
    hints = get_type_hints(info.cls, include_extras=True)
    for field in info.fields:
        plain = plain_type(field.type)
        if isinstance(plain, inspect.DataclassType):
            yield from _options(plain, f"{prefix}{field.name}.")
        else:
            choices = tuple(_choices(hints[field.name]))
            yield _option(field, plain, f"{prefix}{field.name}", choices)


def _choices(hint: Any) -> Iterator[str]:
    """The valid texts of an annotation, in its order, which msgspec does not keep."""
    if get_origin(hint) is Literal:
        yield from map(str, get_args(hint))
    elif isinstance(hint, type) and issubclass(hint, Enum):
        yield from (str(each.value) for each in hint)
    else:
        for part in get_args(hint):
            yield from _choices(part)


def _option(
    field: inspect.Field, plain: inspect.Type, name: str, choices: tuple[str, ...]
) -> Option:
    kinds = {
        inspect.BoolType: bool,
        inspect.IntType: int,
        inspect.FloatType: float,
        inspect.StrType: str,
        inspect.LiteralType: str,
        inspect.EnumType: str,
        inspect.VarTupleType: tuple,
    }
    if type(plain) not in kinds:
        raise TypeError(f"{name}: no option can be of the type {plain}")
    notes = list(_metadata(field.type))
    described = [(each.extra_json_schema or {}).get("description") for each in notes]
    bounds: dict[str, float | None] = {}
    if isinstance(plain, inspect.IntType | inspect.FloatType):
        bounds = {"ge": plain.ge, "gt": plain.gt, "le": plain.le}
    return Option(
        name=name,
        kind=kinds[type(plain)],
        default=field.default,
        is_optional=isinstance(field.type, inspect.UnionType) and field.type.includes_none,
        description=next(filter(None, described), ""),
        choices=choices,
        **bounds,
        is_live=any((each.extra or {}).get("is_live") for each in notes),
    )


def _metadata(info: inspect.Type) -> Iterator[inspect.Metadata]:
    if isinstance(info, inspect.Metadata):
        yield info
        yield from _metadata(info.type)
    elif isinstance(info, inspect.UnionType):
        for each in info.types:
            yield from _metadata(each)
