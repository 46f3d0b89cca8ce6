"""Leaders whose encoders count other turns than the follower's, and leaders that jump."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from robot_learning.core.profile import RobotProfile
from robot_learning.core.profile_loader import load_profile
from robot_learning.core.resources import find_robot
from robot_learning.core.types import Observation
from robot_learning.teleop.device import OperatorEvent, TeleopContext, TeleopInput
from robot_learning.teleop.leader_arm import LeaderArm
from robot_learning.teleop.teleop_controller import DISENGAGED, TeleopController

TURN = 2.0 * math.pi
PERIOD_NS = 10_000_000
TRIGGER = "trigger"


def wrapped(angles: np.ndarray) -> np.ndarray:
    """What an encoder says that forgets its turns."""
    return (angles + math.pi) % TURN - math.pi


class Pair:
    """Leaders with the follower's own joints, and a follower that obeys at once."""

    def __init__(self, profile: RobotProfile, follower: np.ndarray | None = None) -> None:
        self.profile = profile
        self.follower = (profile.home if follower is None else follower).copy()
        self.device = LeaderArm(profile)
        self.device.open()
        self.controller, self.state = TeleopController(profile), DISENGAGED
        self.now_ns = 0
        self.said: TeleopInput | None = None

    def tick(
        self, leader: np.ndarray, *events: OperatorEvent, trigger: float = 0.0, period_ns=PERIOD_NS
    ) -> TeleopInput:
        """The leaders say that they are at `leader` (n,); the follower goes where it is told."""
        self.now_ns += period_ns
        for given in self.profile.leaders:
            names = [joint.leader for joint in given.joints]
            values = [leader[self.profile.joint_index(joint.follower)] for joint in given.joints]
            self.device.feed(given.arm, self.now_ns, [*names, TRIGGER], [*values, trigger])
        for event in events:
            self.device.handle(event)
        still = np.zeros_like(self.follower)
        context = TeleopContext(Observation(self.now_ns, self.follower, still, still))
        self.said = self.device.poll(self.now_ns, context)
        self.state, command = self.controller.step(self.state, self.said, context, 0.01)
        if command.position is not None:
            self.follower = command.position
        return self.said

    def run(self, leader: np.ndarray, ticks: int = 400, **given: Any) -> TeleopInput:
        for _ in range(ticks):
            self.tick(leader, **given)
        assert self.said is not None
        return self.said


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., RobotProfile]:
    """A shipped profile with leaders; `joints` changes joints by name."""

    def read(robot: str = "desk_arm", **joints: dict[str, Any]) -> RobotProfile:
        values = yaml.safe_load(find_robot(robot).read_text(encoding="utf-8"))
        for joint in values["joints"]:
            change = joints.get(joint["name"], {})
            if "continuous" in change:
                del joint["position_rad"]
            joint.update(change)
        values["leaders"] = [
            {
                "arm": arm["name"],
                "topic": f"{arm['name']}_leader/joint_states",
                "joints": [{"leader": f"l_{name}", "follower": name} for name in arm["joints"]],
                "gripper": {"leader": TRIGGER, "open": 0.0, "closed": 1.0},
            }
            for arm in values["arms"]
        ]
        real = {"kind": "ros2_control", "command_topic": "c", "command_type": "joint_trajectory"}
        values["interfaces"] = {"real": real}
        path = tmp_path / "robot.yaml"
        path.write_text(yaml.safe_dump(values), encoding="utf-8")
        return load_profile(path)

    return read


ARM_JOINTS = range(6)
WIDE = {"position_rad": [-6.2, 6.2]}
ENDLESS = {"continuous": True}


@pytest.mark.parametrize("event", [OperatorEvent.TAKE_OVER, OperatorEvent.ALIGN])
@pytest.mark.parametrize("joint", ARM_JOINTS)
@pytest.mark.parametrize("turns", [-2, 1, 3])
def test_arms_that_stand_alike_stay_where_they_are(
    make: Callable[..., RobotProfile], joint: int, turns: int, event: OperatorEvent
) -> None:
    pair = Pair(make())
    leader = pair.profile.home.copy()
    leader[joint] += TURN * turns
    assert pair.tick(leader, event).engaged
    pair.run(leader, 100)
    assert pair.said is not None and pair.said.engaged
    assert pair.follower[:6] == pytest.approx(pair.profile.home[:6])


@pytest.mark.parametrize("joint", ARM_JOINTS)
@pytest.mark.parametrize("turns", [-2, 1, 3])
def test_aligning_takes_the_turn_within_the_limits(
    make: Callable[..., RobotProfile], joint: int, turns: int
) -> None:
    pair = Pair(make())
    meant = pair.profile.home.copy()
    meant[joint] = pair.profile.position_max[joint] - 0.02  # near the limit, too
    leader = meant.copy()
    leader[joint] += TURN * turns
    pair.tick(leader, OperatorEvent.ALIGN)
    pair.run(leader, 1000)
    assert pair.said is not None and pair.said.engaged and not pair.said.notes
    assert pair.follower[joint] == pytest.approx(meant[joint])


@pytest.mark.parametrize("event", [OperatorEvent.TAKE_OVER, OperatorEvent.ALIGN])
def test_a_leader_in_no_turn_within_the_limits_is_refused(
    make: Callable[..., RobotProfile], event: OperatorEvent
) -> None:
    pair = Pair(make())
    leader = pair.profile.home.copy()
    leader[0] = 2.6
    said = pair.tick(leader, event)
    assert not said.engaged
    text = "'l_shoulder_pan': shoulder_pan at 2.60 lies in no turn within [-1.9, 1.9]"
    assert said.notes == (f"not engaged: {text}",)
    np.testing.assert_array_equal(pair.follower, pair.profile.home)


def test_a_leader_a_little_beyond_the_limits_ends_its_aligning(
    make: Callable[..., RobotProfile],
) -> None:
    pair = Pair(make())
    leader = pair.profile.home.copy()
    leader[0] = 2.1
    pair.tick(leader, OperatorEvent.ALIGN)
    assert pair.run(leader, 600).notes == ()
    assert pair.follower[0] == pytest.approx(1.9)


@pytest.mark.parametrize("turns", [-2, 0, 1, 3])
def test_a_wide_joint_takes_the_turn_beside_the_follower(
    make: Callable[..., RobotProfile], turns: int
) -> None:
    profile = make(shoulder_pan=WIDE)
    home = profile.home.copy()
    home[0] = 3.05
    pair = Pair(profile, home)
    leader = home.copy()
    leader[0] += TURN * turns
    assert pair.tick(leader, OperatorEvent.TAKE_OVER).engaged
    pair.run(leader, 50)
    assert pair.follower[0] == pytest.approx(3.05)


def test_two_turns_equally_near_are_refused(make: Callable[..., RobotProfile]) -> None:
    pair = Pair(make(shoulder_pan=WIDE))
    leader = pair.profile.home.copy()
    leader[0] = 3.1
    said = pair.tick(leader, OperatorEvent.ALIGN)
    assert not said.engaged
    assert (
        "which may mean -3.18 and 3.10 within [-6.2, 6.2]: its turn is not clear" in said.notes[0]
    )


@pytest.mark.parametrize("change", [WIDE, ENDLESS])
@pytest.mark.parametrize(("start", "way"), [(3.05, 0.2), (3.05, 2.0), (-3.05, -0.2), (-3.0, -2.5)])
def test_a_leader_that_crosses_half_a_turn_moves_the_follower_as_far(
    make: Callable[..., RobotProfile], change: dict[str, Any], start: float, way: float
) -> None:
    profile = make(shoulder_pan=change)
    leader = profile.home.copy()
    leader[0] = start
    pair = Pair(profile, leader)
    pair.tick(wrapped(leader), OperatorEvent.TAKE_OVER)
    for moved in np.linspace(0.0, way, 100):
        leader[0] = start + moved
        pair.tick(wrapped(leader))
    assert pair.run(wrapped(leader), 100).engaged
    assert pair.follower[0] - start == pytest.approx(way)


def test_an_endless_joint_is_not_unwound(make: Callable[..., RobotProfile]) -> None:
    profile = make(wrist_roll=ENDLESS)
    follower = profile.home.copy()
    follower[5] = 3 * TURN + 0.1
    pair = Pair(profile, follower)
    leader = profile.home.copy()
    pair.tick(leader, OperatorEvent.ALIGN)
    pair.run(leader, 200)
    assert pair.follower[5] == pytest.approx(3 * TURN)


@pytest.mark.parametrize("jump", [0.4, -0.5, 1.5, -1.5, 3.0, TURN - 0.6])
@pytest.mark.parametrize("joint", ARM_JOINTS)
def test_a_jump_lets_go_and_names_the_joint(
    make: Callable[..., RobotProfile], joint: int, jump: float
) -> None:
    pair = Pair(make())
    leader = pair.profile.home.copy()
    pair.tick(leader, OperatorEvent.TAKE_OVER)
    pair.run(leader, 20)
    before = pair.follower
    leader[joint] += jump
    said = pair.tick(leader)
    assert not said.engaged
    name = pair.profile.joint_names[joint]
    assert f"released: {name}: the leader's 'l_{name}' jumped by" in said.notes[0]
    assert not pair.run(leader, 50).engaged
    np.testing.assert_array_equal(pair.follower, before)
    # Engaging anew needs the two close.
    if abs(jump) < 1.0:
        assert "align first" in pair.tick(leader, OperatorEvent.TAKE_OVER).notes[0]
    leader[joint] -= jump
    assert pair.tick(leader, OperatorEvent.TAKE_OVER).engaged


def test_a_jump_while_aligning_lets_go(make: Callable[..., RobotProfile]) -> None:
    pair = Pair(make())
    leader = pair.profile.home.copy()
    leader[1] += 0.8
    pair.tick(leader, OperatorEvent.ALIGN)
    pair.run(leader, 10)
    leader[1] -= 0.7
    assert not pair.tick(leader).engaged


def test_many_small_jumps_are_one(make: Callable[..., RobotProfile]) -> None:
    pair = Pair(make())
    leader = pair.profile.home.copy()
    pair.tick(leader, OperatorEvent.TAKE_OVER)
    for _ in range(10):  # 1.5 rad within 0.1 s
        leader[0] += 0.15
        pair.tick(leader)
    assert pair.said is not None and not pair.said.engaged
    assert pair.follower[0] < 0.2


def test_an_encoder_that_starts_again_a_turn_off_is_no_jump(
    make: Callable[..., RobotProfile],
) -> None:
    pair = Pair(make())
    leader = pair.profile.home.copy()
    pair.tick(leader, OperatorEvent.TAKE_OVER)
    leader[2] += TURN
    assert pair.run(leader, 50).engaged
    assert pair.follower[:6] == pytest.approx(pair.profile.home[:6])


@pytest.mark.parametrize("period_ns", [5_000_000, 10_000_000, 33_000_000, 100_000_000])
def test_a_quick_hand_and_a_quick_trigger_are_no_jumps(
    make: Callable[..., RobotProfile], period_ns: int
) -> None:
    pair = Pair(make())
    leader = pair.profile.home.copy()
    pair.tick(leader, OperatorEvent.TAKE_OVER)
    for moment in np.arange(0.0, 2.0, period_ns / 1e9):
        leader[0] = 1.2 * math.sin(6.0 * moment)  # up to 7 rad/s, twice what the follower can
        trigger = min(1.0, moment / 0.08)
        assert pair.tick(leader, trigger=trigger, period_ns=period_ns).engaged


def test_messages_that_come_in_bunches_are_no_jumps(make: Callable[..., RobotProfile]) -> None:
    pair = Pair(make())
    leader = pair.profile.home.copy()
    pair.tick(leader, OperatorEvent.TAKE_OVER)
    for period_ns in [28_000_000, 1_000_000, 1_000_000] * 8:
        leader[0] += 0.05  # 5 rad/s
        assert pair.tick(leader, period_ns=period_ns).engaged


@pytest.mark.parametrize("turns", [-2, 1, 3])
def test_the_trigger_may_count_other_turns(make: Callable[..., RobotProfile], turns: int) -> None:
    pair = Pair(make())
    home = pair.profile.home
    pair.tick(home, OperatorEvent.TAKE_OVER, trigger=0.5 + TURN * turns)
    pair.run(home, 100, trigger=0.5 + TURN * turns)
    gripper = pair.profile.arms[0].gripper
    assert gripper is not None
    assert pair.follower[6] == pytest.approx(0.5 * (gripper.open + gripper.closed))


def test_a_trigger_that_jumps_lets_go(make: Callable[..., RobotProfile]) -> None:
    pair = Pair(make())
    home = pair.profile.home
    pair.tick(home, OperatorEvent.TAKE_OVER)
    pair.run(home, 20)
    said = pair.tick(home, trigger=1.0)
    assert not said.engaged
    assert "released: gripper: the leader's 'trigger' jumped by" in said.notes[0]
    assert pair.follower[6] == pair.profile.home[6]


def test_a_trigger_half_a_turn_away_is_refused(make: Callable[..., RobotProfile]) -> None:
    pair = Pair(make())
    said = pair.tick(pair.profile.home, OperatorEvent.TAKE_OVER, trigger=3.6)
    assert not said.engaged
    assert (
        "'trigger' reads 3.60, half a turn away from 0 (open) to 1 (closed)" in said.health.reason
    )


@pytest.mark.parametrize("joint", [2, 9])
def test_two_leaders_let_go_together(make: Callable[..., RobotProfile], joint: int) -> None:
    pair = Pair(make("desk_duo"))
    leader = pair.profile.home.copy()
    leader[4] += TURN
    leader[11] -= 2 * TURN
    assert pair.tick(leader, OperatorEvent.TAKE_OVER).engaged
    pair.run(leader, 20)
    before = pair.follower
    arms = [index for arm in pair.profile.arms for index in pair.profile.joint_indices(arm.joints)]
    assert before[arms] == pytest.approx(pair.profile.home[arms])
    leader[joint] += 1.5
    said = pair.tick(leader)
    assert not said.engaged
    assert pair.profile.joint_names[joint] in said.notes[0]
    np.testing.assert_array_equal(pair.follower, before)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_not_finite_lets_go_and_is_named(
    make: Callable[..., RobotProfile], value: float
) -> None:
    pair = Pair(make())
    leader = pair.profile.home.copy()
    pair.tick(leader, OperatorEvent.TAKE_OVER)
    leader[3] = value
    said = pair.tick(leader)
    assert not said.engaged
    assert "not finite: l_wrist_flex" in said.health.reason


def test_a_follower_that_is_not_finite_is_not_engaged(make: Callable[..., RobotProfile]) -> None:
    pair = Pair(make())
    pair.follower[2] = math.nan
    said = pair.tick(pair.profile.home, OperatorEvent.TAKE_OVER)
    assert not said.engaged
    assert "not finite: elbow_flex" in said.health.reason
