"""Joints picked by name from messages that name them in another order, or name more of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from robot_learning.core.amounts import amount
from robot_learning.core.errors import CommandError
from robot_learning.core.types import FloatArray


class JointOrder:
    """Picks the joints of one robot from messages of one topic, whose order seldom changes."""

    def __init__(self, joint_names: Sequence[str]) -> None:
        """`joint_names` are those that are wanted, in that order."""
        self._wanted = list(joint_names)
        self._seen: Sequence[str] | None = None
        self._columns: list[int] | None = None

    def positions(self, message: Any) -> FloatArray:
        """(n,) the positions of a JointState; errors as of `select`."""
        return self.select(message.name, message.position)

    def select(self, names: Sequence[str], values: Any) -> FloatArray:
        """(n,) the values of the wanted joints; others are passed over.

        Raises:
            CommandError: a joint is missing or the message is ragged.
        """
        if len(names) != len(values):
            raise ragged(names, values)
        columns = self.columns(names)
        array: FloatArray = np.asarray(values, np.float64)
        return array if columns is None else array[columns]

    def columns(self, names: Sequence[str]) -> list[int] | None:
        """Index of each wanted joint among `names`; None if the order is the same.

        Raises:
            CommandError: a joint is missing.
        """
        if names != self._seen:
            given = list(names)
            missing = [name for name in self._wanted if name not in given]
            if missing:
                has = ", ".join(given) or "none"
                raise CommandError(f"joint state lacks {', '.join(missing)}; it has {has}")
            same = given == self._wanted
            self._columns = None if same else [given.index(name) for name in self._wanted]
            # A copy, of the kind that is equal to the next one.
            self._seen = given if isinstance(names, list) else names
        return self._columns


def ragged(names: Sequence[str], values: Sequence[float]) -> CommandError:
    """The error for a joint state that has not one value for each of its names."""
    return CommandError(
        f"joint state has {amount(len(names), 'name')} and {amount(len(values), 'value')}"
    )
