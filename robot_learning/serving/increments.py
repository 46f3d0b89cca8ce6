"""Policies whose actions are changes of the held joint targets, as `rl` trains them.

The targets are those of the training (`sim.increments`): the held command of the observation, and
the action's share of what the velocity limits allow in a step.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from robot_learning.core.errors import ConfigurationError
from robot_learning.core.profile import RobotProfile
from robot_learning.core.types import FloatArray
from robot_learning.policies.environment import EnvironmentDetails
from robot_learning.policies.spec import PolicySpec
from robot_learning.serving.chunk_planner import ActionPrefix
from robot_learning.serving.observation_history import Window
from robot_learning.serving.policy_client import PolicyClient

_INCREMENTS = "increments"
_MOST_STEPS = 2


def held_command(requested: FloatArray, applied: FloatArray, largest: FloatArray) -> FloatArray:
    """(n,) joint targets that count as held.

    As in training these are the ones that were asked for, which the arm follows within its limits.
    They run ahead of it by two steps at most, so that nothing piles up where the arm cannot follow.

    Args:
        requested: (n,) joint targets that were asked for; NaN where nobody asked.
        applied: (n,) joint targets that it made of them.
        largest: (n,) change of a target for the action 1.
    """
    ahead = np.clip(requested - applied, -_MOST_STEPS * largest, _MOST_STEPS * largest)
    return np.asarray(applied + np.nan_to_num(ahead))


def largest_increments(
    environment: EnvironmentDetails | None, spec: PolicySpec, profile: RobotProfile
) -> FloatArray | None:
    """(n,) change of a target for the action 1, rad or m; None where actions are no increments.

    Args:
        environment: environment that the policy was trained in; None for none.
        spec: spec of the policy, of which the rate counts.
        profile: robot, of which the velocity limits count.

    Raises:
        ConfigurationError: the share of the velocity limits is not above 0 and at most 1.
    """
    arguments = environment.arguments if environment else {}
    if arguments.get("actions") != _INCREMENTS:
        return None
    scale = arguments.get("increment_scale", 1.0)
    if not (isinstance(scale, int | float) and 0.0 < scale <= 1.0):
        raise ConfigurationError(
            f"increment_scale: expected a number above 0 and at most 1, found {scale!r}"
        )
    return np.asarray(scale * profile.velocity_max / spec.rate_hz)


class IncrementClient(PolicyClient):
    """Answers the joint targets that another client's increments lead to."""

    def __init__(self, client: PolicyClient, largest: FloatArray, key: str) -> None:
        """Prepare.

        Args:
            client: answers increments; those beyond [-1, 1] are cut.
            largest: (n,) change of a target for the action 1, rad or m.
            key: key of the held command in an observation.
        """
        self.spec = client.spec
        self._client, self._largest, self._key = client, largest, key

    def infer(
        self, windows: Sequence[Window], prefixes: Sequence[ActionPrefix | None]
    ) -> FloatArray:
        """See `PolicyClient.infer`; each step of a chunk goes on from the one before."""
        actions = self._client.infer(windows, prefixes)
        held = np.stack([window.values[self._key][-1] for window in windows]).astype(np.float64)
        steps = np.cumsum(self._largest * np.clip(actions, -1.0, 1.0), axis=1)
        return np.asarray(held[:, None] + steps)

    def close(self) -> None:
        """Release the other client."""
        self._client.close()
