"""Mixtures of diagonal Gaussians: π(a|o) = Σ_k w_k N(a; μ_k, diag σ_k²). Bishop 1994.

Shapes: any leading axes (...), K components, n dimensions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from robot_learning.core.options.numbers import AtLeast1, NotNegative
from robot_learning.policies.categorical import choose
from robot_learning.policies.config import PolicyConfig
from robot_learning.policies.gaussian import log_density


@dataclass(frozen=True, kw_only=True)
class MixtureConfig(PolicyConfig):
    """What mixtures with and without recurrence have in common.

    Attributes:
        components: number K of components of the mixture.
        smallest_std: smallest standard deviation of normalised actions; it keeps the likelihood
            bounded.
        tanh_mean: whether to keep means within (-1, 1), as robomimic does.
        answer: what a policy answers at inference: `component_mean`, the mean of a drawn component
            (robomimic's low-noise evaluation), or a `sample` from it.
    """

    components: AtLeast1 = 5
    smallest_std: NotNegative = 0.01
    tanh_mean: bool = False
    answer: Literal["component_mean", "sample"] = "component_mean"


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
