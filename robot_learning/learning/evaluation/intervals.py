"""Confidence intervals of success rates, and whether two rates differ."""

from __future__ import annotations

import math
from dataclasses import dataclass

Z_95 = 1.959964


@dataclass(frozen=True, slots=True)
class Share:
    """Successes among trials, with the bounds of their confidence interval."""

    successes: int
    trials: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """Successes over trials; NaN without any."""
        return self.successes / self.trials if self.trials else math.nan

    def __str__(self) -> str:
        return f"{self.share:.3f} [{self.low:.3f}, {self.high:.3f}]"


def wilson(successes: int, trials: int, z: float = Z_95) -> Share:
    """A share with its Wilson score interval.

    Args:
        successes: number of successes.
        trials: number of trials; below 1 the interval is [0, 1].
        z: quantile of the standard normal distribution; the default gives a 95 % interval.

    >>> print(wilson(19, 20))
    0.950 [0.764, 0.991]
    """
    if trials < 1:
        return Share(0, 0, 0.0, 1.0)
    # The shares p for which |share - p| <= z sqrt(p (1 - p) / trials): the roots of a quadratic.
    share = successes / trials
    spread = z * math.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    middle, scale = share + z**2 / (2 * trials), 1 + z**2 / trials
    low, high = max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)
    return Share(successes, trials, low, high)


def mcnemar(only_first: int, only_second: int) -> float:
    """The exact two-sided p-value of the hypothesis that two paired shares are equal.

    Trials that end alike for both carry no information.

    Args:
        only_first: number of trials in which only the first succeeded.
        only_second: number of trials in which only the second succeeded.

    >>> mcnemar(9, 1)
    0.021484375
    """
    # If the shares are equal, each of the differing trials goes either way with probability 1/2:
    # twice the binomial tail up to the smaller count.
    count, fewer = only_first + only_second, min(only_first, only_second)
    tail: float = sum(math.comb(count, k) for k in range(fewer + 1)) / 2**count
    return min(1.0, 2.0 * tail)
