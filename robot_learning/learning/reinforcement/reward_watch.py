"""A watch on reward hacking: the learned reward rises while the true return falls.

The rule, on the iterations in which episodes ended, in disjoint windows of w: against the earlier
window in which the true return was best, it has fallen in each of the last two by more than three
standard errors and by more than a tenth of its range in the run so far, and the learned reward has
risen by more than three. With w = 10, a true return of nothing but noise and a learned reward that
rises all the time, one in a hundred runs is stopped within 50 iterations and one in ten within 150;
if the true return rises by 0.02 of its deviations an iteration, one in two hundred. Where the
environment gives no rewards nothing is watched.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from robot_learning.core.types import FloatArray
from robot_learning.learning.reinforcement.config import IterationResult, PreferenceConfig

_ERRORS, _SHARE = 3.0, 0.1
_FEWEST = 3


def parting(results: Sequence[IterationResult], config: PreferenceConfig) -> str:
    """What the watch says of a run so far; empty while all is well.

    Args:
        results: figures of the iterations.
        config: settings, with the number of iterations w. Where episodes go on after their ends,
            the learned reward is that of a step, so that longer episodes are not better for that;
            where they do not it is that of an episode.
    """
    window, per_step = config.window, config.ends == "bootstrap"
    pairs = [
        (result.learned_reward if per_step else result.learned_return, result.return_mean)
        for result in results
    ]
    both = [pair for pair in pairs if None not in pair]
    count = len(both) // window if window else 0
    if count < _FEWEST:
        return ""
    learned, true = np.array(both[len(both) - count * window :], np.float64).T.reshape(2, count, -1)
    best = int(np.argmax(true[:-2].mean(axis=1)))
    range_of_all = float(np.ptp([pair[1] for pair in both]))
    falls = [_rise(true[last], true[best]) for last in (-2, -1)]
    rises = [_rise(learned[best], learned[last]) for last in (-2, -1)]
    if not all(change > _ERRORS * error for change, error in (*falls, *rises)):
        return ""
    if min(change for change, _ in falls) <= _SHARE * range_of_all:
        return ""
    what = "learned reward of a step" if per_step else "learned return"
    return (
        f"stopped: in the last {2 * window} iterations the {what} was higher by {rises[-1][0]:.3g} "
        f"than when the true return was best, and the true return lower by {falls[-1][0]:.3g}, so "
        "that the learned reward is no longer what was meant; rank segments of this policy and fit "
        "again, or go on with --resume --set preference.window=0"
    )


def _rise(before: FloatArray, after: FloatArray) -> tuple[float, float]:
    """By how much the mean of some values has risen, and the standard error of that."""
    error = math.sqrt(float(before.var() + after.var()) / (len(before) - 1))
    return float(after.mean() - before.mean()), error
