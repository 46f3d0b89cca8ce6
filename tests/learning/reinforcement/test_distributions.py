"""Distributions and their gradients against PyTorch's."""

import numpy as np
import pytest
import torch

from robot_learning.learning.reinforcement.distributions import Choices, DiagonalNormal

ROWS, SIZE = 7, 3


def case(kind):
    draw = np.random.default_rng(0)
    outputs = draw.normal(size=(ROWS, SIZE))
    if kind == "choices":
        actions = draw.integers(SIZE, size=(ROWS, 1)).astype(float)
        return Choices(), outputs, np.zeros(0), actions
    return DiagonalNormal(SIZE), outputs, draw.normal(size=SIZE), draw.normal(size=(ROWS, SIZE))


def theirs(kind, outputs, log_std):
    if kind == "choices":
        return torch.distributions.Categorical(logits=outputs)
    return torch.distributions.Independent(torch.distributions.Normal(outputs, log_std.exp()), 1)


@pytest.mark.parametrize("kind", ["choices", "normal"])
def test_densities_entropies_and_gradients_are_those_of_pytorch(kind):
    ours, outputs, log_std, actions = case(kind)
    inputs = torch.tensor(outputs, requires_grad=True)
    deviations = torch.tensor(log_std, requires_grad=True)
    other = theirs(kind, inputs, deviations)
    acted = torch.tensor(actions[:, 0] if kind == "choices" else actions)
    density, entropy = other.log_prob(acted), other.entropy()
    np.testing.assert_allclose(
        ours.log_density(outputs, log_std, actions), density.detach(), atol=1e-12
    )
    np.testing.assert_allclose(ours.entropy(outputs, log_std), entropy.detach(), atol=1e-12)
    by_density = np.random.default_rng(1).normal(size=ROWS)
    (torch.tensor(by_density) * density + 0.3 * entropy).sum().backward()
    back, by_log_std = ours.backward(outputs, log_std, actions, by_density, 0.3)
    np.testing.assert_allclose(back, inputs.grad, atol=1e-12)
    if kind == "normal":
        np.testing.assert_allclose(by_log_std, deviations.grad, atol=1e-12)


def test_choices_are_drawn_as_often_as_they_are_probable():
    distribution, count = Choices(), 40_000
    outputs = np.tile(np.log([0.5, 0.2, 0.3]), (count, 1)).astype(np.float32)
    noise = distribution.noise(np.random.default_rng(0), count)
    drawn = distribution.sample(outputs, np.zeros(0), noise)[:, 0].astype(int)
    np.testing.assert_allclose(np.bincount(drawn) / count, [0.5, 0.2, 0.3], atol=0.01)
    assert distribution.sample(outputs[:1], np.zeros(0), np.array([[1.0 - 1e-16]])) == 2


def test_extreme_logits_stay_finite():
    outputs = np.array([[1e4, -1e4, 0.0]])
    distribution = Choices()
    assert np.isfinite(distribution.log_density(outputs, np.zeros(0), np.array([[1.0]]))).all()
    back, _ = distribution.backward(outputs, np.zeros(0), np.array([[1.0]]), np.ones(1), 1.0)
    assert np.isfinite(back).all()


@pytest.mark.parametrize("kind", ["choices", "normal"])
def test_the_divergence_from_another_policy_and_its_gradient_are_those_of_pytorch(kind):
    ours, outputs, log_std, _ = case(kind)
    draw = np.random.default_rng(2)
    reference = draw.normal(size=(ROWS, SIZE if kind == "choices" else 2 * SIZE))
    inputs = torch.tensor(outputs, requires_grad=True)
    deviations = torch.tensor(log_std, requires_grad=True)
    given = torch.tensor(reference)
    other = theirs(kind, given[:, :SIZE], given[:, SIZE:])
    expected = torch.distributions.kl_divergence(theirs(kind, inputs, deviations), other)
    expected.sum().backward()
    found, back, by_deviations = ours.divergence(outputs, log_std, reference)
    np.testing.assert_allclose(found, expected.detach(), atol=1e-12)
    np.testing.assert_allclose(back, inputs.grad, atol=1e-12)
    if kind == "normal":
        np.testing.assert_allclose(by_deviations.sum(axis=0), deviations.grad, atol=1e-12)
