"""A plain multilayer perceptron."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from robot_learning.policies.config import Activation


def mlp(
    inputs: int,
    hidden: Sequence[int],
    outputs: int,
    dropout: float = 0.0,
    norm: bool = False,
    *,
    activation: Activation = "relu",
) -> nn.Sequential:
    """Linear layers with an activation between them; the last one is linear, and is `[-1]`.

    Args:
        inputs: number of inputs.
        hidden: units of each hidden layer; empty for a linear map.
        outputs: number of outputs.
        dropout: share of hidden units left out in training.
        norm: whether each hidden layer is normalised before its activation.
        activation: function after each hidden layer.
    """
    layers: list[nn.Module] = []
    size = inputs
    for width in hidden:
        layers.append(nn.Linear(size, width))
        if norm:
            layers.append(nn.LayerNorm(width))
        layers.append(nn.ReLU() if activation == "relu" else nn.Tanh())
        if dropout > 0:
            layers.append(nn.Dropout(dropout))
        size = width
    return nn.Sequential(*layers, nn.Linear(size, outputs))
