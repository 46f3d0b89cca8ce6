"""Settings of `dagger_node`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from robot_learning.core.options.target_rate import TargetRate
from robot_learning.core.vocabulary import (
    FamilyName,
    HelpGate,
    Labeller,
    PolicySize,
    TrainPlace,
)
from robot_learning.nodes.session import EpisodeSettings
from robot_learning.nodes.shared import PolicyNode

AS_BEFORE = "as in the resumed run"

Rounds = Annotated[int, Meta(ge=0, description="Rounds to run; 0: until it is stopped")]
EpisodesPerRound = Annotated[
    int, Meta(ge=0, description="Episodes in each round; 0: until ~/finish_round is called")
]
Relabel = Annotated[
    Labeller,
    Meta(
        description="Who labels the policy's rows after each round; not given: nobody, or "
        f"{AS_BEFORE}"
    ),
]
PolicyFamily = Annotated[
    FamilyName,
    Meta(description=f"Policy family to train; not given: deterministic, or {AS_BEFORE}"),
]
Preset = Annotated[
    PolicySize,
    Meta(description=f"Size of the policy; not given: small, or {AS_BEFORE}"),
]
TrainSettings = Annotated[
    str, Meta(description="Further settings of the training: a JSON mapping, or a=1;b=2")
]
TrainCommand = Annotated[
    TrainPlace,
    Meta(
        description="Where policies are trained; external: elsewhere, wait for the checkpoint; not "
        f"given: here, or {AS_BEFORE}"
    ),
]
GateKind = Annotated[
    HelpGate,
    Meta(
        description="Who decides when to take over: human (HG-DAgger); ensemble or thrifty: the "
        f"policy asks for help and the arm holds; not given: human, or {AS_BEFORE}"
    ),
]
Members = Annotated[
    int,
    Meta(
        ge=1,
        le=20,
        description="Policies to train in each round, whose disagreement is measured; not "
        f"given: one (3 if the policy asks for help), or {AS_BEFORE}",
    ),
]
AskAbove = Annotated[
    float,
    Meta(
        gt=0,
        description="With the gate human: disagreement above which the policy asks for help as "
        "well; not given: never",
    ),
]
StepIn = Annotated[
    float,
    Meta(
        ge=0.5,
        description="Scripted operator: seconds without progress after which it takes over",
    ),
]


@dataclass(frozen=True, kw_only=True)
class RoundOptions:
    """The options of a run of rounds that are the same for the node and for who starts it."""

    resume: Annotated[bool, Meta(description="Continue the run in that folder")] = False
    checkpoint: (
        Annotated[
            str,
            Meta(
                description="Checkpoint of the first policy; not given: one is trained from the "
                "demonstrations"
            ),
        ]
        | None
    ) = None
    rounds: Rounds = 2
    episodes_per_round: EpisodesPerRound = 5
    relabel: Relabel | None = None
    policy: PolicyFamily | None = None
    preset: Preset | None = None
    settings: TrainSettings | None = None
    members: Members | None = None
    gate: GateKind | None = None
    target_rate: TargetRate | None = None
    step_in_s: StepIn = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DaggerNodeSettings(RoundOptions, EpisodeSettings):
    """Settings of `dagger_node`."""

    run: Annotated[
        str, Meta(description="Folder of the run: its state, and the training of each round")
    ] = ""
    command: TrainCommand | None = None
    ask_above: AskAbove | None = None
    ask_as_operator: Annotated[
        bool,
        Meta(
            description="With the gate human: ask for help above the disagreement at which people "
            "took over so far, in place of ask_above"
        ),
    ] = False
    policy_node: PolicyNode = "policy_node"
    launch_arguments: (
        Annotated[
            str,
            Meta(
                description="Launch arguments of this start, a JSON mapping of texts, which a "
                "resumed run keeps; not given: as before"
            ),
        ]
        | None
    ) = None
