"""Settings of `arbiter_node`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from msgspec import Meta

from robot_learning.core.options.arbiter import ArbiterOptions
from robot_learning.core.options.option import LIVE
from robot_learning.nodes.noise import NoiseSettings
from robot_learning.nodes.shared import RealTime, Robot


@dataclass(frozen=True, kw_only=True)
class ArbiterNodeSettings(ArbiterOptions):
    """Settings of `arbiter_node`."""

    robot: Robot = "desk_arm"
    rate_hz: (
        Annotated[
            float,
            Meta(
                gt=0,
                description="Rate of joint_command, Hz; not given: the profile's control rate",
            ),
        ]
        | None
    ) = None
    real_time: RealTime = True
    sim_speed: Annotated[
        float,
        Meta(
            ge=0.01,
            le=1000,
            description="Simulated seconds per second of a robot in simulated time; the loop keeps "
            "pace with it",
        ),
    ] = 1.0
    output: Annotated[
        Literal["profile", "joint_trajectory", "position_array"],
        Meta(
            description="Type of joint_command; 'profile' is what the profile's real interface "
            "takes"
        ),
    ] = "joint_trajectory"
    time_from_start_s: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            description="When a JointTrajectory's point is due, s: 0 at once, for drives that take "
            "targets as they come; about one period for controllers that interpolate",
        ),
    ] = 0.0
    autostart: Annotated[bool, Meta(description="Enable as soon as the robot is heard")] = False
    workspace: Annotated[
        bool, Meta(description="Keep end effectors inside the profile's workspace boxes")
    ] = True
    demonstrating: Annotated[
        bool,
        Meta(
            description="Whether a demonstration is running; each change to true begins a new "
            "episode, with noise as set by the noise.* parameters"
        ),
        LIVE,
    ] = False
    demonstrations_follow: Annotated[
        Literal["parameter", "operator", "recorder"],
        Meta(
            description="What starts and ends demonstrations: the parameter alone, the operator's "
            "keys for start and for stop, discard, success or failure, or recorder/status"
        ),
    ] = "parameter"
    noise: NoiseSettings = field(default_factory=NoiseSettings)
