"""Every subscriber of joint states means the same turns: those that `core.turns` counts."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sensor_msgs.msg import JointState

from robot_learning.core.profile import RobotProfile
from robot_learning.core.profile_loader import load_profile
from robot_learning.core.turns import TurnCounter, TurnRules, counted
from robot_learning.ros.common import conversions
from robot_learning.ros.policy.inputs import ArmInputs
from robot_learning.ros.teleop.inputs import TeleopInputs
from robot_learning.ros.teleop.observation_input import ObservationInput
from robot_learning.serving.compatibility import Sources
from robot_learning.teleop.device import TeleopContext, TeleopDevice, TeleopInput

ROLL, TURN = 5, 2.0 * math.pi


@pytest.fixture(scope="module")
def profile() -> RobotProfile:
    base = load_profile("desk_arm")
    joints = list(base.joints)
    limits = {"position_min": -math.inf, "position_max": math.inf}
    joints[ROLL] = replace(joints[ROLL], continuous=True, **limits)
    return replace(base, joints=tuple(joints))


class Topics:
    """A node's subscriptions, without a graph."""

    def __init__(self) -> None:
        self.handlers: dict[str, Callable[[Any], None]] = {}

    def create_subscription(
        self, _kind: type, topic: str, callback: Callable[[Any], None], qos_profile: Any
    ) -> str:
        self.handlers[topic] = callback
        return topic


class Clock:
    def now_ns(self) -> int:
        return 0


class Idle(TeleopDevice):
    """A device that nobody touches."""

    def open(self) -> None: ...

    def close(self) -> None: ...

    def poll(self, now_ns: int, context: TeleopContext) -> TeleopInput:
        return TeleopInput(now_ns, False)

    def describe(self) -> str:
        return ""


def message(profile: RobotProfile, position: np.ndarray, stamp_ns: int) -> JointState:
    joints = JointState(name=list(profile.joint_names), position=position.tolist())
    joints.header.stamp = conversions.time_message(stamp_ns)
    return joints


@pytest.fixture
def readings(profile: RobotProfile) -> np.ndarray:
    """(200, n): the wrist turns round and round; the base's encoder began a turn off."""
    rows = np.tile(profile.home, (200, 1))
    rows[:, ROLL] = (np.linspace(0.0, 20.0, 200) + math.pi) % TURN - math.pi
    rows[:, 0] += TURN + np.linspace(0.0, 1.0, 200)
    return rows


def observer(profile: RobotProfile, topics: Topics, found: list[np.ndarray]) -> None:
    ObservationInput(
        topics,
        TurnCounter(TurnRules.of(profile)),
        (),
        lambda seen: found.append(seen.joint_position),
    )


def policy(profile: RobotProfile, topics: Topics, found: list[np.ndarray]) -> None:
    ArmInputs(
        topics,
        "",
        profile,
        Sources({"obs/joint_position": "joint_position"}, {}, {}),
        on_sample=lambda _key, _stamp, value: found.append(value),
        on_complete=lambda _stamp: None,
        on_image=lambda: None,
    )


def teleop(profile: RobotProfile, topics: Topics, found: list[np.ndarray]) -> None:
    inputs = TeleopInputs(topics, profile, Idle(), Clock())
    handler = topics.handlers["joint_states"]

    def noted(joints: JointState) -> None:
        handler(joints)
        seen = inputs.context(0).observation
        assert seen is not None
        found.append(seen.joint_position)

    topics.handlers["joint_states"] = noted


@pytest.mark.parametrize("subscriber", [observer, policy, teleop])
def test_subscribers_agree_on_turns(
    profile: RobotProfile, readings: np.ndarray, subscriber: Callable[..., None]
) -> None:
    topics, found = Topics(), []
    subscriber(profile, topics, found)
    for tick, reading in enumerate(readings):
        topics.handlers["joint_states"](message(profile, reading, tick))
    expected = counted(TurnRules.of(profile), readings)
    np.testing.assert_array_equal(np.array(found), expected)
    assert found[-1][ROLL] == pytest.approx(20.0)
    assert found[-1][0] == pytest.approx(1.0)


def test_the_command_in_force_is_seen_in_the_turns_of_the_joints(
    profile: RobotProfile, readings: np.ndarray
) -> None:
    topics = Topics()
    inputs = TeleopInputs(topics, profile, Idle(), Clock())
    for tick, reading in enumerate(readings):
        topics.handlers["joint_states"](message(profile, reading, tick))
    applied = profile.home.copy()
    applied[ROLL] = 20.1 - 3 * TURN
    topics.handlers["arbiter/applied"](message(profile, applied, 200))
    command = inputs.context(0).applied
    assert command is not None
    assert command[ROLL] == pytest.approx(20.1)


def test_a_policy_that_forgets_counts_from_home(
    profile: RobotProfile, readings: np.ndarray
) -> None:
    topics, found = Topics(), []
    inputs = ArmInputs(
        topics,
        "",
        profile,
        Sources({"obs/joint_position": "joint_position"}, {}, {}),
        on_sample=lambda _key, _stamp, value: found.append(value),
        on_complete=lambda _stamp: None,
        on_image=lambda: None,
    )
    for tick, reading in enumerate(readings):
        topics.handlers["joint_states"](message(profile, reading, tick))
    inputs.restart()
    topics.handlers["joint_states"](message(profile, readings[-1], 200))
    assert found[-1][ROLL] == pytest.approx(20.0 - 3 * TURN)
