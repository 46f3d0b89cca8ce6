"""The oldest observation that actions may answer to, for who sends and who follows them."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

PolicyMaxAge = Annotated[
    float,
    Meta(
        ge=0.02,
        description="Age of the oldest observation that a chunk may be based on, s; give the same "
        "value to arbiter_node, which holds beyond it, and policy_node, which executes fewer steps "
        "of a chunk rather than reach it",
    ),
]
POLICY_MAX_AGE_S = 2.0
