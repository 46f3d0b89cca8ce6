"""The shares of bins against PyTorch's distributions, and far away from every mean."""

from __future__ import annotations

import torch
from torch.distributions import AffineTransform, SigmoidTransform, TransformedDistribution, Uniform

from robot_learning.policies.logistics import log_bin_shares

BINS = 16


def middles() -> torch.Tensor:
    return (torch.arange(BINS) + 0.5) / BINS * 2 - 1


def test_shares_are_differences_of_the_mixtures_distribution_function() -> None:
    weights = torch.tensor([0.3, -0.4])
    means, log_scales = torch.tensor([-0.5, 0.9]), torch.tensor([-1.0, -2.0])
    shares = log_bin_shares(torch.cat([weights, means, log_scales])[None], middles(), BINS).exp()
    logistic = TransformedDistribution(
        Uniform(torch.zeros(2), torch.ones(2)),
        [SigmoidTransform().inv, AffineTransform(means, log_scales.exp())],
    )
    inner = torch.linspace(-1, 1, BINS + 1)[1:-1, None].expand(-1, 2)
    below = (logistic.cdf(inner) * weights.softmax(0)).sum(-1)
    edges = torch.cat([torch.zeros(1), below, torch.ones(1)])
    torch.testing.assert_close(shares, edges.diff(), atol=1e-5, rtol=1e-4)


def test_a_share_that_underflows_still_pulls_the_mean() -> None:
    parameters = torch.tensor([[0.0, -0.8, -6.0]], requires_grad=True)
    found = log_bin_shares(parameters, torch.tensor([0.8125]), BINS)
    found.sum().backward()
    assert parameters.grad is not None
    assert torch.isfinite(found).all() and torch.isfinite(parameters.grad).all()
    assert parameters.grad[0, 1] > 100
