"""Where things lie: areas inside an arm's workspace, sizes that fit its gripper, poses.

Every length of a task comes from the robot's profile, so that any robot works with any task.
The table's top is z = 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import mujoco
import numpy as np

from robot_learning.core.errors import ConfigurationError
from robot_learning.core.profile import Arm, Gripper, RobotProfile
from robot_learning.core.types import FloatArray

SCENES = Path(__file__).resolve().parents[1] / "scenes"
# A grasp at this share of an object's height holds it, and objects up to this share of the clear
# width pass between the fingers.
_HIGHEST_GRASP, _WIDEST_SHARE = 0.75, 2 / 3
_MAT_MARGIN_M = 0.03
_MAT_THICKNESS_M = 0.0004


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle on the table, corners in metres, world frame."""

    x_min: float
    x_max: float
    y_min: float
    y_max: float

    @classmethod
    def of(cls, arm: Arm) -> Area:
        """The floor of an arm's workspace."""
        low, high = arm.workspace.min_m, arm.workspace.max_m
        return cls(low[0], high[0], low[1], high[1])

    @property
    def center(self) -> FloatArray:
        """(2,) its middle."""
        return np.array([self.x_min + self.x_max, self.y_min + self.y_max]) / 2

    @property
    def size(self) -> FloatArray:
        """(2,) its extent along x and y."""
        return np.array([self.x_max - self.x_min, self.y_max - self.y_min])

    def shrink(self, margin_m: float) -> Area:
        """The area without a margin; at least a tenth of each extent remains."""
        half = np.maximum(self.size / 2 - margin_m, self.size / 20)
        low, high = self.center - half, self.center + half
        return Area(low[0], high[0], low[1], high[1])

    def sample(self, rng: np.random.Generator) -> FloatArray:
        """(2,) a uniformly random point."""
        return rng.uniform([self.x_min, self.y_min], [self.x_max, self.y_max])


def gripper_of(arm: Arm, task: str) -> Gripper:
    """The arm's gripper.

    Raises:
        ConfigurationError: it has none, and the task needs one.
    """
    if arm.gripper is None:
        raise ConfigurationError(
            f"the task '{task}' needs a gripper, the arm '{arm.name}' has none"
        )
    return arm.gripper


def graspable_side_m(arms: Sequence[Arm], task: str, share: float) -> float:
    """The side of an object that lies on the table and that each of the arms can grasp.

    It is more than `share` where the fingers do not come down to the middle of an object of that
    size.

    Args:
        arms: the arms that have to grasp the object.
        task: name of the task, for errors.
        share: side of the object, as a share of the smallest gripper's clear width.

    Raises:
        ConfigurationError: an arm has no gripper, or its hand stays so far above the table that
            the object would have to be wider than the fingers take.
    """
    clear_m = min(gripper_of(arm, task).clear_width_m for arm in arms)
    highest = max(arms, key=lambda arm: arm.workspace.min_m[2])
    floor_m = highest.workspace.min_m[2]
    side_m = max(share * clear_m, floor_m / _HIGHEST_GRASP)
    if side_m > _WIDEST_SHARE * clear_m:
        lowest_m = _HIGHEST_GRASP * _WIDEST_SHARE * clear_m
        raise ConfigurationError(
            f"the task '{task}' needs fingers that come down to the middle of what lies on the "
            f"table: the arm '{highest.name}' stays {floor_m:g} m above it (workspace_m.min z), "
            f"and its gripper of {clear_m:g} m (clear_width_m) takes objects that ask for "
            f"{lowest_m:.3g} m at most"
        )
    return side_m


def check_reaches_up(arm: Arm, task: str, needed_m: float) -> None:
    """Refuse an arm whose workspace ends below a height that the task needs.

    Args:
        arm: the arm.
        task: name of the task, for errors.
        needed_m: height above the table that the hand has to reach.

    Raises:
        ConfigurationError: it does; the text says by how much.
    """
    highest_m = arm.workspace.max_m[2]
    if highest_m < needed_m:
        raise ConfigurationError(
            f"the task '{task}' needs the hand of the arm '{arm.name}' at {needed_m:.3g} m above "
            f"the table, and its workspace_m.max z is {highest_m:g} m"
        )


def check_comes_down(arm: Arm, task: str, needed_m: float) -> None:
    """Refuse an arm that stays above a height at which the task needs its hand.

    Args:
        arm: the arm.
        task: name of the task, for errors.
        needed_m: height above the table that the hand has to come down to.

    Raises:
        ConfigurationError: it does; the text says by how much.
    """
    floor_m = arm.workspace.min_m[2]
    if floor_m > needed_m:
        raise ConfigurationError(
            f"the task '{task}' needs the hand of the arm '{arm.name}' at {needed_m:.3g} m above "
            f"the table or lower, and its workspace_m.min z is {floor_m:g} m"
        )


def yaw_pose(x_m: float, y_m: float, z_m: float, yaw_rad: float = 0.0) -> FloatArray:
    """(7,) a pose that is turned about the vertical.

    Args:
        x_m: x of the pose in the world frame.
        y_m: y of the pose in the world frame.
        z_m: z of the pose in the world frame; the table's top is 0.
        yaw_rad: rotation about the vertical; 0 leaves the axes those of the world.
    """
    return np.array([x_m, y_m, z_m, np.cos(yaw_rad / 2), 0.0, 0.0, np.sin(yaw_rad / 2)])


def yaw_of(pose: FloatArray) -> FloatArray:
    """(...) the angle about the vertical of poses (..., 7), in rad."""
    w, x, y, z = (pose[..., index] for index in range(3, 7))
    angle: FloatArray = np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))
    return angle


def up_axis_z(pose: FloatArray) -> FloatArray:
    """(...) the vertical part of the own z axis of poses (..., 7): 1 upright, 0 lying."""
    upright: FloatArray = 1 - 2 * (pose[..., 4] ** 2 + pose[..., 5] ** 2)
    return upright


def distance(first: FloatArray, second: FloatArray) -> FloatArray:
    """(...) the distance in metres between positions or poses (..., >=3)."""
    gap = first[..., :3] - second[..., :3]
    # What `np.linalg.norm` does, without its questions: it is asked with every control period.
    length: FloatArray = np.sqrt(np.add.reduce(gap * gap, axis=-1))
    return length


def closeness(distance_m: FloatArray, scale_m: float) -> FloatArray:
    """A share in (0, 1] that falls with the distance: 1 at 0, 0.42 at `scale_m`."""
    share: FloatArray = 1.0 - np.tanh(distance_m / (scale_m * 1.5))
    return share


def fit_mat(scene: mujoco.MjSpec, profile: RobotProfile) -> None:
    """Lay the mat out over the floor of all the arms' workspaces."""
    low = np.min([arm.workspace.min_m for arm in profile.arms], axis=0)[:2] - _MAT_MARGIN_M
    high = np.max([arm.workspace.max_m for arm in profile.arms], axis=0)[:2] + _MAT_MARGIN_M
    mat = scene.geom("mat")
    mat.pos = [*(low + high) / 2, 0.0]
    mat.size = [*(high - low) / 2, _MAT_THICKNESS_M]
