"""An actor and a critic, two perceptrons whose parameters are one vector."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from robot_learning.core.types import FloatArray
from robot_learning.learning.imitation.spaces import ActionLayout, Float32Array
from robot_learning.learning.reinforcement.distributions import (
    LOG_STD_BOUNDS,
    Choices,
    DiagonalNormal,
    Distribution,
)
from robot_learning.learning.training.perceptron import (
    Array,
    Perceptron,
    layer_views,
    parameter_count,
)
from robot_learning.policies.config import Activation

OBSERVATION_BOUND = 10.0
"""Deviations from the mean to which normalised observations are cut."""
_ACTOR_GAIN, _CRITIC_GAIN = 0.01, 1.0


class ActorCritic:
    """A policy and the value of states.

    Attributes:
        values: (P,) all parameters: the actor's, the logarithmic deviations, the critic's.
        gradient: (P,) vector that the two networks' gradients are written to.
        actor, critic: networks on parts of these vectors.
        distribution: distribution that the actor's outputs mean.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        distribution: Distribution,
        *,
        deviations: int,
        hidden: Sequence[int],
        activation: Activation = "tanh",
        log_std: float = 0.0,
        rng: np.random.Generator,
        dtype: type[np.floating[Any]] = np.float32,
    ) -> None:
        """Draw the weights: orthogonal, the actor's head a hundredth of it, biases 0.

        Args:
            inputs: number of observed columns.
            outputs: number of the actor's outputs.
            distribution: distribution that the outputs mean.
            deviations: number of deviations beside the network; 0 for choices.
            hidden: widths of the hidden layers of both networks.
            activation: function between the layers.
            log_std: logarithm of the first deviations of normalised actions.
            rng: source of the weights.
            dtype: type of all numbers.
        """
        self.actor_sizes = (inputs, *hidden, outputs)
        self.critic_sizes = (inputs, *hidden, 1)
        self.activation: Activation = activation
        self._middle = parameter_count(self.actor_sizes)
        self._end = self._middle + deviations
        size = self._end + parameter_count(self.critic_sizes)
        self.values: Array = np.zeros(size, dtype)
        self.gradient: Array = np.zeros(size, dtype)
        self.distribution = distribution
        self.actor = Perceptron(
            self.actor_sizes,
            self.values[: self._middle],
            self.gradient[: self._middle],
            activation,
        )
        self.critic = Perceptron(
            self.critic_sizes, self.values[self._end :], self.gradient[self._end :], activation
        )
        self.log_std[:] = log_std
        for network, gain in ((self.actor, _ACTOR_GAIN), (self.critic, _CRITIC_GAIN)):
            _initialize(network, gain, rng)

    @classmethod
    def of(
        cls,
        inputs: int,
        actions: ActionLayout,
        *,
        hidden: Sequence[int],
        activation: Activation,
        log_std: float,
        rng: np.random.Generator,
    ) -> ActorCritic:
        """The networks for an action space; see the constructor for the arguments."""
        distribution: Distribution = Choices() if actions.choices else DiagonalNormal(actions.size)
        return cls(
            inputs,
            actions.choices or actions.size,
            distribution,
            deviations=0 if actions.choices else actions.size,
            hidden=hidden,
            activation=activation,
            log_std=log_std,
            rng=rng,
        )

    @property
    def log_std(self) -> Array:
        """(n,) logarithms of the deviations, a view; empty for choices."""
        return self.values[self._middle : self._end]

    @property
    def log_std_gradient(self) -> Array:
        """(n,) their gradient, a view."""
        return self.gradient[self._middle : self._end]

    @property
    def actor_part(self) -> slice:
        """The part of the vectors that belongs to the policy, the deviations included."""
        return slice(0, self._end)

    @property
    def critic_part(self) -> slice:
        """The part of the vectors that belongs to the critic."""
        return slice(self._end, None)

    @property
    def actor_layers(self) -> list[tuple[Array, Array]]:
        """Weights and biases of the actor's layers, views."""
        return layer_views(self.values[: self._middle], self.actor_sizes)

    @contextmanager
    def holding(self, values: Array) -> Iterator[None]:
        """Have other parameters (P,) for as long as the block runs."""
        own = self.values.copy()
        self.values[:] = values
        try:
            yield
        finally:
            self.values[:] = own

    def value(self, rows: Array) -> Array:
        """(B,) values of normalised observations (B, D)."""
        return self.critic.forward(rows)[:, 0]

    def bound_deviations(self) -> None:
        """Keep the deviations within their bounds, after a step of the optimiser."""
        log_std, (low, high) = self.log_std, LOG_STD_BOUNDS
        np.maximum(np.minimum(log_std, high, out=log_std), low, out=log_std)


class Scaling:
    """From an environment's observations to a network's inputs, and from its actions back.

    Attributes:
        mean, std: (D,) statistics that observations are normalised by, frozen.
        is_on: whether observations are normalised.
    """

    def __init__(
        self, actions: ActionLayout, mean: FloatArray, std: FloatArray, is_on: bool = True
    ) -> None:
        """Take statistics as they are now.

        Args:
            actions: layout of the actions.
            mean: (D,) means of the observations.
            std: (D,) deviations of the observations, above 0.
            is_on: whether observations are normalised, and cut at 10 deviations.
        """
        self._actions, self.is_on = actions, is_on
        self.mean, self.std = mean.copy(), std.copy()
        self._offset = self.mean.astype(np.float32)
        self._scale = (1.0 / self.std).astype(np.float32)
        self._action_scale = actions.scale.astype(np.float32)
        self._middle = action_middle(actions).astype(np.float32)

    def inputs(self, rows: Float32Array) -> Float32Array:
        """(B, D) normalised observations."""
        if not self.is_on:
            return rows
        found: Float32Array = (rows - self._offset) * self._scale
        np.maximum(found, -OBSERVATION_BOUND, out=found)
        return np.minimum(found, OBSERVATION_BOUND, out=found)

    def actions(self, drawn: Array) -> Float32Array:
        """(B, n) actions in the environment's units and within its bounds."""
        if self._actions.choices:
            return np.asarray(drawn, np.float32)
        return self._actions.clipped(drawn * self._action_scale + self._middle)


def action_middle(actions: ActionLayout) -> FloatArray:
    """(n,) the middle of each bounded number of an action, 0 for the others."""
    middle = (actions.high + actions.low) / 2
    return np.where(np.isfinite(middle), middle, 0.0)


def _initialize(network: Perceptron, head_gain: float, rng: np.random.Generator) -> None:
    """Orthogonal weights (Saxe et al. 2014): √2 in hidden layers, another gain in the last."""
    last = len(network.layers) - 1
    for number, (weight, _) in enumerate(network.layers):
        gain = head_gain if number == last else 2.0**0.5
        weight[:] = gain * _orthogonal(weight.shape, rng)


def _orthogonal(shape: tuple[int, ...], rng: np.random.Generator) -> FloatArray:
    rows, columns = shape
    tall = rng.standard_normal((max(rows, columns), min(rows, columns)))
    basis, triangle = np.linalg.qr(tall)
    basis = basis * np.sign(np.diag(triangle))
    return np.asarray(basis if rows >= columns else basis.T)
