"""What a sequence of rows means between its times."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from robot_learning.core.types import FloatArray


def row_at(times: Sequence[float] | FloatArray, rows: FloatArray, time: float) -> FloatArray:
    """(n,) the row at a time: linear between rows, the first before them, the last after them.

    A caller for whom times outside of the rows mean nothing checks the time first.

    Args:
        times: (k,) increasing times of the rows, in any unit.
        rows: (k, n) at least one.
        time: time of the row, in the unit of `times`; a row's own time gives exactly that row.

    Returns:
        A view of `rows` where it is one of them.
    """
    above = bisect_right(times, time)
    if above in (0, len(times)):
        edge: FloatArray = rows[0 if above == 0 else -1]
        return edge
    start, end = times[above - 1], times[above]
    share = (time - start) / (end - start)
    between: FloatArray = rows[above - 1] + share * (rows[above] - rows[above - 1])
    return between
