"""Moves a position command towards a target within position, velocity and acceleration limits.

All three bounds hold at once and against the *previous command*, never against the measured
state. Per joint, with the period T, the acceleration limit a and the largest change of velocity
in one period A = a T, a command moves by v T a period. A joint that moves at v in this period
and then brakes by A each period covers

    D(v) = T (v + (v - A) + (v - 2A) + ...)        down to the last positive term,

which is piecewise linear and increasing in v; V(d), its inverse, is the fastest velocity from
which the joint still stops within the distance d. Each period the velocity is chosen from

    [max(v - A, -v_max, -V(p - p_min)),  min(v + A, v_max, V(p_max - p))].

This is never empty: having chosen v with D(v) <= p_max - p, the next position leaves
p_max - p - v T >= D(v) - v T = D(v - A), so that braking by A is again allowed; and 0 lies
between both position bounds. By induction every bound holds for ever, from any start at rest.

Towards the target the same V is used on what is left of the way, in the frame of the target's
own velocity. That velocity is taken as the smaller of its last two differences (0 when they
disagree in sign). Hence a target that itself moves within the limits is followed exactly; a step
is approached in the least time without overshoot; and a target that stops faster than the joint
can is overshot by no more than the braking distance.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from robot_learning.control.modes import Limit
from robot_learning.core.types import FloatArray, UInt8Array

# Differences below this are rounding, in rad or m: the command counts as the target itself.
LANDED = 1e-12
_POSITION = np.uint8(Limit.POSITION)
_VELOCITY = np.uint8(Limit.VELOCITY)
_ACCELERATION = np.uint8(Limit.ACCELERATION)


def frozen(array: FloatArray) -> FloatArray:
    """The same array, marked read-only, so that a state that holds it cannot change."""
    array.flags.writeable = False
    return array


def clamped(values: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
    """The nearest values between two bounds (several times faster than `np.clip` when small)."""
    inside: FloatArray = np.minimum(np.maximum(values, low), high)
    return inside


@dataclass(frozen=True, eq=False)
class MotionLimits:
    """Bounds of each joint, all (n,), rad or m and their derivatives, and the period in s."""

    position_min: FloatArray
    position_max: FloatArray
    velocity_max: FloatArray
    acceleration_max: FloatArray
    period_s: float

    @cached_property
    def velocity_step(self) -> FloatArray:
        """(n,) A: the largest change of velocity in one period."""
        return frozen(self.acceleration_max * self.period_s)

    @cached_property
    def half_step(self) -> FloatArray:
        """(n,) A / 2."""
        return frozen(0.5 * self.velocity_step)

    @cached_property
    def inverse_half_distance(self) -> FloatArray:
        """(n,) 2 / (A T): one over half the distance of one period at velocity A."""
        return frozen(2.0 / (self.velocity_step * self.period_s))

    @cached_property
    def full_speed(self) -> FloatArray:
        """(n,) the velocity limit, less rounding."""
        return frozen(self.velocity_max * (1.0 - 1e-9))

    @property
    def longest_stop_s(self) -> float:
        """How long braking from full speed takes, at most."""
        periods = np.ceil(self.velocity_max / self.velocity_step)
        return float(periods.max()) * self.period_s

    def inside(self, position: FloatArray) -> FloatArray:
        """The nearest position within the position limits."""
        return clamped(position, self.position_min, self.position_max)


@dataclass(frozen=True, slots=True)
class Motion:
    """The previous command: position and velocity (n,), and the target that it followed.

    `target_velocity` is the last difference of the target, used to estimate where it is going.
    """

    position: FloatArray
    velocity: FloatArray
    target: FloatArray
    target_velocity: FloatArray

    @classmethod
    def at_rest(cls, position: FloatArray) -> Motion:
        """Standing still at `position`."""
        here, still = frozen(position.copy()), frozen(np.zeros_like(position))
        return cls(here, still, here, still)

    @property
    def is_at_rest(self) -> bool:
        """Whether no joint is commanded to move."""
        return not np.count_nonzero(self.velocity)

    def aimed_at(self, target: FloatArray) -> Motion:
        """The same motion with a new target that does not move: for a change of source."""
        still = frozen(np.zeros_like(target))
        return Motion(self.position, self.velocity, frozen(target.copy()), still)


def stopping_velocity(limits: MotionLimits, distance: FloatArray) -> FloatArray:
    """V(d): the fastest velocity of this period from which a joint stops within `distance`.

    `distance` is (..., n) and not negative.
    """
    doubled = distance * limits.inverse_half_distance
    periods = np.floor(np.sqrt(doubled + 0.25) + 0.5)
    velocity: FloatArray = (doubled / periods + periods - 1.0) * limits.half_step
    return velocity


def rest_position(limits: MotionLimits, motion: Motion) -> FloatArray:
    """(n,) where the joints come to rest when they brake from now on."""
    speed, step = np.abs(motion.velocity), limits.velocity_step
    steps = np.maximum(np.ceil(speed / step) - 1.0, 0.0)
    distance = limits.period_s * steps * (speed - 0.5 * step * (steps + 1.0))
    return limits.inside(motion.position + np.sign(motion.velocity) * distance)


def brake(limits: MotionLimits, motion: Motion) -> Motion:
    """The next command on the shortest way to rest."""
    if motion.is_at_rest:
        return Motion.at_rest(motion.position)
    # A trifle more than the limit, or rounding would leave a trifle of velocity for a last step.
    step = limits.velocity_step * (1.0 + 1e-9)
    velocity = motion.velocity - clamped(motion.velocity, -step, step)
    position = limits.inside(motion.position + velocity * limits.period_s)
    rest = frozen(rest_position(limits, motion))
    still = frozen(np.zeros_like(velocity))
    return Motion(frozen(position), frozen(velocity), rest, still)


def advance(limits: MotionLimits, motion: Motion, target: FloatArray) -> tuple[Motion, UInt8Array]:
    """The next command towards `target` (n,), and the bits of `Limit` for each joint, (n,).

    A joint without a bit is exactly at its target.
    """
    period_s, step, position = limits.period_s, limits.velocity_step, motion.position
    goal = limits.inside(target)
    target_velocity = (goal - motion.target) / period_s
    feedforward = _nearer_to_zero(target_velocity, motion.target_velocity)
    ahead = goal - position - feedforward * period_s
    room = np.empty((3, len(target)))
    np.abs(ahead, out=room[0])
    np.subtract(limits.position_max, position, out=room[1])
    np.subtract(position, limits.position_min, out=room[2])
    fastest = stopping_velocity(limits, room)
    wanted = feedforward + np.copysign(fastest[0], ahead)
    # Row 0 bounds the velocity, row 1 its negative.
    bounds = np.empty((2, len(target)))
    np.add(step, motion.velocity, out=bounds[0])
    np.subtract(step, motion.velocity, out=bounds[1])
    np.minimum(bounds, limits.velocity_max, out=bounds)
    np.minimum(bounds, fastest[1:], out=bounds)
    velocity = clamped(wanted, -bounds[1], bounds[0])
    position = limits.inside(position + velocity * period_s)
    away = np.abs(position - goal) > LANDED
    np.copyto(position, goal, where=~away)
    limited = away.view(np.uint8) * _ACCELERATION
    fast = away & (np.abs(velocity) >= limits.full_speed)
    if np.count_nonzero(fast):
        limited[fast] = _VELOCITY
    beyond = goal != target
    if np.count_nonzero(beyond):
        limited[beyond] |= _POSITION
    after = Motion(frozen(position), frozen(velocity), frozen(goal), frozen(target_velocity))
    return after, limited


def _nearer_to_zero(first: FloatArray, second: FloatArray) -> FloatArray:
    """Elementwise the one nearer to zero, or zero where the signs differ (minmod)."""
    least, most = np.minimum(first, second), np.maximum(first, second)
    nearer: FloatArray = np.maximum(least, 0.0) + np.minimum(most, 0.0)
    return nearer
