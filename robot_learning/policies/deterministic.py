"""Behaviour cloning with a deterministic policy: regression, or classification.

Pomerleau 1988 (ALVINN); the loss is E |π(o) - a| or E (π(o) - a)², for discrete actions the cross
entropy -log π(a|o). Where demonstrations disagree, a regression answers with their mean (or
median), which may be what nobody would do: see the bimodal benchmark.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from robot_learning.policies.backbones.mlp import mlp
from robot_learning.policies.encoder import ObservationEncoder
from robot_learning.policies.family_configs import DeterministicConfig
from robot_learning.policies.padding import mean_unpadded
from robot_learning.policies.policy import Loss, Policy, TensorBatch
from robot_learning.policies.spec import PolicySpec
from robot_learning.policies.statistics import Statistics


class DeterministicPolicy(Policy):
    """One action chunk for an observation."""

    family = "deterministic"
    takes_discrete_actions = True
    config: DeterministicConfig

    def __init__(
        self, spec: PolicySpec, statistics: Statistics | None, config: DeterministicConfig
    ) -> None:
        """Build the networks; see `Policy`."""
        super().__init__(spec, statistics, config)
        self.encoder = ObservationEncoder(spec, statistics, config)
        inputs = spec.observation_steps * self.encoder.features
        outputs = spec.action_steps * (spec.discrete_actions or spec.action_dim)
        self.network = mlp(
            inputs,
            config.hidden,
            outputs,
            config.dropout,
            config.layer_norm,
            activation=config.activation,
        )

    def loss(self, batch: TensorBatch, generator: torch.Generator | None = None) -> Loss:
        """The error of normalised actions, or the cross entropy."""
        targets, is_pad = self.targets(batch)
        outputs = self._outputs(batch, self.training, generator)
        if self.spec.discrete_actions:
            per_step = functional.cross_entropy(outputs.mT, targets, reduction="none")
            hits = (outputs.argmax(-1) == targets).to(outputs.dtype)
            accuracy = mean_unpadded(hits, is_pad).mean().detach()
            return Loss(mean_unpadded(per_step, is_pad), {"accuracy": accuracy})
        difference = outputs - targets
        error = difference.abs() if self.config.error == "l1" else difference.square()
        return Loss(mean_unpadded(error.mean(dim=-1), is_pad))

    def act(self, observation: TensorBatch, noise: Tensor) -> Tensor:
        """The one answer; there is no noise."""
        outputs = self._outputs(observation)
        return outputs.argmax(-1) if self.spec.discrete_actions else self.to_actions(outputs)

    def logits(self, observation: TensorBatch) -> Tensor:
        """Logits of the choices (B, T_a, choices), of a policy that has choices."""
        return self._outputs(observation)

    def _outputs(
        self,
        observation: TensorBatch,
        augmented: bool = False,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        features = self.encoder(observation, augmented, generator)
        found = self.network(features.flatten(1))
        return torch.unflatten(found, 1, (self.spec.action_steps, -1))
