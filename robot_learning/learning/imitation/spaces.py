"""From a gymnasium environment's spaces to the columns of a policy, and back to its actions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from robot_learning.core.errors import ConfigurationError
from robot_learning.core.types import IntArray
from robot_learning.policies.spec import ObservationSpec

Float32Array = npt.NDArray[np.float32]
PREFIX, FLAT_NAME = "obs", "observation"
_IMAGE_AXES = 3
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Leaf:
    """One entry of the observation: its path in the environment's, and its place in a row."""

    path: tuple[str, ...]
    spec: ObservationSpec
    begin: int
    end: int
    one_hot_start: int | None = None

    @property
    def size(self) -> int:
        """Number of elements in a row."""
        return self.end - self.begin


class ObservationLayout:
    """Observations as rows (D,) float32, one entry of the space after another.

    Boxes are taken as they are, discrete entries as one-hot vectors. The columns are named as in
    recorded datasets: `obs/<key>`, with `/` for nested dictionaries, or `obs/observation`.
    """

    def __init__(self, space: spaces.Space[Any]) -> None:
        """Prepare for a space.

        Raises:
            ConfigurationError: the space has images, or an entry that is not a vector.
        """
        self.leaves: list[Leaf] = []
        self._add(space, ())
        if not self.leaves:
            raise ConfigurationError("the observation space is empty")
        self.size = self.leaves[-1].end
        self.specs = tuple(leaf.spec for leaf in self.leaves)
        # A shortcut for the most common case.
        self._is_vector = isinstance(space, spaces.Box) and len(space.shape) == 1

    def write_all(
        self, observations: Sequence[Any], rows: Float32Array, slots: Sequence[int]
    ) -> None:
        """Write observations into rows.

        Args:
            observations: (k) observations of the environment.
            rows: (N, D) rows to write into.
            slots: (k) numbers of the rows, one for each observation.

        Raises:
            ConfigurationError: an entry is missing or has another shape than its space; the text
                names it.
        """
        try:
            if self._is_vector:
                values = np.asarray(observations)
                _refuse_unlike(values.shape, (len(slots), self.size))
                rows[slots] = values.reshape(len(slots), self.size)
                return
            for slot, observation in zip(slots, observations, strict=True):
                self._write(observation, rows[slot])
        except (ValueError, TypeError, LookupError) as problem:
            raise self._misfit(observations, problem) from problem

    def write_batch(self, observations: Any, rows: Float32Array) -> None:
        """Write the observations of a vector environment, (N, ...) an entry, into rows (N, D).

        Raises:
            ConfigurationError: an entry has another shape than its space; the text names it.
        """
        for leaf in self.leaves:
            values = observations
            for key in leaf.path:
                values = values[key]
            part = rows[:, leaf.begin : leaf.end]
            shape = leaf.spec.shape if leaf.one_hot_start is None else ()
            try:
                _refuse_unlike(np.shape(values), (len(rows), *shape))
            except ValueError as problem:
                raise ConfigurationError(f"{leaf.spec.key}: {problem}") from problem
            if leaf.one_hot_start is None:
                part[:] = np.reshape(values, part.shape)
            else:
                part[:] = np.arange(part.shape[1]) == np.reshape(values, (-1, 1)) - (
                    leaf.one_hot_start
                )

    def _misfit(self, observations: Sequence[Any], problem: Exception) -> ConfigurationError:
        """Which entry of an observation does not fit the space."""
        for leaf in self.leaves:
            for observation in observations:
                try:
                    value = observation
                    for key in leaf.path:
                        value = value[key]
                    shape = np.shape(value)
                except (ValueError, TypeError, LookupError):
                    return ConfigurationError(
                        f"{leaf.spec.key}: an observation of the environment lacks it: {problem!r}"
                    )
                if leaf.one_hot_start is None and not _are_alike(shape, leaf.spec.shape):
                    return ConfigurationError(
                        f"{leaf.spec.key}: an observation of the shape {shape}, and its space says "
                        f"{leaf.spec.shape}"
                    )
        return ConfigurationError(f"an observation does not fit its space: {problem!r}")

    def _write(self, observation: Any, row: Float32Array) -> None:
        for leaf in self.leaves:
            value = observation
            for key in leaf.path:
                value = value[key]
            part = row[leaf.begin : leaf.end]
            if leaf.one_hot_start is None:
                _refuse_unlike(np.shape(value), leaf.spec.shape)
                part[:] = np.ravel(value)
            else:
                part[:] = 0.0
                part[int(value) - leaf.one_hot_start] = 1.0

    def _add(self, space: spaces.Space[Any], path: tuple[str, ...]) -> None:
        if isinstance(space, spaces.Dict):
            for key, inner in space.spaces.items():
                self._add(inner, (*path, str(key)))
            return
        name = "/".join((PREFIX, *(path or (FLAT_NAME,))))
        start = int(space.start) if isinstance(space, spaces.Discrete) else None
        begin = self.leaves[-1].end if self.leaves else 0
        shape = _shape(space, name)
        self.leaves.append(
            Leaf(path, ObservationSpec(name, shape), begin, begin + prod(shape), start)
        )


def _refuse_unlike(shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    """Refuse, by a ValueError, what numpy would broadcast or put into another order."""
    if not _are_alike(shape, expected):
        raise ValueError(f"observations of the shape {shape}, where {expected} is expected")


def _are_alike(shape: tuple[int, ...], expected: tuple[int, ...]) -> bool:
    """Whether shapes are equal but for axes of length 1, as a number is given as () and as (1,)."""
    return shape == expected or [n for n in shape if n != 1] == [n for n in expected if n != 1]


def _shape(space: spaces.Space[Any], name: str) -> tuple[int, ...]:
    if isinstance(space, spaces.Discrete):
        return (int(space.n),)
    if isinstance(space, spaces.Box | spaces.MultiBinary | spaces.MultiDiscrete):
        shape = tuple(space.shape)
        if len(shape) >= _IMAGE_AXES and space.dtype == np.uint8:
            raise ConfigurationError(
                f"{name}: images {shape} are not taken here; record a dataset and use "
                "`robot-learning train`, or leave the images out"
            )
        return shape or (1,)
    raise ConfigurationError(
        f"{name}: observations of {type(space).__name__} are not taken; valid are Box, "
        "Discrete, MultiBinary, MultiDiscrete, and Dict of these"
    )


class ActionLayout:
    """Actions as rows (n,) float32; discrete ones as (1,) with their index from 0.

    Attributes:
        size: number of elements n of an action.
        choices: number of choices of a discrete space; 0 for a continuous one.
        first_choice: smallest choice of a discrete space; 0 for a continuous one.
        low, high: (n,) bounds, in the action's units.
        scale: (n,) half the range of a bounded dimension, 1 for an unbounded one.
    """

    def __init__(self, space: spaces.Space[Any]) -> None:
        """Prepare for a space.

        Raises:
            ConfigurationError: the space is neither a Box of floats nor Discrete with two or more
                choices.
        """
        self.space = space
        self.choices, self.first_choice = 0, 0
        if isinstance(space, spaces.Discrete) and space.n > 1:
            self.choices, self.first_choice, self.size = int(space.n), int(space.start), 1
            self.low, self.high = np.zeros(1), np.full(1, space.n - 1.0)
            self.shape: tuple[int, ...] = ()
        elif isinstance(space, spaces.Box) and np.issubdtype(space.dtype, np.floating):
            self.shape, self.size = tuple(space.shape), prod(space.shape)
            self.low = space.low.astype(np.float64).ravel()
            self.high = space.high.astype(np.float64).ravel()
        else:
            raise ConfigurationError(
                f"actions of {space} are not taken; valid are Box of floats, and Discrete with a "
                "choice"
            )
        half = (self.high - self.low) / 2
        bounded = np.isfinite(half) & (half > 0) & (not self.choices)
        self.scale = np.where(bounded, half, 1.0)
        self._low32, self._high32 = self.low.astype(np.float32), self.high.astype(np.float32)
        self.to_env = self._converter()

    def clipped(self, rows: npt.NDArray[np.floating[Any]]) -> Float32Array:
        """(k, n) rows clipped to the bounds."""
        bounded = np.minimum(np.maximum(rows, self._low32), self._high32)
        return np.asarray(bounded, np.float32)

    def error(self, rows: Float32Array, labels: Float32Array) -> npt.NDArray[np.float64]:
        """(k,) |row - label|^2 in the action's units; for discrete actions 1 where they differ."""
        if self.choices:
            return np.asarray(rows[:, 0] != labels[:, 0], np.float64)
        difference = rows.astype(np.float64) - labels
        return np.asarray(np.einsum("kn,kn->k", difference, difference))

    def deviation(self, rows: Float32Array, labels: Float32Array) -> npt.NDArray[np.float64]:
        """(k,) scaled |row - label|; for discrete actions 1 where they differ."""
        if self.choices:
            return self.error(rows, labels)
        scaled = (rows.astype(np.float64) - labels) / self.scale
        return np.asarray(np.sqrt(np.einsum("kn,kn->k", scaled, scaled)))

    def read(self, given: Sequence[Any], who: str) -> tuple[Float32Array, IntArray]:
        """Experts' answers as clipped rows (k, n), and (k,) how many numbers were clipped.

        Raises:
            ConfigurationError: NaN, infinity, a wrong shape or an invalid choice; names `who`.
        """
        try:
            rows = np.array(given, np.float64)
        except (TypeError, ValueError):
            rows = np.empty(0)
        if rows.shape != (len(given), *self.shape):
            raise self._misfit(given, who)
        rows = rows.reshape(len(given), self.size)
        if not np.isfinite(rows).all():
            raise ConfigurationError(
                f"{who} answered {_text(rows[~np.isfinite(rows).all(axis=1)][0])}; expected finite "
                f"numbers, an action of {self.space}"
            )
        if self.choices:
            return self._choices(rows, who), np.zeros(len(rows), np.int64)
        # Excess from rounding to the space's float32 does not count as clipped.
        allowance = _ROUNDING * self.scale
        outside = (rows < self.low - allowance) | (rows > self.high + allowance)
        return self.clipped(rows), np.count_nonzero(outside, axis=1)

    def _misfit(self, given: Sequence[Any], who: str) -> ConfigurationError:
        for answer in given:
            if np.shape(answer) != self.shape:
                return ConfigurationError(
                    f"{who} answered with the shape {np.shape(answer)}, {_text(answer)}; expected "
                    f"{self.shape}, an action of {self.space}"
                )
        return ConfigurationError(
            f"{who} answered {_text(given[0])}; expected numbers, an action of {self.space}"
        )

    def _choices(self, rows: npt.NDArray[np.float64], who: str) -> Float32Array:
        index = rows - self.first_choice
        bad = (index != np.round(index)) | (index < 0) | (index >= self.choices)
        if bad.any():
            first, last = self.first_choice, self.first_choice + self.choices - 1
            raise ConfigurationError(
                f"{who} chose {rows[bad][0]:g}; expected a whole number from {first} to {last}"
            )
        return index.astype(np.float32)

    def _converter(self) -> Callable[[Float32Array], list[Any]]:
        """A function from rows (k, n) to arguments of `env.step`; environments may keep these."""
        if self.choices:
            start = self.first_choice
            return lambda rows: list(rows[:, 0].astype(np.int64) + start)
        dtype, shape = self.space.dtype, self.shape
        if not shape:
            # Iterating over a vector gives scalars, while a space of shape () needs arrays.
            return lambda rows: [np.asarray(value) for value in self._typed(rows)[:, 0]]
        if dtype == np.float32:
            return lambda rows: list(rows.astype(dtype).reshape(-1, *shape))
        return lambda rows: list(self._typed(rows).reshape(-1, *shape))

    def _typed(self, rows: Float32Array) -> npt.NDArray[Any]:
        """Rows in the space's type, clipped again, as rounding to float32 may exceed the bounds."""
        dtype = self.space.dtype
        low, high = self.low.astype(dtype), self.high.astype(dtype)
        return np.asarray(np.clip(rows.astype(dtype), low, high))


def _text(answer: object) -> str:
    return " ".join(repr(answer).split())[:80]
