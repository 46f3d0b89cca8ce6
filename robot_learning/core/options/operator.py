"""How the scripted operator behaves, as far as that may be adjusted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

EngageAbove = Annotated[
    float,
    Meta(
        ge=0,
        description="Scripted operator: deviation from the expert, as a share of the joint's "
        "range, above which it takes over",
    ),
]
ReleaseBelow = Annotated[
    float,
    Meta(
        ge=0,
        description="Scripted operator: deviation below which it hands back; below engage_above",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorOptions:
    """The adjustable traits of the scripted operator."""

    intervenes: Annotated[
        bool,
        Meta(
            description="Scripted operator: whether it hands back when the policy agrees; "
            "false: it demonstrates"
        ),
    ] = True
    engage_above: EngageAbove = 0.08
    release_below: ReleaseBelow = 0.03
    min_engaged_s: Annotated[
        float, Meta(ge=0, description="Scripted operator: shortest duration of an intervention, s")
    ] = 1.0
    min_asked_s: Annotated[
        float,
        Meta(
            ge=0,
            description="Scripted operator: shortest duration of an intervention that was "
            "requested, s",
        ),
    ] = 4.0
    patience_s: Annotated[
        float,
        Meta(
            ge=0,
            description="Scripted operator: how long the deviation lasts before it takes over, s",
        ),
    ] = 0.1
    reaction_s: Annotated[float, Meta(ge=0, description="Scripted operator: reaction time, s")] = (
        0.2
    )
    speed_fraction: Annotated[
        float,
        Meta(
            ge=0.001,
            le=1,
            description="Scripted operator: speed of its hand, as a share of each joint's speed "
            "limit",
        ),
    ] = 0.5
    tremor_rad: Annotated[
        float,
        Meta(
            ge=0,
            description="Scripted operator: standard deviation of its hand's tremor, rad or m; "
            "grippers do not tremble",
        ),
    ] = 0.002
