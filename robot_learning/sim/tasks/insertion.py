"""Insert a peg into a hole."""

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
    check_comes_down,
    check_reaches_up,
    closeness,
    distance,
    fit_mat,
    gripper_of,
    up_axis_z,
    yaw_pose,
)
from robot_learning.sim.world import World

# The peg is held at this share of its length, and is brought over the rim with this much room.
_HELD_SHARE, _RIM_ROOM_M = 0.74, 0.01


@dataclass(frozen=True)
class Insertion(Task):
    """A square peg stands on the table, and beside it a socket with a square hole.

    Success: the peg stands upright inside the hole, its lower end more than half of the hole's
    depth below the socket's rim. It need not be let go.

    Dense reward: up to 0.3 for bringing the end effector to the peg, up to 0.4 for the peg being
    above the hole, up to 0.2 for its depth inside; 1 on success.
    """

    name: str = "insertion"
    scene: Path = SCENES / "insertion.xml"
    objects: tuple[str, ...] = ("peg", "socket")
    horizon: int = 600
    peg_length_m: float = 0.09
    depth_m: float = 0.035
    clearance_m: float = 0.003
    wall_m: float = 0.014
    margin_m: float = 0.035

    def peg_side_m(self, profile: RobotProfile) -> float:
        """The side of the peg's cross-section for this robot."""
        return 0.32 * gripper_of(profile.arms[0], self.name).clear_width_m

    def check_robot(self, profile: RobotProfile) -> None:
        """Also refuses a workspace that is too narrow, or ends below the socket's rim."""
        super().check_robot(profile)
        arm, held_m = profile.arms[0], _HELD_SHARE * self.peg_length_m
        check_reaches_up(arm, self.name, self.depth_m + _RIM_ROOM_M + held_m)
        check_comes_down(arm, self.name, held_m)
        if Area.of(arm).shrink(self.margin_m).size[1] / 2 < 1.5 * self._gap_m(profile):
            raise ConfigurationError(
                f"the task '{self.name}' has no room for peg and socket side by side: the "
                f"workspace_m of the arm '{arm.name}' is {Area.of(arm).size[1]:.3g} m wide"
            )

    def grasps(self, profile: RobotProfile) -> tuple[tuple[Arm, float], ...]:
        """The first arm grasps the peg."""
        return ((profile.arms[0], self.peg_side_m(profile)),)

    def adapt(self, scene: mujoco.MjSpec, profile: RobotProfile) -> None:
        """Scale peg and socket to the gripper."""
        fit_mat(scene, profile)
        half = self.peg_side_m(profile) / 2
        scene.geom("peg").size = [half, half, self.peg_length_m / 2]
        inner, wall, tall = half + self.clearance_m, self.wall_m / 2, self.depth_m / 2
        outer = inner + self.wall_m
        for name, sign in (("front", 1.0), ("back", -1.0)):
            geom = scene.geom(f"socket_{name}")
            geom.size, geom.pos = [wall, outer, tall], [sign * (inner + wall), 0.0, tall]
        for name, sign in (("left", 1.0), ("right", -1.0)):
            geom = scene.geom(f"socket_{name}")
            geom.size, geom.pos = [inner, wall, tall], [0.0, sign * (inner + wall), tall]

    def place(self, world: World, rng: np.random.Generator) -> None:
        """Peg and socket in different halves of the workspace, turned at random."""
        area = Area.of(world.profile.arms[0]).shrink(self.margin_m)
        middle = area.center[1]
        gap = self._gap_m(world.profile)
        halves = [
            Area(area.x_min, area.x_max, area.y_min, middle - gap),
            Area(area.x_min, area.x_max, middle + gap, area.y_max),
        ]
        first = int(rng.integers(2))
        peg, socket = halves[first].sample(rng), halves[1 - first].sample(rng)
        turns = rng.uniform(-np.pi, np.pi), rng.uniform(-0.5, 0.5)
        world.set_pose("peg", yaw_pose(peg[0], peg[1], self.peg_length_m / 2, turns[0]))
        world.set_pose("socket", yaw_pose(socket[0], socket[1], 0.0, turns[1]))

    def _gap_m(self, profile: RobotProfile) -> float:
        """How far peg and socket stay off the middle line."""
        return 0.5 * self.margin_m + 0.5 * self.peg_side_m(profile)

    def depth_inside_m(self, values: Values) -> FloatArray:
        """(...) how far the peg's lower end is below the rim, 0 or less outside of the hole."""
        peg, socket = values["peg"], values["socket"]
        upright = up_axis_z(peg)
        lower_end = peg[..., 2] - upright * self.peg_length_m / 2
        depth = socket[..., 2] + self.depth_m - lower_end
        inside = (distance(peg[..., :2], socket[..., :2]) < 2.0 * self.clearance_m) & (
            upright > 0.97
        )
        return np.where(inside, depth, np.minimum(depth, 0.0))

    def success(self, values: Values, profile: RobotProfile) -> BoolArray:
        """See the class."""
        result: BoolArray = self.depth_inside_m(values) > 0.5 * self.depth_m
        return result

    def reward(self, values: Values, profile: RobotProfile) -> FloatArray:
        """See the class."""
        hand = distance(values["peg"], values[profile.arms[0].end_effector_name])
        off = distance(values["peg"][..., :2], values["socket"][..., :2])
        depth = np.clip(self.depth_inside_m(values) / self.depth_m, 0.0, 1.0)
        shaped = 0.3 * closeness(hand, 0.08) + 0.4 * closeness(off, 0.08) + 0.2 * depth
        return np.where(self.success(values, profile), 1.0, shaped)
