"""Reading a file on after a mistake, so that one pass names all that can be found."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from robot_learning.core.errors import ConfigurationError
from robot_learning.core.strict_mapping import StrictMapping

_Value = TypeVar("_Value")


@dataclass
class _Notes:
    """Mistakes with their places, and the places of the values that could not be read."""

    mistakes: list[tuple[str, ConfigurationError]] = field(default_factory=list)
    unread: set[str] = field(default_factory=set)


class MistakeFinder(StrictMapping):
    """Notes what a `StrictMapping` raises, and gives something in the place of what is wrong.

    NaN stands for a number, since no comparison with it holds, an empty text for a text, and a
    mapping that notes nothing for a mapping: what follows from a mistake is not named too. What
    the reader itself raises still ends the pass.
    """

    def __init__(
        self,
        values: Any,
        source: str,
        key: str = "",
        error: type[ConfigurationError] = ConfigurationError,
        notes: _Notes | None = None,
    ) -> None:
        super().__init__(values, source, key, error)
        self._notes = notes or _Notes()

    @property
    def mistakes(self) -> list[ConfigurationError]:
        """What was found here and below, in the order of reading."""
        return [mistake for _, mistake in self._notes.mistakes]

    def refuse(self, text: str, name: str = "") -> None:
        """Note it, unless the value was not even read."""
        place = self._place(name)
        if not any(_holds(unread, place) for unread in self._notes.unread):
            self._notes.mistakes.append((place, self.fail(text, name)))

    def is_sound(self, name: str) -> bool:
        """Whether nothing was noted at the key or below it."""
        whole = self._place(name)
        return not any(_holds(whole, place) for place, _ in self._notes.mistakes)

    def text(self, name: str, default: str | None = None) -> str:
        """As in `StrictMapping`, or empty."""
        return self._read_or("", name, super().text, default)

    def topic_name(self, name: str) -> str:
        """As in `StrictMapping`, or empty."""
        return self._read_or("", name, super().topic_name)

    def choice(self, name: str, valid: Iterable[str], default: str | None = None) -> str:
        """As in `StrictMapping`, or the first that is valid.

        Args:
            name: key in this mapping.
            valid: the valid values.
            default: value where the key is absent; None if the key is required.
        """
        choices = list(valid)
        return self._read_or(next(iter(choices), ""), name, super().choice, choices, default)

    def deciding_choice(self, name: str, valid: Iterable[str]) -> str:
        """As `choice`; after a mistake nothing more is noted of this mapping."""
        value = self.choice(name, valid)
        if not self.is_sound(name):
            self._notes = _Notes()
        return value

    def flag(self, name: str, default: bool | None = None) -> bool:
        """As in `StrictMapping`, or False."""
        return self._read_or(False, name, super().flag, default)

    def integer(self, name: str, default: int | None = None, minimum: int | None = None) -> int:
        """As in `StrictMapping`, or 0.

        Args:
            name: key in this mapping.
            default: value where the key is absent; None if the key is required.
            minimum: smallest valid number; None for no bound.
        """
        return self._read_or(0, name, super().integer, default, minimum)

    def number(self, name: str, default: float | None = None, positive: bool = False) -> float:
        """As in `StrictMapping`, or NaN.

        Args:
            name: key in this mapping.
            default: value where the key is absent; None if the key is required.
            positive: whether only numbers above 0 are valid.
        """
        return self._read_or(math.nan, name, super().number, default, positive)

    def numbers(
        self, name: str, count: int, default: tuple[float, ...] | None = None
    ) -> tuple[float, ...]:
        """As in `StrictMapping`, or `count` times NaN.

        Args:
            name: key in this mapping.
            count: number of entries of the list.
            default: value where the key is absent; None if the key is required.
        """
        return self._read_or((math.nan,) * count, name, super().numbers, count, default)

    def integers(self, name: str) -> tuple[int, ...]:
        """As in `StrictMapping`, or none."""
        return self._read_or((), name, super().integers)

    def texts(self, name: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """As in `StrictMapping`, or none."""
        return self._read_or((), name, super().texts, default)

    def mapping(self, name: str) -> StrictMapping:
        """As in `StrictMapping`, or one that notes nothing."""
        return self._read_or(self._silent(name), name, super().mapping)

    def mappings(self, name: str, required: bool = True) -> list[StrictMapping]:
        """As in `StrictMapping`, or none."""
        return self._read_or([], name, super().mappings, required)

    def _nested(self, values: Any, name: str) -> StrictMapping:
        def read(name: str) -> StrictMapping:
            place = self._place(name)
            return MistakeFinder(values, self.source, place, self._error, self._notes)

        return self._read_or(self._silent(name), name, read)

    def _silent(self, name: str) -> StrictMapping:
        return MistakeFinder({}, self.source, self._place(name), self._error)

    def _read_or(
        self, stand_in: _Value, name: str, read: Callable[..., _Value], *arguments: Any
    ) -> _Value:
        try:
            return read(name, *arguments)
        except ConfigurationError as mistake:
            place = self._place(name)
            if place not in self._notes.unread:
                self._notes.mistakes.append((place, mistake))
                self._notes.unread.add(place)
            return stand_in


def _holds(whole: str, place: str) -> bool:
    """Whether a place is another one or lies in it: `arms[0].name` in `arms`."""
    return place == whole or place.startswith((f"{whole}.", f"{whole}["))
