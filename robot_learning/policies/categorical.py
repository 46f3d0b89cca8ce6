"""Drawing from categories with given noise, so that sampling is a pure function."""

from __future__ import annotations

from torch import Tensor

from robot_learning.policies.randomness import uniform_from_normal


def choose(logits: Tensor, noise: Tensor) -> Tensor:
    """int64 (...) indices drawn from `logits` (..., K) with standard normal `noise` (...).

    The inverse of the distribution function, at the uniform number that the noise stands for.
    """
    bounds = logits.softmax(dim=-1).cumsum(dim=-1)[..., :-1]
    level = uniform_from_normal(noise).clamp(max=1 - 1e-6).unsqueeze(-1)
    return (level >= bounds).long().sum(dim=-1)
