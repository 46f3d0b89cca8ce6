"""A chunk of actions laid out in time: what a policy predicted, and the time of each step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from robot_learning.core.clocks import NS_PER_S
from robot_learning.core.interpolation import row_at
from robot_learning.core.types import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class ActionChunk:
    """The actions that follow one observation.

    Attributes:
        stamp_ns: stamp of the observation that the actions answer, which is the time of row 0.
        period_ns: time between two rows.
        actions: (k, n) joint positions, rad or m.
    """

    stamp_ns: int
    period_ns: int
    actions: FloatArray

    @property
    def last_ns(self) -> int:
        """Time of the last row."""
        return self.stamp_ns + (len(self.actions) - 1) * self.period_ns

    @property
    def end_ns(self) -> int:
        """End of the last row: one period after its time."""
        return self.last_ns + self.period_ns

    def step_ns(self, step: int) -> int:
        """Time of row `step`."""
        return self.stamp_ns + step * self.period_ns

    def at(self, times_ns: Sequence[int]) -> FloatArray:
        """(m, n) actions at any times: linear between rows, NaN outside of them.

        The time of a row gives exactly that row.
        """
        rows = np.full((len(times_ns), self.actions.shape[1]), np.nan)
        steps_ns = range(self.stamp_ns, self.end_ns, self.period_ns)
        for row, time_ns in zip(rows, times_ns, strict=True):
            if self.stamp_ns <= time_ns <= self.last_ns:
                row[:] = row_at(steps_ns, self.actions, time_ns)
        return rows

    def points_from(
        self, now_ns: int, horizon_ns: int | None = None
    ) -> tuple[list[float], FloatArray]:
        """The rows still to be executed at `now_ns`: offsets in seconds after the stamp, and rows.

        They begin with the row in force (the last one that has begun) and end with the row that is
        reached `horizon_ns` after now; None goes to the end. There is always at least one.
        """
        last = len(self.actions) - 1
        first = min(max((now_ns - self.stamp_ns) // self.period_ns, 0), last)
        end = last
        if horizon_ns is not None:
            until = (now_ns + horizon_ns - self.stamp_ns) // self.period_ns + 1
            end = min(max(until, first), last)
        steps = range(first, end + 1)
        offsets_s = [step * self.period_ns / NS_PER_S for step in steps]
        return offsets_s, self.actions[first : end + 1]
