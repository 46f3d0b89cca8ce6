"""Lift a cube off the table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import mujoco
import numpy as np

from robot_learning.core.profile import Arm, RobotProfile
from robot_learning.core.types import BoolArray, FloatArray
from robot_learning.sim.task import Task, Values
from robot_learning.sim.tasks.layout import (
    SCENES,
    Area,
    check_reaches_up,
    closeness,
    distance,
    fit_mat,
    graspable_side_m,
    yaw_pose,
)
from robot_learning.sim.world import World


@dataclass(frozen=True)
class Lift(Task):
    """A cube, half as wide as the open gripper, lies anywhere on the mat at any angle.

    It is larger where the fingers do not come down to the middle of one of that size.

    Success: the cube's centre is `height_m` higher than when it lies on the table, and no
    further from the end effector than its own side, so that it is held and not thrown.

    Dense reward: up to 0.4 for bringing the end effector to the cube, up to 0.5 for height
    while it is held; 1 on success.
    """

    name: str = "lift"
    scene: Path = SCENES / "lift.xml"
    objects: tuple[str, ...] = ("cube",)
    height_m: float = 0.05
    margin_m: float = 0.02

    def cube_side_m(self, profile: RobotProfile) -> float:
        """The side of the cube for this robot."""
        return graspable_side_m(profile.arms[:1], self.name, 0.5)

    def check_robot(self, profile: RobotProfile) -> None:
        """Also refuses fingers that stay above the cube, and a workspace that ends too low."""
        super().check_robot(profile)
        lifted_m = self.cube_side_m(profile) / 2 + self.height_m
        check_reaches_up(profile.arms[0], self.name, lifted_m)

    def grasps(self, profile: RobotProfile) -> tuple[tuple[Arm, float], ...]:
        """The first arm grasps the cube."""
        return ((profile.arms[0], self.cube_side_m(profile)),)

    def adapt(self, scene: mujoco.MjSpec, profile: RobotProfile) -> None:
        """Scale the cube to the gripper."""
        fit_mat(scene, profile)
        scene.geom("cube").size = np.full(3, self.cube_side_m(profile) / 2)

    def place(self, world: World, rng: np.random.Generator) -> None:
        """The cube anywhere in the workspace, turned at random."""
        x, y = Area.of(world.profile.arms[0]).shrink(self.margin_m).sample(rng)
        yaw = rng.uniform(-np.pi, np.pi)
        world.set_pose("cube", yaw_pose(x, y, self.cube_side_m(world.profile) / 2, yaw))

    def success(self, values: Values, profile: RobotProfile) -> BoolArray:
        """See the class."""
        raised = self._raised_m(values, profile) >= self.height_m
        result: BoolArray = raised & self._is_held(values, profile)
        return result

    def reward(self, values: Values, profile: RobotProfile) -> FloatArray:
        """See the class."""
        gap = distance(values["cube"], values[profile.arms[0].end_effector_name])
        share = np.clip(self._raised_m(values, profile) / self.height_m, 0.0, 1.0)
        held = self._is_held(values, profile)
        shaped = 0.4 * closeness(gap, 0.05) + 0.5 * np.where(held, share, 0.0)
        return np.where(self.success(values, profile), 1.0, shaped)

    def _raised_m(self, values: Values, profile: RobotProfile) -> FloatArray:
        raised: FloatArray = values["cube"][..., 2] - self.cube_side_m(profile) / 2
        return raised

    def _is_held(self, values: Values, profile: RobotProfile) -> BoolArray:
        gap = distance(values["cube"], values[profile.arms[0].end_effector_name])
        held: BoolArray = gap < self.cube_side_m(profile)
        return held
