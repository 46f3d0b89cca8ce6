"""A leader arm: another arm's joint states drive the robot, joint by joint.

The mapping (names, signs, offsets, gripper) is the profile's `leaders` section. A leader may
only engage while it stands close to the follower; else it says how far off which joint is. On
`align`, the follower comes slowly to where the leader stands, and then follows.

A leader's encoder may count other turns than the follower's: engaging takes the turn in which the
two stand alike, or the one within the follower's limits, or refuses; from then on each reading is
the turn nearest to the one before. A joint that jumps lets go (see `leader_motion`).
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from robot_learning.core.clocks import NS_PER_S
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.profile import Leader, LeaderGripper, RobotProfile
from robot_learning.core.turns import TURN_RAD, UNCLEAR_RAD
from robot_learning.core.types import FloatArray
from robot_learning.teleop.device import (
    ALIVE,
    RELEASING_EVENTS,
    Health,
    JointTarget,
    OperatorEvent,
    TeleopContext,
    TeleopDevice,
    TeleopInput,
)
from robot_learning.teleop.leader_motion import LeaderMotion

HEARTBEAT_TIMEOUT_S = 0.2
ALIGNED_RAD = 0.03
"""Aligning ends when no joint is further away than this (m for prismatic joints)."""
_SHOWN_JOINTS = 3


@dataclass(frozen=True, slots=True)
class _LeaderState:
    receive_ns: int
    joints: Mapping[str, float]


@dataclass(frozen=True, slots=True, eq=False)
class _Reading:
    """Where the leaders stand: (n,) follower positions, NaN where none drives, and the receipts."""

    position: FloatArray
    receive_ns: FloatArray


class LeaderArm(TeleopDevice):
    """One or more leaders, each driving one arm of the robot.

    Engages on `take_over` (when close enough) or on `align`, from a second device or a service;
    any releasing event, or a leader that falls silent, lets go.

    Args:
        profile: the robot, with at least one leader.

    Raises:
        ConfigurationError: the profile has no leaders.
    """

    def __init__(self, profile: RobotProfile) -> None:
        if not profile.leaders:
            text = f"robot '{profile.name}' has no leader arm: add a 'leaders' section to"
            raise ConfigurationError(f"{text} {profile.path}")
        self._profile = profile
        self._lock = threading.Lock()
        self._states: dict[str, _LeaderState] = {}
        self._engaged = False
        self._aligning = False
        self._asked: list[OperatorEvent] = []
        self._refusal = ""
        self._motion = LeaderMotion.of(profile)
        self._read: _Reading | None = None
        self._followed = profile.home

    @property
    def leaders(self) -> tuple[Leader, ...]:
        """The leaders whose joint states must be fed."""
        return self._profile.leaders

    def open(self) -> None:
        """Forget what was heard before."""
        with self._lock:
            self._states.clear()
        self._engaged = self._aligning = False
        self._refusal = ""

    def close(self) -> None:
        """Let go."""
        self._engaged = self._aligning = False

    def feed(
        self, arm: str, receive_ns: int, names: Sequence[str], positions: Sequence[float]
    ) -> None:
        """Take a leader's joint states. May be called from another thread.

        Args:
            arm: name of the follower arm that the leader leads.
            receive_ns: time at which the positions arrived, on the clock that `poll` is given.
            names: the leader's joint names.
            positions: positions of the named joints, rad or m.
        """
        joints = dict(zip(names, (float(value) for value in positions), strict=False))
        with self._lock:
            self._states[arm] = _LeaderState(receive_ns, joints)

    def handle(self, event: OperatorEvent) -> None:
        """Engage, align or let go at the next poll."""
        self._asked.append(event)

    def poll(self, now_ns: int, context: TeleopContext) -> TeleopInput:
        """Where the leaders stand; see `TeleopDevice.poll`."""
        asked, self._asked = self._asked, []
        reading, health = self._target(now_ns)
        measured, trouble = self._follower(context)
        if trouble and health.alive:
            health = Health(False, trouble)
        if reading is None or measured is None or not health.alive:
            self._engaged = self._aligning = False
            return TeleopInput(now_ns, False, health=health, notes=self._notes())
        if self._engaged:
            reading = self._follow(reading)
        for event in asked:
            reading = self._answer(event, reading, measured)
        self._read = reading
        if self._aligning and not self._too_far(self._ahead(reading, measured), ALIGNED_RAD):
            self._aligning = False
        if not self._engaged:
            return TeleopInput(now_ns, False, health=health, notes=self._notes())
        motion = JointTarget(reading.position, slow=self._aligning)
        return TeleopInput(now_ns, True, (motion,), health=health, notes=self._notes())

    def describe(self) -> str:
        """Which leader joint drives what."""
        lines = ["Leader arm: take_over engages when close, align brings the follower slowly"]
        for leader in self._profile.leaders:
            lines.append(f"  {leader.topic} -> {leader.arm}")
            for joint in leader.joints:
                sign = "-" if joint.sign < 0 else "+"
                lines.append(
                    f"    {joint.leader} -> {joint.follower} ({sign}, {joint.offset:+.3f} rad)"
                )
        return "\n".join(lines)

    def _follower(self, context: TeleopContext) -> tuple[FloatArray | None, str]:
        """(n,) where the robot is, and why that is not known (else empty)."""
        if context.observation is None:
            return None, context.lost_robot.reason
        measured = context.observation.joint_position
        broken = np.flatnonzero(~np.isfinite(measured))
        if broken.size:
            names = ", ".join(self._profile.joint_names[index] for index in broken)
            return None, f"the robot's joint positions are not finite: {names}"
        return measured, ""

    def _follow(self, reading: _Reading) -> _Reading:
        """The next reading of leaders that drive: in the turns of the one before, or let go."""
        before = self._read
        assert before is not None  # noqa: S101 (read when they engaged)
        position = self._motion.rules.following(reading.position, before.position)
        elapsed_s = (reading.receive_ns - before.receive_ns) / NS_PER_S
        self._followed, jump = self._motion.follow(self._followed, position, elapsed_s)
        if jump:
            self._engaged = self._aligning = False
            self._refusal = f"released: {jump}; bring the arms together, then engage"
        return _Reading(position, reading.receive_ns)

    def _answer(self, event: OperatorEvent, reading: _Reading, measured: FloatArray) -> _Reading:
        """Take an event; returns the reading in the turns with which it engages."""
        if event in RELEASING_EVENTS:
            self._engaged, self._aligning, self._refusal = False, False, ""
            return reading
        asks = event is OperatorEvent.TAKE_OVER and not self._engaged
        if not asks and event is not OperatorEvent.ALIGN:
            return reading
        reading, unclear = self._beside(reading, measured)
        far = self._too_far(self._ahead(reading, measured), None) if asks else ""
        if unclear:
            self._refusal = f"not engaged: {unclear}"
        else:
            self._refusal = f"not engaged, align first: {far}" if far else ""
        self._engaged = not self._refusal
        self._aligning = self._engaged and not asks
        self._followed = reading.position
        return reading

    def _beside(self, reading: _Reading, measured: FloatArray) -> tuple[_Reading, str]:
        """The reading in the turns in which the leaders match the follower.

        Also which of their joints has none or more than one (else empty).
        """
        position, problem = reading.position.copy(), ""
        for leader in self._profile.leaders:
            for joint in leader.joints:
                index = self._profile.joint_index(joint.follower)
                position[index], unclear = self._motion.rules.like(
                    index, position[index], float(measured[index]), leader.engage_within_rad
                )
                problem = problem or (f"'{joint.leader}': {unclear}" if unclear else "")
        return _Reading(position, reading.receive_ns), problem

    def _ahead(self, reading: _Reading, measured: FloatArray) -> FloatArray:
        """(n,) how far the leaders are from the follower, no further than it may go; 0 for none."""
        limits = self._profile.position_min, self._profile.position_max
        return np.nan_to_num(np.abs(np.clip(reading.position, *limits) - measured))

    def _too_far(self, ahead: FloatArray, bound: float | None) -> str:
        """The arm joints that differ by more than `bound` (None: their leader's), worst first."""
        found: list[tuple[float, str]] = []
        for leader in self._profile.leaders:
            limit = leader.engage_within_rad if bound is None else bound
            for joint in leader.joints:
                gap = ahead[self._profile.joint_index(joint.follower)]
                if gap > limit:
                    found.append((gap, f"{joint.follower} off by {gap:.2f} (limit {limit:g})"))
        return ", ".join(text for _, text in sorted(found, reverse=True)[:_SHOWN_JOINTS])

    def _target(self, now_ns: int) -> tuple[_Reading | None, Health]:
        """Where the leaders want the robot."""
        target = np.full(len(self._profile.joints), np.nan)
        receive_ns = np.zeros(len(target))
        with self._lock:
            states = dict(self._states)
        for leader in self._profile.leaders:
            state = states.get(leader.arm)
            if state is None:
                return None, Health(False, f"the leader of '{leader.arm}' was not heard yet")
            age_s = (now_ns - state.receive_ns) / NS_PER_S
            if not 0.0 <= age_s <= HEARTBEAT_TIMEOUT_S:
                return None, Health(False, f"the leader of '{leader.arm}': silent {age_s:.2f} s")
            problem = self._map(leader, state.joints, target)
            if problem:
                return None, Health(False, f"the leader of '{leader.arm}': {problem}")
            arm = self._profile.arm(leader.arm)
            joints = (*arm.joints, *([arm.gripper.joint] if arm.gripper else []))
            receive_ns[self._profile.joint_indices(joints)] = state.receive_ns
        return _Reading(target, receive_ns), ALIVE

    def _map(self, leader: Leader, joints: Mapping[str, float], target: FloatArray) -> str:
        """Write the leader's joints into `target` (n,); returns what is wrong with them."""
        needed = [joint.leader for joint in leader.joints]
        gripper = leader.gripper
        needed += [gripper.leader] if gripper else []
        missing = [name for name in needed if name not in joints]
        if missing:
            return f"joint states lack {', '.join(missing)}; found {', '.join(joints) or 'none'}"
        broken = [name for name in needed if not np.isfinite(joints[name])]
        if broken:
            return f"not finite: {', '.join(broken)}"
        for joint in leader.joints:
            index = self._profile.joint_index(joint.follower)
            target[index] = joint.sign * joints[joint.leader] + joint.offset
        follower = self._profile.arm(leader.arm).gripper
        if gripper and follower:
            value, unclear = _trigger(gripper, joints[gripper.leader])
            if unclear:
                return unclear
            share = (value - gripper.open) / (gripper.closed - gripper.open)
            index = self._profile.joint_index(follower.joint)
            share = min(1.0, max(0.0, share))
            target[index] = follower.open + share * (follower.closed - follower.open)
        return ""

    def _notes(self) -> tuple[str, ...]:
        if self._refusal:
            return (self._refusal,)
        return ("aligning",) if self._aligning else ()


def _trigger(gripper: LeaderGripper, value: float) -> tuple[float, str]:
    """A trigger's value in the turn nearest to its travel, and why there is none (else empty).

    One whose travel is more than a turn counts in other units, percent for instance.
    """
    travel = abs(gripper.closed - gripper.open)
    if travel >= TURN_RAD:
        return value, ""
    middle = 0.5 * (gripper.open + gripper.closed)
    near = value + TURN_RAD * round((middle - value) / TURN_RAD)
    outside = abs(near - middle) - 0.5 * travel
    if outside > UNCLEAR_RAD and abs(near - middle) > 0.5 * TURN_RAD - UNCLEAR_RAD:
        text = f"half a turn away from {gripper.open:g} (open) to {gripper.closed:g} (closed)"
        return near, f"'{gripper.leader}' reads {value:.2f}, {text}"
    return near, ""
