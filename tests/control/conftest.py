"""A small robot, and a rig that runs the arbiter beside a simulated arm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from robot_learning.control.arbiter import Arbiter
from robot_learning.control.commands import Measured, RawCommand
from robot_learning.control.requests import Request
from robot_learning.control.settings import arbiter_settings
from robot_learning.control.state import ArbiterState, Decision, Demonstration, Inputs
from robot_learning.core.clocks import Instant
from robot_learning.core.profile import (
    Arm,
    Frame,
    Gripper,
    Joint,
    JointKind,
    RobotProfile,
    Workspace,
)
from robot_learning.core.vocabulary import Mode

RATE_HZ = 50.0
PERIOD_NS = 20_000_000
# The two clocks start apart, so that a mix-up of them shows.
STEADY_START_NS = 7_000_000_000
ROS_START_NS = 1_700_000_000_000_000_000


def _joint(name, kind, low, high, velocity, acceleration):
    return Joint(name, kind, low, high, velocity, acceleration, 10.0, home=(low + high) / 2)


def make_profile() -> RobotProfile:
    joints = (
        _joint("pan", JointKind.REVOLUTE, -1.0, 1.2, 2.0, 8.0),
        _joint("lift", JointKind.REVOLUTE, -0.4, 0.5, 1.0, 20.0),
        _joint("slide", JointKind.PRISMATIC, 0.0, 0.6, 0.5, 1.0),
        _joint("grip", JointKind.PRISMATIC, 0.0, 0.04, 0.2, 2.0),
    )
    box = Workspace((-2.0, -2.0, -2.0), (2.0, 2.0, 2.0))
    frame = Frame("tip", None)
    gripper = Gripper("grip", open=0.04, closed=0.0, clear_width_m=0.08)
    arm = Arm("arm", ("pan", "lift", "slide"), frame, gripper, box)
    return RobotProfile(
        name="small",
        path=Path("small/robot.yaml"),
        description="",
        control_rate_hz=RATE_HZ,
        joints=joints,
        arms=(arm,),
        cameras=(),
        sim=None,
        real=None,
    )


@dataclass
class Rig:
    """The arbiter in a loop with an arm that goes half of the way to its command each tick."""

    arbiter: Arbiter
    state: ArbiterState = field(default_factory=ArbiterState)
    steady_ns: int = STEADY_START_NS
    ros_ns: int = ROS_START_NS
    arm: np.ndarray = field(default_factory=make_profile().home.copy)
    sent: np.ndarray | None = None
    decisions: list[Decision] = field(default_factory=list)
    demonstration: Demonstration | None = None

    @property
    def settings(self):
        return self.arbiter.settings

    @property
    def now(self) -> Instant:
        return Instant(steady_ns=self.steady_ns, ros_ns=self.ros_ns)

    @property
    def last(self) -> Decision:
        return self.decisions[-1]

    def human(self, position, **changes) -> RawCommand:
        return self._raw({"positions": [list(position)]}, changes)

    def policy(self, positions, step_s=0.1, **changes) -> RawCommand:
        rows = np.atleast_2d(positions)
        offsets_s = tuple(step_s * index for index in range(len(rows)))
        return self._raw({"positions": rows, "offsets_s": offsets_s}, changes)

    def _raw(self, values, changes) -> RawCommand:
        values = {
            "stamp_ns": self.ros_ns,
            "receipt_ns": self.steady_ns,
            "joint_names": self.settings.joint_names,
        } | values
        return RawCommand(**(values | changes))

    def measured(self, position=None) -> Measured:
        position = self.arm if position is None else position
        return Measured(self.ros_ns, self.steady_ns, np.array(position))

    def move_on(self, steady_ns: int = PERIOD_NS, ros_ns: int | None = None) -> None:
        self.steady_ns += steady_ns
        self.ros_ns += steady_ns if ros_ns is None else ros_ns

    def tick(self, *requests: Request, human=None, policy=None, heard=True, move_on=True):
        """One period: time passes, the arm moves, messages arrive, the arbiter decides.

        `human` and `policy` are positions or whole messages; `heard` is whether the arm's
        state arrives, or where it claims to be.
        """
        if move_on:
            self.move_on()
        if self.sent is not None:
            self.arm = self.arm + 0.5 * (self.sent - self.arm)
        measured = None
        if heard is True:
            measured = self.measured()
        elif heard is not False:
            measured = self.measured(heard)
        inputs = Inputs(
            human=self._messages(human, self.human),
            policy=self._messages(policy, self.policy),
            measured=measured,
            requests=requests,
            demonstration=self.demonstration,
        )
        return self.give(inputs)

    def give(self, inputs: Inputs) -> Decision:
        self.state, decision = self.arbiter.step(self.state, inputs, self.now)
        if decision.publish:
            self.sent = decision.applied
        self.decisions.append(decision)
        return decision

    @staticmethod
    def _messages(given, wrap):
        if given is None:
            return ()
        if isinstance(given, RawCommand):
            return (given,)
        return (wrap(given),)

    def run(self, ticks: int, **arguments) -> Decision:
        for _ in range(ticks):
            self.tick(**arguments)
        return self.last

    def enabled(self) -> Rig:
        self.tick()
        self.tick(Request.ENABLE)
        assert self.last.mode is Mode.HOLD
        return self

    def driven_by_policy(self, position) -> Rig:
        """In POLICY, at rest at `position`."""
        self.tick(Request.HAND_BACK, policy=position)
        self.run(150, policy=position)
        assert self.last.mode is Mode.POLICY
        np.testing.assert_array_equal(self.last.applied, position)
        return self


@pytest.fixture(scope="session")
def profile() -> RobotProfile:
    return make_profile()


@pytest.fixture(scope="session")
def make_rig(profile):
    """A function that makes a rig with some settings and, optionally, a workspace."""

    def make(workspace=None, **overrides) -> Rig:
        return Rig(Arbiter(arbiter_settings(profile, **overrides), workspace))

    return make


@dataclass
class TurningRig(Rig):
    """A rig whose driver reports the arm through `report`, and takes commands as it counts."""

    report: Callable[[np.ndarray], np.ndarray] | None = None

    def measured(self, position=None) -> Measured:
        reading = super().measured(position)
        if self.report is None:
            return reading
        return replace(reading, position=self.report(reading.position))

    def give(self, inputs: Inputs) -> Decision:
        decision = super().give(inputs)
        if decision.publish:
            self.sent = decision.sent
        return decision


@pytest.fixture(scope="session")
def change_joint():
    """A function that makes the profile with one joint changed."""

    def change(joint: int, **changes) -> RobotProfile:
        profile = make_profile()
        joints = list(profile.joints)
        joints[joint] = replace(joints[joint], **changes)
        return replace(profile, joints=tuple(joints))

    return change


@pytest.fixture(scope="session")
def make_turning(change_joint):
    """A function that makes a rig with a driver of its own and one joint changed."""

    def make(report=None, joint: int = 0, **changes) -> TurningRig:
        profile = change_joint(joint, **changes)
        arbiter = Arbiter(arbiter_settings(profile, alignment="absolute"))
        return TurningRig(arbiter, arm=profile.home.copy(), report=report)

    return make


@pytest.fixture
def rig(make_rig) -> Rig:
    return make_rig()
