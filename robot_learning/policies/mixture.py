"""Mixtures of diagonal Gaussians: π(a|o) = Σ_k w_k N(a; μ_k, diag σ_k²). Bishop 1994.

Shapes: any leading axes (...), K components, n dimensions.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from robot_learning.policies.categorical import choose
from robot_learning.policies.family_configs import MixtureConfig
from robot_learning.policies.gaussian import log_density


@dataclass(frozen=True)
class Mixture:
    """`logits` (..., K) of the weights; `mean` and `std` (..., K, n)."""

    logits: Tensor
    mean: Tensor
    std: Tensor

    @classmethod
    def from_raw(cls, logits: Tensor, mean: Tensor, std: Tensor, config: MixtureConfig) -> Mixture:
        """Bring a network's outputs into their ranges.

        Args:
            logits: (..., K) logarithms of the weights, up to a constant.
            mean: (..., K, n) means, before any tanh.
            std: (..., K, n) standard deviations before softplus.
            config: bounds of means and standard deviations.
        """
        mean = mean.tanh() if config.tanh_mean else mean
        return cls(logits, mean, functional.softplus(std) + config.smallest_std)

    def log_density(self, values: Tensor, counts: Tensor | None = None) -> Tensor:
        """(...) log π(values) of `values` (..., n).

        Dimensions where the mask `counts` (..., n) is False are integrated out.
        """
        parts = log_density(values.unsqueeze(-2), self.mean, self.std)
        if counts is not None:
            parts = torch.where(counts.unsqueeze(-2), parts, torch.zeros_like(parts))
        return (self.logits.log_softmax(dim=-1) + parts.sum(dim=-1)).logsumexp(dim=-1)

    def draw(self, noise: Tensor, with_deviation: bool) -> Tensor:
        """(..., n) from `noise` (..., 1 + n): the first number chooses the component."""
        chosen = choose(self.logits, noise[..., 0])
        index = chosen[..., None, None].expand(*chosen.shape, 1, self.mean.shape[-1])
        mean = self.mean.gather(-2, index).squeeze(-2)
        if not with_deviation:
            return mean
        return mean + self.std.gather(-2, index).squeeze(-2) * noise[..., 1:]
