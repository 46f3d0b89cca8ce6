"""The first arm brings the baton to the middle, the second takes it, the first lets go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from robot_learning.core.profile import RobotProfile
from robot_learning.core.types import FloatArray
from robot_learning.sim.experts.expert import Expert, read_pose
from robot_learning.sim.experts.grasping import Grasp, is_holding, point_on_axis, pursue_grasp
from robot_learning.sim.experts.motion import ArmMotion, nearest_angle
from robot_learning.sim.tasks.handover import Handover
from robot_learning.sim.tasks.layout import yaw_of

# The second arm comes once the baton is this near to the meeting point.
_MET_M = 0.05
_RETREAT_M = 0.08


class HandoverExpert(Expert):
    """Expert of the task `handover`."""

    arms = 2

    def __init__(self, profile: RobotProfile, seed: int | None = None) -> None:
        """Prepare for a robot; see `Expert`."""
        self._task = Handover()
        self._task.check_arms(profile)
        self._side_m = self._task.baton_side_m(profile)
        self._offset_m = self._task.grip_offset_m(profile)
        direction = self._task.direction(profile)
        self._direction = np.append(direction, 0.0)
        self._yaw_rad = float(np.arctan2(direction[1], direction[0]))
        self._meeting = self._task.meeting_point(profile)
        super().__init__(profile, seed)

    def _act(self, observation: Mapping[str, Any], action: FloatArray) -> None:
        baton = read_pose(observation, "baton")
        giver, taker = self.motions[0], self.motions[1]
        give, take = self._grasp(giver, baton, -1.0), self._grasp(taker, baton, 1.0)
        given, taken = is_holding(giver, give), is_holding(taker, take)
        if taken:
            self._let_go(action, baton, given)
        elif given:
            giver.close(action, self._side_m)
            self._carry(giver, action, baton, self._meeting)
            if float(np.linalg.norm(baton[:3] - self._meeting)) < _MET_M:
                pursue_grasp(taker, take, action)
            else:
                taker.rest(action)
        else:
            pursue_grasp(giver, give, action)
            taker.rest(action)

    def _grasp(self, motion: ArmMotion, baton: FloatArray, end: float) -> Grasp:
        """The grasp on one end of the baton, or where the arm already holds it near there."""
        w, x, y, z = baton[3:]
        axis = np.array([1 - 2 * (y * y + z * z), 2 * (x * y + w * z), 2 * (x * z - w * y)])
        point = point_on_axis(motion, baton[:3], axis, end * self._offset_m, self._side_m)
        point[2] = max(point[2], motion.arm.workspace.min_m[2])
        return Grasp(
            point=point,
            closing_rad=float(yaw_of(baton)) + np.pi / 2,
            period_rad=np.pi,
            width_m=self._side_m,
            hover_m=3.0 * self._side_m,
            tolerance_m=0.45 * self._side_m,
        )

    def _carry(
        self, motion: ArmMotion, action: FloatArray, baton: FloatArray, goal: FloatArray
    ) -> None:
        """Move the held baton's centre to `goal`, along the line between the arms."""
        turn = nearest_angle(self._yaw_rad - float(yaw_of(baton)), 0.0, 2 * np.pi)
        target = motion.position + goal - baton[:3]
        # The end effector goes around the baton's centre as the baton turns.
        arm = motion.position - baton[:3]
        target[:2] += turn * np.array([-arm[1], arm[0]])
        motion.move(action, target, motion.closing_rad + turn)

    def _let_go(self, action: FloatArray, baton: FloatArray, given: bool) -> None:
        giver, taker = self.motions[0], self.motions[1]
        giver.open(action)
        taker.close(action, self._side_m)
        if given:
            giver.move(action, giver.position, giver.closing_rad)
            taker.move(action, taker.position, taker.closing_rad)
            return
        # Up first, then away, so that the fingers do not sweep the baton along.
        raised_m = giver.position[2] - baton[2]
        away = -self._direction * max(0.0, raised_m - self._side_m)
        giver.move(action, giver.position + away + [0, 0, _RETREAT_M], giver.closing_rad)
        self._carry(taker, action, baton, self._meeting)
