"""Following a joint trajectory: what a joint trajectory controller does, without the controller.

Pure: time is passed in, and nothing here knows of robots or messages.
"""

from __future__ import annotations

import numpy as np

from robot_learning.core.interpolation import row_at
from robot_learning.core.types import FloatArray


class TrajectoryFollower:
    """The position target at every instant, (n,) rad or m.

    Between points the target moves linearly in time, beginning with the target at the moment
    the trajectory was accepted; after the last point it stays there. A new trajectory replaces
    the old one at once.
    """

    def __init__(self, start: FloatArray) -> None:
        self._times_s = np.zeros(1)
        self._positions = np.atleast_2d(np.array(start, float))

    def hold(self, position: FloatArray) -> None:
        """Forget the trajectory and stay at `position` (n,)."""
        self._times_s = np.zeros(1)
        self._positions = np.atleast_2d(np.array(position, float))

    def accept(self, times_s: FloatArray, positions: FloatArray, now_s: float) -> None:
        """Follow `positions` (k, n), each to be reached `times_s` (k,) after `now_s`.

        Args:
            times_s: (k,) seconds, increasing (the caller has checked that); a first time of 0 means
                at once.
            positions: (k, n) rad or m.
            now_s: current time in seconds, on the clock of `target`.
        """
        start = self.target(now_s)
        if times_s[0] > 0.0:
            times_s = np.concatenate([[0.0], times_s])
            positions = np.vstack([start, positions])
        self._times_s = times_s + now_s
        self._positions = np.array(positions, float)

    def target(self, now_s: float) -> FloatArray:
        """The target (n,) at `now_s`."""
        return np.array(row_at(self._times_s, self._positions, now_s))
