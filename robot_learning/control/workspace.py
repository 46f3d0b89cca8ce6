"""Keeps the end effectors from leaving their boxes, given what says how far out they would be.

The forward kinematics stay outside this folder: the arbiter is handed a `Workspace`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from robot_learning.control.limiter import (
    LANDED,
    Motion,
    MotionLimits,
    brake,
    braking_periods,
    braking_position,
    clamped,
    frozen,
    rest_position,
    straight_velocity,
)
from robot_learning.core.types import BoolArray, FloatArray, UInt8Array
from robot_learning.core.vocabulary import Limit

# Each halving doubles the resolution with which an arm creeps up to its boundary.
_HALVINGS = 6
# How often the way along a curved boundary is corrected; each correction squares its error.
_CORRECTIONS = 4
# How far apart the checked places on the way to rest are.
_CHECK_EVERY_S = 0.04
# Nobody is outside by less than this: rounding must not stop an arm at its boundary.
_ROUNDING_M = 1e-9


class Workspace(Protocol):
    """How far out of its box each arm's end effector is, at joint positions (n,)."""

    def excess_m(self, position: FloatArray) -> FloatArray:
        """(arms,) metres by which each arm's end effector is outside; 0 inside."""

    def gradient(self, position: FloatArray) -> FloatArray:
        """(arms, n) how each joint changes each arm's excess, m a rad or m; 0 inside."""


@dataclass(frozen=True)
class WorkspaceGuard:
    """The boxes of a robot's arms.

    Attributes:
        limits: the motion limits, which the guard keeps too.
        arms: indices of each arm's joints; other joints (grippers) are left alone.
        workspace: tells how far outside its box each arm is.
    """

    limits: MotionLimits
    arms: Sequence[Sequence[int]]
    workspace: Workspace

    def keep_inside(
        self, before: Motion, after: Motion, limited: UInt8Array
    ) -> tuple[Motion, UInt8Array]:
        """Lead the arms whose motion `before` -> `after` leaves their box along its boundary.

        An arm may go where both the next command and the way on which it could come to rest
        are inside, or at least no further out than it already is. One that may not goes
        straight towards its target instead, without the part of that way that leads out. (The
        wish itself is no such way: each joint of it hurries as it can, which at the boundary
        may lead out although the target is inside, and an arm that then only slowed down would
        stop for good.) Where even that leads out, as along an edge, the arm keeps as much of
        it as is allowed, between braking (which is always allowed, as it ends where the
        previous command already led) and that way. Both ends keep the motion limits, hence also
        everything between. What is checked is the next command and places on the way to rest,
        40 ms apart: a fast arm may be a millimetre outside in between. An arm
        whose straight way leads far out of the box may stand before it.

        Args:
            before: the previous command.
            after: the next command as the motion limits allow it.
            limited: (n,) bits of `Limit` that `after` has; `WORKSPACE` is added where the guard
                acts.
        """
        wished_m = self._furthest_m(after)
        if not np.count_nonzero(wished_m):
            return after, limited
        bound_m = np.maximum(self._furthest_m(before), _ROUNDING_M)
        blocked = wished_m > bound_m
        if not blocked.any():
            return after, limited
        way = self._along_boundary(before, after, blocked, bound_m)
        slowest = brake(self.limits, before)
        # Bisection for each arm at once: share 0 brakes, which is always allowed; share 1 is the
        # whole way; `least` is the largest share so far that stays inside.
        least, most = np.where(blocked, 0.0, 1.0), np.ones(len(self.arms))
        kept = most
        for _ in range(_HALVINGS):
            motion = self._between(before, slowest, way, kept)
            fits = self._furthest_m(motion) <= bound_m
            least, most = np.where(fits, kept, least), np.where(fits, most, kept)
            if (least == most).all():
                break
            kept = (least + most) / 2.0
        motion = self._between(before, slowest, way, least)
        changed = np.abs(motion.position - after.position) > LANDED
        bits = (limited | np.where(changed, Limit.WORKSPACE, 0)).astype(np.uint8)
        return motion, bits

    def _furthest_m(self, motion: Motion) -> FloatArray:
        """(arms,) metres outside at most, at the places of the way to rest that are checked."""
        limits, excess_m = self.limits, self.workspace.excess_m
        furthest_m = excess_m(motion.position)
        if motion.is_at_rest:
            return furthest_m
        periods = braking_periods(limits, motion.velocity)
        longest = int(periods.max())
        places = max(1, math.ceil(longest * limits.period_s / _CHECK_EVERY_S))
        for place in range(1, places + 1):
            after = np.minimum(periods, math.ceil(longest * place / places))
            furthest_m = np.maximum(furthest_m, excess_m(braking_position(limits, motion, after)))
        return furthest_m

    def _along_boundary(
        self, before: Motion, wish: Motion, blocked: BoolArray, bound_m: FloatArray
    ) -> Motion:
        """The wish with each blocked arm going straight to its target, less the way that leads out.

        The correction is Newton's, along the gradient of the excess at the resting place, which
        a change of velocity moves by one period and by all those of braking.
        """
        limits = self.limits
        low, high = limits.velocity_range(before)
        velocity, way = wish.velocity.copy(), wish.target - before.position
        for joints in itertools.compress(self.arms, blocked):
            velocity[list(joints)] = straight_velocity(limits, way, (low, high), joints)
        motion = self._moved(before, wish, velocity)
        for _ in range(_CORRECTIONS):
            rest = rest_position(limits, motion)
            out_m = self.workspace.excess_m(rest) - bound_m
            if not (blocked & (out_m > 0.0)).any():
                break
            gradient = self.workspace.gradient(rest)
            reach_s = limits.period_s * (1.0 + braking_periods(limits, velocity))
            for arm in np.flatnonzero(blocked & (out_m > 0.0)).tolist():
                joints = list(self.arms[arm])
                outward = gradient[arm, joints]
                # Joints that cannot give way leave it to the others.
                at_low, at_high = (velocity <= low)[joints], (velocity >= high)[joints]
                outward[(outward > 0.0) & at_low | (outward < 0.0) & at_high] = 0.0
                # A step of -s * outward in velocity draws the resting place in by s * slope metres.
                slope = float(outward**2 @ reach_s[joints])
                if slope > 0.0:
                    velocity[joints] -= outward * ((out_m[arm] + 0.5 * _ROUNDING_M) / slope)
            velocity = clamped(velocity, low, high)
            motion = self._moved(before, wish, velocity)
        return motion

    def _moved(self, before: Motion, wish: Motion, velocity: FloatArray) -> Motion:
        """The wish with another velocity."""
        same = velocity == wish.velocity
        position = before.position + velocity * self.limits.period_s
        position = np.where(same, wish.position, self.limits.inside(position))
        return Motion(frozen(position), frozen(velocity.copy()), wish.target, wish.target_velocity)

    def _between(self, before: Motion, slowest: Motion, way: Motion, kept: FloatArray) -> Motion:
        """The way with each arm's velocity moved towards braking; `kept` (arms,) 1 is the way."""
        share = np.ones_like(way.velocity)
        for joints, part in zip(self.arms, kept, strict=True):
            share[list(joints)] = part
        velocity = slowest.velocity + share * (way.velocity - slowest.velocity)
        return self._moved(before, way, np.where(share >= 1.0, way.velocity, velocity))
