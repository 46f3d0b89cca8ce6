"""A dense feedback expert for gymnasium's Pendulum-v1: energy shaping, then LQR near the top.

python examples/pendulum_expert.py --seeds 200

It depends on the observation alone, so that it stays right whoever acted before. The swing-up
drives the energy to that of the upright rest (Astrom and Furuta, "Swinging up a pendulum by
energy control", Automatica 36, 2000, section 3); the balance is the discrete LQR of the pendulum
linearised at the top, which takes over where its torque is about within the limit.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

ENV = "Pendulum-v1"
SUCCESS_RAD, SUCCESS_STEPS = 0.2, 50
"""Balanced: within this angle of the top in all of the last so many steps."""

# Of gymnasium's pendulum, a rod of length l and mass m: angle'' = a sin(angle) + b torque.
_TORQUE_LIMIT_NM, _STEP_S = 2.0, 0.05
_A, _B = 15.0, 3.0
_ENERGY_GAIN, _SOFT_RAD_S = 1.0, 0.3
_CATCH_NM, _CATCH_RAD = 4.0, 1.0


def _balance_gain() -> FloatArray:
    """(2,) gains of the discrete LQR on (angle, velocity), by Riccati iteration."""
    a = np.array([[1 + _A * _STEP_S**2, _STEP_S], [_A * _STEP_S, 1.0]])
    b = np.array([[_B * _STEP_S**2], [_B * _STEP_S]])
    state_cost, torque_cost = np.diag([1.0, 0.1]), np.array([[0.1]])
    value = state_cost
    gain = np.zeros((1, 2))
    for _ in range(1000):
        gain = np.linalg.solve(torque_cost + b.T @ value @ b, b.T @ value @ a)
        value = state_cost + a.T @ value @ (a - b @ gain)
    return gain.ravel()


_GAIN = _balance_gain()


def expert(observation: npt.ArrayLike, info: Mapping[str, Any] | None = None) -> FloatArray:
    """(1,) torque, Nm, for the observation (cos angle, sin angle, angular velocity)."""
    cosine, sine, velocity = (float(value) for value in np.asarray(observation, np.float64))
    angle = float(np.arctan2(sine, cosine))
    balance = -float(_GAIN @ np.array([angle, velocity]))
    if abs(balance) < _CATCH_NM and abs(angle) < _CATCH_RAD:
        return np.array([np.clip(balance, -_TORQUE_LIMIT_NM, _TORQUE_LIMIT_NM)])
    # Per moment of inertia, and 0 for the upright rest.
    energy = 0.5 * velocity**2 + _A * (cosine - 1.0)
    # At rest either way is right.
    way = float(np.tanh(velocity / _SOFT_RAD_S)) if velocity else 1.0
    torque = -_ENERGY_GAIN * energy * way
    return np.array([np.clip(torque, -_TORQUE_LIMIT_NM, _TORQUE_LIMIT_NM)])


class Balanced(gymnasium.Wrapper[Any, Any, Any, Any]):
    """The pendulum, whose `info` says `is_success`: it has stood for the last steps."""

    def reset(self, **options: Any) -> tuple[Any, dict[str, Any]]:
        """Begin an episode."""
        self._standing = 0
        observation, info = self.env.reset(**options)
        return observation, {**info, "is_success": False}

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """One step of `_STEP_S` seconds."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        angle = abs(float(np.arctan2(observation[1], observation[0])))
        self._standing = self._standing + 1 if angle < SUCCESS_RAD else 0
        success = self._standing >= SUCCESS_STEPS
        return observation, reward, terminated, truncated, {**info, "is_success": success}


def make_env(**options: Any) -> Balanced:
    """The pendulum that says when it is balanced."""
    return Balanced(gymnasium.make(ENV, **options))


def main() -> None:
    """Let it swing up from many starts."""
    parser = argparse.ArgumentParser(description="Swing up and balance a pendulum.")
    parser.add_argument("--seeds", type=int, default=200)
    seeds = parser.parse_args().seeds
    env = make_env()
    returns, successes = [], 0
    for seed in range(seeds):
        observation, info = env.reset(seed=seed)
        total, done = 0.0, False
        while not done:
            observation, reward, terminated, truncated, info = env.step(expert(observation, info))
            total, done = total + float(reward), terminated or truncated
        returns.append(total)
        successes += info["is_success"]
    spread = f"{np.mean(returns):.1f} (standard deviation {np.std(returns):.1f})"
    print(f"{successes} of {seeds} balanced at the end; return {spread}")
    env.close()


if __name__ == "__main__":
    main()
