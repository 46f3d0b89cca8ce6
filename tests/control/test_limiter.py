"""The motion limits hold always; what may be followed exactly is; steps do not overshoot."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot_learning.control.limiter import (
    Motion,
    MotionLimits,
    advance,
    brake,
    rest_position,
)
from robot_learning.core.vocabulary import Limit

PERIOD_S = 0.02
EPSILON = 1e-9


def one_joint(low=-1.0, high=1.0, velocity=2.0, acceleration=8.0) -> MotionLimits:
    return MotionLimits(*(np.array([v]) for v in (low, high, velocity, acceleration)), PERIOD_S)


def follow(limits, start, targets):
    """Positions and velocities (k + 1,) and bits (k,) while following targets (k,)."""
    motion = Motion.at_rest(np.array([start]))
    positions, velocities, bits = [start], [0.0], []
    for target in targets:
        motion, limited = advance(limits, motion, np.array([target]))
        positions.append(motion.position[0])
        velocities.append(motion.velocity[0])
        bits.append(int(limited[0]))
    return np.array(positions), np.array(velocities), np.array(bits)


def assert_bounds(limits, positions, velocities):
    assert np.isfinite(positions).all()
    assert (positions >= limits.position_min[0]).all()
    assert (positions <= limits.position_max[0]).all()
    moved = np.diff(positions) / limits.period_s
    np.testing.assert_allclose(moved, velocities[1:], atol=EPSILON)
    assert (np.abs(moved) <= limits.velocity_max[0] + EPSILON).all()
    accelerations = np.diff(moved, prepend=0.0) / limits.period_s
    assert (np.abs(accelerations) <= limits.acceleration_max[0] + 1e-6).all()


magnitudes = st.floats(0.3, 50.0)
targets_near_and_far = st.lists(
    st.one_of(st.floats(-2.0, 2.0), st.floats(-1e6, 1e6), st.sampled_from([-1.0, 1.0, 0.0])),
    min_size=1,
    max_size=30,
)


@settings(max_examples=60, deadline=None)
@given(magnitudes, magnitudes, st.floats(-1.0, 1.0), targets_near_and_far, st.integers(1, 8))
def test_bounds_hold_for_any_targets(velocity, acceleration, start, targets, hold):
    limits = one_joint(velocity=velocity, acceleration=acceleration)
    positions, velocities, _ = follow(limits, start, np.repeat(targets, hold))
    assert_bounds(limits, positions, velocities)


@settings(max_examples=60, deadline=None)
@given(magnitudes, magnitudes, st.floats(-1.0, 1.0), targets_near_and_far, st.integers(0, 30))
def test_braking_is_always_possible_and_ends_where_it_was_said(
    velocity, acceleration, start, targets, ticks
):
    limits = one_joint(velocity=velocity, acceleration=acceleration)
    motion = Motion.at_rest(np.array([start]))
    for target in targets[:ticks]:
        motion, _ = advance(limits, motion, np.array([target]))
    said = rest_position(limits, motion)
    positions, velocities = [motion.position[0]], [motion.velocity[0]]
    for _ in range(int(limits.longest_stop_s / PERIOD_S) + 1):
        motion = brake(limits, motion)
        positions.append(motion.position[0])
        velocities.append(motion.velocity[0])
    assert motion.is_at_rest
    np.testing.assert_allclose(motion.position, said, atol=EPSILON)
    steps = np.diff(velocities)
    assert (np.abs(steps) <= limits.velocity_step[0] + EPSILON).all()
    assert (np.diff(np.abs(velocities)) <= EPSILON).all()
    assert (np.abs(positions) <= 1.0).all()


@settings(max_examples=60, deadline=None)
@given(magnitudes, magnitudes, st.floats(-1.0, 1.0), st.floats(-1.0, 1.0))
def test_a_step_is_reached_without_overshoot_and_without_chatter(
    velocity, acceleration, start, target
):
    limits = one_joint(velocity=velocity, acceleration=acceleration)
    # the time-optimal profile with slack for its discretisation
    distance = abs(target - start)
    reach = distance / velocity + 2 * np.sqrt(distance / acceleration) + velocity / acceleration
    ticks = int(reach / PERIOD_S) + 5
    positions, _, bits = follow(limits, start, [target] * ticks)
    assert positions[-1] == target
    assert bits[-1] == 0
    away = (target - positions) * np.sign(target - start)
    assert (away >= -1e-12).all()
    assert (np.diff(away) <= 1e-12).all()


def test_a_step_is_as_fast_as_the_limits_allow():
    """1.6 rad at 2 rad/s and 8 rad/s²: 0.25 s up, 0.55 s at full speed, 0.25 s down."""
    positions, velocities, _ = follow(one_joint(), -0.8, [0.8] * 80)
    arrived = int(np.argmax(positions == 0.8))
    assert arrived * PERIOD_S == pytest.approx(1.05, abs=2 * PERIOD_S)
    assert velocities.max() == 2.0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-0.16, 0.16), min_size=1, max_size=60))
def test_a_target_that_keeps_the_limits_is_followed_exactly(steps):
    limits = one_joint(low=-100.0, high=100.0)
    velocities = np.clip(np.cumsum(steps), -2.0, 2.0)
    targets = np.cumsum(velocities) * PERIOD_S
    positions, _, bits = follow(limits, 0.0, targets)
    np.testing.assert_array_equal(positions[1:], targets)
    assert not bits.any()


def test_a_ramp_that_starts_too_fast_is_caught_up_with():
    limits = one_joint(low=-100.0, high=100.0)
    targets = np.arange(1, 101) * PERIOD_S * 1.0
    positions, _, bits = follow(limits, 0.0, targets)
    assert bits[0] == Limit.ACCELERATION
    caught_up = int(np.argmax(bits == 0))
    assert caught_up * PERIOD_S < 0.5
    np.testing.assert_allclose(positions[caught_up + 1 :], targets[caught_up:], atol=1e-12)


def test_flags_name_the_limit():
    limits = one_joint()
    _, velocities, bits = follow(limits, -0.9, [0.9] * 60)
    assert bits[0] == Limit.ACCELERATION
    assert (bits[velocities[1:] == 2.0] == Limit.VELOCITY).all()
    _, _, beyond = follow(limits, 0.99, [5.0] * 60)
    assert beyond[-1] == Limit.POSITION


def test_a_joint_without_a_flag_is_exactly_at_its_target():
    rng = np.random.default_rng(3)
    limits = one_joint()
    targets = np.repeat(rng.uniform(-1.3, 1.3, 40), 9)
    positions, _, bits = follow(limits, 0.0, targets)
    np.testing.assert_array_equal(bits == 0, positions[1:] == targets)


def test_stopping_velocity_is_the_largest_from_which_a_joint_stops_in_time():
    limits = one_joint(low=-1e9, high=1e9, velocity=1e9)
    step = limits.velocity_step[0]
    for distance in (0.0, 1e-6, 0.003, 0.0032, 0.1, 3.0):
        velocity = limits.joints[0].stopping_velocity(distance)

        def way(v):
            return PERIOD_S * sum(max(v - k * step, 0.0) for k in range(int(v / step) + 2))

        assert way(velocity) == pytest.approx(distance, abs=1e-12)
        assert way(velocity + 1e-6) > distance
