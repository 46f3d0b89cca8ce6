"""Settings of `rollout_node`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from robot_learning.nodes.session import SceneSettings
from robot_learning.nodes.shared import PolicyNode

RolloutEpisodes = Annotated[
    int, Meta(ge=0, description="Episodes before everything ends; 0: until it is stopped")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutNodeSettings(SceneSettings):
    """Settings of `rollout_node`."""

    task: Annotated[str, Meta(description="Task that the policy is to solve")] = "lift"
    episodes: RolloutEpisodes = 0
    episode_timeout_s: (
        Annotated[
            float,
            Meta(
                gt=0,
                description="Seconds without success after which an episode is a failure; not "
                "given: the task's own",
            ),
        ]
        | None
    ) = None
    policy_node: PolicyNode = "policy_node"
