"""Grasps the peg near its upper end, carries it over the hole and lowers it in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from robot_learning.core.profile import RobotProfile
from robot_learning.core.types import FloatArray
from robot_learning.sim.experts.expert import Expert, read_pose
from robot_learning.sim.experts.grasping import Grasp, descend, point_on_axis, pursue_grasp
from robot_learning.sim.experts.motion import ArmMotion, nearest_angle
from robot_learning.sim.tasks.insertion import Insertion
from robot_learning.sim.tasks.layout import yaw_of

# The grasp is this share of the peg's length above its centre.
_GRASP_SHARE = 0.24
_UP = np.array([0.0, 0.0, 1.0])
_RIM_ROOM_M = 0.015
# The peg goes down once it is aligned this well.
_ALIGNED_SHARE = 0.5


class InsertionExpert(Expert):
    """Expert of the task `insertion`."""

    def __init__(self, profile: RobotProfile, seed: int | None = None) -> None:
        """Prepare for a robot; see `Expert`."""
        self._task = Insertion()
        self._side_m = self._task.peg_side_m(profile)
        super().__init__(profile, seed)

    def _act(self, observation: Mapping[str, Any], action: FloatArray) -> None:
        motion = self.motions[0]
        peg, socket = read_pose(observation, "peg"), read_pose(observation, "socket")
        above_m = _GRASP_SHARE * self._task.peg_length_m
        point = point_on_axis(motion, peg[:3], _UP, above_m, self._side_m)
        grasp = Grasp(
            point=point,
            closing_rad=float(yaw_of(peg)),
            period_rad=np.pi / 2,
            width_m=self._side_m,
            hover_m=0.6 * self._task.peg_length_m,
            tolerance_m=0.45 * self._side_m,
        )
        if pursue_grasp(motion, grasp, action):
            self._insert(motion, peg, socket, action)

    def _insert(
        self, motion: ArmMotion, peg: FloatArray, socket: FloatArray, action: FloatArray
    ) -> None:
        task = self._task
        bottom = peg[:3].copy()
        bottom[2] -= task.peg_length_m / 2
        hole = socket[:3].copy()
        turn = nearest_angle(float(yaw_of(socket)) - float(yaw_of(peg)), 0.0, np.pi / 2)
        # A turned peg sticks out to the side by about half its side times the angle.
        off_m = float(np.hypot(*(bottom - hole)[:2])) + self._side_m / 2 * abs(turn)
        inside = bottom[2] < task.depth_m - 0.002 and off_m < 3 * task.clearance_m
        hover_m = task.depth_m + _RIM_ROOM_M
        tolerance_m = _ALIGNED_SHARE * task.clearance_m
        target = hole if inside else descend_over(bottom, hole, hover_m, tolerance_m, off_m)
        motion.move(action, motion.position + target - bottom, motion.closing_rad + turn)


def descend_over(
    bottom: FloatArray, hole: FloatArray, hover_m: float, tolerance_m: float, off_m: float
) -> FloatArray:
    """(3,) where the peg's lower end goes next: high above the rim until it is aligned.

    Args:
        bottom: (3,) lower end of the peg, world frame.
        hole: (3,) bottom of the hole, world frame.
        hover_m: height above `hole` at which the peg waits for alignment.
        tolerance_m: misalignment within which the peg fits.
        off_m: misalignment of the peg: its distance to the side, with its rotation counted in
            metres.
    """
    if off_m > 2 * tolerance_m:
        # Anything from `hover_m` on is at the top of the funnel: no way down while misaligned.
        return descend(bottom, hole, hover_m, 0.0, max(off_m, hover_m))
    return descend(bottom, hole, hover_m, 2 * tolerance_m, off_m)
