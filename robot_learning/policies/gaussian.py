"""A diagonal Gaussian by maximum likelihood: π(a|o) = N(μ(o), diag σ(o)²).

The loss is the negative log-likelihood of the normalised actions,
Σ_d ½ ((a_d - μ_d)/σ_d)² + log σ_d + ½ log 2π, summed over dimensions, averaged over steps.
"""

from __future__ import annotations

from math import log, pi

import torch
from torch import Tensor

from robot_learning.policies.backbones.mlp import mlp
from robot_learning.policies.encoder import ObservationEncoder
from robot_learning.policies.family_configs import GaussianConfig
from robot_learning.policies.padding import mean_unpadded
from robot_learning.policies.policy import Loss, Policy, TensorBatch
from robot_learning.policies.spec import PolicySpec
from robot_learning.policies.statistics import Statistics


class GaussianPolicy(Policy):
    """A normal distribution over action chunks, independent between steps and dimensions."""

    family = "gaussian"
    config: GaussianConfig

    def __init__(
        self, spec: PolicySpec, statistics: Statistics | None, config: GaussianConfig
    ) -> None:
        """Build the networks; see `Policy`."""
        super().__init__(spec, statistics, config)
        self.encoder = ObservationEncoder(spec, statistics, config)
        inputs = spec.observation_steps * self.encoder.features
        outputs = spec.action_steps * spec.action_dim * 2
        self.network = mlp(
            inputs,
            config.hidden,
            outputs,
            config.dropout,
            config.layer_norm,
            activation=config.activation,
        )

    @property
    def noise_shape(self) -> tuple[int, ...]:
        """One number an action dimension, if samples are wanted."""
        if self.config.answer == "mean":
            return (0,)
        return (self.spec.action_steps, self.spec.action_dim)

    def loss(self, batch: TensorBatch, generator: torch.Generator | None = None) -> Loss:
        """The negative log-likelihood of the normalised actions."""
        targets, is_pad = self.targets(batch)
        mean, std = self.distribution(batch, self.training, generator)
        per_step = -log_density(targets, mean, std).sum(dim=-1)
        return Loss(mean_unpadded(per_step, is_pad), {"std": std.mean().detach()})

    def act(self, observation: TensorBatch, noise: Tensor) -> Tensor:
        """The mean, or a sample."""
        mean, std = self.distribution(observation)
        if self.config.answer == "mean":
            return self.to_actions(mean)
        return self.to_actions(mean + std * noise)

    def distribution(
        self,
        observation: TensorBatch,
        augmented: bool = False,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of normalised actions, each (B, T_a, n).

        Args:
            observation: (B, T_o, ...) by key.
            augmented: whether images are augmented, as in training.
            generator: source of randomness; None for PyTorch's global one.
        """
        features = self.encoder(observation, augmented, generator)
        outputs = self.network(features.flatten(1))
        mean, raw = outputs.unflatten(1, (self.spec.action_steps, -1)).chunk(2, dim=-1)
        return mean, torch.nn.functional.softplus(raw) + self.config.smallest_std


def log_density(values: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """The logarithm of N(values; mean, std²), elementwise.

    Args:
        values: (...) where the density is asked for.
        mean: (...) means.
        std: (...) standard deviations, above 0.
    """
    return -0.5 * ((values - mean) / std).square() - std.log() - 0.5 * log(2 * pi)
