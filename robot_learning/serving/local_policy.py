"""A policy of ours, computed in this process."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from robot_learning.core.types import FloatArray
from robot_learning.policies.policy import Policy
from robot_learning.serving.backends import Array, Backend, EagerBackend
from robot_learning.serving.chunk_planner import ActionPrefix
from robot_learning.serving.observation_history import Window
from robot_learning.serving.policy_client import PolicyClient
from robot_learning.serving.real_time_chunking import act_from_prefix, takes_prefix


class LocalPolicy(PolicyClient):
    """Draws noise from a seeded generator and has a backend compute the actions."""

    def __init__(self, policy: Policy, backend: Backend | None = None, seed: int = 0) -> None:
        self.policy = policy
        self.spec = policy.spec
        self.takes_prefix = takes_prefix(policy)
        self._backend = backend or EagerBackend(policy)
        self._generator = torch.Generator().manual_seed(seed)

    def infer(
        self, windows: Sequence[Window], prefixes: Sequence[ActionPrefix | None]
    ) -> FloatArray:
        """See `PolicyClient.infer`; one forward pass for all windows.

        Where one of them goes on from another chunk, the pass is PyTorch's, as it needs
        gradients with respect to the actions.
        """
        observation = {
            column.key: np.stack([window.values[column.key] for window in windows])
            for column in self.spec.observations
        }
        noise = self._noise(len(windows))
        if any(prefix is not None for prefix in prefixes):
            actions = self._from_prefixes(observation, noise, prefixes)
        else:
            actions = self._backend.act(observation, noise)
        return actions.astype(np.float64)

    def close(self) -> None:
        """Release the backend."""
        self._backend.close()

    def _noise(self, count: int) -> Array:
        shape = (count, *self.policy.noise_shape)
        return torch.randn(shape, generator=self._generator).numpy()

    def _from_prefixes(
        self,
        observation: dict[str, Array],
        noise: Array,
        prefixes: Sequence[ActionPrefix | None],
    ) -> Array:
        spec = self.spec
        actions = np.zeros((len(prefixes), spec.action_steps, spec.action_dim), np.float32)
        weights = np.zeros((len(prefixes), spec.action_steps), np.float32)
        for index, prefix in enumerate(prefixes):
            if prefix is not None:
                actions[index], weights[index] = prefix.actions, prefix.weights
        device = self.policy.device
        found = act_from_prefix(
            self.policy,
            {key: torch.from_numpy(values).to(device) for key, values in observation.items()},
            torch.from_numpy(noise).to(device),
            torch.from_numpy(actions).to(device),
            torch.from_numpy(weights).to(device),
        )
        return found.cpu().numpy()
