"""Push a block to a marked place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import mujoco
import numpy as np

from robot_learning.core.errors import ConfigurationError
from robot_learning.core.profile import RobotProfile
from robot_learning.core.types import BoolArray, FloatArray
from robot_learning.sim.task import Task, Values
from robot_learning.sim.tasks.layout import (
    SCENES,
    Area,
    check_comes_down,
    closeness,
    distance,
    fit_mat,
    gripper_of,
    yaw_pose,
)
from robot_learning.sim.world import World

_DRAWS = 1000
# The hand pushes at no more than this share of the block's height.
_HIGHEST_PUSH = 0.75


@dataclass(frozen=True)
class Push(Task):
    """A block lies on the mat at any angle, and a disc marks where it has to go.

    Success: the block's centre is within `tolerance_m` of the disc's, measured on the table;
    its angle does not matter.

    Dense reward: up to 0.3 for bringing the end effector to the block, up to 0.6 for the block
    being close to the mark; 1 on success.
    """

    name: str = "push"
    scene: Path = SCENES / "push.xml"
    objects: tuple[str, ...] = ("block", "goal")
    horizon: int = 600
    tolerance_m: float = 0.015
    goal_margin_m: float = 0.04

    def block_side_m(self, profile: RobotProfile) -> float:
        """The side of the block's footprint for this robot."""
        return 0.7 * gripper_of(profile.arms[0], self.name).clear_width_m

    def block_height_m(self, profile: RobotProfile) -> float:
        """The block's height for this robot."""
        return 0.8 * self.block_side_m(profile)

    def check_robot(self, profile: RobotProfile) -> None:
        """Also refuses a hand that stays above the block, and a workspace without room to push."""
        super().check_robot(profile)
        arm, side_m = profile.arms[0], self.block_side_m(profile)
        check_comes_down(arm, self.name, _HIGHEST_PUSH * self.block_height_m(profile))
        area = Area.of(arm)
        room_m = area.shrink(1.3 * side_m).size / 2 + area.shrink(self.goal_margin_m).size / 2
        if np.hypot(*room_m) < 1.6 * side_m:
            width, depth = area.size
            raise ConfigurationError(
                f"the task '{self.name}' has no room for a block of {side_m:.3g} m and a place to "
                f"push it to: the workspace_m of the arm '{arm.name}' is {width:.3g} by "
                f"{depth:.3g} m"
            )

    def adapt(self, scene: mujoco.MjSpec, profile: RobotProfile) -> None:
        """Scale the block to the gripper."""
        fit_mat(scene, profile)
        half, height = self.block_side_m(profile) / 2, self.block_height_m(profile)
        scene.geom("block").size = [half, half, height / 2]
        scene.geom("goal").size = [1.2 * half, 0.0008, 0.0]

    def place(self, world: World, rng: np.random.Generator) -> None:
        """Block and mark so that there is room behind the block to push it from."""
        side = self.block_side_m(world.profile)
        area = Area.of(world.profile.arms[0])
        blocks, goals = area.shrink(1.3 * side), area.shrink(self.goal_margin_m)
        block, goal = blocks.sample(rng), goals.sample(rng)
        for _ in range(_DRAWS):
            if 1.5 * side < np.linalg.norm(goal - block) < 4.0 * side:
                break
            block, goal = blocks.sample(rng), goals.sample(rng)
        yaw = rng.uniform(-np.pi, np.pi)
        height = self.block_height_m(world.profile)
        world.set_pose("block", yaw_pose(block[0], block[1], height / 2, yaw))
        world.set_pose("goal", yaw_pose(goal[0], goal[1], 0.0))

    def success(self, values: Values, profile: RobotProfile) -> BoolArray:
        """See the class."""
        result: BoolArray = self._off_m(values) < self.tolerance_m
        return result

    def reward(self, values: Values, profile: RobotProfile) -> FloatArray:
        """See the class."""
        gap = distance(values["block"], values[profile.arms[0].end_effector_name])
        shaped = 0.3 * closeness(gap, 0.08) + 0.6 * closeness(self._off_m(values), 0.08)
        return np.where(self.success(values, profile), 1.0, shaped)

    def _off_m(self, values: Values) -> FloatArray:
        return distance(values["block"][..., :2], values["goal"][..., :2])
