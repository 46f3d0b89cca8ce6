"""A leader arm: another arm's joint states drive the robot, joint by joint.

The mapping (names, signs, offsets, gripper) is the profile's `leaders` section. A leader may
only engage while it stands close to the follower; else it says how far off which joint is. On
`align`, the follower comes slowly to where the leader stands, and then follows.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from robot_learning.core.clocks import NS_PER_S
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.profile import Leader, RobotProfile
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

HEARTBEAT_TIMEOUT_S = 0.2
ALIGNED_RAD = 0.03
"""Aligning ends when no joint is further away than this (m for prismatic joints)."""
_SHOWN_JOINTS = 3


@dataclass(frozen=True, slots=True)
class _LeaderState:
    receive_ns: int
    joints: Mapping[str, float]


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

    @property
    def leaders(self) -> tuple[Leader, ...]:
        """The leaders whose joint states must be fed."""
        return self._profile.leaders

    def open(self) -> None:
        """Forget what was heard before."""
        with self._lock:
            self._states.clear()
        self._engaged = self._aligning = False

    def close(self) -> None:
        """Let go."""
        self._engaged = self._aligning = False

    def feed(
        self, arm: str, receive_ns: int, names: Sequence[str], positions: Sequence[float]
    ) -> None:
        """Take a leader's joint states. May be called from another thread.

        Args:
            arm: the follower arm whose leader it is.
            receive_ns: when they arrived, on the clock that `poll` is given.
            names: the leader's joint names.
            positions: their positions, rad or m.
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
        target, health = self._target(now_ns)
        if context.observation is None:
            health = context.lost_robot if health.alive else health
        if target is None or context.observation is None or not health.alive:
            self._engaged = self._aligning = False
            return TeleopInput(now_ns, False, health=health, notes=self._notes())
        ahead = np.nan_to_num(np.abs(target - context.observation.joint_position))
        for event in asked:
            self._answer(event, ahead)
        if self._aligning and not self._too_far(ahead, ALIGNED_RAD):
            self._aligning = False
        if not self._engaged:
            return TeleopInput(now_ns, False, health=health, notes=self._notes())
        motion = JointTarget(target, slow=self._aligning)
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

    def _answer(self, event: OperatorEvent, ahead: FloatArray) -> None:
        if event in RELEASING_EVENTS:
            self._engaged, self._aligning, self._refusal = False, False, ""
        elif event is OperatorEvent.ALIGN:
            self._engaged, self._aligning, self._refusal = True, True, ""
        elif event is OperatorEvent.TAKE_OVER and not self._engaged:
            far = self._too_far(ahead, None)
            self._engaged = not far
            self._refusal = f"not engaged, align first: {far}" if far else ""

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

    def _target(self, now_ns: int) -> tuple[FloatArray | None, Health]:
        """(n,) where the leaders want the robot, NaN for joints that no leader drives."""
        target = np.full(len(self._profile.joints), np.nan)
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
        return target, ALIVE

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
            share = (joints[gripper.leader] - gripper.open) / (gripper.closed - gripper.open)
            index = self._profile.joint_index(follower.joint)
            share = min(1.0, max(0.0, share))
            target[index] = follower.open + share * (follower.closed - follower.open)
        return ""

    def _notes(self) -> tuple[str, ...]:
        if self._refusal:
            return (self._refusal,)
        return ("aligning",) if self._aligning else ()
