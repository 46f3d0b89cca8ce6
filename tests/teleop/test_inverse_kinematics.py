"""Inverse kinematics of the shipped robots: what may never happen, and what must converge."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from robot_learning.core.profile import RobotProfile
from robot_learning.core.profile_loader import load_profile
from robot_learning.core.turns import TURN_RAD
from robot_learning.sim.model import compile_robot
from robot_learning.teleop.inverse_kinematics import InverseKinematics
from robot_learning.teleop.kinematics import Obstacle

DT_S = 0.02
ROBOTS = ("desk_arm", "bench_arm", "desk_duo")


class Robot:
    def __init__(self, name: str) -> None:
        self.profile: RobotProfile = load_profile(name)
        model = compile_robot(self.profile)
        self.kinematics = InverseKinematics(
            model.mj_model, self.profile, model.qpos_addresses, model.dof_addresses
        )

    def inside(self, poses: dict[str, np.ndarray]) -> bool:
        return all(
            (poses[arm.name][:3] > arm.workspace.min_m).all()
            and (poses[arm.name][:3] < arm.workspace.max_m).all()
            for arm in self.profile.arms
        )


_ROBOTS = {name: Robot(name) for name in ROBOTS}


@pytest.fixture(params=ROBOTS)
def robot(request: pytest.FixtureRequest) -> Robot:
    return _ROBOTS[request.param]


def test_reachable_targets_are_met(robot: Robot) -> None:
    rng = np.random.default_rng(1)
    profile, kinematics = robot.profile, robot.kinematics
    met = 0
    while met < 10:
        joints = np.clip(
            profile.home + rng.uniform(-0.6, 0.6, len(profile.home)),
            profile.position_min,
            profile.position_max,
        )
        targets = kinematics.forward(joints)
        if not robot.inside(targets):
            continue
        position = profile.home
        for _ in range(250):
            solution = kinematics.solve(position, targets, DT_S)
            position = solution.position
        for outcome in solution.arms.values():
            assert outcome.position_error_m < 1e-3
            assert outcome.orientation_error_rad < 0.01
            assert not outcome.obstacles
        met += 1


finite = st.floats(-2.0, 2.0, allow_subnormal=False)
anything = st.floats(allow_nan=True, allow_infinity=True)


@settings(
    max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
@given(
    name=st.sampled_from(ROBOTS),
    share=st.floats(0.0, 1.0),
    target=hnp.arrays(float, 7, elements=finite | anything),
    dt_s=st.floats(1e-4, 0.1),
    seed=st.integers(0, 1000),
)
def test_no_target_and_no_start_makes_it_jump_or_leave_the_limits(
    name: str, share: float, target: np.ndarray, dt_s: float, seed: int
) -> None:
    """Targets far out of reach, not finite, or absurd; starts up to 0.3 outside of the limits."""
    profile, kinematics = _ROBOTS[name].profile, _ROBOTS[name].kinematics
    rng = np.random.default_rng(seed)
    low, high = profile.position_min - 0.3 * share, profile.position_max + 0.3 * share
    position = rng.uniform(low, high)
    arm = profile.arms[0].name
    for _ in range(3):
        solution = kinematics.solve(position, {arm: target}, dt_s)
        assert np.isfinite(solution.position).all()
        step = np.abs(solution.position - position)
        assert (step <= profile.velocity_max * dt_s * (1 + 1e-9) + 1e-12).all()
        outside = np.maximum(
            profile.position_min - solution.position, solution.position - profile.position_max
        )
        before = np.maximum(profile.position_min - position, position - profile.position_max)
        assert (outside <= np.maximum(before, 0.0) + 1e-9).all()
        others = [i for i, n in enumerate(profile.joint_names) if n not in profile.arms[0].joints]
        assert (solution.position[others] == position[others]).all()
        position = solution.position


def test_a_start_outside_of_the_limits_comes_back_at_a_bounded_speed() -> None:
    robot = _ROBOTS["bench_arm"]
    profile, kinematics = robot.profile, robot.kinematics
    position = profile.home.copy()
    index = profile.joint_index(profile.arms[0].joints[3])
    position[index] = profile.position_min[index] - 0.2
    arm = profile.arms[0].name
    target = kinematics.forward(profile.home)
    first = kinematics.solve(position, target, DT_S).position
    assert 0.0 < first[index] - position[index] <= profile.velocity_max[index] * DT_S
    for _ in range(200):
        solution = kinematics.solve(position, target, DT_S)
        position = solution.position
    assert position[index] >= profile.position_min[index]
    assert solution.arms[arm].position_error_m < 1e-3


@pytest.mark.parametrize("change", ["none", "far", "no quaternion"])
def test_wherever_it_starts_an_arm_is_inside_of_its_limits_after_4_s(
    robot: Robot, change: str
) -> None:
    """All joints at once start outside, by up to 0.3 of their range, whatever the target is."""
    profile, kinematics = robot.profile, robot.kinematics
    rng = np.random.default_rng(2)
    arms = list(profile.joint_indices([name for arm in profile.arms for name in arm.joints]))
    low, high = profile.position_min, profile.position_max
    for _ in range(5):
        position = rng.uniform(low, high)
        outside = rng.uniform(0.0, 0.3, len(arms)) * (high - low)[arms]
        position[arms] += rng.choice([-1, 1], len(arms)) * outside
        targets = kinematics.forward(rng.uniform(low, high))
        for pose in targets.values():
            pose[:3] *= 50.0 if change == "far" else 1.0
            pose[3:] *= 1e-9 if change == "no quaternion" else 1.0
        for _ in range(400):
            position = kinematics.solve(position, targets, DT_S).position
        assert (position >= low - 1e-6)[arms].all() and (position <= high + 1e-6)[arms].all()


def test_out_of_reach_settles_without_trembling_and_says_so(robot: Robot) -> None:
    """A target far beyond the arm's reach, with the workspace box opened for it."""
    profile, kinematics = robot.profile, robot.kinematics
    arm = profile.arms[0]
    chain = kinematics._chains[arm.name]
    box = chain.arm.workspace
    object.__setattr__(arm, "workspace", type(box)((-9.0,) * 3, (9.0,) * 3))
    try:
        target = kinematics.forward(profile.home)[arm.name]
        target[:3] += np.array([0.3, 0.2, 0.1]) * 5.0
        position, steps = profile.home, []
        for _ in range(600):
            solution = kinematics.solve(position, {arm.name: target}, DT_S)
            steps.append(solution.position - position)
            position = solution.position
    finally:
        object.__setattr__(arm, "workspace", box)
    obstacles = solution.arms[arm.name].obstacles
    assert obstacles & {Obstacle.SINGULAR, Obstacle.UNREACHABLE, Obstacle.JOINT_LIMIT}
    assert np.abs(steps[-50:]).max() < 2e-3, "it still moves"


def test_the_workspace_box_holds_and_is_reported(robot: Robot) -> None:
    profile, kinematics = robot.profile, robot.kinematics
    arm = profile.arms[0]
    position = profile.home
    start = kinematics.forward(position)[arm.name]
    target = start.copy()
    target[2] = arm.workspace.min_m[2] - 0.3
    lowest = start[2]
    for _ in range(300):
        solution = kinematics.solve(position, {arm.name: target}, DT_S)
        position = solution.position
        lowest = min(lowest, solution.arms[arm.name].pose[2])
    assert lowest > arm.workspace.min_m[2] - 2e-3
    assert Obstacle.WORKSPACE in solution.arms[arm.name].obstacles


def test_a_joint_limit_is_named() -> None:
    robot = _ROBOTS["bench_arm"]
    profile, kinematics = robot.profile, robot.kinematics
    arm = profile.arms[0]
    position = profile.home
    pose = kinematics.forward(position)[arm.name]
    named: set[str] = set()
    for step in range(400):
        turn = 0.02 * step
        spin = np.array([np.cos(turn / 2), 0.0, 0.0, np.sin(turn / 2)])
        from robot_learning.teleop.pose import multiply

        target = np.concatenate([pose[:3], multiply(spin, pose[3:])])
        outcome = (solution := kinematics.solve(position, {arm.name: target}, DT_S)).arms[arm.name]
        position = solution.position
        if Obstacle.JOINT_LIMIT in outcome.obstacles:
            named.update(outcome.joints)
    assert named
    assert named <= set(arm.joints)


def test_a_target_that_is_not_finite_holds_the_arm(robot: Robot) -> None:
    arm = robot.profile.arms[0].name
    target = np.full(7, np.nan)
    solution = robot.kinematics.solve(robot.profile.home, {arm: target}, DT_S)
    assert Obstacle.INVALID in solution.arms[arm].obstacles
    assert np.abs(solution.position - robot.profile.home).max() < 1e-6


def test_the_posture_unwinds_no_turns_of_an_endless_joint() -> None:
    profile = load_profile("bench_arm")
    model = compile_robot(profile)
    addresses = model.qpos_addresses, model.dof_addresses
    endless = [
        replace(joint, continuous=True, position_min=-np.inf, position_max=np.inf)
        if joint.name in ("joint1", "joint3", "joint5", "joint7")
        else joint
        for joint in profile.joints
    ]
    profile = replace(profile, joints=tuple(endless))
    kinematics = InverseKinematics(model.mj_model, profile, *addresses)
    start = profile.home + np.where(profile.position_min == -np.inf, 2 * TURN_RAD, 0.0)
    position, pose = start, kinematics.forward(start)
    for _ in range(100):
        position = kinematics.solve(position, pose, DT_S).position
    np.testing.assert_allclose(position, start, atol=1e-3)


def test_arms_without_a_target_stand_still(robot: Robot) -> None:
    home = robot.profile.home
    assert (robot.kinematics.solve(home, {}, DT_S).position == home).all()
