"""Reading YAML mappings strictly: every key is known, every value has the right type.

Each error names the file and the full key (`joints[2].velocity_rad_s`), says what was found and
what is valid.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from robot_learning.core.amounts import amount
from robot_learning.core.decoding import exponent_hint, found_text
from robot_learning.core.errors import ConfigurationError, unknown_choice
from robot_learning.core.yaml_file import read_yaml

_Mapping = TypeVar("_Mapping", bound="StrictMapping")


class StrictMapping:
    """A mapping whose keys are taken one by one; `finish` refuses what was not taken."""

    def __init__(
        self,
        values: Any,
        source: str,
        key: str = "",
        error: type[ConfigurationError] = ConfigurationError,
    ) -> None:
        self.source = source
        self.key = key
        self._error = error
        if not isinstance(values, dict):
            raise self.fail(f"expected a mapping of keys to values, found {found_text(values)}")
        self._values: dict[str, Any] = {str(name): value for name, value in values.items()}
        self._known: list[str] = []

    @classmethod
    def read(
        cls: type[_Mapping], path: Path, error: type[ConfigurationError] = ConfigurationError
    ) -> _Mapping:
        """Parse a YAML file.

        Raises:
            error: the file is missing, unreadable, not YAML, or not a mapping.
        """
        return cls(read_yaml(path, error), str(path), error=error)

    def fail(self, text: str, name: str = "") -> ConfigurationError:
        """An error about this mapping or about its key `name`, to be raised."""
        place = self._place(name)
        return self._error(f"{self.source}: {place + ': ' if place else ''}{text}")

    def refuse(self, text: str, name: str = "") -> None:
        """Say that this mapping or its key `name` is wrong; unlike `raise fail` it may return.

        Raises:
            ConfigurationError: here always; a `MistakeFinder` notes it and reads on.
        """
        raise self.fail(text, name)

    def is_sound(self, name: str) -> bool:
        """Whether nothing was refused at the key or below it: always, where it is raised."""
        return True

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def knows(self, *names: str) -> None:
        """Declare keys that are valid here although they may not be taken."""
        self._known.extend(names)

    def finish(self) -> None:
        """Refuse keys that were not taken.

        Raises:
            ConfigurationError: names the key, the nearest valid one and all valid ones.
        """
        for name in self._values:
            if name not in self._known:
                self.refuse(unknown_choice("key", name, self._known))

    def text(self, name: str, default: str | None = None) -> str:
        """A non-empty string."""
        value = self._take(name, default)
        if not isinstance(value, str) or not value:
            raise self.fail(f"expected text, found {found_text(value)}", name)
        return value

    def topic_name(self, name: str) -> str:
        """A name that can be part of a ROS topic: letters, digits and underscores."""
        value = self.text(name)
        if re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", value) is None:
            text = f"'{value}' becomes part of a topic: a letter, then letters, digits, underscores"
            raise self.fail(text, name)
        return value

    def optional_text(self, name: str) -> str | None:
        """A string, or None when the key is absent."""
        self.knows(name)
        return self.text(name) if name in self._values else None

    def choice(self, name: str, valid: Iterable[str], default: str | None = None) -> str:
        """One of `valid`.

        Args:
            name: key in this mapping.
            valid: the valid values.
            default: value where the key is absent; None if the key is required.
        """
        value, choices = self.text(name, default), list(valid)
        if value not in choices:
            raise self.fail(unknown_choice("value", value, choices), name)
        return value

    def deciding_choice(self, name: str, valid: Iterable[str]) -> str:
        """One of `valid`, on which it depends how the rest of this mapping is read."""
        return self.choice(name, valid)

    def flag(self, name: str, default: bool | None = None) -> bool:
        """A boolean."""
        value = self._take(name, default)
        if not isinstance(value, bool):
            raise self.fail(f"expected true or false, found {found_text(value)}", name)
        return value

    def integer(self, name: str, default: int | None = None, minimum: int | None = None) -> int:
        """A whole number.

        Args:
            name: key in this mapping.
            default: value where the key is absent; None if the key is required.
            minimum: smallest valid number; None for no bound.
        """
        value = self._take(name, default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.fail(f"expected a whole number, found {found_text(value)}", name)
        if minimum is not None and value < minimum:
            raise self.fail(f"expected at least {minimum}, found {value}", name)
        return value

    def number(self, name: str, default: float | None = None, positive: bool = False) -> float:
        """A finite number; with `positive`, greater than zero.

        Args:
            name: key in this mapping.
            default: value where the key is absent; None if the key is required.
            positive: whether only numbers above 0 are valid.
        """
        value = self._number(self._take(name, default), name)
        if positive and value <= 0:
            raise self.fail(f"expected a number above 0, found {value:g}", name)
        return value

    def numbers(
        self, name: str, count: int, default: tuple[float, ...] | None = None
    ) -> tuple[float, ...]:
        """A list of exactly `count` finite numbers.

        Args:
            name: key in this mapping.
            count: number of entries of the list.
            default: value where the key is absent; None if the key is required.
        """
        values = self._take(name, default)
        if not isinstance(values, list | tuple) or len(values) != count:
            raise self.fail(
                f"expected a list of {amount(count, 'number')}, found {found_text(values)}", name
            )
        return tuple(self._number(value, f"{name}[{index}]") for index, value in enumerate(values))

    def integers(self, name: str) -> tuple[int, ...]:
        """A list of whole numbers, of any length."""
        values = self._take(name, None)
        if not isinstance(values, list | tuple) or not all(type(v) is int for v in values):
            raise self.fail(f"expected a list of whole numbers, found {found_text(values)}", name)
        return tuple(values)

    def texts(self, name: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """A list of strings without repeats."""
        values = self._take(name, default)
        if not isinstance(values, list | tuple) or not all(isinstance(v, str) for v in values):
            raise self.fail(f"expected a list of names, found {found_text(values)}", name)
        for value in values:
            if list(values).count(value) > 1:
                raise self.fail(f"'{value}' stands twice", name)
        return tuple(values)

    def mapping(self, name: str) -> StrictMapping:
        """A nested mapping; the key must be there."""
        return self._nested(self._take(name, None), name)

    def optional_mapping(self, name: str) -> StrictMapping | None:
        """A nested mapping, or None when the key is absent."""
        self.knows(name)
        return self.mapping(name) if name in self._values else None

    def mappings(self, name: str, required: bool = True) -> list[StrictMapping]:
        """A list of nested mappings; empty when absent and not `required`."""
        values = self._take(name, None if required else [])
        if not isinstance(values, list):
            raise self.fail(f"expected a list, found {found_text(values)}", name)
        return [self._nested(value, f"{name}[{index}]") for index, value in enumerate(values)]

    def entries(self, name: str, read: Callable[[StrictMapping, str], Any]) -> dict[str, Any]:
        """An optional mapping of free keys; `read(mapping, key)` reads each value."""
        nested = self.optional_mapping(name)
        return {key: read(nested, key) for key in nested} if nested else {}

    def _take(self, name: str, default: Any) -> Any:
        self.knows(name)
        if name not in self._values:
            if default is None:
                present = ", ".join(self._values) or "(nothing)"
                raise self.fail(f"the key '{name}' is missing; found {present}")
            return default
        return self._values[name]

    def _number(self, value: Any, name: str) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            text = f"expected a number, found {found_text(value)}{exponent_hint(value)}"
            raise self.fail(text, name)
        if not math.isfinite(value):
            raise self.fail(f"expected a finite number, found {value}", name)
        return float(value)

    def _nested(self, values: Any, name: str) -> StrictMapping:
        return StrictMapping(values, self.source, self._place(name), self._error)

    def _place(self, name: str) -> str:
        return ".".join(part for part in (self.key, name) if part)
