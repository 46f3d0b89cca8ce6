"""A real policy with weights set by hand: it steers every joint towards a target.

One linear layer: row k of the chunk is q + g_k (target - q), with g_k = 1 - (1 - gain)^(k + 1),
for the joint positions q of the newest row of the window.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from robot_learning.core.profile import RobotProfile
from robot_learning.policies.checkpoint import CheckpointDetails, save_checkpoint
from robot_learning.policies.environment import EnvironmentDetails
from robot_learning.policies.families import make_policy
from robot_learning.policies.policy import Policy
from robot_learning.policies.spec import ObservationSpec, PolicySpec

LINEAR = {
    "hidden": [],
    "observation_normalization": "none",
    "action_normalization": "none",
}


def steering_spec(
    joint_names: Sequence[str],
    *,
    action_steps: int = 16,
    executed_steps: int = 8,
    observation_steps: int = 1,
    rate_hz: float = 50.0,
    more: Sequence[ObservationSpec] = (),
) -> PolicySpec:
    """Joint positions, and `more` columns that have no effect."""
    joints = ObservationSpec("obs/joint_position", (len(joint_names),))
    return PolicySpec(
        observations=(joints, *more),
        action_dim=len(joint_names),
        action_names=tuple(joint_names),
        observation_steps=observation_steps,
        action_steps=action_steps,
        executed_steps=executed_steps,
        rate_hz=rate_hz,
    )


def steering_policy(spec: PolicySpec, target: np.ndarray, gain: float = 0.05) -> Policy:
    """In evaluation mode."""
    policy = make_policy("deterministic", spec, None, LINEAR).eval()
    layer = policy.network[-1]
    joints = spec.action_dim
    share = 1.0 - (1.0 - gain) ** np.arange(1, spec.action_steps + 1)
    width = layer.weight.shape[1] // spec.observation_steps
    newest = (spec.observation_steps - 1) * width
    weight = np.zeros(tuple(layer.weight.shape))
    for step, gained in enumerate(share):
        rows = slice(step * joints, (step + 1) * joints)
        weight[rows, newest : newest + joints] = (1.0 - gained) * np.eye(joints)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weight))
        layer.bias.copy_(torch.from_numpy(np.kron(share, np.asarray(target))))
    return policy


def save_increments(
    folder: Path, profile: RobotProfile, target: np.ndarray, scale: float = 0.3
) -> Path:
    """A checkpoint whose actions change the held command, towards `target`, at 20 Hz.

    Far from it they are larger than 1.
    """
    joints, rate_hz = len(profile.joint_names), 20.0
    held = ObservationSpec("obs/held_command", (joints,))
    spec = PolicySpec((held,), action_dim=joints, rate_hz=rate_hz)
    policy = make_policy("deterministic", spec, None, LINEAR).eval()
    gain = rate_hz / (scale * profile.velocity_max)
    with torch.no_grad():
        policy.network[-1].weight.copy_(torch.from_numpy(np.diag(-gain)))
        policy.network[-1].bias.copy_(torch.from_numpy(gain * np.asarray(target)))
    arguments = {"actions": "increments", "increment_scale": scale}
    environment = EnvironmentDetails("robot_learning/Reach-v0", arguments)
    details = CheckpointDetails(robot=profile.name, task="reach", environment=environment)
    save_checkpoint(folder, policy, details)
    return folder


def save_steering(
    folder: Path, profile: RobotProfile, target: np.ndarray, gain: float = 0.05, **spec: object
) -> Path:
    """The checkpoint of a policy that steers a robot to `target`; returns its folder."""
    policy = steering_policy(steering_spec(profile.joint_names, **spec), target, gain)
    details = CheckpointDetails(
        robot=profile.name, joint_names=profile.joint_names, task="lift", dataset_digest="none"
    )
    save_checkpoint(folder, policy, details)
    return folder
