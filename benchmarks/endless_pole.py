"""A pole that is balanced for ever: does a critic know what a time limit cuts off?"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from gymnasium import Env
from gymnasium.envs.classic_control import CartPoleEnv

from robot_learning.learning.reinforcement.config import ReinforcementConfig
from robot_learning.learning.reinforcement.proximal import Ppo
from robot_learning.learning.reinforcement.stepping import make_stepper

DISCOUNT = 0.99
TRUTH = 1.0 / (1.0 - DISCOUNT)
_LIMIT, _SHOWN = 10, 200


class EndlessPole(Env[Any, Any]):
    """CartPole in which nothing falls: each step is worth 1, and every 10 steps it is cut off."""

    def __init__(self, limit_ends: bool) -> None:
        """With `limit_ends` the limit is taken for the end of the task, which is wrong."""
        self._pole: Any = CartPoleEnv()
        self._limit_ends, self._steps = limit_ends, 0
        self.observation_space = self._pole.observation_space
        self.action_space = self._pole.action_space

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin upright."""
        self._steps = 0
        observation, info = self._pole.reset(seed=seed, options=options)
        return observation, info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """What has fallen swings on."""
        self._steps += 1
        self._pole.steps_beyond_terminated = None
        observation = self._pole.step(action)[0]
        over = self._steps == _LIMIT
        return observation, 1.0, over and self._limit_ends, over, {}


def share_of_truth(limit_ends: bool, updates: int, seed: int) -> float:
    """What a critic says of the states it meets, as a share of what they are worth.

    Args:
        limit_ends: whether the limit is taken for the end of the task.
        updates: number of updates of PPO.
        seed: seed of the run.
    """
    config = ReinforcementConfig(seed=seed, steps=10**9, discount=DISCOUNT, scale_rewards=False)
    config = config.with_values({"ppo.learning_rate": 3e-3, "ppo.steps": 64})
    stepper = make_stepper(partial(EndlessPole, limit_ends), {}, config.envs, "EndlessPole")
    learner = Ppo(config, stepper)
    for number in range(1, updates + 1):
        learner.iterate(number)
    inputs = learner.scaling.inputs(_states())
    return float(learner.networks.value(inputs).mean()) / TRUTH


def _states() -> np.ndarray[Any, np.dtype[np.float32]]:
    """States at the beginnings of episodes."""
    env = CartPoleEnv()
    return np.array([env.reset(seed=number)[0] for number in range(_SHOWN)], np.float32)
