"""Episodes in many simulated environments at once, driven by a policy or by the expert."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from robot_learning.core.errors import ConfigurationError, unknown_choice
from robot_learning.core.profile import RobotProfile
from robot_learning.core.types import FloatArray
from robot_learning.policies.execution import ChunkExecutor
from robot_learning.sim.experts import Expert
from robot_learning.sim.vector import RobotVectorEnv

DRIVERS = ("policy", "expert")


@dataclass(frozen=True)
class EpisodeRecord:
    """One episode.

    Attributes:
        seed: seed that repeats the episode.
        success: whether the goal was reached before the horizon.
        total_reward: sum of the rewards.
        actions: (T, n) positions that the robot took, rad or m.
        squared_errors: (k,) squared distance of the policy's action from the expert's at the
            steps where the expert was asked, each joint as a share of its range.
    """

    seed: int
    success: bool
    total_reward: float
    actions: FloatArray
    squared_errors: FloatArray

    @property
    def steps(self) -> int:
        """Number of steps."""
        return len(self.actions)


@dataclass
class _Running:
    """An episode under way."""

    seed: int
    total_reward: float = 0.0
    actions: list[FloatArray] = field(default_factory=list)
    squared_errors: list[float] = field(default_factory=list)

    def record(self, success: bool) -> EpisodeRecord:
        """The record of the finished episode."""
        return EpisodeRecord(
            self.seed,
            success,
            self.total_reward,
            np.array(self.actions),
            np.array(self.squared_errors),
        )


def roll_out(
    env: RobotVectorEnv,
    executor: ChunkExecutor,
    seeds: Sequence[int],
    expert: Expert | None = None,
    *,
    driver: str = "policy",
    expert_every: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> list[EpisodeRecord]:
    """One episode per seed, in the order of the seeds.

    A world whose episode ends begins the next one at once, so that short episodes do not wait
    for long ones.

    Args:
        env: environments, as many as the executor has; their episodes are independent of each
            other.
        executor: gives the policy's actions.
        seeds: seeds of the episodes.
        expert: labels the visited states; None for no labels. Required where the expert drives.
        driver: `policy`, or `expert` with the policy in shadow: its actions are compared on
            the states of demonstrations, and none of them is executed.
        expert_every: number of steps between questions to the expert, unless it drives.
        progress: callback after each step with the number of episodes that are over, and their
            total; None for none.

    Raises:
        ConfigurationError: no such driver, or no expert to drive.
    """
    if driver not in DRIVERS:
        raise ConfigurationError(unknown_choice("driver", driver, DRIVERS))
    if driver == "expert" and expert is None:
        raise ConfigurationError("there is no expert that could drive")
    waiting = list(seeds)
    finished: dict[int, EpisodeRecord] = {}
    observation = env.reset(seed=_first_seeds(waiting, env.num_envs))[0]
    running = {world: _Running(waiting.pop(0)) for world in range(min(env.num_envs, len(seeds)))}
    executor.begin(np.ones(env.num_envs, bool))
    step = 0
    while running:
        actions = executor.act(observation, np.isin(np.arange(env.num_envs), list(running)))
        if expert and (driver == "expert" or step % expert_every == 0):
            labels = _labels(expert, observation, running)
            _compare(actions, labels, running, env.profile)
            if driver == "expert":
                for world, label in labels.items():
                    actions[world] = label
        observation, rewards, successes, truncated, info = env.step(actions)
        taken = _taken(info)
        step += 1
        for world, episode in list(running.items()):
            episode.total_reward += float(rewards[world])
            episode.actions.append(taken[world])
            if not (successes[world] or truncated[world]):
                continue
            finished[episode.seed] = episode.record(bool(successes[world]))
            del running[world]
            executor.begin(np.array([world]))
            if waiting:
                running[world] = _Running(waiting.pop(0))
                first = env.restart_world(world, running[world].seed)
                for name, value in first.items():
                    observation[name][world] = value
        if progress:
            progress(len(finished), len(seeds))
    return [finished[seed] for seed in seeds]


def _first_seeds(seeds: Sequence[int], envs: int) -> list[int | None]:
    """The seeds with which the environments begin; spare environments repeat the first one."""
    return [*seeds[:envs], *([seeds[0]] * max(0, envs - len(seeds)))]


def _labels(
    expert: Expert, observation: Mapping[str, npt.NDArray[Any]], running: Mapping[int, _Running]
) -> dict[int, FloatArray]:
    labels = {}
    for world, episode in running.items():
        # The expert's free choices depend on the episode's seed alone.
        expert.reset(episode.seed)
        labels[world] = expert({name: value[world] for name, value in observation.items()})
    return labels


def _compare(
    actions: FloatArray,
    labels: Mapping[int, FloatArray],
    running: Mapping[int, _Running],
    profile: RobotProfile,
) -> None:
    """Note the error of each world's action, clipped to the limits as the robot would clip it."""
    low, high = profile.position_min, profile.position_max
    for world, label in labels.items():
        error = (np.clip(actions[world], low, high) - label) / profile.position_range
        running[world].squared_errors.append(float(error @ error))


def _taken(info: Mapping[str, Any]) -> FloatArray:
    """(envs, n) actions taken in this step, also where an episode ended and was reset."""
    taken: FloatArray = np.array(info["taken"])
    if "final_info" in info:
        ended = info["_final_info"]
        taken[ended] = info["final_info"]["taken"][ended]
    return taken


def mean_jerk(actions: FloatArray, rate_hz: float) -> float:
    """Mean norm of the third derivative of (T, n) actions, rad/s³; NaN below 4 steps."""
    if len(actions) < 4:
        return float("nan")
    jerks = np.diff(actions, n=3, axis=0) * rate_hz**3
    return float(np.linalg.norm(jerks, axis=1).mean())
