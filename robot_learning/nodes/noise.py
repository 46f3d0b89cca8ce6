"""Settings of DART's noise, which the arbiter adds and the recorder describes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from robot_learning.core.options.option import LIVE

NoiseCovariance = Annotated[
    str, Meta(description="File with the covariance of the noise: .npy, .npz or .yaml")
]
NoiseSigma = Annotated[
    float,
    Meta(
        ge=0,
        description="Standard deviation of the noise on every arm joint, rad or m, if no file is "
        "given; 0 for none",
    ),
]
NoiseTrace = Annotated[
    float,
    Meta(
        gt=0,
        description="Trace to which the covariance is scaled, DART's alpha / T; not given: not "
        "scaled",
    ),
]
NoiseHoldTicks = Annotated[
    int, Meta(ge=1, description="Arbiter ticks for which each draw of the noise is held")
]
NoiseSeed = Annotated[int, Meta(ge=0, description="Seed of the noise")]


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseDescription:
    """The covariance of the noise, in one of two ways."""

    covariance: Annotated[NoiseCovariance, LIVE] | None = None
    sigma: Annotated[NoiseSigma, LIVE] = 0.0
    trace: Annotated[NoiseTrace, LIVE] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseSettings(NoiseDescription):
    """The noise, and how it is drawn."""

    hold_ticks: Annotated[NoiseHoldTicks, LIVE] = 5
    seed: Annotated[NoiseSeed, LIVE] = 0
