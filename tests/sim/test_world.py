"""A world is exact: what it takes, what it refuses, and where it returns to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot_learning.core.errors import CommandError, ConfigurationError
from robot_learning.core.profile_loader import load_profile
from robot_learning.sim.model import compose
from robot_learning.sim.world import World


@pytest.fixture
def world(profile_of, table):
    return World(compose(profile_of("torque_arm"), table), 50.0)


def drive(world, seed, steps=20):
    rng = np.random.default_rng(seed)
    low, high = world.profile.position_min, world.profile.position_max
    for _ in range(steps):
        world.apply(rng.uniform(low, high))
        world.step()
    return world.save_state()


@pytest.mark.parametrize("robot", ["torque_arm", "tendon_arm", "desk_duo"])
def test_a_restored_world_repeats_itself_bit_for_bit(robot, profile_of, table):
    world = World(compose(profile_of(robot), table))
    world.set_pose("goal", np.array([0.1, 0.2, 0.3, 0.5, 0.5, 0.5, 0.5]))
    world.set_pose("pillar", np.array([0.3, -0.2, 0.1]))
    drive(world, seed=1)
    saved, poses = world.save_state(), world.poses()
    first = drive(world, seed=2)
    world.set_pose("goal", np.zeros(3))
    world.restore_state(saved)
    assert np.array_equal(world.save_state(), saved)
    for name, pose in world.poses().items():
        assert np.array_equal(pose, poses[name]), name
    assert np.array_equal(drive(world, seed=2), first)
    assert not np.array_equal(first, saved)


def test_a_state_moves_to_another_world_of_the_same_scene(world, profile_of, table):
    drive(world, seed=3)
    other = World(compose(profile_of("torque_arm"), table), 50.0)
    other.restore_state(world.save_state())
    assert np.array_equal(other.joint_effort, world.joint_effort)
    assert np.array_equal(other.command, world.command)
    assert np.array_equal(drive(other, seed=4), drive(world, seed=4))


def test_a_state_of_another_scene_is_refused(world, profile_of):
    other = World(compose(profile_of("torque_arm")))
    before = world.save_state()
    with pytest.raises(ConfigurationError, match="from another robot or scene"):
        world.restore_state(other.save_state())
    assert np.array_equal(world.save_state(), before)


@pytest.fixture(scope="module")
def shared_world():
    """One world for all examples: compiling a scene takes longer than an example."""
    assets = Path(__file__).resolve().parent / "assets"
    return World(compose(load_profile(assets / "torque_arm"), assets / "table.xml"), 50.0)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    commands=st.lists(
        st.lists(st.floats(-1e6, 1e6), min_size=4, max_size=4), min_size=1, max_size=8
    )
)
def test_what_is_taken_keeps_every_limit(shared_world, commands):
    world = shared_world
    world.reset()
    profile = world.profile
    for command in commands:
        previous = world.command
        taken = world.apply(np.array(command))
        assert np.array_equal(taken, world.command)
        assert (taken >= profile.position_min).all()
        assert (taken <= profile.position_max).all()
        assert (np.abs(taken - previous) <= profile.velocity_max * 0.02 + 1e-12).all()
        wanted = np.clip(command, profile.position_min, profile.position_max)
        close = np.abs(wanted - previous) <= profile.velocity_max * 0.02 - 1e-12
        np.testing.assert_array_equal(taken[close], wanted[close])


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ([0.1, np.nan, 0.2, 0.0], r"not finite at: pitch"),
        ([0.1, 0.0, np.inf, np.nan], r"not finite at: elbow, gripper"),
        ([0.1, 0.2, 0.3], r"needs 4 joint positions \(yaw, pitch, elbow, gripper\).*\(3,\)"),
        ([[0.1, 0.2, 0.3, 0.0]], r"found shape \(1, 4\)"),
    ],
)
def test_a_bad_command_is_refused_and_the_previous_one_held(world, command, message):
    world.apply(world.profile.home + 0.01)
    before = world.save_state()
    with pytest.raises(CommandError, match=message):
        world.apply(np.array(command))
    assert np.array_equal(world.save_state(), before)


def test_what_is_returned_is_a_copy(world):
    taken = world.apply(world.profile.home)
    for array in (taken, world.command, world.joint_position, world.joint_effort):
        np.add(array, 1.0, out=array)
    world.pose("cube")[:] = 0.0
    assert np.array_equal(world.command, world.profile.home)
    assert np.array_equal(world.joint_position, world.profile.home)


def test_every_kind_of_object_can_be_placed(world):
    pose = np.array([0.1, -0.2, 0.3, 0.6, 0.0, 0.8, 0.0])
    for name in ("cube", "pillar", "goal"):
        world.set_pose(name, pose)
        np.testing.assert_allclose(world.pose(name), pose, atol=1e-15)
        world.set_pose(name, [0.0, 0.0, 0.4])
        np.testing.assert_allclose(world.pose(name), [0, 0, 0.4, *pose[3:]], atol=1e-15)


def test_a_placed_pillar_stands_in_the_way(world):
    world.set_pose("cube", np.array([0.3, 0.3, 0.25]))
    world.set_pose("pillar", np.array([0.3, 0.3, 0.1]))
    for _ in range(50):
        world.step()
    assert world.pose("cube")[2] == pytest.approx(0.22, abs=2e-3)


@pytest.mark.parametrize(
    ("name", "pose", "message"),
    [
        ("cub", np.zeros(7), "unknown object 'cub'; did you mean 'cube'"),
        ("cube", np.zeros(7), "must be x y z, or"),
        ("cube", np.zeros(5), "must be x y z, or"),
        ("cube", np.full(3, np.nan), "must be x y z, or"),
    ],
)
def test_a_bad_placement_is_refused(world, name, pose, message):
    before = world.save_state()
    with pytest.raises(ConfigurationError, match=message):
        world.set_pose(name, pose)
    assert np.array_equal(world.save_state(), before)


def test_an_unknown_pose_lists_the_valid_ones(world):
    with pytest.raises(ConfigurationError, match=r"unknown pose .*arm_end_effector, cube, goal"):
        world.pose("end_effector")


def test_reset_starts_over(world):
    start = world.save_state()
    drive(world, seed=5)
    world.reset()
    assert np.array_equal(world.save_state(), start)
    assert world.time_s == 0.0


def test_time_passes_by_control_periods(world):
    for _ in range(7):
        world.step()
    assert world.time_s == pytest.approx(7 / 50.0)


def test_the_fingers_that_follow_are_put_at_rest_too(world):
    drive(world, seed=5, steps=4)
    cube = world.mj_model.body_dofadr[world.mj_model.body("cube").id]
    falling = world.mj_data.qvel[cube : cube + 6].copy()
    names = ("robot/j1", "robot/finger_left", "robot/finger_right")
    velocity = [world.mj_data.joint(name).qvel for name in names]
    assert all(np.abs(value).min() > 1e-3 for value in velocity)
    world.set_joint_position(world.profile.home)
    np.testing.assert_array_equal(velocity, 0.0)
    np.testing.assert_array_equal(world.mj_data.qvel[cube : cube + 6], falling)
    assert falling.any()
