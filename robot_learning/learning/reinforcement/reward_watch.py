"""A watch on reward hacking: the learned return rises while the true one falls.

The rule, on the iterations in which episodes ended, w before and the last w: the mean learned
return has risen by more than two standard errors, the mean true return has fallen by more than two,
and by more than a tenth of its range in the run so far. Where the environment gives no rewards the
true return never falls, and nothing is watched.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from robot_learning.core.types import FloatArray
from robot_learning.learning.reinforcement.config import IterationResult

_ERRORS, _SHARE = 2.0, 0.1


def parting(results: Sequence[IterationResult], window: int) -> str:
    """What the watch says of a run so far; empty while all is well.

    Args:
        results: figures of the iterations.
        window: number of iterations w; 0 for no watch.
    """
    both = [
        (result.learned_return, result.return_mean)
        for result in results
        if result.learned_return is not None and result.return_mean is not None
    ]
    if not window or len(both) < 2 * window:
        return ""
    learned, true = np.array(both).T
    rise, fall = _change(learned, window), -_change(true, window)
    if rise <= _ERRORS * _error(learned, window) or fall <= _ERRORS * _error(true, window):
        return ""
    if fall <= _SHARE * float(np.ptp(true)):
        return ""
    return (
        f"stopped: in the last {window} iterations the learned return rose by {rise:.3g} while the "
        f"true return fell by {fall:.3g}, so that the learned reward is no longer what was meant; "
        "rank segments of this policy and fit again, or give --set preference.window=0"
    )


def _change(values: FloatArray, window: int) -> float:
    """Mean of the last values less that of as many before."""
    return float(values[-window:].mean() - values[-2 * window : -window].mean())


def _error(values: FloatArray, window: int) -> float:
    """Standard error of that change."""
    parts = values[-window:], values[-2 * window : -window]
    return math.sqrt(sum(float(part.var()) / max(1, window - 1) for part in parts))
