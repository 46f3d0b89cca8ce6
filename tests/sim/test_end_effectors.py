"""How far outside of its box an end effector is, and how each joint changes that."""

from __future__ import annotations

import numpy as np
import pytest

from robot_learning.core.profile_loader import load_profile
from robot_learning.sim.end_effectors import WorkspaceBoxes

STEP = 1e-6


@pytest.mark.parametrize("robot", ["desk_arm", "bench_arm", "desk_duo"])
def test_the_gradient_is_that_of_the_excess(robot):
    profile = load_profile(robot)
    boxes, rng = WorkspaceBoxes(profile), np.random.default_rng(0)
    compared = 0
    while compared < 20:
        position = rng.uniform(profile.position_min, profile.position_max)
        if not (boxes.excess_m(position) > 0.01).all():
            continue
        compared += 1
        steps = STEP * np.eye(len(position))
        change = [
            boxes.excess_m(position + step) - boxes.excess_m(position - step) for step in steps
        ]
        numeric = np.array(change).T / (2.0 * STEP)
        np.testing.assert_allclose(boxes.gradient(position), numeric, atol=1e-5)


def test_inside_there_is_no_excess_and_no_gradient():
    profile = load_profile("desk_arm")
    boxes = WorkspaceBoxes(profile)
    assert not boxes.excess_m(profile.home).any()
    assert not boxes.gradient(profile.home).any()
