"""The watch tells a learned reward that has parted from the true one, and nothing else."""

from typing import Any

import numpy as np
import pytest

from robot_learning.core.errors import ConfigurationError
from robot_learning.learning.reinforcement.config import (
    IterationResult,
    PreferenceConfig,
    ReinforcementConfig,
)
from robot_learning.learning.reinforcement.reward_watch import parting

RISE, FALL, FLAT = np.linspace(0, 10, 30), np.linspace(10, 0, 30), np.zeros(30)


def result(number: int, **figures: float) -> IterationResult:
    return IterationResult(iteration=number, step=number, episodes=number, **figures)


def results(
    learned: Any, true: Any, name: str = "learned_reward", seed: int = 0, scale: float = 0.1
) -> list[IterationResult]:
    noise = np.random.default_rng(seed).normal(scale=scale, size=(2, len(true)))
    return [
        result(number, return_mean=float(b), **{name: float(a)})
        for number, (a, b) in enumerate(zip(learned + noise[0], true + noise[1], strict=True))
    ]


def watch(window: int, ends: Any = "bootstrap") -> PreferenceConfig:
    return PreferenceConfig(window=window, ends=ends)


def test_a_learned_reward_that_rises_while_the_true_return_falls_is_told() -> None:
    said = parting(results(RISE, FALL), watch(10))
    assert said.startswith("stopped: in the last 20 iterations the learned reward of a step was hi")
    assert "the true return lower by 6.9" in said and "--resume --set preference.window=0" in said
    assert parting(results(RISE, FALL, "learned_return"), watch(10, "end"))


@pytest.mark.parametrize(
    ("learned", "true", "window"),
    [(RISE, RISE, 10), (FALL, FALL, 10), (RISE, FLAT, 10), (RISE, FALL, 0), (RISE, FALL, 11)],
)
def test_other_runs_bootstrap(learned: Any, true: Any, window: int) -> None:
    assert not parting(results(learned, true), watch(window))


def test_longer_episodes_are_not_taken_for_better_ones() -> None:
    assert not parting(results(RISE, FALL, "learned_return"), watch(10))


def test_a_fall_of_less_than_a_tenth_of_the_range_is_none() -> None:
    rise = np.concatenate([np.full(10, -100.0), RISE])
    true = np.concatenate([np.full(10, -100.0), FALL])
    assert not parting(results(rise, true), watch(10))


@pytest.mark.parametrize(("drift", "most"), [(0.0, 6), (0.02, 0)])
def test_noise_rarely_stops_a_run(drift: float, most: int) -> None:
    steps = np.arange(150)
    stopped = 0
    for seed in range(40):
        noisy = results(0.2 * steps, drift * steps, seed=seed, scale=1.0)
        stopped += any(parting(noisy[:count], watch(10)) for count in range(30, 151, 4))
    assert stopped <= most


def test_without_a_learned_reward_nothing_is_watched() -> None:
    assert not parting([result(n, return_mean=-float(n)) for n in range(40)], watch(5))


def test_a_window_of_one_iteration_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="window: 1 iteration has no standard error"):
        ReinforcementConfig().with_values({"preference.window": 1})
