"""A scripted judge: rankings by the true return, in which near ones are tied."""

from __future__ import annotations

from collections.abc import Sequence

from robot_learning.core.errors import ConfigurationError
from robot_learning.core.types import FloatArray
from robot_learning.learning.preferences.rankings import Ranking


def ranked_by_return(names: Sequence[str], returns: FloatArray, band: float) -> Ranking:
    """The ranking of segments by their returns.

    A tier begins with the best segment that is left, and has all whose return is lower by at most
    the band.

    Args:
        names: (k) names of the segments.
        returns: (k,) their returns.
        band: largest difference of returns in a tier.

    >>> import numpy as np
    >>> str(ranked_by_return(["A", "B", "C"], np.array([1.0, 3.0, 2.9]), 0.2))
    'B = C > A'
    """
    tiers: list[list[str]] = []
    best = 0.0
    for value, name in sorted(zip(returns.tolist(), names, strict=True), reverse=True):
        if not tiers or best - value > band:
            tiers.append([])
            best = value
        tiers[-1].append(name)
    return Ranking(tuple(tuple(tier) for tier in tiers))


def band_of(returns: FloatArray, share: float) -> float:
    """The difference of returns up to which two segments are tied.

    Args:
        returns: (N,) returns of all segments.
        share: the band as a share of the range of these, at least 0 and below 1.

    Raises:
        ConfigurationError: the share is out of its range.
    """
    if not 0.0 <= share < 1.0:
        raise ConfigurationError(f"--tie-band: expected at least 0 and below 1, found {share:g}")
    return float(share * (returns.max() - returns.min()))
