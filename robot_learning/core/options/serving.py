"""How checkpoints are served, as far as that may be adjusted; importing it loads no PyTorch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from robot_learning.core.options.policy_age import POLICY_MAX_AGE_S, PolicyMaxAge
from robot_learning.core.vocabulary import ComputeBackend, ComputeDevice, ExecutionName

Device = Annotated[ComputeDevice, Meta(description="Where the network runs")]
Backend = Annotated[
    ComputeBackend,
    Meta(description="Engine that runs the network; auto: the fastest, as measured"),
]
ChunkExecution = Annotated[
    ExecutionName,
    Meta(
        description="How action chunks are executed; auto: asynchronous, or receding_horizon where "
        "a chunk is one step"
    ),
]
ExecutedSteps = Annotated[
    int,
    Meta(
        ge=1,
        description="Steps of each action chunk that are executed before the next one; not given: "
        "as the checkpoint says",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingOptions:
    """The adjustable part of serving; the defaults suit small policies on a CPU."""

    device: Device = "auto"
    backend: Backend = "auto"
    threads: Annotated[
        int,
        Meta(
            ge=1,
            le=256,
            description="Threads of the network's operations; more than one rarely helps small "
            "policies, and takes cores from the control loop",
        ),
    ] = 1
    execution: ChunkExecution = "auto"
    executed_steps: ExecutedSteps | None = None
    policy_max_age_s: PolicyMaxAge = POLICY_MAX_AGE_S
    ensembling_decay: Annotated[
        float,
        Meta(
            ge=0,
            description="m of temporal ensembling's weights exp(-m i), i = 0 being the oldest "
            "chunk",
        ),
    ] = 0.01
    seed: Annotated[int, Meta(ge=0, description="Seed of the policy's noise")] = 0
    max_age_s: Annotated[
        float, Meta(description="Age of joints and poses beyond which no chunk is requested, s")
    ] = 0.1
    image_max_age_s: Annotated[
        float, Meta(description="Age of images beyond which no chunk is requested, s")
    ] = 0.3
