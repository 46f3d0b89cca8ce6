"""How often a policy may ask for help: what thresholds of disagreement and risk are found by."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

TARGET_RATE = 0.1
TARGET_RATE_TEXT = (
    "for ensemble and thrifty: share of the policy's steps in which disagreement, or risk, may "
    "trigger a request for help"
)
TargetRate = Annotated[
    float,
    Meta(
        gt=0,
        le=1,
        description=f"{TARGET_RATE_TEXT.capitalize()}; not given: {TARGET_RATE}, or as in the "
        "resumed run",
    ),
]
