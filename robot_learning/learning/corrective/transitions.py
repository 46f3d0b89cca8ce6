"""Steps of demonstrations, as dynamics are learnt from them and corrected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from robot_learning.core.amounts import amount
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.types import BoolArray, FloatArray, IntArray

Numbers = npt.NDArray[np.floating[Any]]
# Below this many rows for each number of state and action nothing can be learnt and held out.
_ROWS_PER_INPUT = 3


@dataclass(frozen=True)
class Transitions:
    """N steps, in their order within each episode.

    Attributes:
        state: (N, D) state in which a step began.
        action: (N, n) executed action, noise included.
        next_state: (N, D) state one step later.
        label: (N, n) the expert's clean action, before limits.
        noise: (N, n) part of `action` that was noise.
        episode: (N,) number of the episode.
        action_low, action_high: (n,) range that an action stays in.
        wanted: (N,) whether labels are made for a step; dynamics are learnt from all.
    """

    state: FloatArray
    action: FloatArray
    next_state: FloatArray
    label: FloatArray
    noise: FloatArray
    episode: IntArray
    action_low: FloatArray
    action_high: FloatArray
    wanted: BoolArray

    @classmethod
    def of(
        cls,
        state: Numbers,
        action: Numbers,
        next_state: Numbers,
        *,
        label: Numbers | None = None,
        noise: Numbers | None = None,
        episode: IntArray | None = None,
        action_range: tuple[FloatArray, FloatArray] | None = None,
        wanted: BoolArray | None = None,
    ) -> Transitions:
        """Check arrays and fill in what need not be given.

        Args:
            state: (N, D) state in which a step began.
            action: (N, n) executed action, noise included.
            next_state: (N, D) state one step later.
            label: (N, n) the expert's clean action; None where it was executed as it is.
            noise: (N, n) part of `action` that was noise; None for none.
            episode: (N,) number of the episode; None for a single one.
            action_range: (n,) lowest and (n,) highest action; None for the range of `action`.
            wanted: (N,) whether labels are made for a step; None for all.

        Raises:
            ConfigurationError: shapes differ, numbers are not finite, or there are too few rows.
        """
        given = {
            "state": state,
            "action": action,
            "next_state": next_state,
            "label": label,
            "noise": noise,
        }
        arrays = {k: np.asarray(v, np.float64) for k, v in given.items() if v is not None}
        _check(arrays, len(arrays["state"]))
        executed = arrays["action"]
        drift = arrays.get("noise", np.zeros_like(executed))
        low, high = action_range or (executed.min(axis=0), executed.max(axis=0))
        return cls(
            state=arrays["state"],
            action=executed,
            next_state=arrays["next_state"],
            label=arrays.get("label", executed - drift),
            noise=drift,
            episode=np.zeros(len(executed), np.int64) if episode is None else episode,
            action_low=np.asarray(low, np.float64),
            action_high=np.asarray(high, np.float64),
            wanted=np.ones(len(executed), np.bool_) if wanted is None else wanted,
        )

    def __len__(self) -> int:
        """Number of steps N."""
        return len(self.state)

    @property
    def clean_action(self) -> FloatArray:
        """(N, n) executed action without its noise."""
        return self.action - self.noise


def _check(arrays: dict[str, FloatArray], rows: int) -> None:
    for name, values in arrays.items():
        like = "state" if name == "next_state" else "action"
        wanted = arrays["state" if name in ("state", "next_state") else "action"].shape
        if values.ndim != 2 or values.shape != wanted or len(values) != rows:
            raise ConfigurationError(
                f"{name}: expected a row of numbers for each of {amount(rows, 'row')}, as {like} "
                f"has, found {values.shape}"
            )
    inputs = arrays["state"].shape[1] + arrays["action"].shape[1]
    if rows < _ROWS_PER_INPUT * inputs:
        raise ConfigurationError(
            f"{amount(rows, 'step')} with a successor: too few to learn the dynamics of "
            f"{amount(inputs, 'number')} of state and action; at least {_ROWS_PER_INPUT * inputs} "
            "are needed. Record more demonstrations"
        )
    for name, values in arrays.items():
        if not np.isfinite(values).all():
            row, column = np.argwhere(~np.isfinite(values))[0]
            raise ConfigurationError(f"{name}: row {row}, number {column} is {values[row, column]}")
