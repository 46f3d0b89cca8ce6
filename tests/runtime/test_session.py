from collections.abc import Callable

import numpy as np
import pytest

from robot_learning.control.arbiter import Arbiter
from robot_learning.control.noise import ActionNoise, isotropic_covariance
from robot_learning.control.requests import Request
from robot_learning.control.settings import arbiter_settings
from robot_learning.control.state import Decision, Demonstration
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.profile import RobotProfile
from robot_learning.core.types import Observation
from robot_learning.core.vocabulary import Mode
from robot_learning.robots.mujoco_robot import MujocoRobot
from robot_learning.runtime.function_source import FunctionSource
from robot_learning.runtime.session import Session, Subscriber
from robot_learning.runtime.trajectory_source import TrajectorySource

POLICY_DRIVES = (Request.ENABLE, Request.HAND_BACK)


class Log(Subscriber):
    """Keeps everything."""

    def __init__(self) -> None:
        self.seeds: list[int] = []
        self.observations: list[Observation] = []
        self.decisions: list[Decision] = []

    def on_reset(self, seed: int) -> None:
        self.seeds.append(seed)

    def on_step(self, observation: Observation, decision: Decision) -> None:
        self.observations.append(observation)
        self.decisions.append(decision)


@pytest.fixture
def arbiter(profile: RobotProfile) -> Arbiter:
    return Arbiter(arbiter_settings(profile, alignment="absolute"))


def test_an_expert_as_the_policy_solves_the_task(
    make_robot: Callable[[], MujocoRobot],
    make_expert_source: Callable[[], FunctionSource],
    arbiter: Arbiter,
) -> None:
    robot, log = make_robot(), Log()
    session = Session(robot, arbiter, policy=make_expert_source(), subscribers=[log])
    assert session.reset(3, requests=POLICY_DRIVES) == 3
    assert session.run(1000, until=robot.success)
    assert log.seeds == [3]
    assert {decision.mode for decision in log.decisions} == {Mode.POLICY}
    # Every control period is seen once, the solved state included.
    stamps_ns = np.array([observation.stamp_ns for observation in log.observations])
    assert set(np.diff(stamps_ns)) == {robot.period_ns}
    assert log.decisions[0].now.ros_ns == stamps_ns[0]


def test_a_run_repeats_bit_for_bit_from_its_seed(
    make_robot: Callable[[], MujocoRobot],
    make_expert_source: Callable[[], FunctionSource],
    arbiter: Arbiter,
    profile: RobotProfile,
) -> None:
    def applied(seed: int) -> np.ndarray:
        log = Log()
        session = Session(make_robot(), arbiter, human=make_expert_source(), subscribers=[log])
        noise = ActionNoise(isotropic_covariance(profile, 0.03), seed=5, hold_ticks=10)
        session.reset(seed, demonstration=Demonstration(0, noise))
        session.run(120)
        assert any(decision.noisy for decision in log.decisions)
        assert log.decisions[-1].mode is Mode.HUMAN
        return np.array([decision.applied for decision in log.decisions])

    first = applied(1)
    np.testing.assert_array_equal(first, applied(1))
    assert np.abs(first - applied(2)).max() > 1e-3


def test_the_human_takes_over_within_a_tick_and_may_hand_back(
    make_robot: Callable[[], MujocoRobot],
    make_expert_source: Callable[[], FunctionSource],
    arbiter: Arbiter,
    profile: RobotProfile,
) -> None:
    wanted = profile.home + 0.1
    engaged = False
    human = FunctionSource(lambda _: wanted if engaged else None, profile.joint_names)
    session = Session(make_robot(), arbiter, human=human, policy=make_expert_source())
    session.reset(1, requests=POLICY_DRIVES)
    session.run(20)
    assert session.step().decision.mode is Mode.POLICY
    engaged = True
    assert session.step().decision.mode is Mode.HUMAN
    engaged = False
    session.run(30)
    assert session.step().decision.mode is Mode.HOLD
    session.ask(Request.HAND_BACK)
    step = session.step()
    assert step.decision.mode is Mode.POLICY
    assert [response.accepted for response in step.decision.responses] == [True]


def test_without_enable_nothing_is_commanded(
    make_robot: Callable[[], MujocoRobot], make_expert_source, arbiter: Arbiter
) -> None:
    session = Session(make_robot(), arbiter, human=make_expert_source())
    session.reset(1, requests=())
    before = session.step()
    session.run(50)
    after = session.step()
    assert after.taken is None
    assert after.decision.mode is Mode.DISABLED
    joints = [step.observation.joint_position for step in (before, after)]
    np.testing.assert_allclose(*joints, atol=1e-3)


def test_a_refused_reset_leaves_the_running_episode(
    make_robot: Callable[[], MujocoRobot], make_expert_source, arbiter: Arbiter
) -> None:
    session = Session(make_robot(), arbiter, human=make_expert_source())
    session.reset(1)
    session.run(10)
    with pytest.raises(ConfigurationError, match="unknown reset option"):
        session.reset(2, {"pose": {}})
    assert (session.seed, session.episode) == (1, 0)
    assert session.step().decision.mode is Mode.HUMAN


def test_a_trajectory_is_followed_at_its_own_pace(
    make_robot: Callable[[], MujocoRobot], profile: RobotProfile
) -> None:
    # Slower rows than control periods: in between, the command goes in straight lines.
    times_ns = 123 + np.arange(40) * 20_000_000
    swing = 0.2 * (1 - np.cos(np.arange(40) / 39 * np.pi))
    rows = profile.home + swing[:, None] * np.r_[np.ones(3), np.zeros(len(profile.home) - 3)]
    source = TrajectorySource(times_ns, rows, profile.joint_names)
    log = Log()
    settings = arbiter_settings(profile, blend_s=0.01)
    session = Session(make_robot(), Arbiter(settings), policy=source, subscribers=[log])
    session.reset(0, requests=POLICY_DRIVES)
    session.run(80)
    meant = np.array([decision.policy for decision in log.decisions[:79]])
    np.testing.assert_allclose(meant[::2], rows, atol=1e-12)
    np.testing.assert_allclose(meant[1:-1:2], (rows[:-1] + rows[1:]) / 2, atol=1e-9)
    applied = np.array([decision.applied for decision in log.decisions])
    np.testing.assert_allclose(applied[78], rows[-1], atol=0.01)
