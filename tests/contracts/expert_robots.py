"""Fixtures: connected simulated robots, and sources that act as the task's expert."""

from collections.abc import Callable, Iterator

import pytest

from robot_learning.core.profile import RobotProfile
from robot_learning.core.profile_loader import load_profile
from robot_learning.core.types import FloatArray, Observation
from robot_learning.robots.mujoco_robot import MujocoRobot
from robot_learning.runtime.function_source import FunctionSource
from robot_learning.sim.experts import make_expert
from robot_learning.sim.observation import observation_dict
from robot_learning.sim.tasks import make_task


@pytest.fixture(scope="session")
def profile() -> RobotProfile:
    return load_profile("desk_arm")


@pytest.fixture
def make_robot(profile: RobotProfile) -> Iterator[Callable[[], MujocoRobot]]:
    """Makes connected robots in the lift task, that are disconnected in the end."""
    robots = []

    def make() -> MujocoRobot:
        robot = MujocoRobot(profile, make_task("lift"))
        robots.append(robot)
        robot.connect()
        return robot

    yield make
    for robot in robots:
        robot.disconnect()


@pytest.fixture
def make_expert_source(profile: RobotProfile) -> Callable[[], FunctionSource]:
    """Makes sources that act as the task's expert at 50 Hz."""

    def make() -> FunctionSource:
        expert = make_expert("lift", profile)

        def act(observation: Observation) -> FloatArray:
            return expert(observation_dict(observation))

        return FunctionSource(act, profile.joint_names, 50.0, expert.reset)

    return make
