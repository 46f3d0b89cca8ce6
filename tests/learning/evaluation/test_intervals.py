import math

import pytest

from robot_learning.learning.evaluation.intervals import mcnemar, wilson


@pytest.mark.parametrize(
    # Wilson (1927); the values are those of statsmodels' proportion_confint(method="wilson").
    ("successes", "trials", "low", "high"),
    [(0, 10, 0.0, 0.27754), (10, 10, 0.72246, 1.0), (180, 200, 0.85056, 0.93434)],
)
def test_wilson(successes: int, trials: int, low: float, high: float) -> None:
    share = wilson(successes, trials)
    assert share.share == successes / trials
    assert (share.low, share.high) == pytest.approx((low, high), abs=2e-4)


def test_wilson_s_bounds_solve_its_equation() -> None:
    share = wilson(37, 50)
    for bound in (share.low, share.high):
        z = (0.74 - bound) / math.sqrt(bound * (1 - bound) / 50)
        assert abs(z) == pytest.approx(1.959964, abs=1e-6)


def test_without_trials_nothing_is_known() -> None:
    share = wilson(0, 0)
    assert math.isnan(share.share)
    assert (share.low, share.high) == (0.0, 1.0)


def test_mcnemar_is_the_binomial_test_of_the_pairs_that_differ() -> None:
    assert mcnemar(0, 0) == 1.0
    assert mcnemar(5, 5) == 1.0
    assert mcnemar(0, 6) == pytest.approx(2 / 64)
    assert mcnemar(9, 1) == mcnemar(1, 9) == pytest.approx(2 * (1 + 10) / 1024)
