"""Pass a post on either side to a goal behind it."""

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
    closeness,
    distance,
    fit_mat,
    gripper_of,
    up_axis_z,
    yaw_pose,
)
from robot_learning.sim.world import World

_FOOT_M = 0.01


@dataclass(frozen=True)
class Obstacle(Task):
    """A post stands between the arm and a goal, on the middle line of the workspace.

    Left and right are mirror images, so demonstrations have two modes and their average runs
    into the post. The post stands loose: an arm that bumps into it knocks it over.

    Success: the end effector is within `tolerance_m` of the goal and the post still stands.

    Dense reward: up to 0.9 for being close to the goal while the post stands, 0 once it has
    fallen; 1 on success.
    """

    name: str = "obstacle"
    scene: Path = SCENES / "obstacle.xml"
    objects: tuple[str, ...] = ("post", "goal")
    tolerance_m: float = 0.02
    jitter_m: float = 0.006
    radius_m: float = 0.010

    def height_m(self, profile: RobotProfile) -> float:
        """The post's height: the hand does not pass above it inside the workspace."""
        return 0.9 * profile.arms[0].workspace.max_m[2]

    def travel_height_m(self, profile: RobotProfile) -> float:
        """The height of the goal."""
        low, high = profile.arms[0].workspace.min_m[2], profile.arms[0].workspace.max_m[2]
        return low + 0.25 * (high - low)

    def check_robot(self, profile: RobotProfile) -> None:
        """Also refuses a workspace in which there is no way round the post."""
        super().check_robot(profile)
        arm, (depth_m, width_m) = profile.arms[0], Area.of(profile.arms[0]).size
        aside_m = gripper_of(arm, self.name).clear_width_m / 2 + self.radius_m + self.jitter_m
        ahead_m = 3 * self.radius_m + self.jitter_m + self.tolerance_m
        if width_m / 2 < aside_m or depth_m / 2 < ahead_m:
            raise ConfigurationError(
                f"the task '{self.name}' needs {aside_m:.3g} m on either side of the post and "
                f"{ahead_m:.3g} m behind it; the workspace_m of the arm '{arm.name}' is "
                f"{depth_m:.3g} by {width_m:.3g} m"
            )

    def adapt(self, scene: mujoco.MjSpec, profile: RobotProfile) -> None:
        """Scale the post to the workspace."""
        fit_mat(scene, profile)
        gripper_of(profile.arms[0], self.name)
        half = (self.height_m(profile) - _FOOT_M) / 2
        post = scene.geom("post")
        post.size, post.pos = [self.radius_m, half, 0.0], [0.0, 0.0, _FOOT_M + half]
        foot = 3.0 * self.radius_m
        scene.geom("post_foot").size = [foot, _FOOT_M / 2, 0.0]

    def place(self, world: World, rng: np.random.Generator) -> None:
        """Post and goal on the middle line, moved a little at random."""
        area = Area.of(world.profile.arms[0])
        x, y = area.center
        shift = rng.uniform(-self.jitter_m, self.jitter_m, 4)
        world.set_pose("post", yaw_pose(x + shift[0], y + shift[1], 0.0))
        height = self.travel_height_m(world.profile)
        world.set_pose(
            "goal", yaw_pose(area.x_max - 0.01 + shift[2] - self.jitter_m, y + shift[3], height)
        )

    def success(self, values: Values, profile: RobotProfile) -> BoolArray:
        """See the class."""
        near = self._gap(values, profile) < self.tolerance_m
        result: BoolArray = near & self._stands(values)
        return result

    def reward(self, values: Values, profile: RobotProfile) -> FloatArray:
        """See the class."""
        shaped = 0.9 * closeness(self._gap(values, profile), 0.1)
        shaped = np.where(self._stands(values), shaped, 0.0)
        return np.where(self.success(values, profile), 1.0, shaped)

    def _gap(self, values: Values, profile: RobotProfile) -> FloatArray:
        return distance(values["goal"], values[profile.arms[0].end_effector_name])

    def _stands(self, values: Values) -> BoolArray:
        stands: BoolArray = up_axis_z(values["post"]) > 0.9
        return stands
