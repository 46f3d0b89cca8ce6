"""Stepping a vector environment, whichever way it begins new episodes, with true successors.

gymnasium's vector environments begin the next episode in one of three ways. In the SAME_STEP mode
the observation after an end is already the next episode's first, and the episode's last is in the
info. In the NEXT_STEP mode the step after an end ignores its action: it is no transition. In the
DISABLED mode nothing begins by itself. Here all three give the same transitions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv

from robot_learning.core.types import BoolArray, FloatArray
from robot_learning.learning.imitation.spaces import Float32Array
from robot_learning.learning.reinforcement.stepper import (
    SUCCESS_KEYS,
    Step,
    Stepper,
    TargetRobot,
    stated_rate_hz,
)

_MODE = "autoreset_mode"


class VectorStepper(Stepper):
    """The environments of a vector environment."""

    def __init__(self, env: VectorEnv[Any, Any, Any], name: str = "") -> None:
        """Step an environment.

        Args:
            env: vector environment in any of gymnasium's modes; one without a mode begins episodes
                in the next step.
            name: name of the environment in error messages; empty for that of its class.

        Raises:
            ConfigurationError: its spaces cannot be used.
        """
        super().__init__(
            env.num_envs,
            env.single_observation_space,
            env.single_action_space,
            name or type(env).__name__,
        )
        # Its own annotations know no seeds for each environment.
        self._env: Any = env
        self._mode = (env.metadata or {}).get(_MODE, AutoresetMode.NEXT_STEP)
        self._begins: BoolArray = np.zeros(self.count, np.bool_)

    @property
    def rate_hz(self) -> float:
        """See `Stepper`."""
        return stated_rate_hz(self._env.metadata)

    @property
    def target_robot(self) -> TargetRobot | None:
        """See `Stepper`."""
        env = self._env
        profile = getattr(env, "profile", None)
        if profile is None or getattr(env, "action_kind", "") != "targets":
            return None
        return TargetRobot(profile.name, env.task.name, self.joint_names)

    @property
    def joint_names(self) -> tuple[str, ...]:
        """See `Stepper`."""
        return tuple(getattr(getattr(self._env, "profile", None), "joint_names", ()))

    def begin(self, seeds: Sequence[int]) -> None:
        """See `Stepper`."""
        found, _ = self._env.reset(seed=[int(seed) for seed in seeds])
        self.observations.write_batch(found, self.rows)
        self._begins[:] = False
        self._lengths[:] = 0
        self._refuse_bad_rows(self.rows)

    def restart(self, slots: Sequence[int], seeds: Sequence[int]) -> None:
        """See `Stepper`."""
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
        """See `Stepper`."""
        begins = self._begins.copy()
        found, rewards, terminated, truncated, info = self._env.step(
            np.asarray(self.actions.to_env(actions))
        )
        self._lengths = np.where(begins, 0, self._lengths + 1)
        rewards = self._checked_rewards(rewards)
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
        """See `Stepper`."""
        self._env.close()


def _success(info: Mapping[str, Any], count: int) -> FloatArray:
    for key in SUCCESS_KEYS:
        if key in info:
            said = np.asarray(info.get(f"_{key}", np.ones(count, np.bool_)))
            return np.where(said, np.asarray(info[key], np.float64), np.nan)
    return np.full(count, np.nan)
