"""Grasps the cube from above and lifts it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from robot_learning.core.profile import RobotProfile
from robot_learning.core.types import FloatArray
from robot_learning.sim.experts.expert import Expert, read_pose
from robot_learning.sim.experts.grasping import Grasp, pursue_grasp
from robot_learning.sim.tasks.layout import yaw_of
from robot_learning.sim.tasks.lift import Lift

# How much further than the goal the cube is lifted.
_BEYOND_M = 0.03


class LiftExpert(Expert):
    """Expert of the task `lift`."""

    def __init__(self, profile: RobotProfile, seed: int | None = None) -> None:
        """Prepare for a robot; see `Expert`."""
        self._task = Lift()
        self._side_m = self._task.cube_side_m(profile)
        super().__init__(profile, seed)

    def _act(self, observation: Mapping[str, Any], action: FloatArray) -> None:
        motion, cube = self.motions[0], read_pose(observation, "cube")
        point = cube[:3].copy()
        point[2] = max(point[2], motion.arm.workspace.min_m[2])
        grasp = Grasp(
            point=point,
            closing_rad=float(yaw_of(cube)),
            period_rad=np.pi / 2,
            width_m=self._side_m,
            hover_m=1.5 * self._side_m,
            tolerance_m=0.3 * self._side_m,
        )
        if pursue_grasp(motion, grasp, action):
            goal_z = self._side_m / 2 + self._task.height_m + _BEYOND_M
            goal = np.array([motion.position[0], motion.position[1], goal_z])
            motion.move(action, goal, motion.closing_rad)
