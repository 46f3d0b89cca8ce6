"""Plain perceptrons in NumPy: forward pass, gradient and AdamW with the arithmetic of PyTorch.

A step of two layers of 64 units takes some microseconds to compute; PyTorch takes ten times that
to start its operations and to record them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from robot_learning.policies.config import Activation

Array = npt.NDArray[np.floating[Any]]
Layers = list[tuple[Array, Array]]


def parameter_count(sizes: Sequence[int]) -> int:
    """Number of weights and biases of a perceptron with these layer sizes, inputs first."""
    return sum((before + 1) * after for before, after in pairwise(sizes))


def layer_views(vector: Array, sizes: Sequence[int]) -> Layers:
    """(outputs, inputs) weights and (outputs,) biases of each layer, as views of a vector.

    Args:
        vector: (P,) parameters; layer after layer, the weights before the biases.
        sizes: sizes of the layers, inputs first.
    """
    found, begin = [], 0
    for before, after in pairwise(sizes):
        middle = begin + before * after
        end = middle + after
        found.append((vector[begin:middle].reshape(after, before), vector[middle:end]))
        begin = end
    return found


class Perceptron:
    """Linear layers with an activation between them.

    Attributes:
        layers: weights and biases of each layer, views of the vector of parameters.
    """

    def __init__(
        self, sizes: Sequence[int], values: Array, gradient: Array, activation: Activation = "relu"
    ) -> None:
        """Use parameters that are the caller's.

        Args:
            sizes: sizes of the layers, inputs first.
            values: (P,) parameters, read at each pass.
            gradient: (P,) vector that `backward` writes to.
            activation: function between the layers.
        """
        self.layers = layer_views(values, sizes)
        self._gradients = layer_views(gradient, sizes)
        self._is_relu = activation == "relu"
        self._inputs: list[Array] = []

    def forward(self, inputs: Array) -> Array:
        """(B, outputs) for (B, inputs); what `backward` needs is kept until the next pass."""
        values, self._inputs = inputs, []
        last = len(self.layers) - 1
        for number, (weight, bias) in enumerate(self.layers):
            self._inputs.append(values)
            values = values @ weight.T
            values += bias
            if number < last:
                self._activate(values)
        return values

    def backward(self, back: Array) -> None:
        """Write the gradient of a loss, whose derivative by the last outputs is (B, outputs)."""
        for number in range(len(self.layers) - 1, -1, -1):
            weight, bias = self._gradients[number]
            inputs = self._inputs[number]
            np.matmul(back.T, inputs, out=weight)
            np.add.reduce(back, axis=0, out=bias)
            if number:
                back = back @ self.layers[number][0]
                back *= (inputs > 0.0) if self._is_relu else (1.0 - inputs * inputs)

    def _activate(self, values: Array) -> None:
        if self._is_relu:
            np.maximum(values, 0.0, out=values)
        else:
            np.tanh(values, out=values)


class AdamW:
    """AdamW (Loshchilov and Hutter 2019), as PyTorch computes it.

    Attributes:
        steps: number of steps taken.
        first, second: (P,) averages of the gradient and of its square.
    """

    def __init__(
        self,
        values: Array,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
        gradient_clip: float = 0.0,
    ) -> None:
        """Optimise a vector of parameters in place.

        Args:
            values: (P,) parameters, which `step` changes.
            betas: decays of the averages of the gradient and of its square.
            epsilon: number that is added to the root of the average square.
            weight_decay: decay of the parameters per step, as a share of the learning rate.
            gradient_clip: norm to which longer gradients are cut; 0 for no cut.
        """
        self._values, self._betas, self._epsilon = values, betas, epsilon
        self._weight_decay, self._clip = weight_decay, gradient_clip
        self.steps = 0
        self.first, self.second = np.zeros_like(values), np.zeros_like(values)

    def step(self, gradient: Array, learning_rate: float) -> None:
        """Take a step; the gradient (P,) is overwritten."""
        if self._clip:
            norm = math.sqrt(float(np.vdot(gradient, gradient)))
            gradient *= min(1.0, self._clip / (norm + 1e-6))
        first_beta, second_beta = self._betas
        if self._weight_decay:
            self._values *= 1.0 - learning_rate * self._weight_decay
        # `first` and `second` average the gradient and its square; the divisions by 1 - beta^t
        # below correct their bias towards 0. The step is rate * mean / (sqrt(square) + epsilon).
        self.steps += 1
        self.first += (gradient - self.first) * (1.0 - first_beta)
        self.second *= second_beta
        np.square(gradient, out=gradient)
        gradient *= 1.0 - second_beta
        self.second += gradient
        denominator = np.sqrt(self.second)
        denominator *= 1.0 / math.sqrt(1.0 - second_beta**self.steps)
        denominator += self._epsilon
        np.divide(self.first, denominator, out=denominator)
        denominator *= learning_rate / (1.0 - first_beta**self.steps)
        self._values -= denominator

    def arrays(self, name: str) -> dict[str, npt.NDArray[Any]]:
        """What `restore` needs, under names that begin with `name`."""
        return {
            f"{name}_steps": np.array(self.steps),
            f"{name}_first": self.first,
            f"{name}_second": self.second,
        }

    def restore(self, name: str, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Continue from what `arrays` gave."""
        self.steps = int(arrays[f"{name}_steps"])
        self.first[:] = arrays[f"{name}_first"]
        self.second[:] = arrays[f"{name}_second"]
