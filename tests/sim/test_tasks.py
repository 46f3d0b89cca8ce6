"""The shipped tasks on the shipped robots."""

from functools import cache

import mujoco
import numpy as np
import pytest

from robot_learning.core.errors import ConfigurationError
from robot_learning.core.profile_loader import load_profile
from robot_learning.core.types import FloatArray
from robot_learning.sim.env import RobotEnv
from robot_learning.sim.kinematics import ArmKinematics
from robot_learning.sim.model import compile_robot
from robot_learning.sim.observation import read_values
from robot_learning.sim.task import Task, Values
from robot_learning.sim.tasks import TASKS, make_task
from robot_learning.sim.tasks.insertion import Insertion
from robot_learning.sim.tasks.layout import up_axis_z, yaw_of, yaw_pose
from robot_learning.sim.tasks.lift import Lift
from robot_learning.sim.world import World

ROBOTS = ("desk_arm", "bench_arm", "desk_duo")
FITTING = [
    (task, robot) for task in TASKS for robot in ROBOTS if task != "handover" or robot == "desk_duo"
]
ARMS = [("desk_arm", "arm"), ("bench_arm", "arm"), ("desk_duo", "left"), ("desk_duo", "right")]


@cache
def world_of(task: str, robot: str) -> tuple[Task, World]:
    built = make_task(task)
    return built, World(built.compose(load_profile(robot)), 50.0)


def values_of(task: Task, world: World) -> dict[str, FloatArray]:
    return read_values(world, (*world.simulation.end_effector_names, *task.objects))


def stacked(samples: list[Values]) -> dict[str, FloatArray]:
    return {name: np.stack([sample[name] for sample in samples]) for name in samples[0]}


def test_an_unknown_task_lists_the_valid_ones() -> None:
    with pytest.raises(ConfigurationError) as caught:
        make_task("lft")
    assert str(caught.value) == (
        "unknown task 'lft'; did you mean 'lift'? "
        "Valid: handover, insertion, lift, obstacle, push, reach"
    )


def test_a_task_for_two_arms_names_the_robots_that_have_them() -> None:
    with pytest.raises(ConfigurationError) as caught:
        make_task("handover").compose(load_profile("desk_arm"))
    text = str(caught.value)
    assert text.startswith("the task 'handover' needs 2 arms, the robot 'desk_arm' has 1. ")
    assert "desk_duo" in text.split("Robots with enough: ")[1]


@pytest.mark.parametrize(("name", "robot"), FITTING)
def test_placement_is_seeded_varied_and_at_rest(name: str, robot: str) -> None:
    task, world = world_of(name, robot)
    states = []
    for seed in (0, 0, 1):
        task.start(world, np.random.default_rng(seed))
        assert not task.success(values_of(task, world), world.profile)
        states.append(world.save_state())
    np.testing.assert_array_equal(states[0], states[1])
    assert np.abs(states[0] - states[2]).max() > 1e-3
    before = {object_name: world.pose(object_name) for object_name in task.objects}
    for _ in range(25):
        world.apply(world.profile.home)
        world.step()
    for object_name, pose in before.items():
        assert np.linalg.norm(world.pose(object_name)[:3] - pose[:3]) < 2e-3, object_name


@pytest.mark.parametrize(("name", "robot"), FITTING)
def test_success_and_reward_are_vectorised_and_bounded(name: str, robot: str) -> None:
    task, world = world_of(name, robot)
    samples: list[Values] = []
    for seed in range(6):
        task.start(world, np.random.default_rng(seed))
        samples.append(values_of(task, world))
    batch = stacked(samples)
    success = task.success(batch, world.profile)
    reward = task.reward(batch, world.profile)
    assert success.shape == reward.shape == (6,)
    assert ((reward >= 0.0) & (reward < 1.0)).all()
    for index, sample in enumerate(samples):
        assert task.reward(sample, world.profile) == pytest.approx(reward[index], abs=1e-12)
    grid = {key: value.reshape(2, 3, -1) for key, value in batch.items()}
    np.testing.assert_array_equal(task.reward(grid, world.profile).ravel(), reward)


@pytest.mark.parametrize(("name", "robot"), FITTING)
def test_objects_start_within_the_arms_reach(name: str, robot: str) -> None:
    task, world = world_of(name, robot)
    arms = world.profile.arms[: max(1, task.minimum_arms)]
    low = np.min([arm.workspace.min_m for arm in arms], axis=0)[:2]
    high = np.max([arm.workspace.max_m for arm in arms], axis=0)[:2]
    for seed in range(30):
        task.start(world, np.random.default_rng(seed))
        for object_name in task.objects:
            place = world.pose(object_name)[:2]
            assert (place >= low).all(), (object_name, seed)
            assert (place <= high).all(), (object_name, seed)


def test_the_cube_fits_every_gripper() -> None:
    for robot in ROBOTS:
        task, world = world_of("lift", robot)
        profile = world.profile
        assert isinstance(task, Lift)
        side = task.cube_side_m(profile)
        gripper = profile.arms[0].gripper
        assert gripper is not None
        assert side == pytest.approx(gripper.clear_width_m / 2)
        geom = world.mj_model.geom("cube")
        np.testing.assert_allclose(geom.size, side / 2)


def test_lift_succeeds_only_for_a_cube_that_is_high_and_in_the_hand() -> None:
    profile = load_profile("desk_arm")
    task = Lift()
    hand = yaw_pose(0.25, 0.0, 0.10)
    rest = task.cube_side_m(profile) / 2
    cases = [
        (yaw_pose(0.25, 0.0, rest + 0.051), yaw_pose(0.25, 0.0, rest + 0.051), True),
        (yaw_pose(0.25, 0.0, rest + 0.049), yaw_pose(0.25, 0.0, rest + 0.049), False),
        (yaw_pose(0.25, 0.1, 0.10), hand, False),
    ]
    for cube, end_effector, expected in cases:
        values = {"cube": cube, "arm_end_effector": end_effector}
        assert bool(task.success(values, profile)) is expected


def test_the_peg_counts_as_inserted_only_upright_inside_and_deep_enough() -> None:
    profile = load_profile("desk_arm")
    task = Insertion()
    half = task.peg_length_m / 2
    fallen = np.array([0.25, 0.0, 0.011, np.sqrt(0.5), np.sqrt(0.5), 0.0, 0.0])
    cases = [
        (yaw_pose(0.25, 0.0, half), True),
        (yaw_pose(0.25, 0.0, half + 0.45 * task.depth_m), True),
        (yaw_pose(0.25, 0.0, half + 0.55 * task.depth_m), False),
        (yaw_pose(0.28, 0.0, half), False),
        (fallen, False),
    ]
    for peg, expected in cases:
        values = {"peg": peg, "socket": yaw_pose(0.25, 0.0, 0.0), "arm_end_effector": peg}
        assert bool(task.success(values, profile)) is expected


def test_the_obstacle_is_the_same_for_both_sides() -> None:
    task, world = world_of("obstacle", "desk_arm")
    offsets = []
    for seed in range(200):
        task.start(world, np.random.default_rng(seed))
        offsets.append([world.pose("post")[1], world.pose("goal")[1]])
    assert np.abs(np.mean(offsets, axis=0)).max() < 1e-3
    assert np.abs(world.pose("arm_end_effector")[1]) < 1e-6


def test_a_fallen_post_fails() -> None:
    task, world = world_of("obstacle", "desk_arm")
    task.start(world, np.random.default_rng(0))
    values = values_of(task, world)
    values["arm_end_effector"] = values["goal"]
    assert task.success(values, world.profile)
    values["post"] = np.array([0.23, 0.0, 0.01, np.sqrt(0.5), np.sqrt(0.5), 0.0, 0.0])
    assert not task.success(values, world.profile)
    assert task.reward(values, world.profile) == 0.0


def test_the_handover_needs_the_giver_to_let_go() -> None:
    task, world = world_of("handover", "desk_duo")
    direction = np.array([0.0, -1.0])
    baton = yaw_pose(0.0, 0.0, 0.10, float(np.arctan2(direction[1], direction[0])))
    give, take = task.grip_points({"baton": baton}, world.profile)  # type: ignore[attr-defined]
    assert give[1] > 0.04
    assert take[1] < -0.04
    values = {"baton": baton, "left_end_effector": give, "right_end_effector": take}
    assert not task.success(values, world.profile)
    values["left_end_effector"] = give + np.array([0.0, 0.0, 0.06])
    assert task.success(values, world.profile)
    values["baton"] = yaw_pose(0.0, 0.0, 0.02, -np.pi / 2)
    assert not task.success(values, world.profile)


def test_poses_can_be_given_at_reset() -> None:
    env = RobotEnv("desk_arm", "lift")
    pose = yaw_pose(0.2, 0.05, 0.0175, 0.4)
    observation, _ = env.reset(seed=3, options={"poses": {"cube": pose}})
    np.testing.assert_allclose(observation["cube"], pose, atol=1e-6)
    with pytest.raises(ConfigurationError, match="unknown object 'cub'; did you mean 'cube'"):
        env.reset(seed=3, options={"poses": {"cub": pose}})


def test_yaw_and_upright_are_read_from_quaternions() -> None:
    yaws = np.linspace(-3.0, 3.0, 13)
    poses = np.stack([yaw_pose(0.0, 0.0, 0.0, yaw) for yaw in yaws])
    np.testing.assert_allclose(yaw_of(poses), yaws, atol=1e-12)
    np.testing.assert_allclose(up_axis_z(poses), 1.0)
    assert up_axis_z(np.array([0, 0, 0, 0, 1.0, 0, 0])) == pytest.approx(-1.0)


@pytest.mark.parametrize(("robot", "name"), ARMS)
def test_the_arm_grasps_from_above_all_over_its_workspace(robot: str, name: str) -> None:
    profile = load_profile(robot)
    arm = profile.arm(name)
    kinematics = ArmKinematics(compile_robot(profile), arm)
    _, at_home = kinematics.forward(kinematics.home)
    np.testing.assert_allclose(at_home[:, 2], [0.0, 0.0, -1.0], atol=1e-4)
    down = np.empty(4)
    mujoco.mju_mat2Quat(down, at_home.ravel())
    low, high = np.array(arm.workspace.min_m), np.array(arm.workspace.max_m)
    for share in np.ndindex(3, 3, 3):
        target = low + np.array(share) / 2 * (high - low)
        joints = kinematics.home.copy()
        for _ in range(100):
            position, _ = kinematics.forward(joints)
            twist = np.concatenate([target - position, kinematics.rotation_to(down)])
            twist *= min(1.0, 0.1 / max(np.linalg.norm(twist), 1e-9))
            step = kinematics.joint_step(joints, twist)
            joints = np.clip(
                joints + step, kinematics.position_min + 0.05, kinematics.position_max - 0.05
            )
        position, _ = kinematics.forward(joints)
        assert np.linalg.norm(target - position) < 1e-3, target
        assert np.linalg.norm(kinematics.rotation_to(down)) < 5e-3, target


@pytest.mark.parametrize("robot", ROBOTS)
def test_the_arm_holds_still_without_touching_itself(robot: str) -> None:
    world = World(compile_robot(load_profile(robot)), 50.0)
    home = world.profile.home
    for _ in range(50):
        world.apply(home)
        world.step()
    assert world.mj_data.ncon == 0
    np.testing.assert_allclose(world.joint_position, home, atol=1e-3)
    assert np.abs(world.joint_velocity).max() < 1e-3


@pytest.mark.parametrize("pose", ["here", [0.2, 0.0], {"x": 0.2}, [[0.2], [0.0, 0.1]]])
def test_a_refused_reset_changes_nothing(pose: object) -> None:
    env = RobotEnv(task="lift")
    env.reset(seed=3)
    env.step(env.profile.home + 0.1)
    before = env.world.save_state()
    with pytest.raises(ConfigurationError, match="the pose of 'cube' must be"):
        env.reset(seed=4, options={"poses": {"cube": pose}})
    np.testing.assert_array_equal(env.world.save_state(), before)
