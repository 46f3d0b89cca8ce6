"""What a checkpoint stores about the environment in which its policy was trained."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from robot_learning.learning.imitation.rollout import Env
from robot_learning.learning.imitation.spaces import ActionLayout, ObservationLayout
from robot_learning.policies.environment import EnvironmentDetails


def environment_details(
    env: str | Callable[[], Env],
    arguments: Mapping[str, Any],
    observations: ObservationLayout,
    actions: ActionLayout,
    *,
    max_episode_steps: int = 0,
    success_return: float | None = None,
) -> EnvironmentDetails:
    """Details of the environment for a checkpoint.

    An environment that a function made, or with arguments that are not JSON, cannot be made from
    a checkpoint: it has no id there.

    Args:
        env: gymnasium id, or the function that makes environments.
        arguments: arguments of the environment.
        observations: layout of the observations.
        actions: layout of the actions.
        max_episode_steps: number of steps after which an episode ends; 0 for the environment's own
            limit.
        success_return: return from which on an episode has succeeded; None where `info` says it.
    """
    known = isinstance(env, str) and _is_json(arguments)
    return EnvironmentDetails(
        id=str(env) if known else "",
        arguments=dict(arguments) if known else {},
        max_episode_steps=max_episode_steps,
        success_return=success_return,
        first_choices={
            leaf.spec.key: leaf.one_hot_start
            for leaf in observations.leaves
            if leaf.one_hot_start is not None
        },
        action_shape=actions.shape,
        action_low=() if actions.choices else _finite(actions.low),
        action_high=() if actions.choices else _finite(actions.high),
        first_action=actions.first_choice,
        action_dtype="float32" if actions.choices else str(actions.space.dtype),
    )


def _is_json(arguments: Mapping[str, Any]) -> bool:
    try:
        json.dumps(arguments, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True


def _finite(bounds: npt.NDArray[np.float64]) -> tuple[float | None, ...]:
    """The finite bounds, and None for the others, as JSON has no infinity."""
    return tuple(float(value) if math.isfinite(value) else None for value in bounds)
