"""The command `robot-learning dagger` on a small arm, and a policy that must be corrected."""

from __future__ import annotations

import numpy as np
import pytest
from dagger_rounds import SteppedRounds, Watch
from recording_graph import small_robot
from steering_policy import save_steering
from stepped_graph import hosted, with_parameters

from robot_learning.core.profile_loader import load_profile

CLI = "robot_learning.cli.main"
# A machine that runs other tests beside may be slow for a moment.
PATIENT = """\
/**:
  ros__parameters:
    age_floor_s: 2.0
    human_timeout_s: 0.5
    policy_timeout_s: 0.6
    measured_timeout_s: 1.5
    measured_fault_s: 9.0
    min_free_mib: {min_free_mib}
    quality.invalid_row_fraction: 1.0
    quality.rate_error_fraction: 1.0
    quality.gaps_per_minute: 100000.0
    quality.skew_p99_ms: {skew_ms}
"""
STEPPED = """\
/**:
  ros__parameters:
    flush_interval_s: 0.05
    min_free_mib: {min_free_mib}
    quality.skew_p99_ms: {skew_ms}
"""
# Where the arm is never asked to go: whoever steers there is taken over.
ASTRAY = np.array([-0.9, 0.3, -0.3, 0.4, 0.0, 0.5, -0.01])


@pytest.fixture
def robot(tmp_path):
    return small_robot(tmp_path)


def astray(folder, robot, shift=0.0, rate_hz=25.0):
    """A policy that steers there, or `shift` (rad) beside it."""
    profile = load_profile(robot)
    middle = (profile.position_min + profile.position_max) / 2
    target = np.clip(middle + ASTRAY + shift, profile.position_min, profile.position_max)
    return save_steering(folder, profile, target, rate_hz=rate_hz)


@pytest.fixture
def checkpoint(tmp_path, robot):
    """A policy that steers astray."""
    return astray(tmp_path / "astray", robot)


@pytest.fixture
def uncertain(tmp_path, robot):
    """The first of two such policies that disagree, in the places that a round trains them in."""
    astray(tmp_path / "first_member_2" / "best", robot, shift=0.3, rate_hz=50.0)
    return astray(tmp_path / "first" / "best", robot, rate_hz=50.0)


@pytest.fixture
def dagger_arguments(robot, tmp_path):
    """Launch arguments of the same rounds in lockstep."""

    def one(min_free_mib=1, skew_ms=1e5, **given):
        """`skew_ms`: above it an episode's timing is bad."""
        settings = tmp_path / f"stepped_{min_free_mib}_{skew_ms:g}.yaml"
        settings.write_text(STEPPED.format(min_free_mib=min_free_mib, skew_ms=skew_ms))
        fixed = {"robot": robot, "task": "reach", "cameras": "none", "backend": "eager"}
        fixed |= {"dataset": tmp_path / "set", "out": tmp_path / "run", "device": "scripted"}
        fixed |= {"params_file": settings, "inference_ticks": 2}
        return fixed | given

    return one


@pytest.fixture
def stepped_dagger(stepped, dagger_arguments, capfd):
    """The same rounds within the test: launch arguments, and changes of nodes."""

    def one(nodes=(), **given):
        specs = hosted("dagger", **dagger_arguments(**given))
        for name, parameters in dict(nodes).items():
            specs = with_parameters(specs, name, parameters)
        return SteppedRounds(stepped(specs), capfd)

    return one


@pytest.fixture
def dagger(start, robot, tmp_path):
    """`robot-learning dagger` of the task `reach`, without images, into `set` and `run`."""

    def one(*arguments, min_free_mib=1, skew_ms=1e5, **environment):
        """`skew_ms`: above it an episode's timing is bad."""
        patient = tmp_path / f"patient_{min_free_mib}_{skew_ms:g}.yaml"
        patient.write_text(PATIENT.format(min_free_mib=min_free_mib, skew_ms=skew_ms))
        fixed = ("--robot", robot, "--task", "reach", "--cameras", "none", "--backend", "eager")
        places = ("--dataset", str(tmp_path / "set"), "--out", str(tmp_path / "run"))
        given = (*fixed, *places, "--params-file", str(patient), *arguments)
        return start(CLI, "dagger", *given, **environment)

    return one


@pytest.fixture
def watch(peer):
    return Watch(peer)
