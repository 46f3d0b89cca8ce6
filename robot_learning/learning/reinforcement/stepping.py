"""Making what steps environments: this package's tasks in threads, others one after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

import gymnasium
from gymnasium.vector import VectorEnv

from robot_learning.learning.imitation.rollout import OWN_IDS, Env, env_maker, making
from robot_learning.learning.reinforcement.list_stepper import ListStepper
from robot_learning.learning.reinforcement.stepper import Stepper
from robot_learning.learning.reinforcement.vector_stepper import VectorStepper


def make_stepper(
    env: str | Callable[[], Env], arguments: Mapping[str, Any], count: int, name: str = ""
) -> Stepper:
    """Environments beside each other.

    Args:
        env: gymnasium id (`module:id` imports a module first), or a function that makes
            environments.
        arguments: arguments of the environment with that id.
        count: number of environments.
        name: name of the environment in error messages; empty for its id.

    Raises:
        RobotLearningError: the environment cannot be made, or its spaces cannot be used.
    """
    name = name or (env if isinstance(env, str) else getattr(env, "__qualname__", "environment"))
    if isinstance(env, str) and env.startswith(OWN_IDS):
        from robot_learning.sim.registration import register_envs

        register_envs()
        return VectorStepper(_threaded(env, arguments, count), name)
    make = env_maker(env, arguments)
    with ExitStack() as made:
        envs = []
        for _ in range(count):
            envs.append(make())
            made.callback(envs[-1].close)
        stepper = ListStepper(envs, name)
        # From here on the stepper closes them.
        made.pop_all()
    return stepper


def _threaded(env: str, arguments: Mapping[str, Any], count: int) -> VectorEnv[Any, Any, Any]:
    with making(env):
        return gymnasium.make_vec(
            env, num_envs=count, vectorization_mode="vector_entry_point", **arguments
        )
