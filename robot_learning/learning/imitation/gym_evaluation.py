"""How well a policy does in a gymnasium environment, one episode after the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from robot_learning.core.decoding import check
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.options.numbers import AtLeast0, AtLeast1
from robot_learning.core.seeds import FIRST_HELD_OUT_SEED
from robot_learning.learning.evaluation.evaluation import Comparison, compare_takes
from robot_learning.learning.evaluation.intervals import Z_95, Share, wilson
from robot_learning.learning.evaluation.outcomes import Outcome, Take
from robot_learning.learning.imitation.env_calls import reset_env, step_env
from robot_learning.learning.imitation.rollout import Env, env_maker
from robot_learning.policies.trained_policy import TrainedPolicy

PICTURES, WINDOW = "rgb_array", "human"


@dataclass(frozen=True)
class GymConfig:
    """What is simulated.

    Attributes:
        env: id of the environment, as `gymnasium.make` takes it.
        arguments: arguments of the environment.
        episodes: number of episodes; their seeds are `seed`, `seed` + 1 and so on.
        seed: seed of the first episode.
        max_steps: number of steps after which an episode is ended; 0 for the environment's limit.
        success_return: return from which an episode counts as a success; None leaves it to `info`.
    """

    env: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    episodes: AtLeast1 = 100
    seed: AtLeast0 = FIRST_HELD_OUT_SEED
    max_steps: AtLeast0 = 0
    success_return: float | None = None

    def __post_init__(self) -> None:
        check(self)

    def make(self, render_mode: str | None = None) -> Env:
        """The environment.

        Raises:
            ConfigurationError: the environment cannot be made, or lacks the render mode.
        """
        env = env_maker(self.env, self.arguments)()
        if render_mode is None:
            return env
        # Checked before making it with that mode, which not every environment takes.
        env.close()
        modes = (env.metadata or {}).get("render_modes", [])
        if render_mode not in modes:
            valid = ", ".join(map(str, modes)) or "none"
            raise ConfigurationError(
                f"{self.env}: cannot be rendered in the mode {render_mode}; its modes: {valid}"
            )
        return env_maker(self.env, {**self.arguments, "render_mode": render_mode})()


@dataclass(frozen=True)
class GymEpisode:
    """One episode.

    Attributes:
        take: number, seed, success and actions of the episode.
        total_reward: sum of the rewards.
    """

    take: Take
    total_reward: float


@dataclass(frozen=True)
class GymEvaluation:
    """The result of an evaluation.

    Attributes:
        config: what was simulated.
        episodes: one episode per seed.
        wall_s: wall time of all episodes, in seconds.
    """

    config: GymConfig
    episodes: tuple[GymEpisode, ...]
    wall_s: float

    @property
    def title(self) -> str:
        """Id of the environment."""
        return self.config.env

    @property
    def reward(self) -> str:
        """Name of the reward that the returns sum up."""
        return "environment's"

    @property
    def takes(self) -> list[Take]:
        """The episodes, for a video."""
        return [episode.take for episode in self.episodes]

    @property
    def success(self) -> Share | None:
        """The share that succeeded, with its 95 % Wilson interval; None where it is not known."""
        outcomes = [take.success for take in self.takes]
        return None if None in outcomes else wilson(sum(map(bool, outcomes)), len(outcomes))

    @property
    def figures(self) -> dict[str, float]:
        """All figures by name; the bounds of the return are those of its 95 % interval."""
        rewards = np.array([episode.total_reward for episode in self.episodes])
        mean = float(rewards.mean())
        half = Z_95 * float(rewards.std(ddof=1)) / len(rewards) ** 0.5 if len(rewards) > 1 else 0.0
        steps = [len(take.actions) for take in self.takes]
        success = self.success
        shares = (
            {
                "success": success.share,
                "success_low": success.low,
                "success_high": success.high,
            }
            if success
            else {}
        )
        return {
            **shares,
            "mean_return": mean,
            "return_low": mean - half,
            "return_high": mean + half,
            "mean_length_steps": float(np.mean(steps)),
            "steps_per_s": sum(steps) / max(self.wall_s, 1e-9),
        }

    def to_plain(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "env": self.config.env,
            "env_arguments": dict(self.config.arguments),
            "reward": self.reward,
            "seed": self.config.seed,
            "interval": "95 % Wilson",
            **self.figures,
            "episodes": [
                {
                    "seed": episode.take.seed,
                    "success": episode.take.success,
                    "steps": len(episode.take.actions),
                    "return": episode.total_reward,
                }
                for episode in self.episodes
            ],
        }


def evaluate_in_gym(
    policy: TrainedPolicy,
    config: GymConfig,
    progress: Callable[[int, int], None] | None = None,
) -> GymEvaluation:
    """Simulate a policy.

    Args:
        policy: trained policy with its environment's layouts.
        config: what is simulated.
        progress: callback after each episode with the number of episodes that are over, and
            their total; None for none.

    Raises:
        RobotLearningError: the environment cannot be made, fails, or gives other observations
            than the policy was trained with.
    """
    begin_s = time.perf_counter()
    episodes = []
    with closing(config.make()) as env:
        for number in range(1, config.episodes + 1):
            episodes.append(_episode(policy, env, config, number))
            if progress:
                progress(number, config.episodes)
    return GymEvaluation(config, tuple(episodes), time.perf_counter() - begin_s)


def compare_in_gym(first: GymEvaluation, second: GymEvaluation) -> Comparison | None:
    """Compare two evaluations by McNemar's paired test; None where success is not known."""
    if first.success is None or second.success is None:
        return None
    return compare_takes(first.takes, second.takes)


def _episode(policy: TrainedPolicy, env: Env, config: GymConfig, number: int) -> GymEpisode:
    seed = config.seed + number - 1
    observation, _ = reset_env(env, seed)
    # The draws of a stochastic policy in an episode follow from the episode's seed alone.
    policy.reset(seed)
    outcome, actions, over = Outcome(config.success_return), list[Any](), False
    while not over:
        action = policy.act(observation)
        observation, reward, terminated, truncated, info = step_env(env, action)
        actions.append(action)
        outcome.add(reward, info)
        over = terminated or truncated or len(actions) == config.max_steps
    return GymEpisode(Take(number, seed, outcome.success, actions), outcome.total_reward)
