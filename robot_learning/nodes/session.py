"""Settings of `session_node`, and of every node that leads episodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from robot_learning.nodes.shared import (
    ArbiterNode,
    RecorderNode,
    RobotNode,
    Simulated,
    TeleopNode,
)

SessionEpisodes = Annotated[int, Meta(ge=1, description="Episodes to save in this session")]
EpisodeTimeout = Annotated[
    float,
    Meta(ge=0.1, description="Scripted operator: seconds after which an episode has failed"),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneSettings:
    """What a simulated scene is put back with, and when its task is solved."""

    robot_node: RobotNode = "robot_node"
    arbiter_node: ArbiterNode = "arbiter_node"
    seed: Annotated[
        int, Meta(ge=0, description="Seed of the scene of episode 0; counts up with each episode")
    ] = 0
    success_hold_s: Annotated[
        float, Meta(ge=0, description="How long success must last to count, s")
    ] = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeSettings(SceneSettings):
    """How episodes are led, by whatever node leads them."""

    recorder_node: RecorderNode = "recorder_node"
    teleop_node: TeleopNode = "teleop_node"
    unattended: Annotated[
        bool,
        Meta(description="Start and end episodes without a person: for the scripted operator"),
    ] = False
    simulated: Simulated = True
    episode_timeout_s: EpisodeTimeout = 30.0
    success_hold_s: Annotated[
        float, Meta(ge=0, description="Unattended: how long success must last to count, s")
    ] = 0.5
    resume_command: (
        Annotated[
            str,
            Meta(
                description="Command that resumes the session, shown when it ends with an error; "
                "not given: one with the default arguments"
            ),
        ]
        | None
    ) = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionNodeSettings(EpisodeSettings):
    """Settings of `session_node`."""

    episodes: SessionEpisodes = 10
