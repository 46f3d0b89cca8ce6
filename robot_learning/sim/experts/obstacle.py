"""Passes the post on the left or on the right, with equal probability."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from robot_learning.core.profile import RobotProfile
from robot_learning.core.types import FloatArray
from robot_learning.sim.experts.expert import Expert, read_pose
from robot_learning.sim.tasks.obstacle import Obstacle

# The way around is an ellipse; the target runs ahead on it by this angle.
_AHEAD_RAD = 0.7
# The hand cuts the corner between here and the target; this makes up for it.
_WIDENING = 1.1
# The side is still free to choose while the hand is this near to the middle line.
_UNDECIDED_M = 0.015
# How near the straight way to the goal may pass, as a share of the ellipse.
_CLEAR_SHARE = 0.9


class ObstacleExpert(Expert):
    """Expert of the task `obstacle`.

    On the middle line it goes to the side that `reset` drew; off it, it stays on its side.
    """

    def __init__(self, profile: RobotProfile, seed: int | None = None) -> None:
        """Prepare for a robot; see `Expert`."""
        task = Obstacle()
        task.travel_height_m(profile)
        arm = profile.arms[0]
        size = np.array(arm.workspace.max_m) - np.array(arm.workspace.min_m)
        width_m = arm.gripper.clear_width_m if arm.gripper else 0.08
        sideways_m = min(width_m + task.radius_m + 0.025, 0.46 * size[1])
        self._axes_m = np.array([0.36 * size[0], sideways_m])
        super().__init__(profile, seed)

    def reset(self, seed: int | None = None) -> None:
        """Draw the side: +1 left (towards +y), -1 right."""
        super().reset(seed)
        self.side = 1 if self._rng.random() < 0.5 else -1

    def _act(self, observation: Mapping[str, Any], action: FloatArray) -> None:
        motion = self.motions[0]
        post, goal = read_pose(observation, "post"), read_pose(observation, "goal")
        here = (motion.position[:2] - post[:2]) / self._axes_m
        there = (goal[:2] - post[:2]) / self._axes_m
        target = goal[:3].copy()
        if _passes_near(here, there, _CLEAR_SHARE):
            target[:2] = post[:2] + self._axes_m * self._around(here)
        motion.close(action, 0.0)
        motion.move(action, target, motion.home_closing_rad)

    def _around(self, here: FloatArray) -> FloatArray:
        """(2,) the next target on the way around, in units of the ellipse's axes."""
        beside_m = here[1] * self._axes_m[1]
        side = float(np.sign(beside_m)) if abs(beside_m) > _UNDECIDED_M else float(self.side)
        # Counted from the near side of the post, growing towards the far side.
        angle = float(np.arctan2(side * here[1], -here[0]))
        angle = max(angle, 0.0) + _AHEAD_RAD
        return _WIDENING * np.array([-np.cos(angle), side * np.sin(angle)])


def _passes_near(start: FloatArray, end: FloatArray, radius: float) -> bool:
    """Whether the way from `start` to `end` approaches the origin, to within `radius`."""
    way = end - start
    length = float(way @ way)
    share = min(1.0, max(0.0, -float(start @ way) / length)) if length > 0 else 0.0
    nearest = start + share * way
    return 0.0 < share < 1.0 and float(nearest @ nearest) < radius * radius
