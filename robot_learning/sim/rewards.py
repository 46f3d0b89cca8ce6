"""The kinds of rewards: sparse, dense, and shaped, the one that policies can be optimised by.

The dense reward is made to be looked at: it is up to 0.9 a step while an episode lasts, and success
ends the episode. Who maximises its sum stops just before the goal. The shaped reward adds the
difference of a potential to the sparse one, which leaves the best policy what it was (Ng et al.
1999): over an episode the differences add up to what does not depend on the way.
"""

from __future__ import annotations

import numpy as np

from robot_learning.core.errors import ConfigurationError, unknown_choice
from robot_learning.core.profile import RobotProfile
from robot_learning.core.types import BoolArray, FloatArray
from robot_learning.sim.task import Task, Values

REWARDS = ("sparse", "dense", "shaped")


def shaped_reward(
    before: FloatArray, after: FloatArray, success: BoolArray, discount: float
) -> FloatArray:
    """(...) γ Φ(s') - Φ(s) + 1 where s' is a success, with Φ(s') = 0 there.

    A success ends the task, so that nothing is left to expect; where an episode is only cut off the
    potential stays.

    Args:
        before: (...) potential Φ(s) before the step.
        after: (...) potential Φ(s') after the step.
        success: (...) whether s' is a success.
        discount: γ, the one that the returns are discounted by.
    """
    following = np.where(success, 0.0, after)
    return np.asarray(discount * following - before + np.asarray(success, np.float64))


class Rewards:
    """The rewards of one task, of one world or of several beside each other."""

    def __init__(self, kind: str, task: Task, profile: RobotProfile, discount: float) -> None:
        """Prepare.

        Args:
            kind: `sparse`, `dense` or `shaped`.
            task: task that is rewarded.
            profile: robot that does it.
            discount: γ of the shaped reward.

        Raises:
            ConfigurationError: there is no such kind, or the discount is not within [0, 1].
        """
        if kind not in REWARDS:
            raise ConfigurationError(unknown_choice("reward", kind, REWARDS))
        if not 0.0 <= discount <= 1.0:
            raise ConfigurationError(f"discount: expected a number from 0 to 1, found {discount}")
        self._kind, self._task, self._profile, self._discount = kind, task, profile, discount
        self._potential: FloatArray = np.zeros(())

    def begin(self, values: Values) -> None:
        """Episodes begin, or go on from another state; call it with the values of all worlds."""
        if self._kind == "shaped":
            self._potential = np.asarray(self._task.reward(values, self._profile), np.float64)

    def step(self, values: Values, success: BoolArray) -> FloatArray:
        """(...) the rewards of a step.

        Args:
            values: values after the step.
            success: (...) whether they are a success.
        """
        if self._kind == "sparse":
            return np.asarray(success, np.float64)
        dense = np.asarray(self._task.reward(values, self._profile), np.float64)
        if self._kind == "dense":
            return dense
        before, self._potential = self._potential, dense
        return shaped_reward(before, dense, success, self._discount)
