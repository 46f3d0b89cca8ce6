"""Settings of `replay_node`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

from robot_learning.nodes.shared import ArbiterNode


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayNodeSettings:
    """Settings of `replay_node`."""

    episode: Annotated[str, Meta(description="File of the recorded episode")] | None = None
    robot: (
        Annotated[str, Meta(description="Robot profile; not given: the robot of the recording")]
        | None
    ) = None
    column: Annotated[
        Literal["applied", "actions", "requested", "human", "policy"],
        Meta(description="Which recorded actions are sent"),
    ] = "applied"
    rate_hz: Annotated[float, Meta(ge=10, le=1000, description="Rate of policy/command, Hz")] = 50.0
    approach_speed: Annotated[
        float,
        Meta(
            ge=0.01,
            le=1,
            description="Share of each joint's velocity limit on the way to the start of the "
            "recording",
        ),
    ] = 0.25
    bound: (
        Annotated[
            float,
            Meta(
                gt=0,
                description="Deviation beyond which the exit code is 1, rad or m; not given: none",
            ),
        ]
        | None
    ) = None
    arbiter_node: ArbiterNode = "arbiter_node"
