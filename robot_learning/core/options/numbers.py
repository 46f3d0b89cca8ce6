"""Ranges of numbers that many settings have."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

AtLeast0 = Annotated[int, Meta(ge=0)]
AtLeast1 = Annotated[int, Meta(ge=1)]
NotNegative = Annotated[float, Meta(ge=0)]
Positive = Annotated[float, Meta(gt=0)]
ShareBelow1 = Annotated[float, Meta(ge=0, lt=1)]
ShareAbove0 = Annotated[float, Meta(gt=0, le=1)]
TrueShare = Annotated[float, Meta(gt=0, lt=1)]
