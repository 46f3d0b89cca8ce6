"""Pushes the block from behind with two half-closed fingers.

Two fingers touch the block's face at two points, so that it does not turn away.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from robot_learning.core.profile import RobotProfile
from robot_learning.core.types import FloatArray
from robot_learning.sim.experts.expert import Expert, read_pose
from robot_learning.sim.experts.grasping import descend
from robot_learning.sim.experts.motion import nearest_angle
from robot_learning.sim.tasks.layout import yaw_of
from robot_learning.sim.tasks.push import Push

# From the end effector's centre to the front of the fingers, and the room left before contact.
_FINGER_M = 0.012
_GAP_M = 0.015
_AHEAD_M = 0.04
_ARRIVED_M = 0.004


class PushExpert(Expert):
    """Expert of the task `push`."""

    def __init__(self, profile: RobotProfile, seed: int | None = None) -> None:
        """Prepare for a robot; see `Expert`."""
        task = Push()
        self._side_m = task.block_side_m(profile)
        self._height_m = task.block_height_m(profile)
        super().__init__(profile, seed)

    def _act(self, observation: Mapping[str, Any], action: FloatArray) -> None:
        motion = self.motions[0]
        block, goal = read_pose(observation, "block"), read_pose(observation, "goal")
        way = goal[:2] - block[:2]
        remaining_m = float(np.hypot(way[0], way[1]))
        motion.open(action, 0.5 * self._side_m)
        low = float(motion.arm.workspace.min_m[2])
        if remaining_m < _ARRIVED_M:
            up = np.array([motion.position[0], motion.position[1], low + 2 * self._height_m])
            motion.move(action, up, motion.closing_rad)
            return
        direction = way / remaining_m
        across = np.array([-direction[1], direction[0]])
        contact_m = self._reach_of_block(float(yaw_of(block)), direction) + _FINGER_M
        offset = motion.position[:2] - block[:2]
        along, beside = float(offset @ direction), float(offset @ across)
        closing = nearest_angle(float(np.arctan2(across[1], across[0])), motion.closing_rad, np.pi)
        behind = -contact_m - 2 * _GAP_M < along < -0.5 * contact_m
        is_low = motion.position[2] - low < 0.5 * self._height_m
        corridor_m = 0.35 * self._side_m
        if behind and is_low and abs(beside) < corridor_m:
            share = 1.0 - abs(beside) / corridor_m
            # Fingers beside a corner touch nearer than the corner: never less than half the rest.
            ahead_m = max(remaining_m - contact_m - along, 0.5 * remaining_m)
            ahead_m = share * min(_AHEAD_M, ahead_m)
            target = np.append(motion.position[:2] + ahead_m * direction - beside * across, low)
            motion.move(action, target, closing)
            return
        stand = block[:2] - (contact_m + _GAP_M) * direction
        point = np.append(stand, low)
        off_m = float(np.hypot(*(motion.position[:2] - stand)))
        hover_m = 1.5 * self._height_m
        target = descend(motion.position, point, hover_m, 0.3 * self._side_m, off_m)
        motion.move(action, target, closing)

    def _reach_of_block(self, yaw_rad: float, direction: FloatArray) -> float:
        """How far the block extends from its centre along a direction, in metres."""
        angle = float(np.arctan2(direction[1], direction[0])) - yaw_rad
        return self._side_m / 2 * float(abs(np.cos(angle)) + abs(np.sin(angle)))
