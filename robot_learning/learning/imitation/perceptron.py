"""Gradient steps of plain perceptrons in NumPy, with the loss, gradients and AdamW of PyTorch.

The policy remains a PyTorch module: its weights are copied from it and back. A test compares the
two, step by step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from robot_learning.learning.imitation.spaces import Float32Array
from robot_learning.learning.training.optimization import learning_rate_at
from robot_learning.learning.training.perceptron import AdamW, Perceptron
from robot_learning.policies.deterministic import DeterministicPolicy
from robot_learning.policies.normalization import Normalizer
from robot_learning.policies.policy import Policy

if TYPE_CHECKING:
    from robot_learning.learning.imitation.config import FitConfig
    from robot_learning.learning.imitation.samples import Samples
    from robot_learning.learning.training.order import SampleOrder

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
        sizes = [layers[0].in_features, *(layer.out_features for layer in layers)]
        self._network = Perceptron(sizes, self._values, self._gradient)
        self._optimizer = AdamW(
            self._values,
            betas=self._config.betas,
            weight_decay=self._config.weight_decay,
            gradient_clip=self._config.gradient_clip,
        )

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
            loss, back = self._loss(self._network.forward(self._inputs[indices]), indices)
            self._network.backward(back)
            self._optimizer.step(self._gradient, learning_rate_at(step, steps, self._config))
            if step >= steps - tail:
                total += loss
        with torch.no_grad():
            for layer, (weight, bias) in zip(self._layers, self._network.layers, strict=True):
                layer.weight.copy_(torch.from_numpy(weight.copy()))
                layer.bias.copy_(torch.from_numpy(bias.copy()))
        return total / tail

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
