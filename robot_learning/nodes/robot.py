"""Settings of `robot_node`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from msgspec import Meta

from robot_learning.core.options.option import LIVE
from robot_learning.nodes.shared import Autostart, DiagnosticsRate, RealTime, Robot, Task

SceneSeed = Annotated[int, Meta(ge=0, description="Seed of the placement of objects")]
SimSpeed = Annotated[
    float,
    Meta(
        ge=0,
        le=1000,
        description="Simulated seconds per second of real time; 0: as fast as possible",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetSettings:
    """What `~/reset` does."""

    seed: (
        Annotated[
            int,
            Meta(
                ge=0,
                description="Seed with which ~/reset places the objects; not given: it counts up "
                "with each reset",
            ),
            LIVE,
        ]
        | None
    ) = None
    placement: (
        Annotated[
            str,
            Meta(
                description="Where ~/reset puts objects, as a YAML mapping of the task's placement "
                "options; not given: at random"
            ),
            LIVE,
        ]
        | None
    ) = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RobotNodeSettings:
    """Settings of `robot_node`."""

    robot: Robot = "desk_arm"
    task: Task = "lift"
    seed: SceneSeed = 0
    sim_speed: SimSpeed = 1.0
    real_time: RealTime = True
    publish_clock: Annotated[
        bool,
        Meta(
            description="Publish simulated time on /clock and use it in every stamp; needed where "
            "sim_speed is not 1"
        ),
    ] = False
    autostart: Autostart = True
    headless: Annotated[bool, Meta(description="Open no window; false opens MuJoCo's viewer")] = (
        True
    )
    cameras: Annotated[
        tuple[str, ...], Meta(description="Cameras to publish; 'all', or 'none' for no images")
    ] = ("all",)
    camera_quality: Annotated[
        Literal["observation", "video"],
        Meta(description="Rendering: fast for observations, or with shadows for videos"),
    ] = "observation"
    image_transport: Annotated[
        Literal["compressed", "raw", "both"], Meta(description="Image topics to publish")
    ] = "compressed"
    jpeg_quality: Annotated[
        int, Meta(ge=1, le=100, description="JPEG quality in percent"), LIVE
    ] = 90
    publish_tf: Annotated[
        bool,
        Meta(
            description="Publish links and cameras on /tf and /tf_static, where tf2_msgs is "
            "installed; false where robot_state_publisher does it"
        ),
    ] = True
    diagnostics_rate_hz: DiagnosticsRate = 1.0
    reset: ResetSettings = field(default_factory=ResetSettings)
