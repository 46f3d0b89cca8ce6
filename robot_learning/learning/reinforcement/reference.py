"""A policy that another one is kept near to: what it would do, as a distribution."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from robot_learning.core.amounts import amount
from robot_learning.core.errors import ConfigurationError
from robot_learning.learning.imitation.samples import columns
from robot_learning.learning.imitation.spaces import ActionLayout, Float32Array, ObservationLayout
from robot_learning.learning.reinforcement.actor_critic import action_middle
from robot_learning.learning.training.perceptron import Array
from robot_learning.policies.checkpoint import load_checkpoint
from robot_learning.policies.deterministic import DeterministicPolicy
from robot_learning.policies.gaussian import GaussianPolicy
from robot_learning.policies.policy import TensorBatch


class ReferencePolicy:
    """The policy of a checkpoint.

    Attributes:
        digest: digest of the checkpoint's weights.
    """

    def __init__(
        self,
        folder: Path | str,
        observations: ObservationLayout,
        actions: ActionLayout,
        smallest_std: float,
    ) -> None:
        """Load it.

        Args:
            folder: folder of a run or of a checkpoint.
            observations: layout of the environment's observations.
            actions: layout of its actions.
            smallest_std: smallest deviation of its normalised actions: nothing can stay near a
                policy that never varies.

        Raises:
            CheckpointError: there is no checkpoint.
            ConfigurationError: the policy is no distribution, or is of other spaces.
        """
        self._policy, self.digest = _load(folder, observations, actions)
        self._leaves, self._smallest = observations.leaves, smallest_std
        self._scale, self._middle = actions.scale, action_middle(actions)

    def outputs(self, rows: Float32Array) -> Array:
        """(B, K) logits of the choices, or (B, 2 n) means and logarithmic deviations.

        Means and deviations are of actions normalised as the learner normalises them.

        Args:
            rows: (B, D) observations as the environment gives them.
        """
        batch = columns(torch.from_numpy(rows[:, None]), self._leaves)
        policy = self._policy
        with torch.inference_mode():
            if isinstance(policy, GaussianPolicy):
                return self._normal(policy, batch)
            return np.asarray(policy.logits(batch)[:, 0].numpy())

    def _normal(self, policy: GaussianPolicy, batch: TensorBatch) -> Array:
        mean, std = (part[:, 0] for part in policy.distribution(batch))
        own, above = policy.to_actions(mean).numpy(), policy.to_actions(mean + std).numpy()
        means = (own - self._middle) / self._scale
        deviations = np.maximum(np.abs(above - own) / self._scale, self._smallest)
        return np.asarray(np.concatenate([means, np.log(deviations)], axis=1), np.float32)


def _load(
    folder: Path | str, observations: ObservationLayout, actions: ActionLayout
) -> tuple[GaussianPolicy | DeterministicPolicy, str]:
    checkpoint = load_checkpoint(folder)
    policy, spec = checkpoint.policy, checkpoint.policy.spec
    is_choice = isinstance(policy, DeterministicPolicy) and spec.discrete_actions > 0
    if not isinstance(policy, GaussianPolicy | DeterministicPolicy) or not (
        is_choice or isinstance(policy, GaussianPolicy)
    ):
        raise ConfigurationError(
            f"--reference {folder}: a {policy.family} policy gives no probabilities in closed "
            "form; valid are gaussian, and deterministic for choices"
        )
    if (spec.observation_steps, spec.action_steps) != (1, 1):
        raise ConfigurationError(
            f"--reference {folder}: looks at {amount(spec.observation_steps, 'observation')} and "
            f"plans {amount(spec.action_steps, 'action')}; a policy is kept near one of one and one"
        )
    given = {leaf.spec.key: leaf.spec.shape for leaf in observations.leaves}
    for column in spec.observations:
        if given.get(column.key) != column.shape:
            raise ConfigurationError(
                f"--reference {folder}: observes {column.key} {column.shape}; the environment "
                "gives " + ", ".join(f"{key} {shape}" for key, shape in given.items())
            )
    if (spec.action_dim, spec.discrete_actions) != (actions.size, actions.choices):
        raise ConfigurationError(
            f"--reference {folder}: its actions have "
            f"{_text(spec.action_dim, spec.discrete_actions)}; those of the environment have "
            f"{_text(actions.size, actions.choices)}"
        )
    return policy, checkpoint.digest


def _text(size: int, choices: int) -> str:
    return f"{choices} choices" if choices else amount(size, "number")
