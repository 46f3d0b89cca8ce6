"""From an actor to an ordinary policy: `gaussian`, or `deterministic` for discrete actions.

The policy answers what the actor does without noise. It carries the normalisation and the cut of
observations that the actor was trained with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from robot_learning.core.types import FloatArray
from robot_learning.learning.imitation.spaces import ActionLayout, Leaf, ObservationLayout
from robot_learning.learning.reinforcement.actor_critic import (
    OBSERVATION_BOUND,
    ActorCritic,
    Scaling,
    action_middle,
)
from robot_learning.policies.families import make_policy
from robot_learning.policies.policy import Policy
from robot_learning.policies.spec import ACTION, PolicySpec


@dataclass(frozen=True)
class _Statistics:
    """Statistics as a policy takes them, made of a mean and a deviation or of bounds."""

    mean: FloatArray
    std: FloatArray
    minimum: FloatArray
    maximum: FloatArray

    @property
    def q01(self) -> FloatArray:
        """The lower bound."""
        return self.minimum

    @property
    def q99(self) -> FloatArray:
        """The upper bound."""
        return self.maximum


def make_ordinary_policy(
    networks: ActorCritic,
    scaling: Scaling,
    observations: ObservationLayout,
    actions: ActionLayout,
    *,
    rate_hz: float,
    action_names: tuple[str, ...] = (),
) -> Policy:
    """A policy with the actor's weights, in evaluation mode.

    Args:
        networks: networks, of which the actor and the deviations are copied.
        scaling: normalisation of the observations.
        observations: layout of the observations.
        actions: layout of the actions.
        rate_hz: steps per second.
        action_names: (n,) names of the action's numbers; empty where they have none.
    """
    spec = PolicySpec(
        observations=tuple(leaf.spec for leaf in observations.leaves),
        action_dim=actions.size,
        action_names=action_names,
        discrete_actions=actions.choices,
        rate_hz=rate_hz,
    )
    statistics = {leaf.spec.key: _observed(scaling, leaf) for leaf in observations.leaves}
    statistics[ACTION] = _acted(actions)
    overrides: dict[str, Any] = {
        "hidden": list(networks.actor_sizes[1:-1]),
        "activation": networks.activation,
        "observation_margin": 0.0 if scaling.is_on else None,
        "observation_normalization": "gaussian" if scaling.is_on else "none",
    }
    family = "deterministic" if actions.choices else "gaussian"
    if not actions.choices:
        # The network's deviations are exact without a floor.
        overrides["smallest_std"] = 0.0
    with torch.random.fork_rng(devices=[]):
        policy = make_policy(family, spec, statistics, overrides)
    _copy_weights(networks, policy)
    return policy.eval()


def _observed(scaling: Scaling, leaf: Leaf) -> _Statistics:
    part = slice(leaf.begin, leaf.end)
    mean = scaling.mean[part].reshape(leaf.spec.shape)
    std = scaling.std[part].reshape(leaf.spec.shape)
    reach = OBSERVATION_BOUND * std
    return _Statistics(mean, std, mean - reach, mean + reach)


def _acted(actions: ActionLayout) -> _Statistics:
    middle = action_middle(actions)
    return _Statistics(middle, actions.scale, middle - actions.scale, middle + actions.scale)


def _copy_weights(networks: ActorCritic, policy: Policy) -> None:
    network: Any = policy.network
    layers = [layer for layer in network if isinstance(layer, nn.Linear)]
    with torch.no_grad():
        for layer, (weight, bias) in zip(layers, networks.actor_layers, strict=True):
            rows = len(bias)
            # A Gaussian's last layer gives the deviations too, here from their biases alone.
            layer.weight.zero_()
            layer.weight[:rows].copy_(torch.from_numpy(weight.astype(np.float32)))
            layer.bias[:rows].copy_(torch.from_numpy(bias.astype(np.float32)))
        if len(networks.log_std):
            std = torch.from_numpy(np.exp(networks.log_std.astype(np.float64)))
            layers[-1].bias[len(networks.log_std) :].copy_(_inverse_softplus(std))


def _inverse_softplus(values: torch.Tensor) -> torch.Tensor:
    """The numbers x with log(1 + e^x) = values, without overflow."""
    return values + torch.log(-torch.expm1(-values))
