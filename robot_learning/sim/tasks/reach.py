"""Bring the end effector to a point in the air."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import mujoco
import numpy as np

from robot_learning.core.profile import RobotProfile
from robot_learning.core.types import BoolArray, FloatArray
from robot_learning.sim.task import Task, Values
from robot_learning.sim.tasks.layout import SCENES, Area, closeness, distance, fit_mat, yaw_pose
from robot_learning.sim.world import World


@dataclass(frozen=True)
class Reach(Task):
    """A target hangs anywhere in the arm's workspace.

    Success: the end effector is within `tolerance_m` of the target.

    Dense reward: up to 0.9 for being close to the target; 1 on success.
    """

    name: str = "reach"
    scene: Path = SCENES / "reach.xml"
    objects: tuple[str, ...] = ("target",)
    horizon: int = 200
    tolerance_m: float = 0.015
    margin_m: float = 0.01

    def adapt(self, scene: mujoco.MjSpec, profile: RobotProfile) -> None:
        """Lay out the mat."""
        fit_mat(scene, profile)

    def place(self, world: World, rng: np.random.Generator) -> None:
        """The target anywhere in the workspace box."""
        arm = world.profile.arms[0]
        x, y = Area.of(arm).shrink(self.margin_m).sample(rng)
        low, high = arm.workspace.min_m[2], arm.workspace.max_m[2]
        world.set_pose("target", yaw_pose(x, y, rng.uniform(low + 0.1 * (high - low), high)))

    def success(self, values: Values, profile: RobotProfile) -> BoolArray:
        """See the class."""
        result: BoolArray = self._gap(values, profile) < self.tolerance_m
        return result

    def reward(self, values: Values, profile: RobotProfile) -> FloatArray:
        """See the class."""
        shaped = 0.9 * closeness(self._gap(values, profile), 0.1)
        return np.where(self.success(values, profile), 1.0, shaped)

    def _gap(self, values: Values, profile: RobotProfile) -> FloatArray:
        return distance(values["target"], values[profile.arms[0].end_effector_name])
