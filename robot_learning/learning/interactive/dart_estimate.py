"""The noise for the next demonstrations, from a policy's error on demonstrations it never saw.

The error is that of the first action of a chunk that would be executed, at every row that the
demonstrator drove: noise on single steps cannot represent the error of a chunk's later actions.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from robot_learning.control.limiter import frozen
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.files import write_atomically
from robot_learning.core.profile import RobotProfile
from robot_learning.core.types import FloatArray
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.learning.algorithms.dart import error_covariance, scaled_covariance
from robot_learning.learning.training.batches import Batches
from robot_learning.learning.training.config import DataConfig
from robot_learning.learning.training.run_folder import TRAINED_ON, episode_mark
from robot_learning.policies.policy import Policy
from robot_learning.policies.spec import PolicySpec

_ROWS_AT_ONCE = 1024
_SEED = 11


@dataclass(frozen=True)
class NoiseSize:
    """The size of the noise.

    Attributes:
        alpha: total squared error that is expected over an episode, rad²; None for the measured
            error.
        trace_cap: largest trace, rad², which is the sum of the joints' variances; None for no
            bound.
        gripper: whether grippers get noise too. Their error is a stroke, mostly in metres, which
            cannot be compared with angles; and a shaken gripper drops things.
    """

    alpha: float | None = None
    trace_cap: float | None = None
    gripper: bool = False


@dataclass(frozen=True)
class Estimate:
    """The error of a policy on held-out demonstrations.

    Attributes:
        covariance: (n, n) second moment of policy - expert, rad², m² or rad·m; without gripper
            noise the grippers' rows and columns are zero.
        episodes: number of held-out episodes.
        rows: number of rows of the held-out episodes.
        horizon_steps: mean length of the held-out episodes, in rows.
    """

    covariance: FloatArray
    episodes: int
    rows: int
    horizon_steps: int

    @property
    def error(self) -> float:
        """Mean squared error of an action, which is the trace of the covariance."""
        return float(np.trace(self.covariance))

    def noise(self, size: NoiseSize) -> FloatArray:
        """(n, n) covariance psi for the next demonstrations.

        Raises:
            ConfigurationError: the size is out of range, or neither alpha nor trace_cap is given.
        """
        return scaled_covariance(self.covariance, size.alpha, self.horizon_steps, size.trace_cap)


def held_out(dataset: Dataset, training: Mapping[str, Any], checkpoint: object) -> Dataset:
    """The episodes of `dataset` that a checkpoint was certainly not trained on.

    An episode with label layers counts as trained on: episodes are identified by their content, and
    it may have been relabelled after the training.

    Args:
        dataset: demonstrations to choose from.
        training: details of the training that the checkpoint stores.
        checkpoint: name of the checkpoint in errors.

    Raises:
        ConfigurationError: there is no such episode, or the checkpoint does not name its episodes.
    """
    if TRAINED_ON not in training:
        raise ConfigurationError(
            f"{checkpoint}: does not say which episodes it was trained on, so that none is known "
            "to be held out; train it again"
        )
    trained_on = set(training[TRAINED_ON])
    recorded = dataset.recorded_episodes
    unknown = [e.name for e in recorded if episode_mark(e) not in trained_on]
    names = [name for name in unknown if not dataset.episode(name).labels()]
    if not names:
        raise ConfigurationError(
            f"{dataset.path}: each of its episodes ({len(dataset)}) was relabelled, or "
            f"{checkpoint} was trained on it; its error there is too small. Record some that it "
            "has not seen"
        )
    return dataset.select(names=names)


def estimate(policy: Policy, dataset: Dataset, profile: RobotProfile, gripper: bool) -> Estimate:
    """Compare a policy with the labels of demonstrations that it was not trained on.

    Args:
        policy: policy in evaluation mode.
        dataset: held-out demonstrations.
        profile: profile of the robot.
        gripper: whether the error of grippers is included; otherwise it is set to zero.

    Raises:
        ConfigurationError: policy, dataset and robot do not fit each other.
        DatasetError: there is no row in which a person or expert drove.
    """
    refuse_misfits(policy, dataset, profile)
    covariance = error_covariance(*_actions(policy, dataset))
    if not gripper:
        covariance = _without_grippers(covariance, profile)
    steps = max(1, round(dataset.rows / max(1, len(dataset))))
    return Estimate(covariance, len(dataset), dataset.rows, steps)


def save_covariance(path: Path, covariance: FloatArray, profile: RobotProfile) -> None:
    """Write a covariance in the format of `control.noise.load_covariance` and `dart_covariance:=`.

    Args:
        path: file to write, which ends in .npz.
        covariance: (n, n) covariance, in the joints' units squared.
        profile: profile of the robot, whose joint names are stored.

    Raises:
        ConfigurationError: the name does not end in .npz, or the file cannot be written.
    """
    if path.suffix != ".npz":
        raise ConfigurationError(f"{path}: a covariance is written to a file that ends in .npz")
    data = io.BytesIO()
    np.savez(data, covariance=covariance, joint_names=np.array(profile.joint_names))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, data.getvalue())
    except OSError as problem:
        raise ConfigurationError(f"{path}: cannot be written: {problem}") from problem


def windows_of(spec: PolicySpec, sources: tuple[str, ...]) -> DataConfig:
    """The windows that a policy would see and answer, at the rows that these sources drove."""
    return DataConfig(
        observation_keys=tuple(column.key for column in spec.observations),
        observation_steps=spec.observation_steps,
        action_steps=spec.action_steps,
        executed_steps=spec.executed_steps,
        first_action_index=spec.first_action_index,
        sources=sources,
    )


def _actions(policy: Policy, dataset: Dataset) -> tuple[FloatArray, FloatArray]:
    """(N, n) actions of the policy and of the expert, at every row that the expert drove."""
    spec = policy.spec
    config = windows_of(spec, ("human",))
    batches = Batches(dataset, config, policy.device)
    generator = torch.Generator(policy.device).manual_seed(_SEED)
    now, found = spec.first_action_index, []
    for indices in torch.split(torch.arange(len(batches)), _ROWS_AT_ONCE):
        batch = batches.batch(indices)
        chunk = policy.predict({k: batch[k] for k in config.observation_keys}, generator)
        # The label of a window's own row is always valid, as other rows have no window.
        found.append(torch.stack([chunk[:, now], batch["action"][:, now]]).cpu().double())
    policy_actions, labels = torch.cat(found, dim=1).numpy()
    return policy_actions, labels


def _without_grippers(covariance: FloatArray, profile: RobotProfile) -> FloatArray:
    kept = np.ones(len(profile.joints))
    for arm in profile.arms:
        if arm.gripper:
            kept[profile.joint_index(arm.gripper.joint)] = 0.0
    return frozen(covariance * np.outer(kept, kept))


def refuse_misfits(policy: Policy, dataset: Dataset, profile: RobotProfile) -> None:
    """Refuse a policy, dataset and robot that cannot be compared row by row.

    Args:
        policy: policy to compare.
        dataset: demonstrations to compare with.
        profile: profile of the robot.

    Raises:
        ConfigurationError: policy, dataset and robot differ in joints or rate.
    """
    spec, info = policy.spec, dataset.info
    if spec.discrete_actions:
        raise ConfigurationError("the policy chooses among discrete actions, which have no noise")
    moved = {
        "the policy": spec.action_names or info.joint_names,
        str(dataset.path): info.joint_names,
    }
    for who, names in moved.items():
        if tuple(names) != profile.joint_names:
            raise ConfigurationError(
                f"{who} moves {', '.join(names)}; the robot '{profile.name}' has "
                f"{', '.join(profile.joint_names)}"
            )
    if spec.rate_hz != info.rate_hz:
        raise ConfigurationError(
            f"the policy acts {spec.rate_hz:g} times a second; {dataset.path} has "
            f"{info.rate_hz:g} rows a second"
        )
