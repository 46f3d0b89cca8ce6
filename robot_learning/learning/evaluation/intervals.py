"""How sure a share of successes is, and whether two differ."""

from __future__ import annotations

import math
from dataclasses import dataclass

Z_95 = 1.959964


@dataclass(frozen=True, slots=True)
class Share:
    """Successes among trials with the bounds of an interval."""

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
    """A share with its Wilson score interval; z = 1.96 gives 95 %.

    >>> print(wilson(19, 20))
    0.950 [0.764, 0.991]
    """
    if trials < 1:
        return Share(0, 0, 0.0, 1.0)
    share = successes / trials
    spread = z * math.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    middle, scale = share + z**2 / (2 * trials), 1 + z**2 / trials
    low, high = max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)
    return Share(successes, trials, low, high)


def mcnemar(only_first: int, only_second: int) -> float:
    """The exact two-sided p-value that two paired shares are equal.

    Args:
        only_first: trials in which only the first succeeded.
        only_second: likewise the second. Trials that end alike say nothing.

    >>> mcnemar(9, 1)
    0.021484375
    """
    count, fewer = only_first + only_second, min(only_first, only_second)
    tail: float = sum(math.comb(count, k) for k in range(fewer + 1)) / 2**count
    return min(1.0, 2.0 * tail)
