"""The gymnasium environment that a policy was trained in, as its checkpoint remembers it.

A checkpoint may come from anywhere, so that nothing in it decides what is imported or read: see
`EnvironmentDetails.trusted_arguments` and `trusted_id`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from robot_learning.policies.errors import PolicyError

MODULE_MARK = ":"
# What a text must not hold for a checkpoint alone to hand it to an environment: it could name a
# module, or a file.
_MARKS = (MODULE_MARK, "/", "\\")

_DTYPES = ("float16", "float32", "float64")


@dataclass(frozen=True)
class EnvironmentDetails:
    """How to make the environment, and how its spaces became numbers and back.

    Attributes:
        id: name that `gymnasium.make` takes; empty if the environment was made by a function.
        arguments: arguments of the environment, as JSON can hold them.
        max_episode_steps: number of steps after which an episode ends; 0 for the environment's own
            limit.
        success_return: return from which on an episode has succeeded; None where `info` says it, or
            nothing does.
        first_choices: smallest choice of each observed entry that is a choice and became a one-hot
            vector, by its column, such as `obs/side`.
        action_shape: shape of the action that `env.step` takes.
        action_low, action_high: bounds of the action's numbers, flattened; an entry is None for no
            bound, and there are no entries for choices.
        first_action: the smallest choice, where actions are choices.
        action_dtype: the NumPy name of the type of what `env.step` takes; choices are int64.
    """

    id: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    max_episode_steps: int = 0
    success_return: float | None = None
    first_choices: Mapping[str, int] = field(default_factory=dict)
    action_shape: tuple[int, ...] = ()
    action_low: tuple[float | None, ...] = ()
    action_high: tuple[float | None, ...] = ()
    first_action: int = 0
    action_dtype: str = "float32"

    def __post_init__(self) -> None:
        if self.action_dtype not in _DTYPES:
            raise PolicyError(
                f"the environment's action_dtype is '{self.action_dtype}'; valid are "
                f"{', '.join(_DTYPES)}"
            )
        sizes = {len(self.action_low), len(self.action_high)}
        if self.action_low:
            sizes.add(prod(self.action_shape))
        if len(sizes) != 1:
            raise PolicyError(
                f"the environment's action of shape {self.action_shape} has the bounds "
                f"{self.action_low} and {self.action_high}"
            )

    def trusted_id(self, source: str = "the checkpoint") -> str:
        """The id, if making that environment imports nothing that the id names.

        Args:
            source: what these details are from, for errors.

        Raises:
            PolicyError: there is none, or it names a module; the text says what to do.
        """
        if not self.id:
            raise PolicyError(f"{source} has no environment: give --env ID")
        if MODULE_MARK in self.id:
            raise PolicyError(
                f"{source} is of the environment '{self.id}', whose module is not imported unless "
                f"you ask for it: give --env {self.id} if you trust it"
            )
        return self.id

    def trusted_arguments(
        self, given: Mapping[str, Any], source: str = "the checkpoint"
    ) -> dict[str, Any]:
        """The environment's arguments, those `given` on the command line instead of their own.

        Args:
            given: arguments on the command line.
            source: what these details are from, for errors.

        Raises:
            PolicyError: one that was not given might name a module or a file.
        """
        for name, value in self.arguments.items():
            for text in _texts(value):
                if name not in given and any(mark in text for mark in _MARKS):
                    raise PolicyError(
                        f"{source} asks for an environment with {name}={text!r}, which may "
                        f"name a module or a file: give --env-set {name}={text} if you trust it"
                    )
        return {**self.arguments, **given}

    def action(self, numbers: npt.NDArray[np.floating[Any]]) -> Any:
        """What `env.step` takes, for one action's numbers (n,): within the bounds, in shape."""
        if not self.action_low:
            return np.int64(numbers[0]) + self.first_action
        # In the environment's own type: another one's rounding leads beyond the bounds.
        dtype = np.dtype(self.action_dtype)
        low = _bounds(self.action_low, -np.inf, dtype)
        high = _bounds(self.action_high, np.inf, dtype)
        return np.clip(numbers.astype(dtype), low, high).reshape(self.action_shape)


def _bounds(
    values: tuple[float | None, ...], missing: float, dtype: np.dtype[Any]
) -> npt.NDArray[Any]:
    return np.array([missing if value is None else value for value in values], dtype)


def _texts(value: Any) -> Iterator[str]:
    """All texts in a value as JSON can hold it."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _texts(key)
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)
