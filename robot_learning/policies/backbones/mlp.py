"""A plain multilayer perceptron."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn


def mlp(
    inputs: int, hidden: Sequence[int], outputs: int, dropout: float = 0.0, norm: bool = False
) -> nn.Sequential:
    """Linear layers with ReLU between them; the last one is linear, and is `[-1]`."""
    layers: list[nn.Module] = []
    size = inputs
    for width in hidden:
        layers.append(nn.Linear(size, width))
        if norm:
            layers.append(nn.LayerNorm(width))
        layers.append(nn.ReLU())
        if dropout > 0:
            layers.append(nn.Dropout(dropout))
        size = width
    return nn.Sequential(*layers, nn.Linear(size, outputs))
