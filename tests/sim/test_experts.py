"""The scripted experts solve their tasks, from anywhere, by feedback alone."""

import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robot_learning.core.errors import ConfigurationError
from robot_learning.core.profile_loader import load_profile
from robot_learning.core.resources import find_robot
from robot_learning.core.types import Observation
from robot_learning.sim.env import RobotEnv
from robot_learning.sim.experts import EXPERTS, Expert, make_expert
from robot_learning.sim.experts.motion import down_quaternion, nearest_angle
from robot_learning.sim.experts.obstacle import ObstacleExpert
from robot_learning.sim.kinematics import ArmKinematics
from robot_learning.sim.model import compile_robot
from robot_learning.sim.observation import observation_dict
from robot_learning.sim.tasks import TASKS
from robot_learning.sim.tasks.layout import yaw_pose

SINGLE = [
    (task, robot)
    for task in ("reach", "lift", "push", "insertion", "obstacle")
    for robot in ("desk_arm", "bench_arm")
]
CASES = [*SINGLE, ("handover", "desk_duo")]


@cache
def env_and_expert(task: str, robot: str) -> tuple[RobotEnv, Expert]:
    env = RobotEnv(robot, task)
    return env, make_expert(task, env.profile)


def run(
    task: str, robot: str, seed: int, noise_rad: float = 0.0, **options: Any
) -> tuple[bool, list[dict[str, Any]]]:
    """One episode; whether it succeeded, and its observations."""
    env, expert = env_and_expert(task, robot)
    rng = np.random.default_rng(seed)
    observation, info = env.reset(seed=seed, options=options)
    expert.reset(seed)
    observations, noise, done, success = [observation], 0.0 * env.profile.home, False, False
    is_gripper = np.zeros(len(env.profile.joints), bool)
    is_gripper[
        [env.profile.joint_index(a.gripper.joint) for a in env.profile.arms if a.gripper]
    ] = True
    while not done:
        if len(observations) % 5 == 1:
            noise = np.where(is_gripper, 0.0, rng.normal(0.0, noise_rad, is_gripper.size))
        action = expert(observation, info) + noise
        observation, _, success, truncated, info = env.step(action.astype(np.float32))
        observations.append(observation)
        done = success or truncated
    return success, observations


SERVOS = """    servos:
      shoulder_pan: {stiffness: 100, damping: 5}
      shoulder_lift: {stiffness: 120, damping: 6}
      elbow_flex: {stiffness: 80, damping: 4}
      wrist_flex: {stiffness: 24, damping: 1.2}
      wrist_roll: {stiffness: 16, damping: 0.8}
"""


def five_joint_arm(folder: Path, *, takes_torque: bool) -> Path:
    """A user's arm of the SO-101's kind: a profile and an MJCF file with five joints and a jaw.

    Its wrist bends so little that high up the hand cannot point straight down.
    """
    source = find_robot("desk_arm").parent
    mjcf = (source / "desk_arm.xml").read_text(encoding="utf-8")
    profile = (source / "robot.yaml").read_text(encoding="utf-8")
    mjcf = re.sub(r' *<(joint|position) name="wrist_yaw".*/>\n', "", mjcf)
    profile = re.sub(r"  - {name: wrist_yaw,[^}]*}\n", "", profile).replace(" wrist_yaw,", "")
    profile = profile.replace("[-2.1, 2.1], home_rad: -0.32", "[-2.1, -0.25], home_rad: -0.32")
    profile = profile.replace("max: [0.32, 0.17, 0.17]", "max: [0.32, 0.17, 0.30]")
    if takes_torque:
        mjcf = re.sub(r"<position (name=.*) kp=.* forcerange=.*/>", r"<motor \1/>", mjcf)
        gripper = "      gripper: {stiffness: 800, damping: 25}\n"
        profile = profile.replace("desk_arm.xml\n", f"desk_arm.xml\n{SERVOS}{gripper}")
    (folder / "desk_arm.xml").write_text(mjcf, encoding="utf-8")
    (folder / "robot.yaml").write_text(profile, encoding="utf-8")
    return folder / "robot.yaml"


@pytest.mark.parametrize("takes_torque", [False, True])
def test_a_users_arm_with_five_joints_needs_a_profile_alone(
    takes_torque: bool, tmp_path: Path
) -> None:
    robot = five_joint_arm(tmp_path, takes_torque=takes_torque)
    profile = load_profile(robot)
    assert len(profile.arms[0].joints) == 5
    for task in ("reach", "lift", "push"):
        successes = [run(task, str(robot), seed)[0] for seed in range(4)]
        assert successes == [True] * 4, task


def test_where_the_hand_cannot_point_down_the_position_is_kept(tmp_path: Path) -> None:
    """Five joints: the orientation gives way, the target is still reached exactly."""
    profile = load_profile(five_joint_arm(tmp_path, takes_torque=False))
    arm = profile.arms[0]
    kinematics = ArmKinematics(compile_robot(profile), arm)
    joints, target = kinematics.home, np.array([0.24, 0.1, 0.22])
    for _ in range(100):
        position, _ = kinematics.forward(joints)
        turn = kinematics.rotation_to(down_quaternion(np.pi / 2))
        joints = joints + 0.3 * kinematics.joint_step(joints, np.append(target - position, turn))
        assert (joints >= kinematics.position_min - 1e-9).all()
        assert (joints <= kinematics.position_max + 1e-9).all()
    position, rotation = kinematics.forward(joints)
    assert np.arccos(-rotation[2, 2]) > 0.05
    np.testing.assert_allclose(position, target, atol=2e-3)


def test_a_redundant_arm_unwinds_no_turns_of_an_endless_joint() -> None:
    simulation = compile_robot(load_profile("bench_arm"))
    joints = list(simulation.profile.joints)
    joints[2] = replace(joints[2], continuous=True, position_min=-np.inf, position_max=np.inf)
    profile = replace(simulation.profile, joints=tuple(joints))
    kinematics = ArmKinematics(replace(simulation, profile=profile), profile.arms[0])
    turned = kinematics.home + 2 * np.pi * (np.arange(7) == 2)
    kinematics.forward(turned)
    np.testing.assert_allclose(kinematics.joint_step(turned, np.zeros(6)), 0.0, atol=1e-9)


def test_every_task_has_an_expert() -> None:
    assert set(EXPERTS) == set(TASKS)
    with pytest.raises(ConfigurationError, match="unknown expert for task 'lft'; did you mean"):
        make_expert("lft", load_profile("desk_arm"))
    with pytest.raises(ConfigurationError, match="needs 2 arms"):
        make_expert("handover", load_profile("bench_arm"))


@pytest.mark.parametrize(("task", "robot"), CASES)
def test_the_expert_succeeds(task: str, robot: str) -> None:
    assert [run(task, robot, seed)[0] for seed in range(100, 106)] == [True] * 6


@pytest.mark.parametrize(
    ("task", "robot"), [(task, robot) for task, robot in CASES if robot != "bench_arm"]
)
def test_the_expert_corrects_noise_on_its_actions(task: str, robot: str) -> None:
    successes = [run(task, robot, seed, noise_rad=0.01)[0] for seed in range(4)]
    assert sum(successes) >= 3


@pytest.mark.parametrize("task", ["lift", "push", "insertion"])
def test_the_expert_starts_from_other_postures(task: str) -> None:
    profile = load_profile("desk_arm")
    for seed in range(3):
        shift = np.random.default_rng(seed).normal(0.0, 0.15, 7) * [1, 1, 1, 1, 1, 1, 0]
        success, _ = run(task, "desk_arm", seed, joint_position=profile.home + shift)
        assert success, seed


def test_a_lift_takes_less_than_five_seconds() -> None:
    lengths = [len(run("lift", "desk_arm", seed)[1]) for seed in range(5)]
    assert max(lengths) < 5 * 50


def test_the_action_is_a_function_of_the_observation_alone() -> None:
    _, expert = env_and_expert("lift", "desk_arm")
    _, observations = run("lift", "desk_arm", 0)
    forwards = [expert(observation) for observation in observations]
    backwards = [expert(observation) for observation in observations[::-1]][::-1]
    np.testing.assert_array_equal(forwards, backwards)


def test_actions_stay_within_limits_and_move_gently() -> None:
    for task, robot in (("push", "desk_arm"), ("insertion", "bench_arm")):
        env, expert = env_and_expert(task, robot)
        _, observations = run(task, robot, 1)
        actions = np.array([expert(observation) for observation in observations])
        profile = env.profile
        assert (actions >= profile.position_min).all()
        assert (actions <= profile.position_max).all()
        velocity = np.abs(np.diff(actions, axis=0)) * 50.0 / profile.velocity_max
        arm = profile.joint_indices(profile.arms[0].joints)
        assert np.percentile(velocity[:, arm], 95) < 0.8
        measured = np.array([observation["joint_velocity"] for observation in observations])
        assert (np.abs(measured[:, arm]) < profile.velocity_max[arm]).all()


def test_the_cube_is_grasped_again_after_it_was_taken_away() -> None:
    env, expert = env_and_expert("lift", "desk_arm")
    observation, _ = env.reset(seed=4)
    for _ in range(60):
        observation, _, success, _, _ = env.step(expert(observation).astype(np.float32))
    assert not success
    env.world.set_pose("cube", yaw_pose(0.28, -0.10, 0.0175))
    for _ in range(250):
        observation, _, success, _, _ = env.step(expert(observation).astype(np.float32))
        if success:
            break
    assert success


def test_the_obstacle_is_passed_on_either_side_equally_often() -> None:
    expert = make_expert("obstacle", load_profile("desk_arm"))
    assert isinstance(expert, ObstacleExpert)
    sides = []
    for seed in range(400):
        expert.reset(seed)
        sides.append(expert.side)
    assert 160 <= sides.count(1) <= 240
    assert sides.count(1) + sides.count(-1) == 400


def test_the_scene_does_not_tell_which_side_the_obstacle_expert_takes() -> None:
    """Scene and expert share an episode's seed; a policy must not read the side off the scene."""
    env, expert = env_and_expert("obstacle", "desk_arm")
    sides, scenes = [], []
    for seed in range(300):
        observation, _ = env.reset(seed=seed)
        expert.reset(seed)
        sides.append(expert.side)
        scenes.append([*observation["post"][:2], *observation["goal"][:2]])
    correlations = np.corrcoef(np.column_stack([sides, scenes]), rowvar=False)[0, 1:]
    assert np.abs(correlations).max() < 0.2, correlations


@pytest.mark.parametrize("seed", [0, 2])
def test_the_obstacle_expert_keeps_its_side(seed: int) -> None:
    _, expert = env_and_expert("obstacle", "desk_arm")
    success, observations = run("obstacle", "desk_arm", seed)
    assert success
    assert isinstance(expert, ObstacleExpert)
    beside = np.array([o["arm_end_effector"][1] - o["post"][1] for o in observations])
    assert (beside * expert.side).max() > 0.05
    assert (beside * expert.side).min() > -0.015


def test_on_a_side_the_obstacle_expert_ignores_its_coin() -> None:
    _, expert = env_and_expert("obstacle", "desk_arm")
    assert isinstance(expert, ObstacleExpert)
    _, observations = run("obstacle", "desk_arm", 2)
    beside = [o["arm_end_effector"][1] - o["post"][1] for o in observations]
    index = int(np.argmax(np.abs(beside)))
    before = expert(observations[index])
    expert.side = -expert.side
    np.testing.assert_array_equal(expert(observations[index]), before)


def test_the_idle_arm_rests() -> None:
    success, observations = run("lift", "desk_duo", 0)
    assert success
    env, _ = env_and_expert("lift", "desk_duo")
    right = env.profile.joint_indices(env.profile.arm("right").joints)
    positions = np.array([observation["joint_position"][right] for observation in observations])
    np.testing.assert_allclose(positions, env.profile.home[right] + 0 * positions, atol=5e-3)


def test_the_expert_reads_a_robots_observation_too() -> None:
    env, expert = env_and_expert("lift", "desk_arm")
    env.reset(seed=0)
    world = env.world
    observation = Observation(
        stamp_ns=0,
        joint_position=world.joint_position,
        joint_velocity=world.joint_velocity,
        joint_effort=world.joint_effort,
        poses=world.poses(),
    )
    action = expert(observation_dict(observation))
    assert action.shape == (7,)
    assert action.dtype == np.float64


def test_angles_are_brought_near() -> None:
    assert nearest_angle(0.1, 0.0, np.pi) == pytest.approx(0.1)
    assert nearest_angle(3.0, 0.0, np.pi) == pytest.approx(3.0 - np.pi)
    assert nearest_angle(0.1, 1.5, np.pi / 2) == pytest.approx(0.1 + np.pi / 2)
    for closing in (-2.0, 0.0, 1.2):
        w, x, y, z = down_quaternion(closing)
        fingers = [2 * (x * y - w * z), 1 - 2 * (x * x + z * z), 2 * (y * z + w * x)]
        np.testing.assert_allclose(fingers, [np.cos(closing), np.sin(closing), 0.0], atol=1e-12)
