"""The perceptron's gradient and AdamW's steps against PyTorch's."""

import numpy as np
import pytest
import torch
from torch import nn

from robot_learning.learning.training.perceptron import (
    AdamW,
    Perceptron,
    parameter_count,
)
from robot_learning.policies.config import Activation

SIZES = (4, 7, 5, 3)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("clip", [0.0, 0.5])
def test_steps_are_those_of_pytorch(activation: Activation, clip: float) -> None:
    draw = np.random.default_rng(0)
    values = draw.normal(size=parameter_count(SIZES))
    gradient = np.zeros_like(values)
    network = Perceptron(SIZES, values, gradient, activation)
    layers: list[nn.Module] = []
    for weight, bias in network.layers:
        layer = nn.Linear(weight.shape[1], weight.shape[0], dtype=torch.float64)
        layer.weight.data, layer.bias.data = torch.tensor(weight), torch.tensor(bias)
        layers += [layer, nn.ReLU() if activation == "relu" else nn.Tanh()]
    other = nn.Sequential(*layers[:-1])
    ours = AdamW(values, epsilon=1e-5, weight_decay=0.1, gradient_clip=clip)
    theirs = torch.optim.AdamW(other.parameters(), lr=0.01, eps=1e-5, weight_decay=0.1)
    for _ in range(5):
        inputs, targets = draw.normal(size=(6, 4)), draw.normal(size=(6, 3))
        outputs = network.forward(inputs)
        network.backward(2.0 * (outputs - targets))
        found = other(torch.tensor(inputs))
        np.testing.assert_allclose(outputs, found.detach(), atol=1e-12)
        theirs.zero_grad()
        (found - torch.tensor(targets)).square().sum().backward()
        expected = np.concatenate([p.grad.numpy().ravel() for p in other.parameters()])
        np.testing.assert_allclose(gradient, expected, atol=1e-12)
        if clip:
            nn.utils.clip_grad_norm_(other.parameters(), clip)
        theirs.step()
        ours.step(gradient, 0.01)
        now = np.concatenate([p.detach().numpy().ravel() for p in other.parameters()])
        np.testing.assert_allclose(values, now, atol=1e-12)
