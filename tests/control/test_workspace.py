"""The workspace box: no way out, every way in, and the motion limits kept."""

from __future__ import annotations

import numpy as np
import pytest

from robot_learning.core.vocabulary import Limit, Mode

LOW, HIGH = np.array([-0.3, -0.6, 0.0]), np.array([0.6, 0.6, 1.0])
INSIDE = np.array([-0.9, 0.4, 0.3, 0.02])
OUTSIDE = np.array([-0.1, 0.4, 0.3, 0.02])


def tip(position):
    """The tip of a planar arm of two links, on a vertical slide, (3,)."""
    pan, lift, slide, _ = position
    elbow = 0.4 * np.array([np.cos(pan), np.sin(pan)])
    hand = elbow + 0.3 * np.array([np.cos(pan + lift), np.sin(pan + lift)])
    return np.array([hand[0], hand[1], slide])


def outside_m(point):
    return np.linalg.norm(np.maximum(np.maximum(LOW - point, point - HIGH), 0.0))


def excess(position):
    return np.array([outside_m(tip(position))])


class Box:
    """The workspace of that arm, with the gradient by differences outwards from where it is."""

    def excess_m(self, position):
        return excess(position)

    def gradient(self, position, step=1e-7):
        here, steps = excess(position), step * np.eye(len(position))
        up = np.array([excess(position + step)[0] for step in steps]) - here
        down = np.array([excess(position - step)[0] for step in steps]) - here
        return (np.where(up > down, up, -down) / step)[None]


@pytest.fixture
def rig(make_rig):
    rig = make_rig(workspace=Box(), alignment="absolute", blend_s=0.04)
    rig.arm = INSIDE.copy()
    assert excess(rig.arm)[0] == 0.0
    return rig.enabled()


def drive(rig, target, ticks):
    for _ in range(ticks):
        assert rig.tick(human=target).mode is Mode.HUMAN
    return np.array([tip(decision.applied) for decision in rig.decisions[-ticks:]])


def test_outward_motion_is_blocked_at_the_boundary(rig):
    assert excess(OUTSIDE)[0] > 0.08
    path = drive(rig, OUTSIDE, 150)
    assert max(outside_m(point) for point in path) < 1e-6
    assert rig.last.limited[0] & Limit.WORKSPACE
    # it really went up to the boundary instead of staying where it was
    assert HIGH[0] - path[-1][0] < 0.002
    applied = np.array([decision.applied for decision in rig.decisions[2:]])
    velocity = np.diff(applied, axis=0) / rig.settings.limits.period_s
    steps = np.abs(np.diff(velocity, axis=0))
    assert (steps <= rig.settings.limits.velocity_step + 1e-9).all()


def test_without_the_guard_the_same_motion_leaves_the_box(make_rig):
    rig = make_rig(alignment="absolute", blend_s=0.04)
    rig.arm = INSIDE.copy()
    path = drive(rig.enabled(), OUTSIDE, 150)
    assert max(outside_m(point) for point in path) > 0.08


def test_the_way_back_in_is_free(rig):
    drive(rig, OUTSIDE, 150)
    drive(rig, INSIDE, 150)
    np.testing.assert_array_equal(rig.last.applied, INSIDE)
    assert not rig.last.limited.any()


def test_grippers_move_while_the_arm_is_blocked(rig):
    drive(rig, np.array([-0.1, 0.4, 0.3, 0.0]), 150)
    assert rig.last.limited[0] & Limit.WORKSPACE
    assert rig.last.applied[3] == 0.0


def test_an_arm_that_starts_outside_may_only_come_in(make_rig):
    rig = make_rig(workspace=Box(), alignment="absolute", blend_s=0.04)
    rig.arm = np.array([-0.3, 0.4, 0.3, 0.02])
    rig.enabled()
    start_m = excess(rig.last.applied)[0]
    drive(rig, OUTSIDE, 60)
    assert excess(rig.last.applied)[0] <= start_m + 1e-9
    drive(rig, INSIDE, 200)
    np.testing.assert_array_equal(rig.last.applied, INSIDE)


def test_a_blocked_arm_slides_along_the_boundary(rig):
    target = OUTSIDE + np.array([0.0, 0.0, 0.15, 0.0])
    path = drive(rig, target, 600)
    assert max(outside_m(point) for point in path) < 1e-3
    assert HIGH[0] - path[-1][0] < 0.002
    assert path[-1][2] == pytest.approx(target[2], abs=0.005)


def at_boundary(rng):
    """Joint positions with the tip at the highest x."""
    lift = rng.uniform(-0.4, 0.5)
    elbow = np.array([0.4 + 0.3 * np.cos(lift), 0.3 * np.sin(lift)])
    side = rng.choice([-1.0, 1.0])
    pan = side * np.arccos((HIGH[0] - 1e-9) / np.linalg.norm(elbow)) - np.arctan2(*elbow[::-1])
    return np.array([pan, lift, rng.uniform(0.2, 0.4), 0.02])


def test_an_arm_at_the_boundary_reaches_what_is_inside(make_rig):
    """Each joint hurries as it can, which may lead out although the straight way does not."""
    rng, tried = np.random.default_rng(0), 0
    while tried < 25:
        start = at_boundary(rng)
        target = start + rng.normal(scale=(0.1, 0.3, 0.1, 0.0))
        target[1] = np.clip(target[1], -0.4, 0.5)
        ways = start + np.linspace(0.0, 1.0, 50)[:, None] * (target - start)
        if max(excess(way)[0] for way in ways) > 0.0:
            continue
        tried += 1
        rig = make_rig(workspace=Box(), alignment="absolute", blend_s=0.04)
        rig.arm = start
        path = drive(rig.enabled(), target, 400)
        np.testing.assert_allclose(rig.last.applied, target, atol=1e-9, err_msg=f"{start}")
        assert max(outside_m(point) for point in path) < 1e-3
