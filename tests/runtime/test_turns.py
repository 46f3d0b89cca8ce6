"""Sessions and replays of a robot whose driver forgets its turns."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from robot_learning.control.arbiter import Arbiter
from robot_learning.control.requests import Request
from robot_learning.control.settings import arbiter_settings
from robot_learning.control.state import Decision
from robot_learning.core.profile import RobotProfile
from robot_learning.core.turns import TurnRules
from robot_learning.core.types import Command, Observation
from robot_learning.core.vocabulary import Mode
from robot_learning.runtime.replay import Recording, approach, deviation, replay
from robot_learning.runtime.session import Session, Subscriber
from robot_learning.runtime.trajectory_source import TrajectorySource

ROLL, TURN = 5, 2.0 * math.pi
PERIOD_NS = 10_000_000


@pytest.fixture
def endless(profile: RobotProfile) -> RobotProfile:
    joints = list(profile.joints)
    limits = {"position_min": -math.inf, "position_max": math.inf}
    joints[ROLL] = replace(joints[ROLL], continuous=True, **limits)
    return replace(profile, joints=tuple(joints))


class WrappingRobot:
    """It obeys at once, counts turns when it is commanded, and reports none."""

    def __init__(self, profile: RobotProfile, start: float = 0.0) -> None:
        self.profile, self.start = profile, start
        self.now_ns = 0
        self.position = profile.home.copy()

    def reset(self, seed: int | None = None, options: Any = None) -> int:
        self.position = self.profile.home.copy()
        self.position[ROLL] = self.start
        return seed or 0

    def observe(self) -> Observation:
        reading = self.position.copy()
        reading[ROLL] = (reading[ROLL] + math.pi) % TURN - math.pi
        still = np.zeros_like(reading)
        return Observation(self.now_ns, reading, still, still)

    def apply(self, command: Command) -> Command:
        self.position = command.position.copy()
        return command

    def advance(self) -> None:
        self.now_ns += PERIOD_NS


class Log(Subscriber):
    def __init__(self) -> None:
        self.joints: list[np.ndarray] = []
        self.decisions: list[Decision] = []

    def on_step(self, observation: Observation, decision: Decision) -> None:
        self.joints.append(observation.joint_position)
        self.decisions.append(decision)


def spin(profile: RobotProfile, start: float, way: float) -> Recording:
    times_ns = np.arange(600) * PERIOD_NS
    rows = np.tile(profile.home, (600, 1))
    rows[:, ROLL] = start + np.linspace(0.0, way, 600)
    return Recording(profile.joint_names, times_ns, rows, times_ns, rows, 0)


def test_subscribers_and_arbiter_see_the_same_turns(endless: RobotProfile) -> None:
    recording, log = spin(endless, 0.0, 10.0), Log()
    source = TrajectorySource(recording.times_ns, recording.positions, endless.joint_names)
    robot = WrappingRobot(endless)
    session = Session(robot, Arbiter(arbiter_settings(endless)), policy=source, subscribers=[log])
    session.reset(0, requests=(Request.ENABLE, Request.HAND_BACK))
    session.run(600)
    joints = np.array(log.joints)[:, ROLL]
    assert log.decisions[-1].mode is Mode.POLICY
    assert np.abs(np.diff(joints)).max() < 0.1
    assert joints[-1] == pytest.approx(10.0, abs=0.1)
    assert log.decisions[-1].applied[ROLL] == pytest.approx(10.0, abs=0.1)
    assert session.state.measured is not None
    np.testing.assert_array_equal(session.state.measured.position, log.joints[-1])


def test_a_replay_follows_a_joint_round_and_round(endless: RobotProfile) -> None:
    result = replay(spin(endless, 3.0, 8.0), WrappingRobot(endless, start=3.0), {})
    assert result.largest.max() < 0.05
    assert set(result.modes) == {"POLICY"}


@pytest.mark.parametrize("turns", [-2, 1, 3])
def test_the_way_to_a_recording_is_the_shorter_way_round(endless: RobotProfile, turns: int) -> None:
    recording = spin(endless, 0.2, 1.0)
    start = endless.home.copy()
    start[ROLL] = 0.1 + TURN * turns
    _, positions, _ = approach(recording, start, endless, 0.2)
    assert np.ptp(positions[:, ROLL]) == pytest.approx(1.1)
    assert positions[-1, ROLL] == pytest.approx(1.2 + TURN * turns)
    # A joint with limits goes all the way: its turns are different places.
    other = endless.home.copy()
    other[0] = 1.5
    assert np.ptp(approach(recording, other, endless, 0.2)[1][:, 0]) == pytest.approx(1.5)


def test_turns_are_no_deviation_of_an_endless_joint_alone(endless: RobotProfile) -> None:
    recording = spin(endless, 0.0, 1.0)
    measured = recording.positions.copy()
    measured[:, ROLL] += 2 * TURN
    rules = TurnRules.of(endless)
    assert deviation(recording, recording.times_ns, measured, rules).largest.max() < 1e-9
    measured[:, 0] += TURN
    result = deviation(recording, recording.times_ns, measured, rules)
    assert result.largest[0] == pytest.approx(TURN)
