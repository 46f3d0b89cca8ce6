"""What a person should know of a run that ended, in sentences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from robot_learning.core.amounts import amount
from robot_learning.learning.reinforcement.config import IterationResult
from robot_learning.learning.reinforcement.distributions import LOG_STD_BOUNDS
from robot_learning.learning.reinforcement.state import RunState


def remarks(state: RunState) -> list[str]:
    """What is odd about a run; nothing where all is well."""
    found = (_equal_returns(state.results), _deviations(state), state.stopped)
    return [text for text in found if text]


def _equal_returns(results: Sequence[IterationResult]) -> str:
    returns = {result.return_mean for result in results if result.return_mean is not None}
    lengths = {result.length_mean for result in results if result.length_mean is not None}
    if len(results) < 2 or len(returns) != 1 or len(lengths) != 1:
        return ""
    return (
        f"every episode's return was {returns.pop():g}: equal rewards say nothing about which "
        "actions are better, so that nothing was learned"
    )


def _deviations(state: RunState) -> str:
    log_std = state.arrays.get("log_std")
    if log_std is None or not len(log_std):
        return ""
    low, high = LOG_STD_BOUNDS
    count = int(np.count_nonzero((log_std <= low) | (log_std >= high)))
    if not count:
        return ""
    return (
        f"{amount(count, 'standard deviation is', 'standard deviations are')} at a bound of "
        f"{np.exp(low):.2g} to {np.exp(high):.2g} in normalised actions"
    )
