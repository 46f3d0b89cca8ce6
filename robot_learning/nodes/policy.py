"""Settings of `policy_node`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from robot_learning.core.options.option import LIVE
from robot_learning.core.options.serving import ServingOptions
from robot_learning.nodes.shared import ArbiterNode, Autostart, DiagnosticsRate, RealTime, Robot

InferenceTicks = Annotated[
    int,
    Meta(
        ge=1,
        le=1000,
        description="In lockstep: control periods from an observation to the policy's actions; a "
        "number gives equal results for equal seeds on every machine; not given: as measured on "
        "this machine",
    ),
]
GateFolder = Annotated[
    str,
    Meta(
        description="Folder with the thresholds of disagreement and risk above which the policy "
        "asks for help (see robot-learning gate); not given: it never asks"
    ),
]
AskAbove = Annotated[
    float,
    Meta(
        gt=0,
        description="Disagreement above which the policy asks for help and the arm holds; not "
        "given: as the gate says, or never without a gate",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyNodeSettings(ServingOptions):
    """Settings of `policy_node`."""

    robot: Robot = "desk_arm"
    checkpoint: (
        Annotated[
            str, Meta(description="Folder of the checkpoint; ~/reload serves a new one"), LIVE
        ]
        | None
    ) = None
    arms: Annotated[
        tuple[str, ...],
        Meta(
            description="Namespaces of the arms that are served in one batch; '.' is the node's own"
        ),
    ] = (".",)
    members: (
        Annotated[
            str,
            Meta(
                description="Folders of further checkpoints, a;b, whose disagreement with the "
                "first is measured"
            ),
            LIVE,
        ]
        | None
    ) = None
    ask_above: Annotated[AskAbove, LIVE] | None = None
    gate: Annotated[GateFolder, LIVE] | None = None
    horizon_s: Annotated[
        float,
        Meta(ge=0.05, le=60, description="Time beyond which steps of a chunk are not sent, s"),
    ] = 1.0
    heartbeat_s: Annotated[
        float,
        Meta(
            ge=0.005,
            le=0.5,
            description="Time without a new plan after which the last one is sent again, s; less "
            "than the arbiter's policy_timeout_s",
        ),
    ] = 0.05
    inference_ticks: InferenceTicks | None = None
    gather_s: Annotated[
        float,
        Meta(
            ge=0,
            le=0.1,
            description="How long to wait for the other arms once one has an observation, s",
        ),
    ] = 0.003
    drive: Annotated[
        bool,
        Meta(description="Ask the arbiter once, as soon as it holds, to let the policy drive"),
    ] = False
    arbiter_node: ArbiterNode = "arbiter_node"
    real_time: RealTime = True
    autostart: Autostart = True
    diagnostics_rate_hz: DiagnosticsRate = 1.0
