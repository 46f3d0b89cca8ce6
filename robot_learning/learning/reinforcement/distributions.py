"""The distributions that actors draw actions from, with their gradients.

A network's outputs (B, K) are the logits of the choices, or the means of normalised actions, whose
logarithmic deviations (n,) are parameters beside the network. Densities are those of the sample as
it was drawn; an environment gets it clipped to its bounds.
"""

from __future__ import annotations

from math import e, log, pi
from typing import Protocol

import numpy as np

from robot_learning.learning.training.perceptron import Array

LOG_STD_BOUNDS = (-5.0, 2.0)
"""Bounds of the logarithm of a deviation, in normalised actions."""


class Distribution(Protocol):
    """What an actor draws actions from."""

    def noise(self, rng: np.random.Generator, count: int) -> Array:
        """(count, n) the random numbers of that many actions."""

    def sample(self, outputs: Array, log_std: Array, noise: Array) -> Array:
        """(B, n) actions."""

    def mode(self, outputs: Array) -> Array:
        """(B, n) the most probable actions."""

    def log_density(self, outputs: Array, log_std: Array, actions: Array) -> Array:
        """(B,) logarithms of the probabilities or densities of actions (B, n)."""

    def entropy(self, outputs: Array, log_std: Array) -> Array:
        """(B,) entropies."""

    def backward(
        self, outputs: Array, log_std: Array, actions: Array, by_density: Array, by_entropy: float
    ) -> tuple[Array, Array]:
        """The derivatives of a loss by the outputs (B, K) and by the deviations (n,).

        Args:
            outputs: (B, K) outputs of the network.
            log_std: (n,) logarithmic deviations.
            actions: (B, n) actions.
            by_density: (B,) derivative of the loss by each logarithmic density.
            by_entropy: derivative of the loss by each entropy.
        """

    def divergence(
        self, outputs: Array, log_std: Array, reference: Array
    ) -> tuple[Array, Array, Array]:
        """KL(π‖π₀) from another policy, exactly, with its derivatives.

        Args:
            outputs: (B, K) outputs of the network.
            log_std: (n,) logarithmic deviations.
            reference: (B, K) the other policy's outputs; beside means also its logarithmic
                deviations, (B, 2 n).

        Returns:
            (B,) divergences, their derivatives by the outputs (B, K), and by the deviations (B, n).
        """


class Choices:
    """One of K choices, by softmax."""

    def noise(self, rng: np.random.Generator, count: int) -> Array:
        """(count, 1) uniform numbers."""
        return np.asarray(rng.random((count, 1)))

    def sample(self, outputs: Array, log_std: Array, noise: Array) -> Array:
        """(B, 1) choices, by inversion of the cumulative probabilities."""
        del log_std
        below = np.cumsum(np.exp(_log_softmax(outputs)), axis=1, dtype=np.float64)
        # The last sum may round to less than 1.
        chosen = (noise > below[:, :-1]).sum(axis=1, keepdims=True)
        return np.asarray(chosen.astype(outputs.dtype))

    def mode(self, outputs: Array) -> Array:
        """(B, 1) the most probable choices."""
        return np.asarray(outputs.argmax(axis=1)[:, None], outputs.dtype)

    def log_density(self, outputs: Array, log_std: Array, actions: Array) -> Array:
        """(B,) log-probabilities."""
        del log_std
        picked: Array = np.take_along_axis(_log_softmax(outputs), _index(actions), axis=1)[:, 0]
        return picked

    def entropy(self, outputs: Array, log_std: Array) -> Array:
        """(B,) entropies, at most log K."""
        del log_std
        logs = _log_softmax(outputs)
        return np.asarray(-(np.exp(logs) * logs).sum(axis=1))

    def backward(
        self, outputs: Array, log_std: Array, actions: Array, by_density: Array, by_entropy: float
    ) -> tuple[Array, Array]:
        """See `Distribution`: ∂ log p_a = onehot - p, and ∂H = -p (log p + H)."""
        logs = _log_softmax(outputs)
        probabilities = np.exp(logs)
        back = -probabilities * by_density[:, None]
        rows = np.arange(len(back))
        back[rows, _index(actions)[:, 0]] += by_density
        if by_entropy:
            entropy = -(probabilities * logs).sum(axis=1, keepdims=True)
            back -= by_entropy * probabilities * (logs + entropy)
        return back, np.zeros_like(log_std)

    def divergence(
        self, outputs: Array, log_std: Array, reference: Array
    ) -> tuple[Array, Array, Array]:
        """See `Distribution`: Σ p (log p - log q), whose derivative is p (log p - log q - KL)."""
        logs = _log_softmax(outputs)
        apart, probabilities = logs - _log_softmax(reference), np.exp(logs)
        found = (probabilities * apart).sum(axis=1)
        back = probabilities * (apart - found[:, None])
        return np.asarray(found), back, np.zeros((len(found), len(log_std)), log_std.dtype)


class DiagonalNormal:
    """Normal numbers with deviations that do not depend on the state."""

    def __init__(self, size: int) -> None:
        """Draw actions of `size` numbers."""
        self._size = size

    def noise(self, rng: np.random.Generator, count: int) -> Array:
        """(count, n) standard normal numbers."""
        return rng.standard_normal((count, self._size))

    def sample(self, outputs: Array, log_std: Array, noise: Array) -> Array:
        """(B, n) means plus deviations times noise."""
        return np.asarray(outputs + np.exp(log_std) * noise.astype(outputs.dtype))

    def mode(self, outputs: Array) -> Array:
        """(B, n) means."""
        return outputs

    def log_density(self, outputs: Array, log_std: Array, actions: Array) -> Array:
        """(B,) log-densities, summed over the numbers of an action."""
        scaled = (actions - outputs) * np.exp(-log_std)
        size = outputs.shape[1]
        constant = float(log_std.sum()) + 0.5 * size * log(2 * pi)
        return np.asarray(-0.5 * np.einsum("bn,bn->b", scaled, scaled) - constant, outputs.dtype)

    def entropy(self, outputs: Array, log_std: Array) -> Array:
        """(B,) entropies, all equal."""
        value = float(log_std.sum()) + 0.5 * outputs.shape[1] * log(2 * pi * e)
        return np.full(len(outputs), value, outputs.dtype)

    def backward(
        self, outputs: Array, log_std: Array, actions: Array, by_density: Array, by_entropy: float
    ) -> tuple[Array, Array]:
        """See `Distribution`: ∂ log p = z / σ by the mean, z² - 1 by log σ, z = (a - μ) / σ."""
        scaled = (actions - outputs) * np.exp(-log_std)
        back = by_density[:, None] * scaled * np.exp(-log_std)
        by_log_std = (by_density[:, None] * (scaled * scaled - 1.0)).sum(axis=0)
        by_log_std = by_log_std + by_entropy * len(outputs)
        return np.asarray(back, outputs.dtype), np.asarray(by_log_std, log_std.dtype)

    def divergence(
        self, outputs: Array, log_std: Array, reference: Array
    ) -> tuple[Array, Array, Array]:
        """See `Distribution`: Σ log(σ₀/σ) + (σ² + (μ - μ₀)²) / 2 σ₀² - ½."""
        mean, other = reference[:, : self._size], reference[:, self._size :]
        precision, difference = np.exp(-2.0 * other), outputs - mean
        ratio = np.exp(2.0 * log_std) * precision
        distance = difference * difference * precision
        found = (other - log_std + 0.5 * (ratio + distance) - 0.5).sum(axis=1)
        back = difference * precision
        return np.asarray(found), np.asarray(back), np.asarray(ratio - 1.0)


def _log_softmax(logits: Array) -> Array:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def _index(actions: Array) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    return np.asarray(actions, np.int64)
