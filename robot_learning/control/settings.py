"""Everything the arbiter is told once: the robot's limits and how patient to be with whom."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import Enum
from functools import cached_property

import numpy as np

from robot_learning.control.commands import Gate
from robot_learning.control.limiter import MotionLimits, frozen
from robot_learning.core.errors import ConfigurationError, unknown_choice
from robot_learning.core.profile import Joint, JointKind, RobotProfile
from robot_learning.core.turns import TurnRules
from robot_learning.core.types import FloatArray


class Alignment(Enum):
    """What becomes of the difference between the human's device and the arm at a take-over.

    ABSOLUTE: nothing; the arm goes to where the device points (blended in over `blend_s`).
    ALIGN: it is kept at first and then taken back slowly, until the arm is where the device
        points.
    CLUTCH: it is kept until the next take-over: the arm only follows the device's motion.
    """

    ABSOLUTE = "absolute"
    ALIGN = "align"
    CLUTCH = "clutch"


@dataclass(frozen=True)
class Patience:
    """Every time bound of the arbiter, in seconds, and the other plain settings.

    Attributes:
        human_timeout_s: silence of the human's source after which the arm holds.
        human_max_age_s: age by stamp beyond which a human's command is refused.
        policy_timeout_s: silence of the policy after which the arm holds; a policy that thinks
            for longer sends its present chunk again meanwhile.
        policy_max_age_s: age of the observation beyond which a policy's chunk is stale.
        policy_hold_s: time for which the last point of a chunk stays valid.
        future_s: how far ahead of the ROS clock a stamp may lie.
        clock_timeout_s: stand-still of the ROS clock after which the policy counts as stale.
        measured_timeout_s: silence of the robot after which the arm holds.
        measured_max_age_s: age by stamp beyond which a measurement is refused.
        measured_fault_s: silence of the robot after which the hold becomes a fault.
        tracking_fault_s: time for which a joint may be further from its command than
            `tracking_rad` or `tracking_m` before that is a fault.
        stall_s: pause between two ticks after which the arbiter starts again from rest.
        blend_s: duration of a handover, during which the new source is blended in.
        tracking_rad: bound on `|commanded - measured|` of a revolute arm joint; grippers have
            none, as they close on objects.
        tracking_m: the same of a prismatic arm joint.
        alignment: what a take-over does with the offset of the human's device.
        align_share: speed of taking the offset back, as a share of each velocity limit.
        velocity_scale: share of the profile's velocity limits that is used, up to 1.
        acceleration_scale: share of the profile's acceleration limits that is used, up to 1.
    """

    human_timeout_s: float = 0.15
    human_max_age_s: float = 0.3
    policy_timeout_s: float = 0.15
    policy_max_age_s: float = 2.0
    policy_hold_s: float = 0.15
    future_s: float = 0.05
    clock_timeout_s: float = 0.5
    measured_timeout_s: float = 0.15
    measured_max_age_s: float = 0.5
    measured_fault_s: float = 1.0
    tracking_fault_s: float = 0.2
    stall_s: float = 0.15
    blend_s: float = 0.4
    tracking_rad: float = 0.4
    tracking_m: float = 0.05
    alignment: Alignment = Alignment.ALIGN
    align_share: float = 0.1
    velocity_scale: float = 1.0
    acceleration_scale: float = 1.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name != "alignment" and not (np.isfinite(value) and value > 0.0):
                raise ConfigurationError(f"{field.name}: expected a number above 0, found {value}")
        for name in ("align_share", "velocity_scale", "acceleration_scale"):
            if getattr(self, name) > 1.0:
                text = f"{name}: expected at most 1, found {getattr(self, name):g}"
                raise ConfigurationError(f"{text}; the profile's limits are never exceeded")
        if self.measured_fault_s <= self.measured_timeout_s:
            raise ConfigurationError("measured_fault_s: expected more than measured_timeout_s")


@dataclass(frozen=True, eq=False)
class ArbiterSettings:
    """The arbiter of one robot; made by `arbiter_settings`.

    Attributes:
        joint_names: (n,) in vector order.
        limits: the motion limits and the period.
        tracking_bound: (n,) largest |commanded - measured|, infinite for grippers.
        gripper: (n,) whether a joint is a gripper.
        arms: for each arm of the profile, in its order, the indices of its joints.
        patience: the time bounds.
        turns: which turn of a joint an angle means.
    """

    joint_names: tuple[str, ...]
    limits: MotionLimits
    tracking_bound: FloatArray
    gripper: FloatArray
    arms: tuple[tuple[int, ...], ...]
    patience: Patience
    turns: TurnRules

    @cached_property
    def human_gate(self) -> Gate:
        """The check of the human's commands."""
        return Gate("human", 1, self.patience.human_max_age_s, self.patience.future_s)

    @cached_property
    def policy_gate(self) -> Gate:
        """The check of the policy's chunks."""
        return Gate("policy", None, self.patience.policy_max_age_s, self.patience.future_s)

    @cached_property
    def measured_gate(self) -> Gate:
        """The check of the robot's measurements."""
        return Gate("robot", 1, self.patience.measured_max_age_s, self.patience.future_s)

    @cached_property
    def blend_ticks(self) -> int:
        """Ticks of a handover; 0 where it is to take less than half a tick."""
        return round(self.patience.blend_s / self.limits.period_s)

    @cached_property
    def align_step(self) -> FloatArray:
        """(n,) the most of the human's offset that one tick takes back."""
        return self.patience.align_share * self.limits.velocity_max * self.limits.period_s

    @cached_property
    def inverse_tracking_bound(self) -> FloatArray:
        """(n,) 1 / `tracking_bound`; 0 where there is none."""
        return frozen(1.0 / self.tracking_bound)

    @cached_property
    def nothing(self) -> FloatArray:
        """(n,) NaN: the row of a source that has no action."""
        return frozen(np.full(len(self.joint_names), np.nan))

    @cached_property
    def zeros(self) -> FloatArray:
        """(n,) zeros: the row of noise that was not added."""
        return frozen(np.zeros(len(self.joint_names)))


def arbiter_settings(
    profile: RobotProfile, rate_hz: float | None = None, **overrides: float | str | Alignment
) -> ArbiterSettings:
    """The settings for one robot: its limits, and `Patience` with `overrides` by name.

    Args:
        profile: the robot; its limits are always on.
        rate_hz: ticks a second; the profile's control rate when None.
        overrides: values for attributes of `Patience`.

    Raises:
        ConfigurationError: an unknown or wrong override, or a joint without usable limits; the
            text names it and what is valid.
    """
    valid = [field.name for field in fields(Patience)]
    for name in overrides:
        if name not in valid:
            raise ConfigurationError(unknown_choice("arbiter setting", name, valid))
    if "alignment" in overrides:
        overrides["alignment"] = _alignment(overrides["alignment"])
    patience = Patience(**overrides)  # type: ignore[arg-type]
    rate = profile.control_rate_hz if rate_hz is None else rate_hz
    if not (np.isfinite(rate) and rate > 0.0):
        raise ConfigurationError(f"rate_hz: expected a number above 0, found {rate}")
    for name in ("human_timeout_s", "policy_timeout_s", "measured_timeout_s", "stall_s"):
        if getattr(patience, name) < 2.0 / rate:
            text = f"{name}: expected at least two periods ({2.0 / rate:g} s at {rate:g} Hz)"
            raise ConfigurationError(f"{text}, found {getattr(patience, name):g}")
    for joint in profile.joints:
        _check_limits(profile, joint)
    grippers = {arm.gripper.joint for arm in profile.arms if arm.gripper}
    bounds = {JointKind.REVOLUTE: patience.tracking_rad, JointKind.PRISMATIC: patience.tracking_m}
    tracking = [
        np.inf if joint.name in grippers else bounds[joint.kind] for joint in profile.joints
    ]
    return ArbiterSettings(
        joint_names=profile.joint_names,
        limits=MotionLimits(
            position_min=frozen(profile.position_min.copy()),
            position_max=frozen(profile.position_max.copy()),
            velocity_max=frozen(profile.velocity_max * patience.velocity_scale),
            acceleration_max=frozen(profile.acceleration_max * patience.acceleration_scale),
            period_s=1.0 / rate,
        ),
        tracking_bound=frozen(np.array(tracking)),
        gripper=frozen(np.array([float(name in grippers) for name in profile.joint_names])),
        arms=tuple(tuple(profile.joint_indices(arm.joints)) for arm in profile.arms),
        patience=patience,
        turns=TurnRules.of(profile),
    )


def _alignment(value: object) -> Alignment:
    try:
        return Alignment(value)
    except ValueError:
        choices = [choice.value for choice in Alignment]
        raise ConfigurationError(unknown_choice("alignment", value, choices)) from None


def _check_limits(profile: RobotProfile, joint: Joint) -> None:
    """A robot without limits cannot be driven: refuse what is missing, infinite or inverted."""
    place = f"robot '{profile.name}', joint '{joint.name}'"
    low, high = joint.position_min, joint.position_max
    if not joint.continuous and not (np.isfinite(low) and np.isfinite(high) and low < high):
        text = f"position limits must be finite and low < high, found [{low}, {high}]"
        raise ConfigurationError(f"{place}: {text}")
    for name in ("velocity_max", "acceleration_max"):
        value = getattr(joint, name)
        if not (np.isfinite(value) and value > 0.0):
            raise ConfigurationError(f"{place}: {name} must be finite and above 0, found {value}")
