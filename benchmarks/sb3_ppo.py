"""PPO of Stable-Baselines3, with the recipe and the measure of `robot-learning rl ppo`.

8 environments of 256 steps between updates, minibatches of 128, 10 epochs, two layers of 64 tanh
units, normalised observations and rewards, a learning rate that falls to 0. Ten times on the way
10 greedy episodes are played, the best policy is kept, and 100 episodes measure it.
"""

from __future__ import annotations

import copy
import math
from typing import Any

import gymnasium
import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecNormalize

ENVS, STEPS = 8, 256
EVALUATIONS, EPISODES, FINAL_EPISODES = 10, 10, 100
_CHOOSING, _FINAL = 10**6, 2 * 10**6


class _KeepBest(BaseCallback):  # type: ignore[misc]
    """Evaluates now and then, and remembers the best weights with their normalisation."""

    def __init__(self, env: str, every: int, episodes: int) -> None:
        super().__init__()
        self._env, self._every, self._episodes = env, every, episodes
        self._due, self._best = every, -math.inf
        self.kept: tuple[Any, Any] = ({}, None)

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        self._judge()

    def _on_training_end(self) -> None:
        self._judge()

    def _judge(self) -> None:
        if self.num_timesteps < self._due:
            return
        self._due += self._every
        normal: Any = self.model.get_vec_normalize_env()
        found = float(np.mean(returns(self.model, normal, self._env, self._episodes, _CHOOSING)))
        if found >= self._best:
            self._best = found
            weights = copy.deepcopy(self.model.policy.state_dict())
            self.kept = weights, copy.deepcopy(normal.obs_rms)


def returns(model: Any, normal: Any, name: str, episodes: int, seed: int) -> list[float]:
    """Returns of greedy episodes, whose seeds begin with `seed`."""
    env, found = gymnasium.make(name, disable_env_checker=True), []
    for number in range(episodes):
        observation, _ = env.reset(seed=seed + number)
        total, done = 0.0, False
        while not done:
            action, _ = model.predict(normal.normalize_obs(observation), deterministic=True)
            observation, reward, terminated, truncated, _ = env.step(action)
            total, done = total + float(reward), terminated or truncated
        found.append(total)
    env.close()
    return found


def learned_return(env: str, seed: int, steps: int, episodes: int = FINAL_EPISODES) -> float:
    """The mean return of the policy that a run has kept.

    Args:
        env: gymnasium id.
        seed: seed of the run.
        steps: number of steps in the environments.
        episodes: number of episodes in which the policy is measured at the end.
    """
    torch.set_num_threads(1)
    normal = VecNormalize(make_vec_env(env, ENVS, seed=seed))
    model = PPO(
        "MlpPolicy",
        normal,
        n_steps=STEPS,
        batch_size=128,
        n_epochs=10,
        learning_rate=lambda left: 3e-4 * left,
        seed=seed,
        device="cpu",
    )
    keep = _KeepBest(env, max(1, steps // EVALUATIONS), min(EPISODES, episodes))
    model.learn(steps, callback=keep)
    model.policy.load_state_dict(keep.kept[0])
    normal.obs_rms = keep.kept[1]
    return float(np.mean(returns(model, normal, env, episodes, _FINAL)))
