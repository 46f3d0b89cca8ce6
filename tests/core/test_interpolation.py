"""Rows between their times."""

import numpy as np
import pytest

from robot_learning.core.interpolation import row_at

ROWS = np.array([[0.0, 10.0], [2.0, 30.0], [4.0, -1.0]])


@pytest.mark.parametrize("times", [[1.0, 2.0, 4.0], (1, 2, 4), np.array([1, 2, 4])])
@pytest.mark.parametrize(
    ("time", "expected"),
    [(0, [0, 10]), (1, [0, 10]), (1.5, [1, 20]), (2, [2, 30]), (3, [3, 14.5]), (9, [4, -1])],
)
def test_rows_are_linear_between_their_times_and_stay_outside(times, time, expected):
    np.testing.assert_array_equal(row_at(times, ROWS, time), expected)


def test_one_row_holds_always():
    for time in (-1.0, 5.0, 9.0):
        np.testing.assert_array_equal(row_at([5.0], ROWS[:1], time), ROWS[0])


def test_times_in_nanoseconds_are_exact():
    begin_ns = 1_700_000_000_123_456_789
    times_ns = range(begin_ns, begin_ns + 60, 20)
    np.testing.assert_array_equal(row_at(times_ns, ROWS, begin_ns + 20), ROWS[1])
    np.testing.assert_array_equal(row_at(times_ns, ROWS, begin_ns + 5), [0.5, 15.0])
