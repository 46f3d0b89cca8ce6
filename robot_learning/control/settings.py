"""What the arbiter is configured with: the robot's limits, and its timeouts for each source."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np

from robot_learning.control.commands import CommandValidator
from robot_learning.control.limiter import MotionLimits, frozen
from robot_learning.core.errors import ConfigurationError, unknown_choice
from robot_learning.core.options.arbiter import Alignment, ArbiterOptions
from robot_learning.core.profile import Joint, JointKind, RobotProfile
from robot_learning.core.turns import TurnRules
from robot_learning.core.types import FloatArray


@dataclass(frozen=True, kw_only=True)
class ArbiterTolerances(ArbiterOptions):
    """Every time bound of the arbiter, in seconds, and the other plain settings.

    Attributes:
        human_max_age_s: age by stamp beyond which a human's command is refused.
        future_s: how far ahead of the ROS clock a stamp may lie.
        clock_timeout_s: stand-still of the ROS clock after which the policy counts as stale.
        measured_max_age_s: age by stamp beyond which a measurement is refused.
        tracking_fault_s: time for which a joint may be further from its command than
            `tracking_rad` or `tracking_m` before that is a fault.
        stall_s: pause between two ticks after which the arbiter starts again from rest.
        align_share: speed of taking the human's offset back, as a share of each velocity limit.
    """

    human_max_age_s: float = 0.3
    future_s: float = 0.05
    clock_timeout_s: float = 0.5
    measured_max_age_s: float = 0.5
    tracking_fault_s: float = 0.2
    stall_s: float = 0.15
    align_share: float = 0.1

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
        joint_names: (n,) names of the joints, in vector order.
        limits: the motion limits and the period.
        tracking_bound: (n,) largest |commanded - measured|, infinite for grippers.
        gripper: (n,) whether a joint is a gripper.
        arms: indices of each arm's joints, in the order of the profile's arms.
        tolerances: timeouts and tolerances of each source.
        turns: rules by which an angle is read as one turn of a joint.
    """

    joint_names: tuple[str, ...]
    limits: MotionLimits
    tracking_bound: FloatArray
    gripper: FloatArray
    arms: tuple[tuple[int, ...], ...]
    tolerances: ArbiterTolerances
    turns: TurnRules

    @cached_property
    def human_validator(self) -> CommandValidator:
        """The check of the human's commands."""
        return CommandValidator(
            "human", 1, self.tolerances.human_max_age_s, self.tolerances.future_s
        )

    @cached_property
    def policy_validator(self) -> CommandValidator:
        """The check of the policy's chunks."""
        return CommandValidator(
            "policy", None, self.tolerances.policy_max_age_s, self.tolerances.future_s
        )

    @cached_property
    def measured_validator(self) -> CommandValidator:
        """The check of the robot's measurements."""
        return CommandValidator(
            "robot", 1, self.tolerances.measured_max_age_s, self.tolerances.future_s
        )

    @cached_property
    def blend_ticks(self) -> int:
        """Ticks of a handover; 0 where it is to take less than half a tick."""
        return round(self.tolerances.blend_s / self.limits.period_s)

    @cached_property
    def align_step(self) -> FloatArray:
        """(n,) the most of the human's offset that one tick takes back."""
        return self.tolerances.align_share * self.limits.velocity_max * self.limits.period_s

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
    """The settings for one robot: its limits, and `ArbiterTolerances` with `overrides` by name.

    Args:
        profile: the robot; its limits are always on.
        rate_hz: ticks a second; the profile's control rate when None.
        overrides: values for attributes of `ArbiterTolerances`.

    Raises:
        ConfigurationError: an unknown or wrong override, or a joint without usable limits; the
            text names it and what is valid.
    """
    valid = [field.name for field in fields(ArbiterTolerances)]
    for name in overrides:
        if name not in valid:
            raise ConfigurationError(unknown_choice("arbiter setting", name, valid))
    if "alignment" in overrides:
        overrides["alignment"] = _alignment(overrides["alignment"])
    tolerances = ArbiterTolerances(**overrides)  # type: ignore[arg-type]
    rate = profile.control_rate_hz if rate_hz is None else rate_hz
    if not (np.isfinite(rate) and rate > 0.0):
        raise ConfigurationError(f"rate_hz: expected a number above 0, found {rate}")
    for name in ("human_timeout_s", "policy_timeout_s", "measured_timeout_s", "stall_s"):
        if getattr(tolerances, name) < 2.0 / rate:
            text = f"{name}: expected at least two periods ({2.0 / rate:g} s at {rate:g} Hz)"
            raise ConfigurationError(f"{text}, found {getattr(tolerances, name):g}")
    for joint in profile.joints:
        _check_limits(profile, joint)
    grippers = {arm.gripper.joint for arm in profile.arms if arm.gripper}
    bounds = {
        JointKind.REVOLUTE: tolerances.tracking_rad,
        JointKind.PRISMATIC: tolerances.tracking_m,
    }
    tracking = [
        np.inf if joint.name in grippers else bounds[joint.kind] for joint in profile.joints
    ]
    return ArbiterSettings(
        joint_names=profile.joint_names,
        limits=MotionLimits(
            position_min=frozen(profile.position_min.copy()),
            position_max=frozen(profile.position_max.copy()),
            velocity_max=frozen(profile.velocity_max * tolerances.velocity_scale),
            acceleration_max=frozen(profile.acceleration_max * tolerances.acceleration_scale),
            period_s=1.0 / rate,
        ),
        tracking_bound=frozen(np.array(tracking)),
        gripper=frozen(np.array([float(name in grippers) for name in profile.joint_names])),
        arms=tuple(tuple(profile.joint_indices(arm.joints)) for arm in profile.arms),
        tolerances=tolerances,
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
