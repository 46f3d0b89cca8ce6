"""The noise for the next demonstrations, from a policy's error on demonstrations it never saw.

What counts is the first action of a chunk that would be executed, at every row that the
demonstrator drove: where a chunk's later actions end up, noise for a single step does not say.
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
from robot_learning.policies.policy import Policy, PolicySpec

_ROWS_AT_ONCE = 1024
_SEED = 11


@dataclass(frozen=True)
class NoiseSize:
    """How large the noise is made.

    Attributes:
        alpha: total squared error that is expected over an episode, rad²; None for the error
            that was measured.
        trace_cap: largest trace, rad²: the sum of the joints' variances; None for any.
        gripper: whether grippers get noise too. Their error is a stroke, in metres for most,
            which has no common size with angles; and a gripper that is shaken drops things.
    """

    alpha: float | None = None
    trace_cap: float | None = None
    gripper: bool = False


@dataclass(frozen=True)
class Estimate:
    """What the held-out demonstrations say.

    Attributes:
        covariance: (n, n) second moment of policy - expert, rad², m² or rad·m; without
            gripper noise their rows and columns are zero.
        episodes: held-out ones.
        rows: in them.
        horizon_steps: their mean length.
    """

    covariance: FloatArray
    episodes: int
    rows: int
    horizon_steps: int

    @property
    def error(self) -> float:
        """The mean squared error of an action, which is the trace."""
        return float(np.trace(self.covariance))

    def noise(self, size: NoiseSize) -> FloatArray:
        """(n, n) psi for the next demonstrations.

        Raises:
            ConfigurationError: as `scaled_covariance`.
        """
        return scaled_covariance(self.covariance, size.alpha, self.horizon_steps, size.trace_cap)


def held_out(dataset: Dataset, training: Mapping[str, Any], checkpoint: object) -> Dataset:
    """The episodes of `dataset` that a checkpoint was certainly not trained on.

    One that has label layers counts as trained on: it is known by what it holds, and may have been
    relabelled since.

    Args:
        dataset: some demonstrations.
        training: what the checkpoint says of its training.
        checkpoint: what it is called in errors.

    Raises:
        ConfigurationError: there is none, or the checkpoint does not name its episodes.
    """
    if TRAINED_ON not in training:
        raise ConfigurationError(
            f"{checkpoint}: does not say which episodes it was trained on, so that none is known "
            "to be held out; train it again"
        )
    trained_on = set(training[TRAINED_ON])
    unknown = [e.name for e in dataset.episodes if episode_mark(e) not in trained_on]
    names = [name for name in unknown if not dataset.episode(name).labels()]
    if not names:
        raise ConfigurationError(
            f"{dataset.path}: each of its episodes ({len(dataset)}) was relabelled, or "
            f"{checkpoint} was trained on it; its error there is too small. Record some that it "
            "has not seen"
        )
    return dataset.select(names=names)


def estimate(policy: Policy, dataset: Dataset, profile: RobotProfile, gripper: bool) -> Estimate:
    """Compare a policy with the labels of demonstrations, all of them held out.

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
    """Write a covariance as `control.noise.load_covariance` and `dart_covariance:=` read it.

    Raises:
        ConfigurationError: the name does not end in .npz, or it cannot be written.
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
    """The windows that a policy would see and answer, at the rows that these drove."""
    return DataConfig(
        observation_keys=tuple(column.key for column in spec.observations),
        observation_steps=spec.observation_steps,
        action_steps=spec.action_steps,
        executed_steps=spec.executed_steps,
        first_action_index=spec.first_action_index,
        sources=sources,
    )


def _actions(policy: Policy, dataset: Dataset) -> tuple[FloatArray, FloatArray]:
    """(N, n) the policy's actions and the expert's, at every row that the expert drove."""
    spec = policy.spec
    config = windows_of(spec, ("human",))
    batches = Batches(dataset, config, policy.device)
    generator = torch.Generator(policy.device).manual_seed(_SEED)
    now, found = spec.first_action_index, []
    for indices in torch.split(torch.arange(len(batches)), _ROWS_AT_ONCE):
        batch = batches.batch(indices)
        chunk = policy.predict({k: batch[k] for k in config.observation_keys}, generator)
        # The label of a window's own row is always there: others are not among the windows.
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
    """Refuse what cannot be compared row by row.

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
