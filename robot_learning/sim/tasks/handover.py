"""Hand a baton from one arm to the other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import mujoco
import numpy as np

from robot_learning.core.errors import ConfigurationError
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
    gripper_of,
    yaw_pose,
)
from robot_learning.sim.world import World

# The baton is handed over at this share of the workspaces' height, and each hand may stand this
# far outside of its own.
_MEETING_SHARE, _MEETING_SLACK_M = 0.6, 0.02


@dataclass(frozen=True)
class Handover(Task):
    """A baton lies in the first arm's workspace; it takes it by the yellow end, and hands it over.

    Success: the second arm holds the baton (its end effector is within `grip_m` of the baton's
    green end), the baton is at least `height_m` above the table, and the first arm's end
    effector is further than `clear_m` from the baton's yellow end.

    Dense reward: up to 0.3 for bringing the first arm to the baton, up to 0.2 for height, up to
    0.4 for bringing the second arm to it while it is in the air; 1 on success.
    """

    name: str = "handover"
    scene: Path = SCENES / "handover.xml"
    objects: tuple[str, ...] = ("baton",)
    minimum_arms: int = 2
    horizon: int = 600
    height_m: float = 0.05
    grip_m: float = 0.03
    clear_m: float = 0.05

    def baton_length_m(self, profile: RobotProfile) -> float:
        """The baton's length for this robot."""
        return 2.3 * self._clear_width_m(profile)

    def baton_side_m(self, profile: RobotProfile) -> float:
        """The side of the baton's cross-section for this robot."""
        return graspable_side_m(profile.arms[:2], self.name, 0.3)

    def grip_offset_m(self, profile: RobotProfile) -> float:
        """How far from the baton's centre each arm grips it."""
        return 0.35 * self.baton_length_m(profile)

    def _clear_width_m(self, profile: RobotProfile) -> float:
        return min(gripper_of(arm, self.name).clear_width_m for arm in profile.arms[:2])

    def direction(self, profile: RobotProfile) -> FloatArray:
        """(2,) unit vector on the table from the first arm's workspace to the second's."""
        gap = Area.of(profile.arms[1]).center - Area.of(profile.arms[0]).center
        length = float(np.linalg.norm(gap))
        unit: FloatArray = gap / length if length > 1e-6 else np.array([0.0, -1.0])
        return unit

    def meeting_point(self, profile: RobotProfile) -> FloatArray:
        """(3,) where the baton's centre is handed over."""
        first, second = profile.arms[0].workspace, profile.arms[1].workspace
        middle = (Area.of(profile.arms[0]).center + Area.of(profile.arms[1]).center) / 2
        height = _MEETING_SHARE * min(first.max_m[2], second.max_m[2])
        return np.array([middle[0], middle[1], height])

    def check_robot(self, profile: RobotProfile) -> None:
        """Also refuses arms that do not both get to where the baton is handed over."""
        super().check_robot(profile)
        side_m, meeting = self.baton_side_m(profile), self.meeting_point(profile)
        needed_m = (self.height_m + side_m / 2) / _MEETING_SHARE
        for arm, sign in zip(profile.arms[:2], (-1.0, 1.0), strict=True):
            check_reaches_up(arm, self.name, needed_m)
            grip = meeting[:2] + sign * self.grip_offset_m(profile) * self.direction(profile)
            low, high = np.array(arm.workspace.min_m[:2]), np.array(arm.workspace.max_m[:2])
            outside_m = float(np.linalg.norm(grip - np.clip(grip, low, high)))
            if outside_m > _MEETING_SLACK_M:
                where = ", ".join(f"{value:.3g}" for value in grip)
                raise ConfigurationError(
                    f"the task '{self.name}' hands over half-way between the arms: '{arm.name}' "
                    f"would have to get to [{where}] m, {outside_m:.2g} m outside of its "
                    "workspace_m"
                )

    def grasps(self, profile: RobotProfile) -> tuple[tuple[Arm, float], ...]:
        """Both arms grasp the baton."""
        return tuple((arm, self.baton_side_m(profile)) for arm in profile.arms[:2])

    def adapt(self, scene: mujoco.MjSpec, profile: RobotProfile) -> None:
        """Scale the baton to the grippers."""
        fit_mat(scene, profile)
        half, side = self.baton_length_m(profile) / 2, self.baton_side_m(profile) / 2
        offset = self.grip_offset_m(profile)
        scene.geom("baton").size = [half, side, side]
        for name, sign in (("give", -1.0), ("take", 1.0)):
            mark = scene.geom(f"baton_{name}")
            mark.size = [0.18 * half, 1.02 * side, 1.02 * side]
            mark.pos = [sign * offset, 0.0, 0.0]

    def place(self, world: World, rng: np.random.Generator) -> None:
        """The baton on the first arm's side, roughly along the line between the arms."""
        profile = world.profile
        area, direction = Area.of(profile.arms[0]), self.direction(profile)
        offset = self.grip_offset_m(profile)
        across = np.array([-direction[1], direction[0]])
        extent = float(np.abs(across) @ area.size)
        # The yellow end lies between the middle and the near edge of the first arm's workspace.
        near = 0.5 * float(np.abs(direction) @ area.size) - 0.1 * offset
        along = offset - rng.uniform(0.55, 0.95) * near
        center = area.center + along * direction + rng.uniform(-0.3, 0.3) * extent * across
        yaw = float(np.arctan2(direction[1], direction[0])) + rng.uniform(-0.35, 0.35)
        height = self.baton_side_m(profile) / 2
        world.set_pose("baton", yaw_pose(center[0], center[1], height, yaw))

    def grip_points(self, values: Values, profile: RobotProfile) -> tuple[FloatArray, FloatArray]:
        """(..., 3) the places where the first and the second arm grip the baton."""
        baton = values["baton"]
        w, x, y, z = (baton[..., index] for index in range(3, 7))
        axis = np.stack(
            [1 - 2 * (y * y + z * z), 2 * (x * y + w * z), 2 * (x * z - w * y)], axis=-1
        )
        offset = self.grip_offset_m(profile) * axis
        return baton[..., :3] - offset, baton[..., :3] + offset

    def success(self, values: Values, profile: RobotProfile) -> BoolArray:
        """See the class."""
        give, take = self.grip_points(values, profile)
        taken = distance(take, self._hand(values, profile.arms[1])) < self.grip_m
        clear = distance(give, self._hand(values, profile.arms[0])) > self.clear_m
        raised = values["baton"][..., 2] - self.baton_side_m(profile) / 2 >= self.height_m
        result: BoolArray = taken & clear & raised
        return result

    def reward(self, values: Values, profile: RobotProfile) -> FloatArray:
        """See the class."""
        give, take = self.grip_points(values, profile)
        first = closeness(distance(give, self._hand(values, profile.arms[0])), 0.08)
        second = closeness(distance(take, self._hand(values, profile.arms[1])), 0.08)
        height = values["baton"][..., 2] - self.baton_side_m(profile) / 2
        share = np.clip(height / self.height_m, 0.0, 1.0)
        shaped = 0.3 * np.maximum(first, second * share) + 0.2 * share + 0.4 * share * second
        return np.where(self.success(values, profile), 1.0, shaped)

    def _hand(self, values: Values, arm: Arm) -> FloatArray:
        return values[arm.end_effector_name]
