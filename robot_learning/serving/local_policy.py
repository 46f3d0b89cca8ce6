"""A policy of ours, computed in this process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from robot_learning.core.types import FloatArray
from robot_learning.policies.denoising import DenoisingPolicy
from robot_learning.policies.guidance import Guidance
from robot_learning.policies.policy import Policy
from robot_learning.serving.backends import Array, Backend, EagerBackend
from robot_learning.serving.chunk_planner import ActionPrefix
from robot_learning.serving.observation_history import Window
from robot_learning.serving.policy_client import PolicyClient


class LocalPolicy(PolicyClient):
    """Draws noise from a seeded generator and has a backend compute the actions."""

    def __init__(self, policy: Policy, backend: Backend | None = None, seed: int = 0) -> None:
        self.policy = policy
        self.spec = policy.spec
        self.takes_prefix = isinstance(policy, DenoisingPolicy)
        self._backend = backend or EagerBackend(policy)
        self._generator = torch.Generator().manual_seed(seed)

    def infer(
        self, windows: Sequence[Window], prefixes: Sequence[ActionPrefix | None]
    ) -> FloatArray:
        """See `PolicyClient.infer`; one pass for all windows.

        A chunk that continues another one takes a pass of its own, in PyTorch, as it needs
        gradients with respect to the actions.
        """
        observation = {
            column.key: np.stack([window.values[column.key] for window in windows])
            for column in self.spec.observations
        }
        noise = self._noise(len(windows))
        guided = [index for index, prefix in enumerate(prefixes) if prefix is not None]
        if len(guided) < len(windows):
            actions = self._backend.act(observation, noise).astype(np.float64)
        else:
            actions = np.empty((len(windows), self.spec.action_steps, self.spec.action_dim))
        for index in guided:
            one = slice(index, index + 1)
            mine = {key: values[one] for key, values in observation.items()}
            actions[one] = self._guided(mine, noise[one], prefixes[index])
        return actions

    def close(self) -> None:
        """Release the backend."""
        self._backend.close()

    def _noise(self, count: int) -> Array:
        shape = (count, *self.policy.noise_shape)
        return torch.randn(shape, generator=self._generator).numpy()

    @torch.no_grad()
    def _guided(
        self, observation: Mapping[str, Array], noise: Array, prefix: ActionPrefix | None
    ) -> Array:
        assert prefix is not None and isinstance(self.policy, DenoisingPolicy)  # noqa: S101
        device = self.policy.device
        guidance = Guidance(
            torch.from_numpy(prefix.actions.astype(np.float32))[None].to(device),
            torch.from_numpy(prefix.weights.astype(np.float32)).to(device),
        )
        tensors = {key: torch.from_numpy(values).to(device) for key, values in observation.items()}
        noise_tensor = torch.from_numpy(noise).to(device)
        return self.policy.act_guided(tensors, noise_tensor, guidance).cpu().numpy()
