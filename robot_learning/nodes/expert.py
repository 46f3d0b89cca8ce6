"""Settings of `expert_node`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from robot_learning.nodes.shared import Robot, RobotNode, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpertNodeSettings:
    """Settings of `expert_node`."""

    robot: Robot = "desk_arm"
    task: Task = "lift"
    seed: Annotated[int, Meta(ge=0, description="Seed of the expert's own choices")] = 0
    rate_hz: Annotated[float, Meta(ge=1, le=1000, description="Rate of the commands, Hz")] = 50.0
    episodes: Annotated[
        int, Meta(ge=0, description="Episodes before the node ends; 0: no limit")
    ] = 1
    episode_timeout_s: Annotated[
        float, Meta(ge=0.1, description="Time after which an episode has failed, s")
    ] = 30.0
    stop_on_success: Annotated[
        bool, Meta(description="Whether success ends an episode before its time limit")
    ] = True
    await_listeners: Annotated[
        int,
        Meta(ge=0, description="Number of subscribers to joint_command to wait for before it acts"),
    ] = 1
    robot_node: RobotNode = "robot_node"
