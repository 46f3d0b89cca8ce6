"""Turns plain values, as YAML, JSON and ROS give them, into instances of annotated types.

A class says once what is valid: by its types, and by `msgspec.Meta` for ranges. Whatever is wrong
is said with its full key, what was found and what is valid:

    robot.yaml: joints[2].velocity_rad_s: expected above 0, found -1.0
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import inspect

from robot_learning.core.amounts import amount
from robot_learning.core.errors import ConfigurationError, unknown_choice

T = TypeVar("T")
UNIQUE = msgspec.Meta(extra_json_schema={"uniqueItems": True})
"""Annotation of a list without duplicates."""
Text = Annotated[str, msgspec.Meta(min_length=1)]
"""A text that is not empty."""
Names = Annotated[tuple[Text, ...], UNIQUE]
"""A list of names without duplicates."""
_EXPONENT = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+")


type_of: Callable[[Any], inspect.Type] = cache(inspect.type_info)
"""The description of an annotated type, from which the checks are made."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """Something wrong in a value.

    Attributes:
        key: full key of the wrong part, such as `joints[2].name`; empty for the whole value.
        text: what was found at the key, and what is valid.
    """

    key: str
    text: str

    def __str__(self) -> str:
        return f"{self.key}: {self.text}" if self.key else self.text


def decode(
    value: object,
    kind: type[T],
    source: str = "",
    key: str = "",
    error: type[ConfigurationError] = ConfigurationError,
) -> T:
    """An instance of `kind` from a plain value.

    Args:
        value: mappings, lists, texts, numbers, booleans and None.
        kind: a dataclass or any other annotated type.
        source: name of the file or command that the value is from; empty for none.
        key: key at which the value stands in the source; empty for the whole source.
        error: class of the error to raise.

    Raises:
        ConfigurationError: of the class `error`, about the first mistake.
    """
    place = f"{source}: " if source else ""
    for mistake in mistakes(value, kind, key):
        raise error(f"{place}{mistake}")
    try:
        return msgspec.convert(value, kind, dec_hook=_decode_path)
    except (ConfigurationError, msgspec.ValidationError) as problem:
        raise error(f"{place}{problem}") from problem


def check(
    instance: Any, key: str = "", error: type[ConfigurationError] = ConfigurationError
) -> None:
    """Hold the fields of an instance that a program made against what its own class says.

    Fields that are instances themselves have checked themselves.

    Args:
        instance: an instance of a dataclass.
        key: where the instance stands, such as `joints[2]`, for the text; empty for the top.
        error: class of the error to raise.

    Raises:
        ConfigurationError: of the class `error`, about the first mistake; `key` says where the
            instance stands.
    """
    for field in dataclass_type(type(instance)).fields:
        value = getattr(instance, field.name)
        if not isinstance(plain_type(field.type), inspect.DataclassType):
            for mistake in mistakes_of(_plain(value), field.type, joined(key, field.name)):
                raise error(str(mistake))


def mistakes(value: object, kind: Any, key: str = "") -> Iterator[Mistake]:
    """Everything in a plain value that does not fit a type, in the order of its fields.

    Args:
        value: a plain value, as YAML or JSON gives it.
        kind: the type that the value should fit.
        key: where the value stands, for the text; empty for the top.
    """
    return mistakes_of(value, type_of(kind), key)


def dataclass_type(kind: Any) -> inspect.DataclassType:
    """The description of a dataclass."""
    info = type_of(kind)
    assert isinstance(info, inspect.DataclassType)  # noqa: S101 (the caller's class)
    return info


def names_within(
    info: inspect.DataclassType | inspect.StructType, prefix: str = ""
) -> Iterator[str]:
    """The names, with dots, of what lies in the parts of a dataclass that are dataclasses."""
    for field in info.fields:
        inner = plain_type(field.type)
        if isinstance(inner, inspect.DataclassType):
            name = f"{prefix}{field.encode_name}."
            yield from (name + each.encode_name for each in inner.fields)
            yield from names_within(inner, name)


def plain_type(info: inspect.Type) -> inspect.Type:
    """A type without its metadata, and without None where it may also be None."""
    if isinstance(info, inspect.Metadata):
        return plain_type(info.type)
    if isinstance(info, inspect.UnionType):
        others = [each for each in info.types if not isinstance(each, inspect.NoneType)]
        return plain_type(others[0]) if len(others) == 1 else info
    return info


def variants_of(info: inspect.UnionType) -> dict[str, inspect.StructType]:
    """The structs of a union by their tags; empty where a tag does not tell them apart."""
    return {
        str(each.tag): each
        for each in info.types
        if isinstance(each, inspect.StructType) and each.tag_field is not None
    }


def choices_of(info: inspect.LiteralType | inspect.EnumType) -> tuple[Any, ...]:
    """The plain values that are valid."""
    if isinstance(info, inspect.LiteralType):
        return tuple(info.values)
    return tuple(each.value for each in info.cls)


def bounds_text(info: inspect.IntType | inspect.FloatType | msgspec.Meta) -> str:
    """The range of a number as in `at least 0 and at most 1`; empty where every number is valid."""
    bounds = {"at least": info.ge, "above": info.gt, "at most": info.le, "below": info.lt}
    texts = {
        words: str(bound) if isinstance(bound, int) else f"{bound:g}"
        for words, bound in bounds.items()
        if bound is not None
    }
    return " and ".join(f"{words} {text}" for words, text in texts.items())


def exponent_hint(value: object) -> str:
    """What to write instead of `1e2`, which YAML 1.1 takes for text."""
    if not isinstance(value, str) or not _EXPONENT.fullmatch(value):
        return ""
    mantissa, _, exponent = value.lower().partition("e")
    dotted = f"{float(mantissa)}e{int(exponent):+d}"
    return f", which is text in YAML; write {float(value):.12g} or {dotted}"


def found_text(value: object) -> str:
    """A value as an error text shows it."""
    if value is None:
        return "nothing"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    return f"{value!r}"


def _decode_path(kind: type, value: str) -> Path:
    if kind is not Path:
        raise TypeError(f"nothing decodes {kind}")
    return Path(value)


def _plain(value: object) -> object:
    if isinstance(value, Path):
        return str(value)
    return value.value if isinstance(value, Enum) else value


def mistakes_of(value: object, info: inspect.Type, key: str = "") -> Iterator[Mistake]:
    """As `mistakes`, by the description of a type.

    Args:
        value: a plain value, as YAML or JSON gives it.
        info: description of the type that the value should fit.
        key: where the value stands, for the text; empty for the top.
    """
    if isinstance(info, inspect.Metadata) and (info.extra_json_schema or {}).get("uniqueItems"):
        yield from _repeats(value, key)
    if isinstance(info, inspect.UnionType):
        if not (value is None and info.includes_none):
            yield from _union_mistakes(value, info, key)
        return
    plain = plain_type(info)
    check = _CHECKS.get(type(plain))
    if check is not None:
        yield from check(value, plain, key)


def _union_mistakes(value: object, info: inspect.UnionType, key: str) -> Iterator[Mistake]:
    """Those of the variant that a tag names; else of the last member, unless another one fits."""
    if variants := variants_of(info):
        yield from _variant_mistakes(value, variants, key)
        return
    found: list[Mistake] = []
    for each in info.types:
        if isinstance(each, inspect.NoneType):
            continue
        found = list(mistakes_of(value, each, key))
        if not found:
            return
    yield from found


def _variant_mistakes(
    value: object, variants: Mapping[str, inspect.StructType], key: str
) -> Iterator[Mistake]:
    tag_field = str(next(iter(variants.values())).tag_field)
    if not isinstance(value, dict):
        yield _no_mapping(value, key)
    elif tag_field not in value:
        yield _missing(value, tag_field, key)
    elif value[tag_field] not in list(variants):
        text = unknown_choice("value", value[tag_field], variants)
        yield Mistake(joined(key, tag_field), text)
    else:
        yield from _dataclass_mistakes(value, variants[value[tag_field]], key)


def _dataclass_mistakes(
    value: object, info: inspect.DataclassType | inspect.StructType, key: str
) -> Iterator[Mistake]:
    if not isinstance(value, dict):
        yield _no_mapping(value, key)
        return
    known = [field.encode_name for field in info.fields]
    if isinstance(info, inspect.StructType) and info.tag_field is not None:
        known.append(info.tag_field)
    for name in value:
        if name not in known:
            near = [joined(key, deeper) for deeper in names_within(info)]
            yield Mistake(key, unknown_choice("key", name, known, near))
    for field in info.fields:
        name = field.encode_name
        if name in value:
            yield from mistakes_of(value[name], field.type, joined(key, name))
        elif field.required:
            yield _missing(value, name, key)


def _no_mapping(value: object, key: str) -> Mistake:
    return Mistake(key, f"expected a mapping of keys to values, found {found_text(value)}")


def _missing(value: Mapping[str, Any], name: str, key: str) -> Mistake:
    present = ", ".join(map(str, value)) or "(nothing)"
    return Mistake(key, f"the key '{name}' is missing; found {present}")


def _mapping_mistakes(value: object, info: inspect.DictType, key: str) -> Iterator[Mistake]:
    if not isinstance(value, dict):
        yield _no_mapping(value, key)
        return
    for name, each in value.items():
        yield from mistakes_of(name, info.key_type, joined(key, str(name)))
        yield from mistakes_of(each, info.value_type, joined(key, str(name)))


def _list_mistakes(
    value: object, info: inspect.ListType | inspect.VarTupleType, key: str
) -> Iterator[Mistake]:
    if not isinstance(value, list | tuple):
        yield Mistake(key, f"expected a list, found {found_text(value)}")
        return
    low, high = info.min_length or 0, info.max_length
    if len(value) < low or (high is not None and len(value) > high):
        valid = f"at least {low}" if high is None else f"{low} to {high}"
        yield Mistake(key, f"expected a list of {valid} items, found {found_text(value)}")
        return
    for index, each in enumerate(value):
        yield from mistakes_of(each, info.item_type, f"{key}[{index}]")


def _repeats(value: object, key: str) -> Iterator[Mistake]:
    if isinstance(value, list | tuple):
        for index, each in enumerate(value):
            if each in value[:index]:
                yield Mistake(key, f"duplicate value '{each}'")


def _path_mistakes(value: object, info: inspect.CustomType, key: str) -> Iterator[Mistake]:
    if not isinstance(value, str) or not value:
        yield Mistake(key, f"expected text, found {found_text(value)}")


def _tuple_mistakes(value: object, info: inspect.TupleType, key: str) -> Iterator[Mistake]:
    if not isinstance(value, list | tuple) or len(value) != len(info.item_types):
        numeric = all(isinstance(plain_type(each), _NUMBERS) for each in info.item_types)
        wanted = amount(len(info.item_types), "number" if numeric else "item")
        yield Mistake(key, f"expected a list of {wanted}, found {found_text(value)}")
        return
    for index, (each, item) in enumerate(zip(value, info.item_types, strict=True)):
        yield from mistakes_of(each, item, f"{key}[{index}]")


def _choice_mistakes(
    value: object, info: inspect.LiteralType | inspect.EnumType, key: str
) -> Iterator[Mistake]:
    valid = choices_of(info)
    if not any(value == each and type(value) is type(each) for each in valid):
        yield Mistake(key, unknown_choice("value", value, map(str, valid)))


def _flag_mistakes(value: object, info: inspect.BoolType, key: str) -> Iterator[Mistake]:
    if not isinstance(value, bool):
        yield Mistake(key, f"expected true or false, found {found_text(value)}")


def _integer_mistakes(value: object, info: inspect.IntType, key: str) -> Iterator[Mistake]:
    if isinstance(value, bool) or not isinstance(value, int):
        yield Mistake(key, f"expected a whole number, found {found_text(value)}")
    else:
        yield from _range_mistakes(value, info, key)


def _number_mistakes(value: object, info: inspect.FloatType, key: str) -> Iterator[Mistake]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        yield Mistake(key, f"expected a number, found {found_text(value)}{exponent_hint(value)}")
    # Also of a whole number that is too large for a float.
    elif not -sys.float_info.max <= value <= sys.float_info.max:
        yield Mistake(key, f"expected a finite number, found {value}")
    else:
        yield from _range_mistakes(value, info, key)


def _range_mistakes(
    value: float, info: inspect.IntType | inspect.FloatType, key: str
) -> Iterator[Mistake]:
    holds = (
        (info.ge is None or value >= info.ge)
        and (info.gt is None or value > info.gt)
        and (info.le is None or value <= info.le)
        and (info.lt is None or value < info.lt)
    )
    if not holds:
        yield Mistake(key, f"expected {bounds_text(info)}, found {value}")


def _text_mistakes(value: object, info: inspect.StrType, key: str) -> Iterator[Mistake]:
    if not isinstance(value, str) or (info.min_length and not value):
        yield Mistake(key, f"expected text, found {found_text(value)}")
    elif info.pattern is not None and re.search(info.pattern, value) is None:
        yield Mistake(key, f"expected text that matches {info.pattern}, found {value!r}")


def joined(key: str, name: str) -> str:
    """The key of a part that is called `name`: `arms.left`."""
    return f"{key}.{name}" if key else name


_NUMBERS = (inspect.IntType, inspect.FloatType)
_CHECKS: dict[type, Callable[[object, Any, str], Iterator[Mistake]]] = {
    inspect.DataclassType: _dataclass_mistakes,
    inspect.StructType: _dataclass_mistakes,
    inspect.DictType: _mapping_mistakes,
    inspect.ListType: _list_mistakes,
    inspect.VarTupleType: _list_mistakes,
    inspect.TupleType: _tuple_mistakes,
    inspect.LiteralType: _choice_mistakes,
    inspect.EnumType: _choice_mistakes,
    inspect.BoolType: _flag_mistakes,
    inspect.IntType: _integer_mistakes,
    inspect.FloatType: _number_mistakes,
    inspect.StrType: _text_mistakes,
    inspect.CustomType: _path_mistakes,
}
"""Kind of type -> what finds the mistakes in a value of it."""
