"""What a step of a segment consists of, and the numbers that a reward takes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from robot_learning.core.amounts import amount
from robot_learning.core.decoding import decode
from robot_learning.core.errors import ConfigurationError

Float32Array = npt.NDArray[np.float32]
_SAME = "what was ranked and what is learned are of the same spaces"


@dataclass(frozen=True)
class Columns:
    """The spaces of observations and actions, as columns.

    Attributes:
        observed: number of columns D of each observed entry, by its name, such as
            `obs/joint_position`.
        action: number of columns n of an action.
        choices: number of choices of a discrete action; 0 for a continuous one.
    """

    observed: Mapping[str, int]
    action: int
    choices: int = 0

    @property
    def inputs(self) -> int:
        """Number of columns I that a reward takes."""
        return sum(self.observed.values()) + (self.choices or self.action)

    def step_inputs(self, observations: Float32Array, actions: Float32Array) -> Float32Array:
        """(..., I) inputs of a reward; a choice is a one-hot vector.

        Args:
            observations: (..., D) observations.
            actions: (..., n) actions.
        """
        if self.choices:
            actions = (actions == np.arange(self.choices)).astype(np.float32)
        return np.concatenate([observations, actions], axis=-1, dtype=np.float32)

    def refuse_other(self, other: Columns, what: str, there: str = "the environment") -> None:
        """Refuse spaces that are not these.

        Args:
            other: the other spaces.
            what: what has these here, for the error.
            there: what has the others.

        Raises:
            ConfigurationError: they differ; the text names the first difference.
        """
        for name in dict.fromkeys([*self.observed, *other.observed]):
            mine, found = self.observed.get(name, 0), other.observed.get(name, 0)
            if mine != found:
                raise ConfigurationError(
                    f"{what} has {name} of {_size(mine)}, {there} has {_size(found)}; {_SAME}"
                )
        if list(self.observed) != list(other.observed):
            raise ConfigurationError(
                f"{what} has observations in the order {', '.join(self.observed)}, {there} has "
                f"{', '.join(other.observed)}"
            )
        if (self.action, self.choices) != (other.action, other.choices):
            raise ConfigurationError(
                f"{what} has {self.action_text}, {there} has {other.action_text}; {_SAME}"
            )

    @property
    def action_text(self) -> str:
        """The actions in words, for errors."""
        if self.choices:
            return f"an action of {self.choices} choices"
        return f"an action of {_size(self.action)}"

    def to_plain(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {"observed": dict(self.observed), "action": self.action, "choices": self.choices}

    @classmethod
    def from_plain(cls, plain: object) -> Columns:
        """Read what `to_plain` gave.

        Raises:
            ConfigurationError: something else.
        """
        return decode(plain, cls)


def _size(count: int) -> str:
    return amount(count, "number") if count else "nothing"
