"""Behaviour cloning with a mixture of Gaussians over the whole action chunk.

π(a|o) = Σ_k w_k(o) N(a; μ_k(o), diag σ_k(o)²), by maximum likelihood. One component speaks for all
steps of a chunk, so that a drawn chunk does not jump between modes. The reference size is
robomimic's BC-GMM (Mandlekar et al. 2021, https://arxiv.org/abs/2108.03298, appendix D).
"""

from __future__ import annotations

import torch
from torch import Tensor

from robot_learning.policies.backbones.mlp import mlp
from robot_learning.policies.encoder import ObservationEncoder
from robot_learning.policies.family_configs import GmmConfig
from robot_learning.policies.mixture import Mixture
from robot_learning.policies.policy import Loss, Policy, TensorBatch
from robot_learning.policies.spec import PolicySpec
from robot_learning.policies.statistics import Statistics


class GmmPolicy(Policy):
    """A mixture over action chunks."""

    family = "gmm"
    config: GmmConfig

    def __init__(self, spec: PolicySpec, statistics: Statistics | None, config: GmmConfig) -> None:
        """Build the networks; see `Policy`."""
        super().__init__(spec, statistics, config)
        if config.tanh_mean:
            self.require_bounded_actions("keeps means within (-1, 1) (tanh_mean)")
        self.encoder = ObservationEncoder(spec, statistics, config)
        inputs = spec.observation_steps * self.encoder.features
        outputs = config.components * (1 + 2 * spec.action_steps * spec.action_dim)
        self.network = mlp(inputs, config.hidden, outputs, config.dropout, config.layer_norm)

    @property
    def noise_shape(self) -> tuple[int, ...]:
        """One number for the component, and one an action dimension."""
        return (1 + self.spec.action_steps * self.spec.action_dim,)

    def loss(self, batch: TensorBatch, generator: torch.Generator | None = None) -> Loss:
        """The negative log-likelihood of the unpadded steps, by their number."""
        targets, is_pad = self.targets(batch)
        counts = (~is_pad).unsqueeze(-1).expand_as(targets).flatten(1)
        mixture = self.mixture(batch, self.training, generator)
        likelihood = mixture.log_density(targets.flatten(1), counts)
        steps = (~is_pad).sum(dim=1)
        per_sample = torch.where(steps > 0, -likelihood / steps.clamp(min=1), 0.0)
        return Loss(per_sample, {"std": mixture.std.mean().detach()})

    def act(self, observation: TensorBatch, noise: Tensor) -> Tensor:
        """Draw a component, then its mean or a sample."""
        drawn = self.mixture(observation).draw(noise, self.config.answer == "sample")
        return self.to_actions(torch.unflatten(drawn, 1, (self.spec.action_steps, -1)))

    def mixture(
        self,
        observation: TensorBatch,
        augmented: bool = False,
        generator: torch.Generator | None = None,
    ) -> Mixture:
        """The mixture over normalised chunks, n = T_a times the action's dimensions.

        Args:
            observation: (B, T_o, ...) by key.
            augmented: whether images are augmented, as in training.
            generator: source of randomness; None for PyTorch's global one.
        """
        features = self.encoder(observation, augmented, generator)
        components = self.config.components
        outputs = self.network(features.flatten(1))
        logits, rest = outputs[:, :components], outputs[:, components:]
        mean, std = rest.unflatten(1, (components, -1)).chunk(2, dim=-1)
        return Mixture.from_raw(logits, mean, std, self.config)
