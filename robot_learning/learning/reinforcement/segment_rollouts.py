"""Episodes of policies of differing skill, from which segments to be ranked are cut.

A policy of lower skill is the same one with random actions mixed in (Brown et al. 2019,
https://arxiv.org/abs/1907.03976). A random action is held for some steps: independent ones average
out, and lead nowhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np

from robot_learning.core.errors import ConfigurationError, RobotLearningError
from robot_learning.learning.imitation.env_calls import reset_env, step_env
from robot_learning.learning.imitation.rollout import Env, env_maker
from robot_learning.learning.imitation.spaces import ActionLayout, Float32Array, ObservationLayout
from robot_learning.learning.preferences.columns import Columns
from robot_learning.learning.preferences.segments import Played, Scene, Segments, cut_segments
from robot_learning.learning.reinforcement.seed_streams import MIXING, ROLLOUTS
from robot_learning.learning.reinforcement.stepper import stated_rate_hz
from robot_learning.learning.runs.seeds import Seeds
from robot_learning.policies.trained_policy import TrainedPolicy

Progress = Callable[[int, int], None]
_LONGEST_HOLD = 16
# A guard against environments that never end.
_MOST_STEPS = 10_000


@dataclass(frozen=True)
class Driver:
    """Who acts in some episodes.

    Attributes:
        policy: policy; None acts at random.
        mixed: share of the time in which random actions replace the policy's.
    """

    policy: TrainedPolicy | None
    mixed: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.mixed <= 1.0:
            raise ConfigurationError(
                f"--mix: expected shares of at least 0 and at most 1, found {self.mixed:g}"
            )


def columns_of(observations: ObservationLayout, actions: ActionLayout) -> Columns:
    """The spaces of an environment as a reward knows them."""
    observed = {leaf.spec.key: leaf.size for leaf in observations.leaves}
    return Columns(observed, actions.size, actions.choices)


def collect_segments(
    env: str | Callable[[], Env],
    arguments: Mapping[str, Any],
    drivers: Sequence[Driver],
    *,
    episodes: int,
    length: int,
    per_episode: int,
    seed: int,
    progress: Progress | None = None,
) -> Segments:
    """Play episodes and cut them into segments.

    Args:
        env: gymnasium id, or a function that makes environments.
        arguments: arguments of the environment with that id.
        drivers: who acts; each in as many episodes.
        episodes: number of episodes of each.
        length: number of steps of a segment.
        per_episode: largest number of segments of an episode.
        seed: seed of episodes and random actions.
        progress: called with the episodes that are over and those in all; None for nothing.

    Raises:
        RobotLearningError: the environment cannot be made or used, a policy does not fit it, or
            the episodes are shorter than a segment.
    """
    for name, count in (("episodes", episodes), ("length", length), ("per-episode", per_episode)):
        if count < 1:
            raise ConfigurationError(f"--{name}: expected at least 1, found {count}")
    played, seeds, total = list[Played](), Seeds(seed), len(drivers) * episodes
    with closing(env_maker(env, arguments)()) as made:
        player = _Player(made, env if isinstance(env, str) else "the environment")
        for number in range(total):
            driver = drivers[number // episodes]
            draws = np.random.default_rng(seeds.of(MIXING, number))
            played.append(player.play(driver, seeds.of(ROLLOUTS, number), draws))
            if progress:
                progress(number + 1, total)
        scene = Scene(
            env=env if isinstance(env, str) else "",
            arguments=dict(arguments),
            rate_hz=stated_rate_hz(made.metadata),
        )
        columns = columns_of(player.observations, player.actions)
    return cut_segments(played, length, per_episode, columns, scene)


class _Player:
    def __init__(self, env: Env, name: str) -> None:
        self._env, self._name = env, name
        self.observations = ObservationLayout(env.observation_space)
        self.actions = ActionLayout(env.action_space)

    def play(self, driver: Driver, seed: int, draws: np.random.Generator) -> Played:
        """One episode; what is random in it follows from the seed and the draws."""
        observation, _ = reset_env(self._env, seed)
        policy = driver.policy
        if policy is not None:
            policy.reset(seed)
        random = _RandomActions(self.actions, draws, driver.mixed)
        rows, acted, rewards = list[Float32Array](), list[Float32Array](), list[float]()
        over = False
        while not over and len(rows) < _MOST_STEPS:
            row = np.zeros((1, self.observations.size), np.float32)
            self.observations.write_all([observation], row, [0])
            replaces, action = random.draw()
            if policy is not None and not replaces:
                action = self._answer(policy, observation)
            given = self.actions.to_env(action[None])[0]
            observation, reward, terminated, truncated, _ = step_env(self._env, given)
            rows.append(row[0])
            acted.append(action)
            rewards.append(reward)
            over = terminated or truncated
        return Played(np.array(rows), np.array(acted), np.array(rewards), seed)

    def _answer(self, policy: TrainedPolicy, observation: Any) -> Float32Array:
        """(n,) a policy's action."""
        try:
            rows, _ = self.actions.read([policy.act(observation)], "the policy")
        except RobotLearningError as problem:
            raise ConfigurationError(f"a policy does not fit {self._name}: {problem}") from problem
        first: Float32Array = rows[0]
        return first


class _RandomActions:
    """Random actions, each held for up to sixteen steps; some of them replace a policy's."""

    def __init__(self, actions: ActionLayout, draws: np.random.Generator, share: float) -> None:
        self._actions, self._draws, self._share = actions, draws, share
        self._left, self._held, self._replaces = 0, self._random(), False

    def draw(self) -> tuple[bool, Float32Array]:
        """Whether the policy's action is replaced in this step, and the random one (n,)."""
        if not self._left:
            self._left = int(self._draws.integers(1, _LONGEST_HOLD + 1))
            self._replaces = bool(self._draws.random() < self._share)
            self._held = self._random()
        self._left -= 1
        return self._replaces, self._held

    def _random(self) -> Float32Array:
        actions, draws = self._actions, self._draws
        if actions.choices:
            return np.array([draws.integers(actions.choices)], np.float32)
        bounded = np.isfinite(actions.low) & np.isfinite(actions.high)
        low, high = np.where(bounded, actions.low, -1.0), np.where(bounded, actions.high, 1.0)
        return draws.uniform(low, high).astype(np.float32)
