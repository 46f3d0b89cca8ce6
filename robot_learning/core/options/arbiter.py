"""What may be adjusted about the arbiter of a robot, in real time and in simulation alike."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Annotated

from msgspec import Meta

from robot_learning.core.options.policy_age import POLICY_MAX_AGE_S, PolicyMaxAge


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


@dataclass(frozen=True, kw_only=True)
class ArbiterOptions:
    """The adjustable bounds of the arbiter."""

    alignment: Annotated[
        Alignment,
        Meta(description="How a takeover treats the offset between the human's device and the arm"),
    ] = Alignment.ALIGN
    blend_s: Annotated[float, Meta(ge=0.01, le=10, description="Duration of a handover, s")] = 0.4
    human_timeout_s: Annotated[
        float, Meta(ge=0.02, le=1, description="Silence of the human that gives HOLD, s")
    ] = 0.15
    policy_timeout_s: Annotated[
        float, Meta(ge=0.02, le=2, description="Silence of the policy that gives HOLD, s")
    ] = 0.15
    policy_max_age_s: PolicyMaxAge = POLICY_MAX_AGE_S
    policy_hold_s: Annotated[
        float, Meta(ge=0.001, description="Time for which a chunk's last point stays valid, s")
    ] = 0.15
    measured_timeout_s: Annotated[
        float, Meta(ge=0.02, description="Silence of the robot that gives HOLD, s")
    ] = 0.15
    measured_fault_s: Annotated[
        float, Meta(ge=0.05, description="Silence of the robot that gives FAULT, s")
    ] = 1.0
    tracking_rad: Annotated[
        float,
        Meta(
            ge=0.001,
            description="Largest tracking error of a revolute arm joint, rad; grippers have none",
        ),
    ] = 0.4
    tracking_m: Annotated[
        float, Meta(ge=1e-4, description="Largest tracking error of a prismatic arm joint, m")
    ] = 0.05
    velocity_scale: Annotated[
        float, Meta(ge=0.01, le=1, description="Share of the profile's velocity limits")
    ] = 1.0
    acceleration_scale: Annotated[
        float, Meta(ge=0.01, le=1, description="Share of the profile's acceleration limits")
    ] = 1.0
