"""Approach, grasp and hold of one object from above, all inferred from geometry."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from robot_learning.core.types import FloatArray
from robot_learning.sim.experts.motion import ArmMotion, nearest_angle

# The way down is a funnel: this many metres of height for each metre off to the side.
_FUNNEL_SLOPE = 3.0
# What a misaligned hand counts as, off to the side.
_METRES_PER_RAD = 0.03
# Moving sideways starts once the hand is within this of the height the funnel asks for.
_CLIMB_BAND_M = 0.03
# Fingers whose width is not quite what the profile says close on an object this much wider, as
# a share of its width, or this share of the way to where they are open.
_CLOSED_SHARE, _CLOSED_TRAVEL_SHARE = 0.5, 0.5
# A long object may be held this far from where it should.
_NEARLY_CLOSED, _SLIDE_M = 1.5, 0.02


@dataclass(frozen=True, slots=True)
class Grasp:
    """Where and how to grasp.

    Attributes:
        point: (3,) where the end effector has to be, world frame.
        closing_rad: angle about z along which the fingers close.
        period_rad: turn of the hand after which the grasp is the same.
        width_m: width of the object between the fingers.
        hover_m: height above `point` that clears the object and its neighbours.
        tolerance_m: misalignment of the hand within which the fingers close.
    """

    point: FloatArray
    closing_rad: float
    period_rad: float
    width_m: float
    hover_m: float
    tolerance_m: float


def descend(
    position: FloatArray, point: FloatArray, hover_m: float, tolerance_m: float, off_m: float
) -> FloatArray:
    """(3,) the next target on the way to `point` from above, down a funnel.

    Far from aligned, the target is `hover_m` above, and the hand rises before it moves sideways.

    Args:
        position: (3,) where the hand is, world frame.
        point: (3,) where the hand has to get to, world frame.
        hover_m: largest height above `point`.
        tolerance_m: misalignment within which the hand goes down to `point`.
        off_m: misalignment of the hand: its distance to the side, with its rotation counted in
            metres.
    """
    # The wall of the funnel above the present misalignment.
    height = min(hover_m, max(0.0, _FUNNEL_SLOPE * (off_m - tolerance_m)))
    z = point[2] + height
    climb = z - position[2]
    # Share of the way to the side: all with less than 1 cm left to rise, none below the band.
    share = min(1.0, max(0.0, 1.0 - (climb - 0.01) / _CLIMB_BAND_M))
    return np.array(
        [
            position[0] + share * (point[0] - position[0]),
            position[1] + share * (point[1] - position[1]),
            z,
        ]
    )


def point_on_axis(
    motion: ArmMotion, center: FloatArray, axis: FloatArray, wanted_m: float, width_m: float
) -> FloatArray:
    """(3,) where to grasp a long object that may be held a little to either side of a place.

    Args:
        motion: the arm.
        center: (3,) of the object.
        axis: (3,) unit vector along the object.
        wanted_m: where on the axis to grasp, from the centre.
        width_m: width of the object between the fingers. Fingers that are nearly closed on it
            hold it where they are.
    """
    if motion.width_m < _NEARLY_CLOSED * width_m:
        here_m = float((motion.position - center) @ axis)
        wanted_m += min(_SLIDE_M, max(-_SLIDE_M, here_m - wanted_m))
    return center + wanted_m * axis


def is_holding(motion: ArmMotion, grasp: Grasp) -> bool:
    """Whether the fingers are closed on the object and it is between them.

    They are closed when they stop about where they should: the profile's width is only as
    good as its two values and a straight line between them.
    """
    offset = grasp.point - motion.position
    sideways = float(np.hypot(offset[0], offset[1]))
    slack_m = _CLOSED_TRAVEL_SHARE * (motion.clear_width_m - grasp.width_m)
    slack_m = min(_CLOSED_SHARE * grasp.width_m, slack_m)
    closed = motion.has_stalled and motion.width_m < grasp.width_m + slack_m
    return closed and sideways < 0.5 * grasp.width_m and abs(offset[2]) < 0.6 * grasp.width_m


def pursue_grasp(motion: ArmMotion, grasp: Grasp, action: FloatArray) -> bool:
    """Bring the hand to the object and close it; True once the object is held.

    When held, only the gripper's target is written: the caller moves the arm.

    Args:
        motion: motion of the arm, which has sensed the present joints.
        grasp: where and how to grasp.
        action: (n,) joint targets, rad or m; the arm's entries are written.
    """
    if is_holding(motion, grasp):
        motion.close(action, grasp.width_m)
        return True
    closing = nearest_angle(grasp.closing_rad, motion.closing_rad, grasp.period_rad)
    offset = grasp.point - motion.position
    sideways = float(np.hypot(offset[0], offset[1]))
    turn = abs(closing - motion.closing_rad) + motion.tilt_rad
    off_m = sideways + _METRES_PER_RAD * turn
    # The further the fingers have closed, the less exact the hand has to stay.
    travel_m = max(motion.clear_width_m - grasp.width_m, 1e-6)
    shut = min(1.0, max(0.0, (motion.clear_width_m - motion.width_m) / travel_m))
    slack = grasp.tolerance_m * (1.0 + shut)
    if off_m < slack and abs(offset[2]) < slack + 0.002 and motion.width_m > 0.6 * grasp.width_m:
        motion.close(action, grasp.width_m)
    else:
        motion.open(action)
    target = descend(motion.position, grasp.point, grasp.hover_m, grasp.tolerance_m, off_m)
    motion.move(action, target, closing)
    return False
