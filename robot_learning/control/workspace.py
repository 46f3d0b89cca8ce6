"""Keeps the end effectors from leaving their boxes, given a function that says how far out.

The forward kinematics stay outside this folder: the arbiter is handed `WorkspaceExcess`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from robot_learning.control.limiter import (
    LANDED,
    Motion,
    MotionLimits,
    brake,
    frozen,
    rest_position,
)
from robot_learning.control.modes import Limit
from robot_learning.core.types import FloatArray, UInt8Array

# Joint positions (n,) -> (arms,) metres by which each arm's end effector is outside; 0 inside.
WorkspaceExcess = Callable[[FloatArray], FloatArray]

# Each halving doubles the resolution with which a blocked arm creeps up to its boundary.
_HALVINGS = 6
# Nobody is outside by less than this: rounding must not stop an arm at its boundary.
_ROUNDING_M = 1e-9


@dataclass(frozen=True)
class WorkspaceGuard:
    """The boxes of a robot's arms.

    Attributes:
        limits: the motion limits, which the guard keeps too.
        arms: for each arm the indices of its joints; other joints (grippers) are left alone.
        excess: how far outside each arm is.
    """

    limits: MotionLimits
    arms: Sequence[Sequence[int]]
    excess: WorkspaceExcess

    def keep_inside(
        self, before: Motion, after: Motion, limited: UInt8Array
    ) -> tuple[Motion, UInt8Array]:
        """Slow down the arms whose motion `before` -> `after` leads out of their box.

        An arm may go where both the next command and the place at which it could come to rest
        are inside, or at least no further out than it already is. One that may not keeps as
        much of its velocity as is allowed, between braking (which is always allowed, as it ends
        where the previous command already led) and the wish. Both ends keep the motion limits,
        hence also everything between. What is checked is these two places, not the path between
        them, which differs from a straight line by the joints' different braking times.
        """
        wished_m = self._furthest_m(after)
        if not np.count_nonzero(wished_m):
            return after, limited
        bound_m = np.maximum(self._furthest_m(before), _ROUNDING_M)
        blocked = wished_m > bound_m
        if not blocked.any():
            return after, limited
        slowest = brake(self.limits, before)
        least, most = np.where(blocked, 0.0, 1.0), np.ones(len(self.arms))
        for _ in range(_HALVINGS):
            kept = np.where(blocked, (least + most) / 2.0, 1.0)
            fits = self._furthest_m(self._between(before, slowest, after, kept)) <= bound_m
            least, most = np.where(fits, kept, least), np.where(fits, most, kept)
        motion = self._between(before, slowest, after, least)
        changed = np.abs(motion.position - after.position) > LANDED
        bits = (limited | np.where(changed, Limit.WORKSPACE, 0)).astype(np.uint8)
        return motion, bits

    def _furthest_m(self, motion: Motion) -> FloatArray:
        rest = rest_position(self.limits, motion)
        return np.maximum(self.excess(motion.position), self.excess(rest))

    def _between(self, before: Motion, slowest: Motion, wish: Motion, kept: FloatArray) -> Motion:
        """The wish with each arm's velocity moved towards braking; `kept` (arms,) 1 is the wish."""
        share = np.ones_like(wish.velocity)
        for joints, part in zip(self.arms, kept, strict=True):
            share[list(joints)] = part
        velocity = slowest.velocity + share * (wish.velocity - slowest.velocity)
        position = before.position + velocity * self.limits.period_s
        position = np.where(share >= 1.0, wish.position, position)
        position = frozen(self.limits.inside(position))
        return Motion(position, frozen(velocity), wish.target, wish.target_velocity)
