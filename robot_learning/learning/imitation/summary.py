"""The summary of several seeds: means with intervals over the seeds, round by round."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from robot_learning.learning.imitation.config import RoundResult

# Two-sided 95 % quantiles of Student's t for 1 to 30 degrees of freedom.
_T_95 = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
    *(2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)
FIGURES = (
    *("labels", "corrective_labels", "episodes", "expert_s", "success", "return_mean"),
    *("on_policy_error", "off_policy_error", "intervention_rate", "clipped_share", "wall_s"),
)


def mean_and_half_width(values: Sequence[float]) -> tuple[float, float]:
    """The mean and half of its 95 % interval by Student's t; NaN for a single value.

    >>> mean_and_half_width([1.0, 2.0, 3.0])  # doctest: +ELLIPSIS
    (2.0, 2.4843...)
    """
    count = len(values)
    mean = float(np.mean(values))
    if count < 2:
        return mean, math.nan
    quantile = _T_95[min(count - 1, len(_T_95)) - 1]
    return mean, quantile * float(np.std(values, ddof=1)) / math.sqrt(count)


def summarize(runs: Sequence[Sequence[RoundResult]]) -> list[dict[str, Any]]:
    """For each round, the number of seeds that reached it and each figure's (mean, half width).

    A figure that no seed has is None; so is the half width of a single seed.
    """
    found = []
    for number in range(max((len(run) for run in runs), default=0)):
        reached = [asdict(run[number]) for run in runs if len(run) > number]
        line: dict[str, Any] = {"round": number, "seeds": len(reached)}
        for name in FIGURES:
            values = [result[name] for result in reached if result[name] is not None]
            if not values:
                line[name] = None
                continue
            mean, half = mean_and_half_width(values)
            line[name] = [mean, None if math.isnan(half) else half]
        found.append(line)
    return found
