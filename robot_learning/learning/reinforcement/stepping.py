"""Stepping a vector environment, whichever way it begins new episodes, with true successors.

gymnasium's vector environments begin the next episode in one of three ways. In the SAME_STEP mode
the observation after an end is already the next episode's first, and the episode's last is in the
info. In the NEXT_STEP mode the step after an end ignores its action: it is no transition. In the
DISABLED mode nothing begins by itself. Here all three give the same transitions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv

from robot_learning.core.types import BoolArray, FloatArray, IntArray
from robot_learning.learning.imitation.rollout import OWN_IDS, Env, env_maker, making
from robot_learning.learning.imitation.spaces import ActionLayout, Float32Array, ObservationLayout
from robot_learning.learning.training.errors import TrainingError

_MODE = "autoreset_mode"
_SUCCESS_KEYS = ("is_success", "success")


@dataclass(frozen=True)
class Step:
    """What N environments made of their actions.

    Attributes:
        rewards: (N,) rewards.
        terminated: (N,) whether the task is over.
        truncated: (N,) whether the episode was cut off; never where it terminated.
        successors: (N, D) observations that the actions led to, also where an episode ended.
        is_transition: (N,) whether an environment took its action; a step that only begins the
            next episode is none.
        success: (N,) 1 for a success, 0 for none, NaN where the environment does not say.
    """

    rewards: FloatArray
    terminated: BoolArray
    truncated: BoolArray
    successors: Float32Array
    is_transition: BoolArray
    success: FloatArray

    @property
    def ended(self) -> BoolArray:
        """(N,) whether an episode is over."""
        return np.asarray(self.terminated | self.truncated)


@dataclass(frozen=True)
class TargetRobot:
    """A robot of this package, at a task.

    Attributes:
        name: name of the robot.
        task: name of the task.
        joint_names: (n,) names of its joints.
    """

    name: str
    task: str
    joint_names: tuple[str, ...]


class Stepper:
    """N environments beside each other.

    Attributes:
        count: number of environments N.
        observations, actions: layouts of their spaces.
        rows: (N, D) present observations; the first of the next episode where one ended, if the
            environment begins it by itself.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any], name: str = "") -> None:
        """Step an environment.

        Args:
            env: vector environment in any of gymnasium's modes; one without a mode begins episodes
                in the next step.
            name: name of the environment in error messages; empty for that of its class.

        Raises:
            ConfigurationError: its spaces cannot be used.
        """
        # Its own annotations know no seeds for each environment.
        self._env: Any = env
        self._name = name or type(env).__name__
        self._mode = (env.metadata or {}).get(_MODE, AutoresetMode.NEXT_STEP)
        self.count = env.num_envs
        self.observations = ObservationLayout(env.single_observation_space)
        self.actions = ActionLayout(env.single_action_space)
        self.rows: Float32Array = np.zeros((self.count, self.observations.size), np.float32)
        self._begins: BoolArray = np.zeros(self.count, np.bool_)
        self._lengths: IntArray = np.zeros(self.count, np.int64)

    @property
    def rate_hz(self) -> float:
        """Steps per second of the environment's own time; 1 where it is not known."""
        rate = (self._env.metadata or {}).get("render_fps")
        return float(rate) if isinstance(rate, int | float) and rate > 0 else 1.0

    @property
    def target_robot(self) -> TargetRobot | None:
        """The robot whose joint targets the actions are; None for other actions."""
        env = self._env
        profile = getattr(env, "profile", None)
        if profile is None or getattr(env, "action_kind", "") != "targets":
            return None
        return TargetRobot(profile.name, env.task.name, tuple(profile.joint_names))

    def begin(self, seeds: Sequence[int]) -> None:
        """Begin an episode in every environment, each from its own seed (N).

        Raises:
            TrainingError: an observation is not finite.
        """
        found, _ = self._env.reset(seed=[int(seed) for seed in seeds])
        self.observations.write_batch(found, self.rows)
        self._begins[:] = False
        self._lengths[:] = 0
        self._refuse_bad_rows(self.rows)

    def restart(self, slots: Sequence[int], seeds: Sequence[int]) -> None:
        """Begin episodes from their own seeds.

        An environment that begins episodes by itself, and cannot begin one from a seed, goes on
        with the episode it has begun.

        Args:
            slots: numbers of the environments.
            seeds: seed of each of these episodes.

        Raises:
            TrainingError: an observation is not finite.
        """
        if not len(slots):
            return
        restart_world: Callable[[int, int], Any] | None = getattr(self._env, "restart_world", None)
        if restart_world is not None:
            first = [
                restart_world(slot, int(seed)) for slot, seed in zip(slots, seeds, strict=True)
            ]
            self.observations.write_all(first, self.rows, slots)
        elif self._mode == AutoresetMode.DISABLED:
            wanted: list[int | None] = [None] * self.count
            mask = np.zeros(self.count, np.bool_)
            for slot, seed in zip(slots, seeds, strict=True):
                wanted[slot], mask[slot] = int(seed), True
            found, _ = self._env.reset(seed=wanted, options={"reset_mask": mask})
            self.observations.write_batch(found, self.rows)
        self._lengths[slots] = 0
        self._refuse_bad_rows(self.rows)

    def step(self, actions: Float32Array) -> Step:
        """Act in every environment.

        Args:
            actions: (N, n) actions in the environment's units, within its bounds.

        Raises:
            TrainingError: a reward or an observation is not finite.
        """
        begins = self._begins.copy()
        found, rewards, terminated, truncated, info = self._env.step(
            np.asarray(self.actions.to_env(actions))
        )
        self._lengths = np.where(begins, 0, self._lengths + 1)
        rewards = np.array(rewards, np.float64)
        self._refuse_bad_rewards(rewards)
        terminated, truncated = np.array(terminated), np.array(truncated) & ~np.array(terminated)
        ended = terminated | truncated
        self.observations.write_batch(found, self.rows)
        successors = self.rows.copy()
        success = _success(info, self.count)
        if self._mode == AutoresetMode.SAME_STEP and ended.any():
            slots = np.flatnonzero(ended).tolist()
            final = [info["final_obs"][slot] for slot in slots]
            self.observations.write_all(final, successors, slots)
            success = np.where(ended, _success(info.get("final_info", {}), self.count), success)
        elif self._mode == AutoresetMode.NEXT_STEP:
            self._begins = ended
        self._refuse_bad_rows(successors)
        if self._mode == AutoresetMode.SAME_STEP and ended.any():
            self._lengths[ended] = 0
            self._refuse_bad_rows(self.rows)
        return Step(rewards, terminated, truncated, successors, ~begins, success)

    def close(self) -> None:
        """Close the environments."""
        self._env.close()

    def _refuse_bad_rewards(self, rewards: FloatArray) -> None:
        finite = np.isfinite(rewards)
        if not finite.all():
            slot = int(np.argmin(finite))
            raise TrainingError(
                f"{self._name} gave the reward {rewards[slot]} {self._when(slot)}; rewards are "
                "finite numbers, and nothing can be learned from an environment without them"
            )

    def _refuse_bad_rows(self, rows: Float32Array) -> None:
        finite = np.isfinite(rows)
        if not finite.all():
            slot, column = (int(index) for index in np.argwhere(~finite)[0])
            raise TrainingError(
                f"{self._name} gave {rows[slot, column]} for {self._column(column)} "
                f"{self._when(slot)}; observations are finite numbers"
            )

    def _when(self, slot: int) -> str:
        length = self._lengths[slot]
        return f"in step {length} of an episode" if length else "at the beginning of an episode"

    def _column(self, column: int) -> str:
        leaves = self.observations.leaves
        leaf = next(leaf for leaf in leaves if column < leaf.end)
        return f"{leaf.spec.key}[{column - leaf.begin}]"


def _success(info: Mapping[str, Any], count: int) -> FloatArray:
    for key in _SUCCESS_KEYS:
        if key in info:
            said = np.asarray(info.get(f"_{key}", np.ones(count, np.bool_)))
            return np.where(said, np.asarray(info[key], np.float64), np.nan)
    return np.full(count, np.nan)


def make_stepper(
    env: str | Callable[[], Env], arguments: Mapping[str, Any], count: int, name: str = ""
) -> Stepper:
    """Environments beside each other: this package's tasks in threads, others one by one.

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
    make = env_maker(env, arguments)
    if isinstance(env, str) and env.startswith(OWN_IDS):
        from robot_learning.sim.registration import register_envs

        register_envs()
        return Stepper(_threaded(env, arguments, count), name)
    vector = SyncVectorEnv([make] * count, copy=False, autoreset_mode=AutoresetMode.DISABLED)
    return Stepper(vector, name)


def _threaded(env: str, arguments: Mapping[str, Any], count: int) -> VectorEnv[Any, Any, Any]:
    with making(env):
        return gymnasium.make_vec(
            env, num_envs=count, vectorization_mode="vector_entry_point", **arguments
        )
