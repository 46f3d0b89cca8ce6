"""Settings of `demo_node`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from robot_learning.nodes.shared import Robot, Task

Camera = Annotated[str, Meta(description="Camera that the video shows")]
VideoFile = Annotated[str, Meta(description="Video file to write; empty: none")]
DemoTimeout = Annotated[
    float, Meta(ge=1, description="Seconds after which the demonstration counts as failed")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoNodeSettings:
    """Settings of `demo_node`."""

    robot: Robot = "desk_arm"
    task: Task = "lift"
    camera: Camera = "front"
    video: VideoFile | None = "outputs/demo/lift.mp4"
    timeout_s: DemoTimeout = 60.0
