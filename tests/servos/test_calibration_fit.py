"""What the stops of a joint say of its servo."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from servo_robots import GRIPPER, servo_profile

from robot_learning.core.errors import ConfigurationError
from robot_learning.servos.calibration import TICK_RAD, TICKS_PER_TURN, TurningScale
from robot_learning.servos.calibration_fit import TickCounter, fit_joint

PROFILE = servo_profile("xl330-m288")
MOTORS = PROFILE.real.motors
ELBOW = PROFILE.joints[PROFILE.joint_index("elbow_flex")]


@settings(max_examples=60, deadline=None)
@given(
    st.integers(-4096, 8192),
    st.sampled_from([1, -1]),
    st.tuples(st.floats(-0.03, 0.03), st.floats(-0.03, 0.03)),
)
def test_the_zero_is_found_through_any_seam(
    zero: int, sign: int, errors_rad: tuple[float, float]
) -> None:
    truth = TurningScale(zero, sign)
    ends = (ELBOW.position_min + errors_rad[0], ELBOW.position_max + errors_rad[1])
    there, back = (round(truth.ticks(end)) for end in ends)
    counter = TickCounter(there % TICKS_PER_TURN)
    first = counter.ticks
    for share in range(1, 9):
        counter.take(round(there + share / 8 * (back - there)) % TICKS_PER_TURN)
    fit = fit_joint(ELBOW, MOTORS["elbow_flex"], (first, counter.ticks), counts_turns=True)
    assert fit.joint.sign == sign
    away = (fit.joint.zero_ticks - zero + 2048) % TICKS_PER_TURN - 2048
    # Half of what each stop was missed by, and of a tick.
    assert abs(away) * TICK_RAD <= abs(sum(errors_rad)) / 2 + 2 * TICK_RAD
    half_rad = (errors_rad[1] - errors_rad[0]) / 2
    assert math.radians(fit.residual_deg) == pytest.approx(half_rad, abs=2 * TICK_RAD)


def test_a_sliding_joint_gets_a_table() -> None:
    gripper = PROFILE.joints[PROFILE.joint_index(GRIPPER)]
    fit = fit_joint(gripper, MOTORS[GRIPPER], (3000, 1000), counts_turns=False)
    assert fit.joint.table == ((1000, 0.035), (3000, 0.0))
    assert fit.joint.zero_ticks is None


@pytest.mark.parametrize(
    ("stops", "text"),
    [
        ((1000, 2000), r"elbow_flex: its stops are 87.9° apart, the profile's limits 160.4°"),
        ((3000, 4825), r"the seam of its servo lies between its stops \(ticks 3000 to 4825\)"),
        ((1000, 1000), "from stop to stop the servo went through 0 ticks; it is to move"),
    ],
)
def test_stops_that_do_not_fit_are_refused(stops: tuple[int, int], text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        fit_joint(replace(ELBOW), MOTORS["elbow_flex"], stops, counts_turns=False)
