"""Asking policies for actions quickly: small networks need microseconds, not tensors.

A deterministic policy that is a plain perceptron on vectors is run by NumPy, which at these sizes
takes a quarter of PyTorch's time; all others run in PyTorch's inference mode.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from robot_learning.learning.imitation.perceptron import (
    as_array,
    linear_layers,
    observation_normalization,
)
from robot_learning.learning.imitation.samples import columns
from robot_learning.learning.imitation.spaces import (
    FLAT_NAME,
    ActionLayout,
    Float32Array,
    Leaf,
)
from robot_learning.policies.deterministic import DeterministicPolicy
from robot_learning.policies.execution import ChunkExecutor
from robot_learning.policies.policy import Policy

# From (B, T_o, D) observations to (B, T_a, n) actions, clipped to the action space.
Forward = Callable[[Float32Array], Float32Array]


def make_forward(
    policy: Policy, leaves: Sequence[Leaf], actions: ActionLayout, seed: int = 0
) -> Forward:
    """A function that computes a policy's actions.

    Args:
        policy: policy in evaluation mode.
        leaves: columns of a row of observations.
        actions: layout of the action space, to whose bounds actions are clipped.
        seed: seed of the draws of a stochastic policy.
    """
    layers = linear_layers(policy)
    if layers is not None and isinstance(policy, DeterministicPolicy):
        return _numpy_forward(policy, layers, actions)
    generator = torch.Generator(policy.device).manual_seed(seed)

    def forward(history: Float32Array) -> Float32Array:
        batch = columns(torch.from_numpy(history).to(policy.device), leaves)
        with torch.inference_mode():
            chunk = policy.predict(batch, generator).cpu().numpy()
        if policy.spec.discrete_actions:
            chunk = chunk[..., None]
        return actions.clipped(chunk)

    return forward


def _numpy_forward(
    policy: DeterministicPolicy, layers: list[nn.Linear], actions: ActionLayout
) -> Forward:
    offset, scale = observation_normalization(policy)
    weights = [(as_array(layer.weight).T.copy(), as_array(layer.bias)) for layer in layers]
    back = 1.0 / as_array(policy.action_normalizer.scale)
    middle = as_array(policy.action_normalizer.offset)
    steps, choices = policy.spec.action_steps, policy.spec.discrete_actions
    last = len(weights) - 1

    def forward(history: Float32Array) -> Float32Array:
        values = ((history - offset) * scale).reshape(len(history), -1)
        for number, (weight, bias) in enumerate(weights):
            values = values @ weight
            values += bias
            if number < last:
                np.maximum(values, 0.0, out=values)
        chunk = values.reshape(len(history), steps, -1)
        if choices:
            return np.asarray(chunk.argmax(-1)[..., None], np.float32)
        return actions.clipped(chunk * back + middle)

    return forward


class Actor:
    """A policy in lockstep over N environments.

    A new chunk is computed after `executed_steps`, and whenever something else acted.
    """

    def __init__(self, policy: Policy, forward: Forward) -> None:
        """Act with `policy`, through `forward`."""
        self._spec, self._forward = policy.spec, forward
        self._is_plain = policy.spec.observation_steps == 1 and policy.spec.action_steps == 1

    def begin(self, count: int) -> None:
        """Begin an episode in each of `count` environments."""

        def predict(history: dict[str, Float32Array]) -> Float32Array:
            return self._forward(history[FLAT_NAME])

        self._executor = ChunkExecutor(self._spec, predict, count, together=True)

    def act(self, observations: Float32Array, others_acted: npt.NDArray[np.bool_]) -> Float32Array:
        """(N, n) actions for (N, D) observations.

        Args:
            observations: (N, D) observations of this step.
            others_acted: (N,) whether something other than this policy acted in the step before.
        """
        if self._is_plain:
            return self._forward(observations[:, None])[:, 0]
        actions = self._executor.act({FLAT_NAME: observations}, interrupted=others_acted)
        return np.asarray(actions, np.float32)

    def at_every_row(self, observations: Float32Array) -> Float32Array:
        """(T, n) the policy's actions at the rows of an episode (T, D), a new chunk for each."""
        offsets = np.arange(1 - self._spec.observation_steps, 1)
        history = np.maximum(np.arange(len(observations))[:, None] + offsets, 0)
        return self._forward(observations[history])[:, self._spec.first_action_index]
