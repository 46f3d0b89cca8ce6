"""Gradient steps of plain perceptrons in NumPy, with the loss, gradients and AdamW of PyTorch.

A step of two layers of 32 units takes some microseconds to compute; PyTorch takes ten times that
to start its operations and to record them. The policy remains a PyTorch module: its weights are
copied from it and back. A test compares the two, step by step.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from robot_learning.learning.imitation.spaces import Float32Array
from robot_learning.learning.training.optimization import learning_rate_at
from robot_learning.policies.deterministic import DeterministicPolicy
from robot_learning.policies.normalization import Normalizer
from robot_learning.policies.policy import Policy

if TYPE_CHECKING:
    from robot_learning.learning.imitation.config import FitConfig
    from robot_learning.learning.imitation.samples import Samples
    from robot_learning.learning.training.order import SampleOrder

_EPSILON = 1e-8
# Above this many parameters the arithmetic outweighs the cost of starting an operation.
_LARGEST_PARAMETERS = 100_000


def linear_layers(policy: Policy) -> list[nn.Linear] | None:
    """The linear layers of a deterministic policy that has only ReLU (and dropout) between them.

    None for any other policy, and for one that clips its observations.
    """
    if not isinstance(policy, DeterministicPolicy) or policy.encoder.input.image_columns:
        return None
    if policy.config.observation_margin is not None or policy.config.narrow_range:
        return None
    layers = [layer for layer in policy.network if not isinstance(layer, nn.ReLU | nn.Dropout)]
    linear = [layer for layer in layers if isinstance(layer, nn.Linear)]
    return linear if len(linear) == len(layers) else None


def observation_normalization(policy: DeterministicPolicy) -> tuple[Float32Array, Float32Array]:
    """(D,) offset and (D,) scale of a row of observations."""
    normalizers = [n for n in policy.encoder.input.vector_normalizers if isinstance(n, Normalizer)]
    offsets = [as_array(normalizer.offset).ravel() for normalizer in normalizers]
    scales = [as_array(normalizer.scale).ravel() for normalizer in normalizers]
    return np.concatenate(offsets), np.concatenate(scales)


def as_array(values: torch.Tensor) -> Float32Array:
    """A copy as float32."""
    return np.array(values.detach().cpu().numpy(), np.float32)


class PerceptronFit:
    """The fit of one policy."""

    @classmethod
    def of(cls, policy: Policy, samples: Samples, config: FitConfig) -> PerceptronFit | None:
        """The fit of a policy; None for a policy that cannot be fitted in NumPy.

        Args:
            policy: policy whose weights are changed.
            samples: samples to draw from.
            config: settings of the optimiser.
        """
        layers = linear_layers(policy)
        if layers is None or not isinstance(policy, DeterministicPolicy) or policy.config.dropout:
            return None
        count = sum(parameter.numel() for parameter in policy.parameters())
        return cls(policy, layers, samples, config) if count <= _LARGEST_PARAMETERS else None

    def __init__(
        self,
        policy: DeterministicPolicy,
        layers: list[nn.Linear],
        samples: Samples,
        config: FitConfig,
    ) -> None:
        self._layers, self._config = layers, config.optimizer
        self._choices, self._is_l1 = policy.spec.discrete_actions, policy.config.error == "l1"
        self._inputs, self._targets, self._weights = _prepared(policy, samples)
        # One vector of all parameters; the layers' weights and biases are views of it.
        self._values = np.concatenate(
            [as_array(p).ravel() for layer in layers for p in (layer.weight, layer.bias)]
        )
        self._gradient = np.zeros_like(self._values)
        self._views = _views(self._values, layers)
        self._gradient_views = _views(self._gradient, layers)
        self._first = np.zeros_like(self._values)
        self._second = np.zeros_like(self._values)

    def run(self, order: SampleOrder, steps: int, tail: int) -> float:
        """Take the gradient steps; returns the mean loss of the last ones.

        Args:
            order: order of the samples.
            steps: number of gradient steps.
            tail: number of last steps whose loss is averaged.
        """
        total = 0.0
        for step in range(steps):
            indices = order.batch(step).numpy()
            loss = self._differentiate(indices)
            self._update(step, learning_rate_at(step, steps, self._config))
            if step >= steps - tail:
                total += loss
        with torch.no_grad():
            for layer, (weight, bias) in zip(self._layers, self._views, strict=True):
                layer.weight.copy_(torch.from_numpy(weight.copy()))
                layer.bias.copy_(torch.from_numpy(bias.copy()))
        return total / tail

    def _differentiate(self, indices: npt.NDArray[np.int64]) -> float:
        """The loss of a batch; its gradient is written to the vector of gradients."""
        values, activations = self._inputs[indices], []
        last = len(self._views) - 1
        for number, (weight, bias) in enumerate(self._views):
            activations.append(values)
            values = values @ weight.T
            values += bias
            if number < last:
                np.maximum(values, 0.0, out=values)
        # Backpropagation: `back` is the derivative of the loss by the outputs of layer `number`.
        loss, back = self._loss(values, indices)
        for number in range(last, -1, -1):
            weight, bias = self._gradient_views[number]
            np.matmul(back.T, activations[number], out=weight)
            np.add.reduce(back, axis=0, out=bias)
            if number:
                back = back @ self._views[number][0]
                back *= activations[number] > 0.0
        return loss

    def _loss(
        self, outputs: Float32Array, indices: npt.NDArray[np.int64]
    ) -> tuple[float, Float32Array]:
        """The loss, and its derivative by the outputs (B, T_a * outputs per step)."""
        weights, targets = self._weights[indices], self._targets[indices]
        scale = np.float32(1.0 / len(indices))
        if self._choices:
            return _cross_entropy(outputs, targets, weights * scale, self._choices)
        difference = outputs - targets
        weights *= scale
        if self._is_l1:
            return float(np.vdot(weights, np.abs(difference))), weights * np.sign(difference)
        weighted = weights * difference
        loss = float(np.vdot(weighted, difference))
        weighted *= 2.0
        return loss, weighted

    def _update(self, step: int, learning_rate: float) -> None:
        """AdamW (Loshchilov and Hutter 2019), as PyTorch computes it."""
        config, gradient = self._config, self._gradient
        if config.gradient_clip:
            norm = math.sqrt(float(np.vdot(gradient, gradient)))
            gradient *= min(1.0, config.gradient_clip / (norm + 1e-6))
        first_beta, second_beta = config.betas
        if config.weight_decay:
            self._values *= 1.0 - learning_rate * config.weight_decay
        # `_first` and `_second` average the gradient and its square; the divisions by 1 - beta^t
        # below correct their bias towards 0. The step is rate * mean / (sqrt(square) + epsilon).
        self._first += (gradient - self._first) * (1.0 - first_beta)
        self._second *= second_beta
        np.square(gradient, out=gradient)
        gradient *= 1.0 - second_beta
        self._second += gradient
        denominator = np.sqrt(self._second)
        denominator *= 1.0 / math.sqrt(1.0 - second_beta ** (step + 1))
        denominator += _EPSILON
        np.divide(self._first, denominator, out=denominator)
        denominator *= learning_rate / (1.0 - first_beta ** (step + 1))
        self._values -= denominator


def _cross_entropy(
    outputs: Float32Array, targets: Float32Array, weights: Float32Array, choices: int
) -> tuple[float, Float32Array]:
    # The derivative of the cross-entropy by the logits is softmax minus the one-hot target.
    logits = outputs.reshape(-1, choices)
    logits = logits - logits.max(axis=1, keepdims=True)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=1, keepdims=True)
    rows, chosen = np.arange(len(logits)), targets.ravel().astype(np.int64)
    loss = -float(np.vdot(weights.ravel(), np.log(np.maximum(logits[rows, chosen], 1e-30))))
    logits[rows, chosen] -= 1.0
    logits *= weights.reshape(-1, 1)
    return loss, logits.reshape(outputs.shape)


def _prepared(
    policy: DeterministicPolicy, samples: Samples
) -> tuple[Float32Array, Float32Array, Float32Array]:
    """(M, F) normalised inputs, (M, T_a * n) normalised targets, and the weight of each target."""
    offset, scale = observation_normalization(policy)
    observation = (samples.observation.numpy() - offset) * scale
    inputs = observation[samples.history.numpy()].reshape(len(samples), -1)
    target, size = samples.target, 1
    if not policy.spec.discrete_actions:
        target, size = policy.action_normalizer.normalize(target), policy.spec.action_dim
    targets = target.numpy()[samples.chunk.numpy()].reshape(len(samples), -1)
    counts = (~samples.chunk_is_pad.numpy()).astype(np.float32)
    # The loss of a window is the mean over its valid numbers, so each has weight 1 / count.
    counts /= np.maximum(counts.sum(axis=1, keepdims=True), 1.0) * size
    if samples.weight is not None:
        counts *= samples.weight.numpy()[:, None]
    return inputs, targets, np.repeat(counts, size, axis=1)


def _views(
    vector: Float32Array, layers: list[nn.Linear]
) -> list[tuple[Float32Array, Float32Array]]:
    found, begin = [], 0
    for layer in layers:
        middle = begin + layer.weight.numel()
        end = middle + layer.bias.numel()
        found.append((vector[begin:middle].reshape(layer.weight.shape), vector[middle:end]))
        begin = end
    return found
