"""What a scripted expert is: feedback on the current observation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np

from robot_learning.core.profile import RobotProfile
from robot_learning.core.types import FloatArray
from robot_learning.sim.experts.motion import ArmMotion
from robot_learning.sim.model import compile_robot

# Second word of the seed of what experts choose.
_CHOICE_STREAM = 1


class Expert(ABC):
    """Solves one task from any state, by feedback alone.

    The action depends on the observation given, not on time or on earlier observations, so it
    stays right when somebody else acted in between: noise, a policy, a person. What an expert
    may choose freely (a side to pass on) it draws in `reset`.

    Not safe to share between threads.

    Attributes:
        arms: number of arms that the expert moves; the robot's others rest at home.
    """

    arms = 1

    def __init__(self, profile: RobotProfile, seed: int | None = None) -> None:
        """Prepare for a robot.

        Raises:
            ConfigurationError: the robot cannot do the task (too few arms, no gripper).
        """
        simulation = compile_robot(profile)
        self.profile = profile
        self.motions = [ArmMotion(simulation, arm) for arm in profile.arms]
        self.reset(seed)

    def reset(self, seed: int | None = None) -> None:
        """Begin an episode; draws what the expert may choose freely.

        The scene is usually drawn from the same seed. The expert has a stream of its own, so that
        what it chooses says nothing of where the objects lie, nor they of it.
        """
        self._rng = np.random.default_rng(None if seed is None else (seed, _CHOICE_STREAM))

    def __call__(
        self, observation: Mapping[str, Any], info: Mapping[str, Any] | None = None
    ) -> FloatArray:
        """(n,) joint position targets, inside the position limits.

        Args:
            observation: `joint_position`, `joint_velocity` (n,) and the task's poses (7,), as
                an environment or `observation_dict` gives them.
            info: not used; any environment's info can be passed.
        """
        joints = np.asarray(observation["joint_position"], np.float64)
        velocity = np.asarray(observation["joint_velocity"], np.float64)
        for motion in self.motions:
            motion.sense(joints, velocity)
        action = np.minimum(
            np.maximum(joints, self.profile.position_min), self.profile.position_max
        )
        self._act(observation, action)
        for motion in self.motions[self.arms :]:
            motion.rest(action)
        return action

    @abstractmethod
    def _act(self, observation: Mapping[str, Any], action: FloatArray) -> None:
        """Write targets into `action` (n,), which comes filled with the measured joints."""


def read_pose(observation: Mapping[str, Any], name: str) -> FloatArray:
    """(7,) a pose of the observation in float64."""
    return np.asarray(observation[name], np.float64)
