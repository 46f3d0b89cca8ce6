"""Stepping several environments beside each other: what learning needs of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import spaces

from robot_learning.core.types import BoolArray, FloatArray, IntArray
from robot_learning.learning.imitation.spaces import ActionLayout, Float32Array, ObservationLayout
from robot_learning.learning.training.errors import TrainingError

SUCCESS_KEYS = ("is_success", "success")
"""Keys under which the info of a step says whether the task succeeded, the first that is there."""


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


class Stepper(ABC):
    """N environments beside each other.

    Attributes:
        count: number of environments N.
        observations, actions: layouts of their spaces.
        rows: (N, D) present observations; the first of the next episode where one ended, if the
            environment begins it by itself.
        needs_rewards: whether rewards that are not finite are refused; otherwise they are NaN.
    """

    def __init__(
        self, count: int, observations: spaces.Space[Any], actions: spaces.Space[Any], name: str
    ) -> None:
        """Prepare.

        Args:
            count: number of environments N.
            observations: space of the observations of one environment.
            actions: space of its actions.
            name: name of the environment in error messages.

        Raises:
            ConfigurationError: the spaces cannot be used.
        """
        self.count, self._name = count, name
        self.needs_rewards = True
        self.observations = ObservationLayout(observations)
        self.actions = ActionLayout(actions)
        self.rows: Float32Array = np.zeros((count, self.observations.size), np.float32)
        self._lengths: IntArray = np.zeros(count, np.int64)

    @property
    @abstractmethod
    def rate_hz(self) -> float:
        """Steps per second of the environment's own time; 1 where it is not known."""

    @property
    def joint_names(self) -> tuple[str, ...]:
        """Joint names of this package's robot, whatever its actions are; empty without one."""
        return ()

    @property
    def target_robot(self) -> TargetRobot | None:
        """The robot whose joint targets the actions are; None for other actions."""
        return None

    @abstractmethod
    def begin(self, seeds: Sequence[int]) -> None:
        """Begin an episode in every environment, each from its own seed (N).

        Raises:
            TrainingError: an observation is not finite.
        """

    @abstractmethod
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

    @abstractmethod
    def step(self, actions: Float32Array) -> Step:
        """Act in every environment.

        Args:
            actions: (N, n) actions in the environment's units, within its bounds.

        Raises:
            TrainingError: a reward or an observation is not finite.
        """

    @abstractmethod
    def close(self) -> None:
        """Close the environments."""

    def _checked_rewards(self, rewards: Any) -> FloatArray:
        found = np.array(rewards, np.float64)
        finite = np.isfinite(found)
        if not finite.all():
            if not self.needs_rewards:
                return np.where(finite, found, np.nan)
            slot = int(np.argmin(finite))
            raise TrainingError(
                f"{self._name} gave the reward {found[slot]} {self._when(slot)}; rewards are "
                "finite numbers, and nothing can be learned from an environment without them"
            )
        return found

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


def stated_rate_hz(metadata: Mapping[str, Any] | None) -> float:
    """Steps per second that an environment states; 1 where it states none."""
    rate = (metadata or {}).get("render_fps")
    return float(rate) if isinstance(rate, int | float) and rate > 0 else 1.0
