"""When a recorded episode is called bad, as far as that may be adjusted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityOptions:
    """The adjustable thresholds of an episode's quality."""

    invalid_row_fraction: Annotated[
        float, Meta(ge=0, description="Share of invalid rows above which an episode is bad")
    ] = 0.02
    rate_error_fraction: Annotated[
        float,
        Meta(ge=0, le=1, description="How far a stream's rate may lie below its nominal one"),
    ] = 0.2
    gap_periods: Annotated[
        float,
        Meta(
            ge=1,
            description="Nominal periods without a sample that make a gap; never less than 50 ms",
        ),
    ] = 3.0
    gaps_per_minute: Annotated[
        float, Meta(ge=0, description="Gaps of a stream a minute above which an episode is bad")
    ] = 6.0
    skew_p99_ms: Annotated[
        float,
        Meta(
            ge=0,
            description="Time between the samples of a row, 99th percentile, above which an "
            "episode is bad, ms",
        ),
    ] = 200.0
    clamped_row_fraction: Annotated[
        float,
        Meta(
            ge=0,
            description="Share of rows that hit a position, velocity or workspace limit above "
            "which an episode is bad",
        ),
    ] = 0.2
    duration_min_s: Annotated[
        float, Meta(ge=0, description="Duration of the shortest good episode, s")
    ] = 0.5
