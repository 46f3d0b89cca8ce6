"""Segments whose true reward is known."""

from collections.abc import Callable

import numpy as np
import pytest

from robot_learning.learning.preferences.columns import Columns
from robot_learning.learning.preferences.segments import Played, Scene, Segments, cut_segments

COLUMNS = Columns({"obs/place": 2}, 1)


def true_reward(observations: np.ndarray, actions: np.ndarray) -> np.ndarray:
    return observations[..., 0] - 0.5 * np.abs(actions[..., 0])


def episodes(count: int, length: int, seed: int = 0) -> list[Played]:
    draws = np.random.default_rng(seed)
    found = []
    for number in range(count):
        observations = draws.normal(size=(length, 2)) + draws.normal(size=2)
        actions = draws.normal(size=(length, 1))
        rewards = true_reward(observations, actions)
        found.append(Played(observations.astype("f"), actions.astype("f"), rewards, number))
    return found


@pytest.fixture
def make_segments() -> Callable[..., Segments]:
    def make(count: int = 60, length: int = 8, seed: int = 0) -> Segments:
        scene = Scene(env="Some-v0", rate_hz=10.0)
        return cut_segments(episodes(count, length, seed), length, 1, COLUMNS, scene)

    return make
