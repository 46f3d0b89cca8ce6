"""Settings that several nodes have."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

Robot = Annotated[str, Meta(description="Robot profile: a name, a folder or a robot.yaml")]
Task = Annotated[str, Meta(description="Task that defines the scene around the robot")]
Autostart = Annotated[bool, Meta(description="Configure and activate on startup")]
RealTime = Annotated[
    bool,
    Meta(
        description="Request real-time scheduling of the control loop; without permission it runs "
        "at normal priority"
    ),
]
DiagnosticsRate = Annotated[float, Meta(ge=0.1, le=10, description="Rate of the diagnostics, Hz")]
Simulated = Annotated[
    bool, Meta(description="Whether the robot is simulated, and its scene reset between episodes")
]

RobotNode = Annotated[str, Meta(description="Name of the node whose ~/reset is called")]
ArbiterNode = Annotated[str, Meta(description="Name of the arbiter's node")]
RecorderNode = Annotated[str, Meta(description="Name of the recorder's node")]
TeleopNode = Annotated[str, Meta(description="Name of the node of the operator's device")]
PolicyNode = Annotated[str, Meta(description="Name of the node that serves the policy")]
