"""The watch tells a learned reward that has parted from the true one, and nothing else."""

import numpy as np
import pytest

from robot_learning.learning.reinforcement.config import IterationResult
from robot_learning.learning.reinforcement.reward_watch import parting

RISE, FALL, FLAT = np.linspace(0, 10, 20), np.linspace(10, 0, 20), np.zeros(20)


def result(number: int, **figures: float) -> IterationResult:
    return IterationResult(iteration=number, step=number, episodes=number, **figures)


def results(learned: np.ndarray, true: np.ndarray) -> list[IterationResult]:
    noise = np.random.default_rng(0).normal(scale=0.1, size=(2, len(true)))
    return [
        result(number, return_mean=float(b), learned_return=float(a))
        for number, (a, b) in enumerate(zip(learned + noise[0], true + noise[1], strict=True))
    ]


def test_a_learned_return_that_rises_while_the_true_one_falls_is_told() -> None:
    said = parting(results(RISE, FALL), 10)
    assert said.startswith("stopped: in the last 10 iterations the learned return rose by 5.")
    assert "the true return fell by 5." in said


@pytest.mark.parametrize(
    ("learned", "true", "window"),
    [(RISE, RISE, 10), (FALL, FALL, 10), (RISE, FLAT, 10), (RISE, FALL, 0), (RISE, FALL, 11)],
)
def test_other_runs_go_on(learned: np.ndarray, true: np.ndarray, window: int) -> None:
    assert not parting(results(learned, true), window)


def test_a_fall_of_less_than_a_tenth_of_the_range_is_none() -> None:
    rise = np.concatenate([np.full(5, -100.0), RISE])
    true = np.concatenate([np.full(5, -100.0), FALL])
    assert not parting(results(rise, true), 10)


def test_without_a_learned_reward_nothing_is_watched() -> None:
    assert not parting([result(n, return_mean=-float(n)) for n in range(40)], 5)
