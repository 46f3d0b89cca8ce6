"""Rewards in units of the running deviation of the discounted return, not centred.

Values and advantages are then of the size 1 in every environment. The sign of a reward stays, as
does where it is 0, so that ending an episode is worth as much as before.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from robot_learning.core.types import BoolArray, FloatArray
from robot_learning.learning.reinforcement.moments import Moments
from robot_learning.learning.reinforcement.returns import discounted_sums

_BOUND = 10.0


class RewardScale:
    """Scales the rewards of N environments."""

    def __init__(self, count: int, discount: float, is_on: bool = True) -> None:
        """Begin with the scale 1.

        Args:
            count: number of environments.
            discount: γ of the return.
            is_on: whether anything is scaled.
        """
        self._discount, self._is_on = discount, is_on
        self._moments = Moments(1)
        self._sums: FloatArray = np.zeros(count)

    def scaled(self, rewards: FloatArray, ended: BoolArray) -> FloatArray:
        """(T, N) scaled rewards, cut at 10, once the deviation knows them.

        Args:
            rewards: (T, N) the next rewards.
            ended: (T, N) whether an episode was over after a step.
        """
        if not self._is_on:
            return rewards
        sums, self._sums = discounted_sums(rewards, ended, self._sums, self._discount)
        self._moments.add(sums.reshape(-1, 1))
        return np.asarray(np.clip(rewards / self._moments.std[0], -_BOUND, _BOUND))

    def arrays(self) -> dict[str, FloatArray]:
        """What `restore` needs."""
        return {**self._moments.arrays("reward"), "reward_sums": self._sums}

    def restore(self, arrays: Mapping[str, FloatArray]) -> None:
        """Continue from what `arrays` gave."""
        self._moments.restore("reward", arrays)
        self._sums = arrays["reward_sums"]
