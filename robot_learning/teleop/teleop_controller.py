"""Turns an operator's intent into joint position targets: jog, joint targets, homing, grippers.

Pure: `step` takes a state and returns the next one. It is used by the ROS node and by
in-process sessions alike. Three rules hold for every device:

- engaging never jumps: the target starts where the robot's command stands (or where the robot
  is, when those are apart);
- the target never runs away: each arm joint leads the measured robot by no more than a bound;
- no joint's target moves faster than its speed limit, and none further out of its limits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from robot_learning.core.decoding import check
from robot_learning.core.options.numbers import Positive, ShareAbove0
from robot_learning.core.profile import Arm, RobotProfile
from robot_learning.core.turns import TurnRules
from robot_learning.core.types import FloatArray
from robot_learning.teleop.device import (
    CartesianJog,
    HomeMove,
    JointJog,
    JointTarget,
    Motion,
    TeleopContext,
    TeleopInput,
)
from robot_learning.teleop.kinematics import ArmSolution, Kinematics
from robot_learning.teleop.pose import displace, move_towards


@dataclass(frozen=True, slots=True)
class Speeds:
    """How fast full deflection moves the robot.

    Attributes:
        linear_m_s: slow and fast speed of the end effector.
        angular_rad_s: slow and fast angular speed of the end effector.
        joint_fraction: slow and fast joint speed, as fractions of each joint's speed limit.
        home_fraction: joint speed of homing and aligning, as a fraction of each joint's speed
            limit.
        gripper_travel_s: time in which a gripper goes from open to closed.
        ramp_s: time to full speed after a key press; letting go stops at once.
        lead_s: time at its speed limit by which an arm joint's target may lead the measured joint.
            It must exceed the drive's tracking lag.
        lead_max: largest lead of an arm joint's target, rad or m, whatever `lead_s` allows.
        pose_lead_m: largest lead of a jogged pose before the end effector.
        pose_lead_rad: largest rotation of a jogged pose ahead of the end effector.
    """

    linear_m_s: tuple[Positive, Positive] = (0.05, 0.2)
    angular_rad_s: tuple[Positive, Positive] = (0.3, 1.0)
    joint_fraction: tuple[ShareAbove0, ShareAbove0] = (0.1, 0.4)
    home_fraction: ShareAbove0 = 0.15
    gripper_travel_s: Positive = 0.7
    ramp_s: Positive = 0.1
    lead_s: Positive = 0.2
    lead_max: Positive = 0.4
    pose_lead_m: Positive = 0.02
    pose_lead_rad: Positive = 0.1

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, slots=True, eq=False)
class TeleopState:
    """What is kept from one step to the next; the default is "nobody engaged".

    Attributes:
        position: (n,) the target; None while disengaged.
        poses: jogged arm -> its target pose (7,).
        deflection: jogged axis or joint -> the ramped deflection.
        target: (n,) joint positions that the device asked for last, NaN for joints that were not
            meant; None before it asked for any.
    """

    position: FloatArray | None = None
    poses: Mapping[str, FloatArray] = field(default_factory=dict)
    deflection: Mapping[str, float] = field(default_factory=dict)
    target: FloatArray | None = None


DISENGAGED = TeleopState()


@dataclass(frozen=True, slots=True, eq=False)
class TeleopCommand:
    """`position` (n,) to send, None for nothing; `warnings` say what holds the robot back."""

    position: FloatArray | None
    warnings: tuple[str, ...] = ()


NOTHING = TeleopCommand(None)


class TeleopController:
    """One robot's controller.

    Args:
        profile: the robot.
        kinematics: kinematics of the robot, needed for Cartesian jog; None refuses it with a
            warning.
        speeds: speeds of full deflection.
    """

    def __init__(
        self,
        profile: RobotProfile,
        kinematics: Kinematics | None = None,
        speeds: Speeds | None = None,
    ) -> None:
        self._profile = profile
        self._kinematics = kinematics
        self._speeds = speeds or Speeds()
        self._turns = TurnRules.of(profile)
        self._arm_joints = {arm.name: profile.joint_indices(arm.joints) for arm in profile.arms}
        # A gripper that holds something is commanded past where it stands: its lead is not bounded.
        self._lead = np.full(len(profile.joints), np.inf)
        for indices in self._arm_joints.values():
            reach = profile.velocity_max[indices] * self._speeds.lead_s
            self._lead[indices] = np.minimum(reach, self._speeds.lead_max)

    def step(
        self, state: TeleopState, wanted: TeleopInput, context: TeleopContext, dt_s: float
    ) -> tuple[TeleopState, TeleopCommand]:
        """The next target.

        Args:
            state: state that the previous step returned; `DISENGAGED` at first.
            wanted: what the device says that the operator wants.
            context: present state of the robot.
            dt_s: time since the step before; longer pauses must be passed as one period.
        """
        if not wanted.engaged or context.observation is None:
            return DISENGAGED, NOTHING
        measured = context.observation.joint_position
        if not np.isfinite(measured).all():
            return DISENGAGED, TeleopCommand(None, ("the measured joints are not finite",))
        if state.position is None:
            start = self._seed(measured, context.applied)
            state = TeleopState(start)
        else:
            start = state.position
        bounded = np.clip(start, measured - self._lead, measured + self._lead)
        # A joint that the bound moved has left the jogged pose; only its arm starts over.
        moved = {arm: pose for arm, pose in state.poses.items() if self._kept(arm, start, bounded)}
        work = _Step(bounded, moved, dict(state.deflection), dt_s, wanted.fast, state.target)
        warnings = [] if len(moved) == len(state.poses) else ["the robot lags behind"]
        for motion in wanted.motions:
            warnings += self._move(work, motion)
        self._grip(work, wanted.grip)
        position = self._bounded(start, work.position, dt_s)
        if not np.isfinite(position).all():
            return DISENGAGED, TeleopCommand(None, ("the target was not finite; released",))
        next_state = TeleopState(position, work.next_poses, work.next_deflection, work.next_target)
        return next_state, TeleopCommand(position, tuple(warnings))

    def _seed(self, measured: FloatArray, applied: FloatArray | None) -> FloatArray:
        """Where a target starts: the robot's last command where it still describes the robot.

        The measured position of an arm sags a little below its command, and that of a gripper
        that holds something stands open: starting there would drop both.
        """
        if applied is None or applied.shape != measured.shape:
            own: FloatArray = measured.copy()
            return own
        near = np.isfinite(applied) & (np.abs(applied - measured) <= self._lead)
        start: FloatArray = np.where(near, applied, measured)
        return start

    def _kept(self, arm: str, before: FloatArray, after: FloatArray) -> bool:
        indices = self._arm_joints[arm]
        return bool((before[indices] == after[indices]).all())

    def _move(self, work: _Step, motion: Motion) -> list[str]:
        match motion:
            case CartesianJog():
                return self._jog_cartesian(work, motion)
            case JointJog():
                self._jog_joints(work, motion)
            case JointTarget():
                self._follow(work, motion)
            case HomeMove():
                self._go_home(work, self._profile.arm(motion.arm))
        return []

    def _jog_cartesian(self, work: _Step, jog: CartesianJog) -> list[str]:
        if self._kinematics is None:
            return ["no kinematics for Cartesian jog: use joint jog"]
        speeds, gear = self._speeds, int(work.fast)
        linear = work.ramp(f"{jog.arm}/linear", jog.linear, speeds.ramp_s)
        angular = work.ramp(f"{jog.arm}/angular", jog.angular, speeds.ramp_s)
        pose = work.poses.get(jog.arm)
        if pose is None:
            pose = self._kinematics.forward(work.position)[jog.arm]
        target = displace(
            pose,
            linear * (speeds.linear_m_s[gear] * work.dt_s),
            angular * (speeds.angular_rad_s[gear] * work.dt_s),
        )
        solution = self._kinematics.solve(work.position, {jog.arm: target}, work.dt_s)
        work.position = solution.position
        outcome = solution.arms[jog.arm]
        work.next_poses[jog.arm] = move_towards(
            outcome.pose, outcome.target, speeds.pose_lead_m, speeds.pose_lead_rad
        )
        return _explain(jog.arm, outcome)

    def _jog_joints(self, work: _Step, jog: JointJog) -> None:
        fraction = self._speeds.joint_fraction[int(work.fast)]
        for name, value in jog.deflection.items():
            index = self._profile.joint_index(name)
            deflection = work.ramp(name, (value,), self._speeds.ramp_s)[0]
            speed = fraction * self._profile.velocity_max[index]
            work.position[index] += deflection * speed * work.dt_s

    def _follow(self, work: _Step, target: JointTarget) -> None:
        fraction = self._speeds.home_fraction if target.slow else 1.0
        furthest = fraction * self._profile.velocity_max * work.dt_s
        # A device may report within (-pi, pi]: an endless joint goes on in the turn of before.
        before = work.position if work.target is None else work.target
        before = np.where(np.isfinite(before), before, work.position)
        position = self._turns.beside(target.position, before)
        # A copy, since a device may reuse its array; other targets of this step are other arms'.
        others = np.nan if work.next_target is None else work.next_target
        work.next_target = np.where(np.isfinite(position), position, others)
        way = np.where(np.isfinite(position), position - work.position, 0.0)
        work.position = work.position + np.clip(way, -furthest, furthest)

    def _go_home(self, work: _Step, arm: Arm) -> None:
        """All joints of the arm arrive together; endless ones go the shorter way round."""
        indices = self._arm_joints[arm.name]
        home = self._turns.beside(self._profile.home, work.position)
        way = home[indices] - work.position[indices]
        furthest = self._speeds.home_fraction * self._profile.velocity_max[indices] * work.dt_s
        steps = float(np.max(np.abs(way) / furthest))
        work.position[indices] += way / max(1.0, steps)

    def _grip(self, work: _Step, grip: Mapping[str, float]) -> None:
        for arm_name, rate in grip.items():
            gripper = self._profile.arm(arm_name).gripper
            if gripper is None:
                continue
            index = self._profile.joint_index(gripper.joint)
            travel = gripper.closed - gripper.open
            moved = work.position[index] + rate * travel * work.dt_s / self._speeds.gripper_travel_s
            low, high = sorted((gripper.open, gripper.closed))
            work.position[index] = min(high, max(low, moved))

    def _bounded(self, start: FloatArray, wanted: FloatArray, dt_s: float) -> FloatArray:
        """No faster than the joints' limits, and no further out of them than the start."""
        profile = self._profile
        low = np.minimum(profile.position_min, start)
        high = np.maximum(profile.position_max, start)
        furthest = profile.velocity_max * dt_s
        bounded: FloatArray = np.clip(
            start + np.clip(wanted - start, -furthest, furthest), low, high
        )
        return bounded


@dataclass(slots=True, eq=False)
class _Step:
    """What one step works on."""

    position: FloatArray
    poses: Mapping[str, FloatArray]
    deflection: Mapping[str, float]
    dt_s: float
    fast: bool
    target: FloatArray | None
    next_poses: dict[str, FloatArray] = field(default_factory=dict)
    next_deflection: dict[str, float] = field(default_factory=dict)
    next_target: FloatArray | None = None

    def ramp(self, name: str, wanted: tuple[float, ...], ramp_s: float) -> FloatArray:
        """Deflections that grow to full over `ramp_s`; shrinking and reversing is immediate."""
        ramped = np.zeros(len(wanted))
        for index, value in enumerate(wanted):
            key = f"{name}/{index}"
            last = self.deflection.get(key, 0.0)
            base = abs(last) if last * value > 0.0 else 0.0
            size = min(abs(value), base + self.dt_s / ramp_s)
            ramped[index] = self.next_deflection[key] = size if value > 0.0 else -size
        return ramped


def _explain(arm: str, outcome: ArmSolution) -> list[str]:
    warnings = sorted(obstacle.value for obstacle in outcome.obstacles)
    if outcome.joints:
        warnings.append(", ".join(outcome.joints))
    return [f"{arm}: {'; '.join(warnings)}"] if warnings else []
