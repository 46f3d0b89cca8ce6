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
between both position bounds. By induction every bound always holds, from any start at rest.

Towards the target the same V is used on what is left of the way, in the frame of the target's
own velocity. That velocity is taken as the smaller of its last two differences (0 when they
disagree in sign). Hence a target that itself moves within the limits is followed exactly; a step
is approached in the least time without overshoot; and a target that stops faster than the joint
can is overshot by no more than the braking distance.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from robot_learning.core.types import FloatArray, UInt8Array
from robot_learning.core.vocabulary import Limit

# Differences below this are rounding, in rad or m: the command counts as the target itself.
LANDED = 1e-12
# Full speed, less rounding.
_NEARLY = 1.0 - 1e-9
# 2 d / (A T) for d = A T: a joint that lands from there takes one period for it.
_ONE_PERIOD = 2.0
_POSITION, _VELOCITY = int(Limit.POSITION), int(Limit.VELOCITY)
_ACCELERATION = int(Limit.ACCELERATION)


def frozen(array: FloatArray) -> FloatArray:
    """The same array, marked read-only, so that a state that holds it cannot change."""
    array.setflags(write=False)
    return array


def clamped(values: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
    """The nearest values between two bounds (several times faster than `np.clip` when small).

    Args:
        values: (n,) values to bring between the bounds.
        low: (n,) lower bounds.
        high: (n,) upper bounds; where the two cross, the upper bound holds.
    """
    inside: FloatArray = np.minimum(np.maximum(values, low), high)
    return inside


class JointLimits(NamedTuple):
    """The bounds of one joint, and what is computed from them beforehand.

    `velocity_step` is A, `half_step` A / 2, `doubler` 2 / (A T). Where a position limit is
    further away than `stopping_distance`, even full speed stops in time.
    """

    low: float
    high: float
    velocity_max: float
    velocity_step: float
    half_step: float
    doubler: float
    stopping_distance: float
    period_s: float

    def stopping_velocity(self, distance: float) -> float:
        """V(d): the fastest velocity of this period from which the joint stops within d >= 0."""
        # Braking over k periods covers d = T (k v - A k (k - 1) / 2). With k the largest integer
        # for which k (k - 1) <= 2 d / (A T), that equation is solved for v.
        doubled = distance * self.doubler
        periods = math.floor(math.sqrt(doubled + 0.25) + 0.5)
        return (doubled / periods + periods - 1.0) * self.half_step

    def velocity_range(self, position: float, velocity: float) -> tuple[float, float]:
        """The slowest and the fastest velocity of the next period, both with their sign."""
        step, velocity_max = self.velocity_step, self.velocity_max
        lower = -velocity_max if velocity - step < -velocity_max else velocity - step
        upper = velocity_max if velocity + step > velocity_max else velocity + step
        if self.high - position < self.stopping_distance:
            upper = min(upper, self.stopping_velocity(self.high - position))
        if position - self.low < self.stopping_distance:
            lower = max(lower, -self.stopping_velocity(position - self.low))
        return lower, upper


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
    def joints(self) -> tuple[JointLimits, ...]:
        """The bounds of each joint on its own, with what is computed from them beforehand."""
        step = self.velocity_step
        periods = np.ceil(self.velocity_max / step)
        columns = (
            self.position_min,
            self.position_max,
            self.velocity_max,
            step,
            0.5 * step,
            2.0 / (step * self.period_s),
            0.5 * self.period_s * step * periods * (periods + 1.0),
        )
        rows = np.stack([*columns, np.full_like(step, self.period_s)], axis=1).tolist()
        return tuple(JointLimits(*row) for row in rows)

    def velocity_range(self, motion: Motion) -> tuple[FloatArray, FloatArray]:
        """The slowest and the fastest velocity of the next period, both (n,)."""
        rows = zip(self.joints, motion.position.tolist(), motion.velocity.tolist(), strict=True)
        ranges = [joint.velocity_range(position, velocity) for joint, position, velocity in rows]
        low, high = np.array(ranges).T
        return low, high

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


def braking_periods(limits: MotionLimits, velocity: FloatArray) -> FloatArray:
    """(n,) how many more periods the joints move in after this one when they brake."""
    periods: FloatArray = np.maximum(np.ceil(np.abs(velocity) / limits.velocity_step) - 1.0, 0.0)
    return periods


def straight_velocity(
    limits: MotionLimits,
    way: FloatArray,
    within: tuple[FloatArray, FloatArray],
    joints: Sequence[int],
) -> FloatArray:
    """The velocity (joints,) of the next period straight to the end of a way, in the least time.

    The joints keep the proportions of what is left of their ways; one that still moves the
    other way brakes as it can.

    Args:
        limits: the motion limits.
        way: (n,) displacement from where the joints are to their target, rad or m.
        within: the slowest and the fastest velocity of that period, both (n,).
        joints: indices of the joints that move together.
    """
    low, high = within
    # Velocity over distance left: the joint that can do least for its way sets the pace of all.
    share = math.inf
    for joint in joints:
        if not way[joint]:
            continue
        bounds = limits.joints[joint]
        left = abs(float(way[joint]))
        fastest = min(bounds.velocity_max, bounds.stopping_velocity(left))
        room = float(high[joint] if way[joint] > 0.0 else -low[joint])
        share = min(share, (min(fastest, room) if room > 0.0 else fastest) / left)
    chosen = list(joints)
    velocity = way[chosen] * share if math.isfinite(share) else np.zeros(len(chosen))
    return clamped(velocity, low[chosen], high[chosen])


def braking_position(limits: MotionLimits, motion: Motion, periods: FloatArray) -> FloatArray:
    """(n,) where the joints are when they brake from now on, `periods` later.

    Args:
        limits: the motion limits.
        motion: the previous command.
        periods: (n,) number of periods from now, at most `braking_periods`.
    """
    # The sum over p periods of T (v - i A), i = 1 to p: T p (v - A (p + 1) / 2).
    speed = np.abs(motion.velocity)
    distance = limits.period_s * periods * (speed - 0.5 * limits.velocity_step * (periods + 1.0))
    return limits.inside(motion.position + np.sign(motion.velocity) * distance)


def rest_position(limits: MotionLimits, motion: Motion) -> FloatArray:
    """(n,) where the joints come to rest when they brake from now on."""
    return braking_position(limits, motion, braking_periods(limits, motion.velocity))


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

    A joint without a bit is exactly at its target. (Joint by joint in plain floats: at the size
    of an arm that takes a quarter of the time that array operations take.)

    Args:
        limits: the motion limits.
        motion: the previous command, which the limits are held against.
        target: (n,) position to go to, rad or m; it may lie outside of the position limits.
    """
    joints = zip(
        limits.joints,
        motion.position.tolist(),
        motion.velocity.tolist(),
        motion.target.tolist(),
        motion.target_velocity.tolist(),
        target.tolist(),
        strict=True,
    )
    position, velocity, goal, target_velocity, bits = zip(
        *[_advance_joint(*joint) for joint in joints], strict=True
    )
    after = Motion(_array(position), _array(velocity), _array(goal), _array(target_velocity))
    return after, np.array(bits, np.uint8)


def _advance_joint(  # noqa: PLR0917 - one joint's row, and keywords would cost as much again
    limits: JointLimits,
    position: float,
    velocity: float,
    last_goal: float,
    last_target_velocity: float,
    target: float,
) -> tuple[float, float, float, float, int]:
    """Position, velocity, target within the limits, its velocity, and bits of `Limit`.

    (Bounded by comparisons: calls of `min` and `max` would be half of the time.)
    """
    low, high, velocity_max, _, half_step, doubler, _, period_s = limits
    goal = low if target < low else high if target > high else target
    target_velocity = (goal - last_goal) / period_s
    # The smaller of the target's last two velocities; none for a target that turns round.
    feedforward = 0.0
    if target_velocity * last_target_velocity > 0.0:
        slower = abs(target_velocity) < abs(last_target_velocity)
        feedforward = target_velocity if slower else last_target_velocity
    # What is left after a period at the target's own velocity: the distance in its frame.
    ahead = goal - position - feedforward * period_s
    # V of the way ahead; less than A T of it is covered in this one period.
    doubled = abs(ahead) * doubler
    if doubled < _ONE_PERIOD:
        wanted = feedforward + ahead / period_s
    else:
        periods = math.floor(math.sqrt(doubled + 0.25) + 0.5)
        approach = (doubled / periods + periods - 1.0) * half_step
        wanted = feedforward + (approach if ahead > 0.0 else -approach)
    lower, upper = limits.velocity_range(position, velocity)
    # The lower bound counts last, as rounding may put it above the upper one.
    velocity = upper if wanted > upper else wanted
    velocity = lower if velocity < lower else velocity
    position += velocity * period_s
    position = low if position < low else high if position > high else position
    bits = 0 if goal == target else _POSITION
    if -LANDED <= position - goal <= LANDED:
        return goal, velocity, goal, target_velocity, bits
    bits |= _VELOCITY if abs(velocity) >= velocity_max * _NEARLY else _ACCELERATION
    return position, velocity, goal, target_velocity, bits


def _array(values: tuple[float, ...]) -> FloatArray:
    return frozen(np.array(values))
