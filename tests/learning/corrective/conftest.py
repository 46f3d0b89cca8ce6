"""A linear system, s' = A s + B a, and demonstrations in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from robot_learning.core.types import FloatArray
from robot_learning.learning.corrective.config import CorrectiveConfig
from robot_learning.learning.corrective.transitions import Transitions

_DT_S = 0.05


@dataclass(frozen=True)
class LinearSystem:
    """Known dynamics, as the solver takes them."""

    a: FloatArray
    b: FloatArray

    def change(self, state: FloatArray, action: FloatArray) -> FloatArray:
        return state @ (self.a - np.eye(len(self.a))).T + action @ self.b.T

    def state_jacobian(self, state: FloatArray, action: FloatArray) -> FloatArray:
        return np.broadcast_to(self.a - np.eye(len(self.a)), (len(state), *self.a.shape)).copy()

    def step(self, state: FloatArray, action: FloatArray) -> FloatArray:
        return state + self.change(state, action)

    def demonstrations(self, episodes: int = 10, steps: int = 40, seed: int = 0) -> Transitions:
        """Episodes of a controller with noise, so that actions do not follow from states."""
        rng = np.random.default_rng(seed)
        gain = np.array([[-4.0, -3.0]])
        parts = []
        for number in range(episodes):
            state = rng.standard_normal(2)
            for _ in range(steps):
                action = gain @ state + 0.5 * rng.standard_normal(1)
                after = self.step(state[None], action[None])[0]
                parts.append((state, action, after, number))
                state = after
        columns = [np.array(column) for column in zip(*parts, strict=True)]
        return Transitions.of(columns[0], columns[1], columns[2], episode=columns[3])


@pytest.fixture
def system() -> LinearSystem:
    """A cart with friction: position and velocity, pushed by a force."""
    a = np.array([[1.0, _DT_S], [0.0, 1.0 - 0.4 * _DT_S]])
    return LinearSystem(a, np.array([[0.5 * _DT_S**2], [_DT_S]]))


@pytest.fixture
def quick() -> CorrectiveConfig:
    """Settings for tests: small networks, few steps."""
    return CorrectiveConfig(members=3, hidden=(16, 16), steps=200, batch_size=64)
