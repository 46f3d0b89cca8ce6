import numpy as np
import pytest

from robot_learning.core.errors import ConfigurationError
from robot_learning.learning.algorithms.dagger import (
    budget_threshold,
    disagreement_threshold,
    equal_mass_weights,
    mixture_beta,
    rows_before_takeover,
    takeover_rows,
)

#                 | episode 0           | episode 1
INTERVENTION = np.array([0, 0, 1, 1, 0, 0, 1, 1, 0, 1], bool)
FIRST = np.array([1, 0, 0, 0, 0, 0, 0, 1, 0, 0], bool)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("none", [1, 0, 0, 0, 0]),
        ("linear", [1, 0.75, 0.5, 0.25, 0]),
        ("exponential", [1, 0.7, 0.49, 0.343, 0.2401]),
    ],
)
def test_mixtures_begin_with_the_expert_alone(schedule: str, expected: list[float]) -> None:
    found = [mixture_beta(schedule, number, p=0.7, over_rounds=4) for number in range(5)]
    assert found == pytest.approx(expected)


def test_an_unknown_mixture_names_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'linear'"):
        mixture_beta("liner", 1)


def test_an_intervention_that_begins_an_episode_is_a_takeover_too() -> None:
    assert np.flatnonzero(takeover_rows(INTERVENTION, FIRST)).tolist() == [2, 6, 7, 9]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [(0, []), (1, [1, 5, 8]), (2, [0, 1, 4, 5, 8]), (9, [0, 1, 4, 5, 8])],
)
def test_rows_before_a_takeover_are_the_policys_and_of_the_same_episode(
    steps: int, expected: list[int]
) -> None:
    found = rows_before_takeover(INTERVENTION, FIRST, steps)
    assert np.flatnonzero(found).tolist() == expected


def test_weights_give_interventions_half_of_the_mass() -> None:
    weights = equal_mass_weights(np.array([1, 0, 0, 0, 0, 0, 0, 1], bool))
    assert weights[[0, 7]].sum() == pytest.approx(weights[1:7].sum())
    assert weights.mean() == pytest.approx(1.0)
    assert (equal_mass_weights(np.zeros(3, bool)) == 1).all()


def test_a_budget_is_the_share_of_values_above_its_threshold() -> None:
    values = np.random.default_rng(0).exponential(size=10_000)
    assert np.mean(values > budget_threshold(values, 0.15)) == pytest.approx(0.15, abs=1e-3)
    assert budget_threshold([], 0.1) == np.inf


def test_the_disagreement_threshold_is_the_mean_of_the_last_quarter() -> None:
    assert disagreement_threshold(np.array([9.0, 9, 9, 9, 9, 9, 1, 3])) == 2.0
    assert disagreement_threshold(np.array([5.0])) == 5.0
    assert disagreement_threshold(np.array([])) is None
