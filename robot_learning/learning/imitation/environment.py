"""What a checkpoint stores about the environment in which its policy was trained."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from robot_learning.learning.imitation.config import ImitationConfig
from robot_learning.learning.imitation.rollout import Env, Worlds
from robot_learning.policies.environment import EnvironmentDetails


def environment_details(
    env: str | Callable[[], Env],
    arguments: Mapping[str, Any],
    config: ImitationConfig,
    worlds: Worlds,
) -> EnvironmentDetails:
    """Details of the environment for a checkpoint.

    An environment that a function made, or with arguments that are not JSON, cannot be made from
    a checkpoint: it has no id there.

    Args:
        env: gymnasium id, or the function that makes environments.
        arguments: arguments of the environment.
        config: settings of the run, of which the limit of steps and the return of a success are
            stored.
        worlds: environments of the run, which give the layouts of observations and actions.
    """
    known = isinstance(env, str) and _is_json(arguments)
    actions = worlds.actions
    return EnvironmentDetails(
        id=str(env) if known else "",
        arguments=dict(arguments) if known else {},
        max_episode_steps=config.max_episode_steps,
        success_return=config.evaluation.success_return,
        first_choices={
            leaf.spec.key: leaf.one_hot_start
            for leaf in worlds.observations.leaves
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
