"""Placeholder until the iterative families are there."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from robot_learning.policies.policy import Policy


def takes_prefix(policy: Policy) -> bool:
    """Whether a policy's chunk can be made to go on from another one."""
    return False


def act_from_prefix(
    policy: Policy,
    observation: Mapping[str, Tensor],
    noise: Tensor,
    prefix: Tensor,
    weights: Tensor,
) -> Tensor:
    """Nothing yet."""
    raise NotImplementedError
