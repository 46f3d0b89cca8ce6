"""Settings of `teleop_node`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from msgspec import Meta

from robot_learning.core.options.operator import OperatorOptions
from robot_learning.core.vocabulary import OPERATOR_DEVICES, OperatorPanel
from robot_learning.nodes.shared import ArbiterNode, Robot

Device = Annotated[
    str,
    Meta(
        description=f"Device that the operator drives with: {', '.join(OPERATOR_DEVICES)}, or "
        "a module:Class of your own"
    ),
]
DeviceMap = Annotated[
    str,
    Meta(
        description="Key or axis map of the device: a shipped name or a YAML file; not given: the "
        "device's own"
    ),
]
Panel = Annotated[OperatorPanel, Meta(description="A second device for the operator's keys")]


@dataclass(frozen=True, slots=True, kw_only=True)
class TeleopNodeSettings:
    """Settings of `teleop_node`."""

    robot: Robot = "desk_arm"
    device: Device = "keyboard"
    map: DeviceMap | None = None
    panel: Panel = "none"
    task: Annotated[str, Meta(description="Task of the scripted operator")] = "lift"
    seed: Annotated[int, Meta(ge=0, description="Seed of the scripted operator")] = 0
    rate_hz: Annotated[
        float, Meta(ge=20, le=500, description="Rate of teleop/command while engaged, Hz")
    ] = 50.0
    arbiter_node: ArbiterNode = "arbiter_node"
    status: Annotated[
        Literal["auto", "none"],
        Meta(description="The operator's status line; auto shows it in a terminal"),
    ] = "auto"
    linear_slow_m_s: Annotated[
        float, Meta(ge=0.001, description="Slow speed of the end effector, m/s")
    ] = 0.05
    linear_fast_m_s: Annotated[
        float, Meta(ge=0.001, description="Fast speed of the end effector, m/s")
    ] = 0.2
    angular_slow_rad_s: Annotated[
        float, Meta(ge=0.001, description="Slow rotation of the end effector, rad/s")
    ] = 0.3
    angular_fast_rad_s: Annotated[
        float, Meta(ge=0.001, description="Fast rotation of the end effector, rad/s")
    ] = 1.0
    joint_slow_fraction: Annotated[
        float,
        Meta(ge=0.001, le=1, description="Slow joint jog, as a share of the joint's speed limit"),
    ] = 0.1
    joint_fast_fraction: Annotated[
        float,
        Meta(ge=0.001, le=1, description="Fast joint jog, as a share of the joint's speed limit"),
    ] = 0.4
    operator: OperatorOptions = field(default_factory=OperatorOptions)
