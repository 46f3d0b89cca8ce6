"""Returns and advantages of steps in time: pure functions of rewards, values and ends.

An episode *terminates* where the task is over: nothing follows. It is *truncated* where it is only
cut off, as by a time limit: what would have followed is estimated by the value of the state that
was reached, the true successor, not the first state of the next episode. Where both are reported at
once the termination counts. Nothing crosses from one episode into another.

All arrays are (T, ...): T steps in time, and any number of environments beside each other.
"""

from __future__ import annotations

import math

import numpy as np

from robot_learning.core.types import BoolArray, FloatArray
from robot_learning.learning.training.perceptron import Array


def returns_to_go(
    rewards: FloatArray,
    terminated: BoolArray,
    truncated: BoolArray,
    next_values: FloatArray,
    discount: float,
) -> FloatArray:
    """(T, ...) G_t = r_t + γ G_{t+1}, with γ V(s_{t+1}) where an episode is cut off.

    The last step counts as cut off unless it terminated.

    Args:
        rewards: (T, ...) rewards.
        terminated: (T, ...) whether the task was over after a step.
        truncated: (T, ...) whether an episode was cut off after a step.
        next_values: (T, ...) values of the true successors; read where an episode is cut off.
        discount: γ.
    """
    found = np.empty(np.shape(rewards), np.float64)
    is_cut = truncated.copy()
    is_cut[-1] = True
    later = np.zeros(found.shape[1:])
    for step in range(len(found) - 1, -1, -1):
        later = np.where(is_cut[step], next_values[step], later)
        later = np.where(terminated[step], 0.0, later)
        later = rewards[step] + discount * later
        found[step] = later
    return found


def generalized_advantages(
    rewards: FloatArray,
    values: FloatArray,
    next_values: FloatArray,
    terminated: BoolArray,
    truncated: BoolArray,
    *,
    discount: float,
    decay: float,
) -> FloatArray:
    """(T, ...) generalised advantages (Schulman et al. 2016, https://arxiv.org/abs/1506.02438).

    δ_t = r_t + γ V(s_{t+1}) - V(s_t) and A_t = δ_t + γ λ A_{t+1}, where V(s_{t+1}) is 0 after a
    termination and A_{t+1} is 0 after the end of an episode.

    Args:
        rewards: (T, ...) rewards.
        values: (T, ...) V(s_t).
        next_values: (T, ...) values of the true successors; not read after a termination.
        terminated: (T, ...) whether the task was over after a step.
        truncated: (T, ...) whether an episode was cut off after a step.
        discount: γ.
        decay: λ; 0 looks one step ahead, 1 to the end.
    """
    following = np.where(terminated, 0.0, next_values)
    errors = np.asarray(rewards, np.float64) + discount * following - values
    ended = terminated | truncated
    found = np.empty(errors.shape)
    later = np.zeros(errors.shape[1:])
    for step in range(len(errors) - 1, -1, -1):
        later = errors[step] + discount * decay * np.where(ended[step], 0.0, later)
        found[step] = later
    return found


def discounted_sums(
    rewards: FloatArray, ended: BoolArray, before: FloatArray, discount: float
) -> tuple[FloatArray, FloatArray]:
    """(T, ...) R_t = γ R_{t-1} + r_t from each episode's beginning, and R before the next step.

    Args:
        rewards: (T, ...) rewards.
        ended: (T, ...) whether an episode was over after a step.
        before: (...) R before the first step; 0 at the beginning of an episode.
        discount: γ.
    """
    found, sums = np.empty(np.shape(rewards), np.float64), np.asarray(before, np.float64)
    for step, reward in enumerate(rewards):
        found[step] = discount * sums + reward
        sums = np.where(ended[step], 0.0, found[step])
    return found, sums


def standardized(advantages: Array) -> Array:
    """Advantages with mean 0 and deviation 1; zeros where all are equal, a single one as it is."""
    if advantages.size < 2:
        return advantages
    centred = advantages - np.add.reduce(advantages, axis=None) / advantages.size
    spread = math.sqrt(float(np.vdot(centred, centred)) / advantages.size)
    scale = max(1.0, float(np.abs(advantages).max()))
    # Equal numbers differ by rounding.
    return np.zeros_like(centred) if spread < 1e-7 * scale else centred / spread
