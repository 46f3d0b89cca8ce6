"""Leader arms: mapping by name, refusing to engage from afar, aligning slowly."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from device_contract import PERIOD_NS, DeviceContract, context_at

from robot_learning.core.errors import ConfigurationError, ProfileError
from robot_learning.core.profile import RobotProfile
from robot_learning.core.profile_loader import load_profile
from robot_learning.core.resources import find_robot
from robot_learning.teleop.device import OperatorEvent, TeleopContext
from robot_learning.teleop.devices import make_device
from robot_learning.teleop.leader_arm import LeaderArm
from robot_learning.teleop.teleop_controller import DISENGAGED, Speeds, TeleopController


def profile_with_leaders(robot: str, folder: Path, change: Callable[[list], None] = list) -> Path:
    """A copy of a shipped profile with one leader an arm; every second joint is turned round."""
    source = find_robot(robot)
    values = yaml.safe_load(source.read_text(encoding="utf-8"))
    leaders = []
    for arm in values["arms"]:
        joints = [
            {
                "leader": f"lead_{name}",
                "follower": name,
                "sign": -1 if index % 2 else 1,
                "offset_rad": 0.1 * index,
            }
            for index, name in enumerate(arm["joints"])
        ]
        leader = {"arm": arm["name"], "topic": f"{arm['name']}_leader/joint_states"}
        gripper = {"leader": "lead_trigger", "open": 1.0, "closed": 0.2}
        leaders.append({**leader, "joints": joints, "gripper": gripper})
    change(leaders)
    values["leaders"] = leaders
    sim = values["interfaces"]["sim"]
    sim["mjcf"] = str(source.parent / sim["mjcf"])
    path = folder / "robot.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


class Leader:
    """Leaders that stand where the follower is wanted, and a follower that obeys."""

    def __init__(self, profile: RobotProfile) -> None:
        self.profile = profile
        self.device = LeaderArm(profile)
        self.device.open()
        self.at = profile.home.copy()
        self.trigger = 1.0
        self.now_ns = 0
        self.follower = profile.home.copy()

    def feed(self, now_ns: int) -> None:
        for leader in self.profile.leaders:
            names, positions = [], []
            for joint in reversed(leader.joints):
                wanted = self.at[self.profile.joint_index(joint.follower)]
                names.append(joint.leader)
                positions.append((wanted - joint.offset) / joint.sign)
            self.device.feed(
                leader.arm, now_ns, [*names, "lead_trigger"], [*positions, self.trigger]
            )

    def tick(self, *events: OperatorEvent):
        self.now_ns += PERIOD_NS
        self.feed(self.now_ns)
        for event in events:
            self.device.handle(event)
        return self.device.poll(self.now_ns, context_at(self.follower))


@pytest.fixture
def leader(tmp_path: Path) -> Leader:
    return Leader(load_profile(profile_with_leaders("desk_arm", tmp_path)))


class TestContract(DeviceContract):
    @pytest.fixture
    def device(self, leader: Leader) -> LeaderArm:
        return leader.device

    @pytest.fixture
    def engage(self, leader: Leader) -> Callable[[int], None]:
        asked: list[int] = []

        def engage(now_ns: int) -> None:
            leader.feed(now_ns)
            if not asked:
                leader.device.handle(OperatorEvent.TAKE_OVER)
            asked.append(now_ns)

        return engage

    @pytest.fixture
    def lose(self) -> Callable[[], None]:
        return lambda: None  # nothing is fed any more


def test_the_follower_is_mapped_by_name_sign_and_offset(leader: Leader) -> None:
    leader.at[:6] += np.linspace(-0.2, 0.2, 6)
    leader.trigger = 0.6
    wanted = leader.tick(OperatorEvent.TAKE_OVER)
    assert wanted.engaged
    target = wanted.motions[0].position
    assert target[:6] == pytest.approx(leader.at[:6])
    gripper = leader.profile.arms[0].gripper
    assert target[6] == pytest.approx((gripper.open + gripper.closed) / 2)


def test_it_refuses_from_afar_and_names_the_joint_and_the_gap(leader: Leader) -> None:
    leader.at[2] += 0.52
    wanted = leader.tick(OperatorEvent.TAKE_OVER)
    assert not wanted.engaged
    name = leader.profile.joint_names[2]
    assert wanted.notes == (f"not engaged, align first: {name} off by 0.52 (limit 0.3)",)


def test_the_gripper_does_not_keep_it_from_engaging(leader: Leader) -> None:
    leader.trigger = 0.2
    assert leader.tick(OperatorEvent.TAKE_OVER).engaged


def test_aligning_is_slow_and_bounded_and_then_follows(leader: Leader) -> None:
    profile = leader.profile
    leader.at[:3] += (0.5, -0.4, 0.3)
    controller, state = TeleopController(profile), DISENGAGED
    intent = leader.tick(OperatorEvent.ALIGN)
    assert intent.notes == ("aligning",)
    fastest, ticks = 0.0, 0
    while intent.motions[0].slow:
        before = leader.follower
        state, command = controller.step(state, intent, context_at(before), 0.02)
        leader.follower = command.position
        arm = profile.joint_indices(profile.arms[0].joints)
        speed = np.abs(command.position - before)[arm] / 0.02 / profile.velocity_max[arm]
        fastest = max(fastest, speed.max())
        ticks += 1
        assert ticks < 1000
        intent = leader.tick()
    assert intent.engaged
    assert fastest <= Speeds().home_fraction + 1e-9
    assert leader.follower[:3] == pytest.approx(leader.at[:3], abs=0.031)


def test_after_a_silence_it_must_be_asked_again(leader: Leader) -> None:
    assert leader.tick(OperatorEvent.TAKE_OVER).engaged
    leader.now_ns += 1_000_000_000
    silent = leader.device.poll(leader.now_ns, context_at(leader.follower))
    assert "silent 1.00 s" in silent.health.reason
    assert not leader.tick().engaged
    assert leader.tick(OperatorEvent.TAKE_OVER).engaged


def test_a_robot_that_fell_silent_is_not_one_that_was_never_heard(leader: Leader) -> None:
    leader.feed(1)
    never, silent = (
        leader.device.poll(1, TeleopContext(silence_s=silence_s)).health.reason
        for silence_s in (None, 1.26)
    )
    assert never == "the robot was not heard yet"
    assert silent == "the robot was last heard 1.3 s ago"


def test_joint_states_without_a_joint_say_which(leader: Leader) -> None:
    leader.device.feed("arm", 1, ["lead_trigger"], [0.0])
    health = leader.device.poll(1, context_at(leader.follower)).health
    assert "joint states lack lead_" in health.reason


def test_a_joint_that_is_not_finite_lets_go(leader: Leader) -> None:
    leader.at[1] = np.nan
    assert not leader.tick(OperatorEvent.TAKE_OVER).engaged


def test_two_leaders_drive_two_arms(tmp_path: Path) -> None:
    leader = Leader(load_profile(profile_with_leaders("desk_duo", tmp_path)))
    leader.at[:] += 0.05
    wanted = leader.tick(OperatorEvent.TAKE_OVER)
    arms = [leader.profile.joint_indices(arm.joints) for arm in leader.profile.arms]
    for indices in arms:
        assert wanted.motions[0].position[indices] == pytest.approx(leader.at[indices])


def test_only_keys_beside_a_leader_are_told_to_align(tmp_path: Path) -> None:
    profile = load_profile(profile_with_leaders("desk_arm", tmp_path))
    told = {
        device: make_device(device, profile, panel="keyboard").describe()
        for device in ("leader_arm", "gamepad")
    }
    assert "align the follower with the leader" in told["leader_arm"]
    assert "align the follower with the leader" not in told["gamepad"]


def test_a_robot_without_leaders_says_where_to_add_them(profile: RobotProfile) -> None:
    with pytest.raises(ConfigurationError, match=r"'leaders' section to .*robot\.yaml"):
        LeaderArm(profile)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda leaders: leaders[0].update(arm="arms"), "did you mean 'arm'"),
        (lambda leaders: leaders[0]["joints"].pop(), "once as a follower"),
        (lambda leaders: leaders[0]["joints"][0].update(sign=2), "value .2.; valid: -1, 1"),
        (lambda leaders: leaders[0]["joints"][0].update(folower="x"), "did you mean 'follower'"),
        (lambda leaders: leaders[0]["gripper"].update(closed=1.0), "the same value"),
        (lambda leaders: leaders.append(leaders[0]), "duplicate name"),
    ],
)
def test_wrong_leaders_are_refused(tmp_path: Path, change, text: str) -> None:
    with pytest.raises(ProfileError, match=text):
        load_profile(profile_with_leaders("desk_arm", tmp_path, change))
