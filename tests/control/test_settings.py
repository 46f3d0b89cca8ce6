"""Settings come from the profile, are always limited, and wrong ones are refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from robot_learning.control.settings import Alignment, arbiter_settings
from robot_learning.core.errors import ConfigurationError


def test_limits_are_the_profiles(profile):
    settings = arbiter_settings(profile)
    np.testing.assert_array_equal(settings.limits.velocity_max, profile.velocity_max)
    np.testing.assert_array_equal(settings.limits.position_min, profile.position_min)
    assert settings.limits.period_s == 1.0 / profile.control_rate_hz
    np.testing.assert_array_equal(settings.tracking_bound, [0.4, 0.4, 0.05, np.inf])
    assert settings.arms == ((0, 1, 2),)


def test_limits_can_be_tightened_only(profile):
    settings = arbiter_settings(profile, velocity_scale=0.5, acceleration_scale=0.25)
    np.testing.assert_array_equal(settings.limits.velocity_max, 0.5 * profile.velocity_max)
    np.testing.assert_array_equal(settings.limits.acceleration_max, 0.25 * profile.acceleration_max)
    with pytest.raises(ConfigurationError, match="velocity_scale: expected at most 1"):
        arbiter_settings(profile, velocity_scale=1.5)


def test_alignment_may_be_given_by_name(profile):
    assert arbiter_settings(profile, alignment="clutch").tolerances.alignment is Alignment.CLUTCH


@pytest.mark.parametrize(
    ("overrides", "text"),
    [
        ({"human_timout_s": 0.1}, "did you mean 'human_timeout_s'"),
        ({"human_timeout_s": 0.0}, "human_timeout_s: expected a number above 0"),
        ({"human_timeout_s": float("nan")}, "human_timeout_s: expected a number above 0"),
        ({"human_timeout_s": 0.03}, r"at least two periods \(0.04 s at 50 Hz\)"),
        ({"alignment": "abs"}, "valid: absolute, align, clutch"),
        ({"measured_fault_s": 0.1}, "expected more than measured_timeout_s"),
        ({"rate_hz": 0.0}, "rate_hz: expected a number above 0"),
    ],
)
def test_wrong_settings_are_refused(profile, overrides, text):
    with pytest.raises(ConfigurationError, match=text):
        arbiter_settings(profile, **overrides)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"velocity_max": float("inf")}, "joint 'lift': velocity_max must be finite"),
        ({"acceleration_max": 0.0}, "joint 'lift': acceleration_max must be finite and above 0"),
        ({"position_max": float("inf")}, "joint 'lift': position limits must be finite"),
        ({"position_min": 3.0}, "joint 'lift': position limits must be finite and low < high"),
    ],
)
def test_a_robot_without_limits_is_refused(profile, change, text):
    joints = list(profile.joints)
    joints[1] = dataclasses.replace(joints[1], **change)
    with pytest.raises(ConfigurationError, match=text):
        arbiter_settings(dataclasses.replace(profile, joints=tuple(joints)))
