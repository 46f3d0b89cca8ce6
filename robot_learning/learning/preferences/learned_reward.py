"""The reward that was fitted to rankings: an ensemble of small networks of a step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from robot_learning.core.decoding import decode
from robot_learning.core.errors import ConfigurationError, unknown_choice
from robot_learning.core.types import FloatArray
from robot_learning.learning.preferences.columns import Columns, Float32Array
from robot_learning.learning.preferences.likelihoods import LIKELIHOODS
from robot_learning.learning.preferences.ties import Ties
from robot_learning.learning.runs.archive import (
    Arrays,
    damage_told,
    digest_of,
    load_archive,
    refuse_other_shapes,
    save_archive,
)

REWARD_NAME = "reward.npz"
_VERSION = 1
# As far from the mean of the segments as inputs are believed, in deviations.
_BOUND = 10.0


@dataclass(frozen=True)
class LearnedReward:
    """E networks, whose rewards have mean 0 and deviation 1 over the steps of the segments.

    Only differences of returns follow from rankings, so that mean and scale are a convention.

    Attributes:
        columns: what a step consists of.
        mean, std: (I,) statistics that the inputs are normalised by.
        weights: (E, out, in) of each layer.
        biases: (E, out) of each layer.
        offset, scale: (E,) mean and deviation of what the networks give, before they are
            normalised.
        ties: name of the likelihood that they were fitted by.
        tie: (E,) learnt parameters of ties.
    """

    columns: Columns
    mean: Float32Array
    std: Float32Array
    weights: tuple[Float32Array, ...]
    biases: tuple[Float32Array, ...]
    offset: FloatArray
    scale: FloatArray
    ties: Ties
    tie: FloatArray

    def of_members(self, observations: Float32Array, actions: Float32Array) -> FloatArray:
        """(E, B) normalised rewards of each network.

        Args:
            observations: (B, D) observations.
            actions: (B, n) actions.
        """
        inputs = self.columns.step_inputs(observations, actions)
        values = np.clip((inputs - self.mean) / self.std, -_BOUND, _BOUND)[None]
        last = len(self.weights) - 1
        for number, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            values = values @ weight.transpose(0, 2, 1) + bias[:, None]
            if number < last:
                np.tanh(values, out=values)
        raw = values[..., 0].astype(np.float64)
        return np.asarray((raw - self.offset[:, None]) / self.scale[:, None])

    def rewards(
        self, observations: Float32Array, actions: Float32Array, uncertainty_penalty: float = 0.0
    ) -> FloatArray:
        """(B,) mean of the networks less a multiple of their deviation.

        Args:
            observations: (B, D) observations.
            actions: (B, n) actions.
            uncertainty_penalty: the multiple: how much a step is worth less where the networks
                disagree.
        """
        members = self.of_members(observations, actions)
        found: FloatArray = members.mean(axis=0)
        found -= uncertainty_penalty * members.std(axis=0)
        return found


def save_reward(folder: Path, reward: LearnedReward, facts: Mapping[str, Any]) -> Path:
    """Write a reward into a folder, with facts on how it was fitted; returns its path.

    Raises:
        OSError: the file cannot be written; one that was there before stays.
    """
    arrays: dict[str, npt.NDArray[Any]] = {
        "mean": reward.mean,
        "std": reward.std,
        "offset": reward.offset,
        "scale": reward.scale,
        "tie": reward.tie,
    }
    for number, (weight, bias) in enumerate(zip(reward.weights, reward.biases, strict=True)):
        arrays[f"weight_{number}"], arrays[f"bias_{number}"] = weight, bias
    own = {
        "columns": reward.columns.to_plain(),
        "ties": reward.ties,
        "layers": len(reward.weights),
        "fit": dict(facts),
    }
    path = folder / REWARD_NAME
    save_archive(path, own, arrays, _VERSION)
    return path


def load_reward(folder: Path) -> tuple[LearnedReward, str]:
    """The reward in a folder, and the digest of its file.

    Raises:
        ConfigurationError: there is none, it is damaged, or a number in it is not finite.
    """
    path = folder / REWARD_NAME
    remedy = f"fit one: robot-learning prefer fit {folder}"
    facts, arrays = load_archive(path, "rewards", _VERSION, remedy)
    with damage_told(path):
        columns = Columns.from_plain(facts["columns"])
        numbers = range(decode(facts["layers"], int, key="layers"))
        if not numbers:
            raise ConfigurationError("its networks have no layers")
        ties = facts["ties"]
        if ties not in LIKELIHOODS:
            raise ConfigurationError(f"ties: {unknown_choice('value', ties, LIKELIHOODS)}")
        _refuse_bad_arrays(arrays, columns.inputs, len(numbers))
        reward = LearnedReward(
            columns,
            arrays["mean"],
            arrays["std"],
            tuple(arrays[f"weight_{number}"] for number in numbers),
            tuple(arrays[f"bias_{number}"] for number in numbers),
            arrays["offset"],
            arrays["scale"],
            ties,
            arrays["tie"],
        )
    return reward, digest_of(path)


def _refuse_bad_arrays(arrays: Arrays, inputs: int, layers: int) -> None:
    """Refuse networks that do not turn the inputs into one finite number each."""
    members = arrays["scale"].size
    expected: dict[str, tuple[int, ...]] = dict.fromkeys(("mean", "std"), (inputs,))
    expected |= dict.fromkeys(("offset", "scale", "tie"), (members,))
    width = inputs
    for number in range(layers):
        outputs = 1 if number == layers - 1 else arrays[f"bias_{number}"].shape[-1]
        expected[f"weight_{number}"] = (members, outputs, width)
        expected[f"bias_{number}"] = (members, outputs)
        width = outputs
    refuse_other_shapes(arrays, "f", expected, "its networks take the columns that the file states")
    for name in expected:
        if not np.isfinite(arrays[name]).all():
            raise ConfigurationError(f"{name} is not finite")
    for name in ("std", "scale"):
        if not arrays[name].all():
            raise ConfigurationError(f"{name} is 0, which nothing can be divided by")
