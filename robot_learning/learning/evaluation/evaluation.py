"""How well a policy does its task in simulation, with intervals and a paired comparison."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np
from msgspec import Meta

from robot_learning.core.decoding import check
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.profile import JointKind, RobotProfile
from robot_learning.core.seeds import FIRST_HELD_OUT_SEED
from robot_learning.learning.evaluation.demonstrations import with_camera_sizes
from robot_learning.learning.evaluation.intervals import Share, mcnemar, wilson
from robot_learning.learning.evaluation.outcomes import Take
from robot_learning.learning.evaluation.rollout import EpisodeRecord, mean_jerk, roll_out
from robot_learning.policies.execution import ExecutionConfig, PolicyExecutor, observation_name
from robot_learning.policies.policy import Policy
from robot_learning.policies.spec import PolicySpec
from robot_learning.sim.env import resolve_robot, resolve_task
from robot_learning.sim.experts import EXPERTS, make_expert
from robot_learning.sim.vector import RobotVectorEnv, make_vec

_MOST = 1_000_000
_INCOMPARABLE = "only evaluations of the same task and seeds can be compared"
_LARGEST_SEED = 2**63 - 1

Several = Annotated[int, Meta(ge=1, le=_MOST)]


@dataclass(frozen=True)
class EvaluationConfig:
    """What is simulated.

    Attributes:
        task: name of the task.
        robot: name or path of the robot's profile.
        episodes: number of episodes; their seeds are `seed`, `seed` + 1 and so on.
        seed: seed of the first episode; keep it away from the seeds of demonstrations.
        envs: number of environments that run at once.
        execution: how the policy's chunks are executed.
        ask_expert: whether the error of the actions is measured, where the task has an expert.
        expert_every: number of steps between questions to the expert; 1 asks at every step.
        shadow_episodes: number of episodes driven by the expert, with the policy in shadow, for
            the error on the states of demonstrations.
        reward: reward of the environment: `sparse`, which is its default, or `dense`.
    """

    task: str = "lift"
    robot: str = "desk_arm"
    episodes: Several = 100
    seed: int = FIRST_HELD_OUT_SEED
    envs: Several = 50
    execution: ExecutionConfig = field(default_factory=ExecutionConfig)
    ask_expert: bool = True
    expert_every: Several = 1
    shadow_episodes: Annotated[int, Meta(ge=0, le=_MOST)] = 20
    reward: str = "sparse"

    def __post_init__(self) -> None:
        _check(self)


@dataclass(frozen=True)
class Evaluation:
    """The result of an evaluation.

    Attributes:
        config: what was simulated.
        episodes: one record per seed.
        rate_hz: steps per second.
        joints_in_rad: (n,) whether a joint is revolute; the jerk is computed over these.
        off_policy_error: mean squared error over states of demonstrations, each joint as a share
            of its range; NaN without an expert.
        wall_s: wall time of the policy's own episodes, in seconds.
    """

    config: EvaluationConfig
    episodes: tuple[EpisodeRecord, ...]
    rate_hz: float
    joints_in_rad: tuple[bool, ...]
    off_policy_error: float
    wall_s: float

    @property
    def title(self) -> str:
        """Task and robot."""
        return f"{self.config.task}, {self.config.robot}"

    @property
    def reward(self) -> str:
        """Name of the reward that the returns sum up."""
        return self.config.reward

    @property
    def takes(self) -> list[Take]:
        """The episodes, for a video."""
        return [
            Take(number, episode.seed, episode.success, list(episode.actions))
            for number, episode in enumerate(self.episodes, start=1)
        ]

    @property
    def success(self) -> Share:
        """The share that succeeded, with its 95 % Wilson interval."""
        return wilson(sum(episode.success for episode in self.episodes), len(self.episodes))

    @property
    def on_policy_error(self) -> float:
        """Mean squared error over the states that the policy visited, joints by their ranges."""
        return _mean([error for episode in self.episodes for error in episode.squared_errors])

    @property
    def figures(self) -> dict[str, float]:
        """All figures by name, with units in the names; NaN where one is not known."""
        lengths_s = [episode.steps / self.rate_hz for episode in self.episodes]
        turning = np.array(self.joints_in_rad)
        jerks = [mean_jerk(episode.actions[:, turning], self.rate_hz) for episode in self.episodes]
        success = self.success
        return {
            "success": success.share,
            "success_low": success.low,
            "success_high": success.high,
            "mean_return": _mean([episode.total_reward for episode in self.episodes]),
            "mean_length_s": _mean(lengths_s),
            "mean_jerk_rad_s3": _mean([jerk for jerk in jerks if np.isfinite(jerk)]),
            "on_policy_error": self.on_policy_error,
            "off_policy_error": self.off_policy_error,
            "times_real_time": sum(lengths_s) / max(self.wall_s, 1e-9),
        }

    def to_plain(self) -> dict[str, Any]:
        """Plain values, for JSON; figures that are not known are null."""
        figures = {k: v if np.isfinite(v) else None for k, v in self.figures.items()}
        return {
            "task": self.config.task,
            "robot": self.config.robot,
            "reward": self.config.reward,
            "seed": self.config.seed,
            "interval": "95 % Wilson",
            **figures,
            "episodes": [
                {
                    "seed": episode.seed,
                    "success": episode.success,
                    "steps": episode.steps,
                    "return": episode.total_reward,
                }
                for episode in self.episodes
            ],
        }


@dataclass(frozen=True)
class Comparison:
    """Two policies on the same seeds.

    Attributes:
        both: number of episodes in which both succeeded.
        only_first: number of episodes in which only the first policy succeeded.
        only_second: number of episodes in which only the second policy succeeded.
        neither: number of episodes in which neither succeeded.
        p_value: p-value of the exact McNemar test that both succeed equally often.
    """

    both: int
    only_first: int
    only_second: int
    neither: int
    p_value: float


def compare(first: Evaluation, second: Evaluation) -> Comparison:
    """Compare two evaluations by McNemar's paired test.

    Raises:
        ConfigurationError: the two differ in task, robot or seeds.
    """
    if first.config.task != second.config.task or first.config.robot != second.config.robot:
        raise ConfigurationError(_INCOMPARABLE)
    return compare_takes(first.takes, second.takes)


def compare_takes(first: Sequence[Take], second: Sequence[Take]) -> Comparison:
    """Compare episodes whose success is known by McNemar's paired test.

    Raises:
        ConfigurationError: the two differ in their seeds.
    """
    if [take.seed for take in first] != [take.seed for take in second]:
        raise ConfigurationError(_INCOMPARABLE)
    pairs = [(a.success, b.success) for a, b in zip(first, second, strict=True)]
    only_first, only_second = pairs.count((True, False)), pairs.count((False, True))
    return Comparison(
        both=pairs.count((True, True)),
        only_first=only_first,
        only_second=only_second,
        neither=pairs.count((False, False)),
        p_value=mcnemar(only_first, only_second),
    )


def evaluate(
    policy: Policy, config: EvaluationConfig, progress: Callable[[int, int], None] | None = None
) -> Evaluation:
    """Simulate a policy.

    Args:
        policy: policy in evaluation mode.
        config: what is simulated.
        progress: callback after each step with the number of the policy's own episodes that are
            over, and their total; None for none.

    Raises:
        ConfigurationError: names are unknown, or policy, robot and task do not fit.
    """
    profile = profile_for(policy.spec, config.robot)
    envs = min(config.envs, config.episodes)
    seeds = range(config.seed, config.seed + config.episodes)
    has_expert = config.ask_expert and config.task in EXPERTS
    expert = make_expert(config.task, profile) if has_expert else None
    env = environment_for(policy, profile, config, envs)
    try:
        begin_s = time.perf_counter()
        executor = PolicyExecutor(policy, envs, config.execution, config.seed)
        episodes = roll_out(
            env, executor, seeds, expert, expert_every=config.expert_every, progress=progress
        )
        wall_s = time.perf_counter() - begin_s
        shadow: Sequence[EpisodeRecord] = []
        if expert and config.shadow_episodes:
            executor = PolicyExecutor(policy, envs, config.execution, config.seed)
            shadow_seeds = seeds[: config.shadow_episodes]
            shadow = roll_out(env, executor, shadow_seeds, expert, driver="expert")
    finally:
        env.close()
    return Evaluation(
        config=config,
        episodes=tuple(episodes),
        rate_hz=policy.spec.rate_hz,
        joints_in_rad=tuple(joint.kind is JointKind.REVOLUTE for joint in profile.joints),
        off_policy_error=_mean([e for episode in shadow for e in episode.squared_errors]),
        wall_s=wall_s,
    )


def profile_for(spec: PolicySpec, robot: str | RobotProfile) -> RobotProfile:
    """The robot's profile, with its cameras at the sizes that the policy was trained with.

    Raises:
        ConfigurationError: the policy moves other joints; the text names both sides.
    """
    profile = resolve_robot(robot)
    if spec.action_names and spec.action_names != profile.joint_names:
        raise ConfigurationError(
            f"the policy moves {', '.join(spec.action_names)}; the robot '{profile.name}' has "
            f"{', '.join(profile.joint_names)}"
        )
    images = [column for column in spec.observations if column.is_image]
    sizes_px = {observation_name(c.key): (c.shape[0], c.shape[1]) for c in images}
    return with_camera_sizes(profile, sizes_px)


def environment_for(
    policy: Policy, profile: RobotProfile, config: EvaluationConfig, envs: int
) -> RobotVectorEnv:
    """Environments that give everything that the policy observes.

    Args:
        policy: policy whose spec gives cameras and rate.
        profile: profile of the robot, with the camera sizes of the policy.
        config: what is simulated.
        envs: number of environments.

    Raises:
        ConfigurationError: the policy observes something that the task does not give, or in
            another shape; the text names both sides.
    """
    columns = policy.spec.observations
    cameras = [observation_name(column.key) for column in columns if column.is_image]
    env = make_vec(
        resolve_task(config.task),
        envs,
        profile,
        cameras=cameras,
        reward=config.reward,
        control_rate_hz=policy.spec.rate_hz,
    )
    spaces: Mapping[str, Any] = env.single_observation_space.spaces  # type: ignore[attr-defined]
    for column in columns:
        name = observation_name(column.key)
        found = spaces[name].shape if name in spaces else None
        if found != column.shape:
            env.close()
            given = ", ".join(spaces) if found is None else f"{found}"
            raise ConfigurationError(
                f"the policy observes '{name}' {column.shape}; '{config.task}' with "
                f"'{profile.name}' gives {given}"
            )
    return env


def _check(config: EvaluationConfig) -> None:
    check(config)
    check(config.execution, "execution")
    last = config.seed + config.episodes - 1
    if config.seed < 0 or last > _LARGEST_SEED:
        raise ConfigurationError(
            f"the episodes' seeds lie from 0 to 2^63 - 1, not from {config.seed} to {last}"
        )


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else float("nan")
