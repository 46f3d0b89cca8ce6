"""Graphs in lockstep: recordings and rounds on a small arm."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from recording_graph import small_robot
from steering_policy import save_steering
from stepped_graph import hosted

from robot_learning.core.profile_loader import load_profile

# Where the arm is never asked to go: whoever steers there is taken over.
ASTRAY = np.array([-0.9, 0.3, -0.3, 0.4, 0.0, 0.5, -0.01])


@pytest.fixture
def robot(tmp_path):
    return small_robot(tmp_path)


@pytest.fixture
def checkpoint(tmp_path, robot):
    """A policy that steers astray."""
    profile = load_profile(robot)
    middle = (profile.position_min + profile.position_max) / 2
    target = np.clip(middle + ASTRAY, profile.position_min, profile.position_max)
    return save_steering(tmp_path / "astray", profile, target, rate_hz=25.0)


@pytest.fixture
def recording(robot, tmp_path) -> Callable[..., dict[str, Any]]:
    """Launch arguments of a recording session of the task `reach` into a folder `set`."""

    def one(**given: Any) -> dict[str, Any]:
        chosen = {"robot": robot, "task": "reach", "cameras": "none", "device": "scripted"}
        chosen |= {"dataset": tmp_path / "set", "rate_hz": 25, "episodes": 1}
        return chosen | given

    return one


@pytest.fixture
def record(stepped, recording):
    """Such a session in this process."""
    return lambda **given: stepped(hosted("teleop_record", **recording(**given)))
