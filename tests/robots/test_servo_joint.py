"""One joint and its servo: what the servo's angles mean, in whichever turn it counts."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from servo_robots import GRIPPER, calibration_of, servo_profile

from robot_learning.core.errors import ConfigurationError
from robot_learning.robots.servo_joint import ServoJoint
from robot_learning.servos.calibration import TICK_RAD, TICKS_PER_TURN

PROFILE = servo_profile()
CALIBRATION = calibration_of(PROFILE)


def joint_of(name: str, **changes: object) -> ServoJoint:
    calibrated = replace(CALIBRATION.joints[name], **changes)
    joint = PROFILE.joints[PROFILE.joint_index(name)]
    return ServoJoint(joint, PROFILE.real.motors[name], calibrated.scale(), calibrated.range_ticks)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(PROFILE.joint_names), st.floats(0, 1), st.integers(-3, 3))
def test_a_servo_may_count_other_turns(name: str, share: float, forgotten: int) -> None:
    joint = joint_of(name)
    low, high = joint.limits
    position = low + share * (high - low)
    there_rad = joint.angle_rad(position)
    assert joint.position(there_rad) == pytest.approx(position, abs=1e-9)
    joint.find_turn(there_rad - forgotten * TICKS_PER_TURN * TICK_RAD, counts_turns=True)
    assert joint.turns == forgotten
    assert joint.position(joint.angle_rad(position)) == pytest.approx(position, abs=1e-9)


@pytest.mark.parametrize(
    ("range_ticks", "reading"), [((-500, 1500), 3700), ((3000, 4200), 3500), ((-500, 1500), 700)]
)
def test_a_range_over_the_seam_needs_a_servo_that_counts(
    range_ticks: tuple[int, int], reading: int
) -> None:
    joint = joint_of("elbow_flex", range_ticks=range_ticks)
    joint.find_turn(reading * TICK_RAD, counts_turns=True)
    with pytest.raises(ConfigurationError, match=r"elbow_flex: its range, .*, passes the seam"):
        joint.find_turn(reading * TICK_RAD, counts_turns=False)


def test_the_bounds_of_a_sliding_joint_are_those_of_its_servo() -> None:
    (motor,) = joint_of(GRIPPER).bus_motors()
    # At the steepest place of its table 20 µm a tick.
    assert motor.speed_max_rad_s == pytest.approx(0.15 / 20e-6 * TICK_RAD)
    assert joint_of(GRIPPER).velocity(1500 * TICK_RAD, 1.0) == pytest.approx(-15e-6 / TICK_RAD)
