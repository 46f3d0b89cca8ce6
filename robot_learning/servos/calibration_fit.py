"""The calibration of a joint from the readings of its servo at the joint's two stops."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

from robot_learning.core.amounts import amount
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.profile import Joint, JointKind, Motor, Sign
from robot_learning.servos.calibration import TICK_RAD, TICKS_PER_TURN
from robot_learning.servos.calibration_file import CalibratedJoint

WORST_DEG = 5.0
"""By how much a stop may be away from the limit that it is taken for."""


class TickCounter:
    """Counts the ticks of a servo on through its seam, while a hand moves it.

    Attributes:
        ticks: ticks now; those of the first reading are what the servo said.
    """

    def __init__(self, reading: int) -> None:
        """Begin at what the servo reads now."""
        self.ticks = reading

    def take(self, reading: int) -> int:
        """Count on to the next reading, which is less than half a turn away."""
        ahead = (reading - self.ticks) % TICKS_PER_TURN
        self.ticks += ahead if ahead < TICKS_PER_TURN // 2 else ahead - TICKS_PER_TURN
        return self.ticks


class Fit(NamedTuple):
    """What was found of a joint.

    Attributes:
        joint: calibration of the joint.
        residual_deg: degrees by which each stop lies beyond its limit; 0 for a joint that slides,
            whose table meets both.
    """

    joint: CalibratedJoint
    residual_deg: float


def fit_joint(joint: Joint, motor: Motor, stops: tuple[int, int], *, counts_turns: bool) -> Fit:
    """The zero and the sign with which both stops are nearest to the profile's limits.

    Args:
        joint: joint of the profile.
        motor: motor of the profile.
        stops: ticks at its lower and at its upper limit, counted on from one to the other.
        counts_turns: whether the servo counts turns in its mode.

    Raises:
        ConfigurationError: The stops are not as far from each other as the limits, or the servo's
            seam lies between them and it counts no turns.
    """
    low, high = min(stops), max(stops)
    if not counts_turns and (low < 0 or high >= TICKS_PER_TURN):
        raise ConfigurationError(
            f"{joint.name}: the seam of its servo lies between its stops (ticks {low} to {high}); "
            "turn the horn, or change the servo's offset, so that all of it lies within 0 to "
            f"{TICKS_PER_TURN - 1}"
        )
    if not 0 < high - low < TICKS_PER_TURN:
        raise ConfigurationError(
            f"{joint.name}: from stop to stop the servo went through {amount(high - low, 'tick')}; "
            f"it is to move, and through less than a turn ({TICKS_PER_TURN})"
        )
    same = CalibratedJoint(bus=motor.bus, id=motor.id, model=motor.model, range_ticks=(low, high))
    limits = (joint.position_min, joint.position_max)
    if joint.kind is JointKind.PRISMATIC:
        first, second = sorted(zip(stops, limits, strict=True))
        return Fit(replace(same, table=(first, second)), 0.0)
    sign: Sign = 1 if stops[1] > stops[0] else -1
    residual_deg = math.degrees((high - low) * TICK_RAD - (limits[1] - limits[0])) / 2
    if abs(residual_deg) > WORST_DEG:
        raise ConfigurationError(
            f"{joint.name}: its stops are {math.degrees((high - low) * TICK_RAD):.1f}° apart, the "
            f"profile's limits {math.degrees(limits[1] - limits[0]):.1f}°; go to the limits, or "
            "correct them in the profile"
        )
    zero = (low + high) / 2 - sign * (limits[0] + limits[1]) / 2 / TICK_RAD
    return Fit(replace(same, zero_ticks=round(zero), sign=sign), residual_deg)
