"""A trained policy as a function of what an environment gives: one observation in, one action out.

    policy = load_policy("runs/lift")
    observation, info = env.reset()
    policy.reset()
    observation, reward, terminated, truncated, info = env.step(policy.act(observation))

History, chunks, normalisation, one-hot vectors and the action's bounds are taken care of.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from robot_learning.policies.checkpoint import Checkpoint, CheckpointDetails, load_checkpoint
from robot_learning.policies.errors import PolicyError
from robot_learning.policies.execution import ExecutionConfig, PolicyExecutor, observation_name
from robot_learning.policies.spec import ObservationSpec, PolicySpec

# The name of an observation that is a single array, not a mapping of them.
SINGLE = "observation"
_FIRST = np.array([0])


def load_policy(
    folder: Path | str,
    device: str | torch.device = "cpu",
    *,
    execution: ExecutionConfig | None = None,
    seed: int = 0,
) -> TrainedPolicy:
    """Load a policy, ready to act.

    Args:
        folder: folder of a run (its best checkpoint is taken), or of a checkpoint.
        device: PyTorch's name of the device that computes.
        execution: how many steps of each chunk are executed, and whether chunks are averaged; by
            default as the policy was trained for.
        seed: seed of what a stochastic policy draws.

    Raises:
        CheckpointError: there is no checkpoint, or it is damaged.
        ConfigurationError: the folder holds several trainings, or more steps are to be executed
            than a chunk has.
    """
    return TrainedPolicy(load_checkpoint(folder, device), execution, seed=seed)


class TrainedPolicy:
    """The policy of a checkpoint in one environment.

    Attributes:
        spec: columns and chunk of the policy, and its rate.
        details: what the checkpoint says of the policy's training.
    """

    def __init__(
        self, checkpoint: Checkpoint, execution: ExecutionConfig | None = None, *, seed: int = 0
    ) -> None:
        """Begin as after `reset`; see `load_policy` for the arguments."""
        self.spec: PolicySpec = checkpoint.policy.spec
        self.details: CheckpointDetails = checkpoint.details
        self._executor = PolicyExecutor(checkpoint.policy, 1, execution, seed)
        environment = checkpoint.details.environment
        self._environment = environment
        self._first_choices = environment.first_choices if environment else {}

    def reset(self, seed: int | None = None) -> None:
        """Forget the episode: call it whenever the environment was reset.

        With `seed` what is drawn from here on follows from it alone.
        """
        self._executor.begin(_FIRST)
        if seed is not None:
            self._executor.seed(seed)

    def act(self, observation: Any) -> Any:
        """The action for the next step.

        Args:
            observation: observation that the environment gave: a mapping of arrays, which may have
                more than the policy looks at, or one array. Images are (H, W, 3) uint8.

        Returns:
            (n,) float32 joint targets, rad or m, of policies for robots; of others what their
            environment takes, within its bounds.

        Raises:
            PolicyError: the observation lacks something, or has another shape; the text names
                both sides.
            ConfigurationError: the network answers with NaN or infinity.
        """
        seen = {
            observation_name(column.key): self._value(column, observation)[None]
            for column in self.spec.observations
        }
        numbers = self._executor.act(seen)[0]
        if self._environment is not None:
            return self._environment.action(numbers)
        return np.int64(numbers[0]) if self.spec.discrete_actions else numbers.astype(np.float32)

    def _value(self, column: ObservationSpec, observation: Any) -> npt.NDArray[Any]:
        """What the observation says of a column, in the column's shape."""
        value = np.asarray(_found(column.key, observation))
        first = self._first_choices.get(column.key)
        if first is not None:
            return _one_hot(column, value, first)
        if value.shape == () and column.shape == (1,):
            value = value[None]
        if value.shape != column.shape:
            raise PolicyError(
                f"the observation's '{observation_name(column.key)}' has the shape {value.shape}; "
                f"the policy was trained with {column.shape}"
            )
        return value if column.is_image else value.astype(np.float32)


def _found(key: str, observation: Any) -> Any:
    """The entry of an observation that a column was made of."""
    name = observation_name(key)
    if not isinstance(observation, Mapping):
        if name == SINGLE:
            return observation
        raise PolicyError(
            f"the policy observes '{name}'; the observation is {type(observation).__name__}, not a "
            "mapping with that key"
        )
    if name in observation:
        return observation[name]
    value: Any = observation
    for part in name.split("/"):
        if not isinstance(value, Mapping) or part not in value:
            given = ", ".join(map(str, observation)) or "(nothing)"
            raise PolicyError(f"the policy observes '{name}'; the observation has {given}")
        value = value[part]
    return value


def _one_hot(column: ObservationSpec, value: npt.NDArray[Any], first: int) -> npt.NDArray[Any]:
    choices = column.shape[0]
    if value.shape != () or not first <= int(value) < first + choices:
        raise PolicyError(
            f"the observation's '{observation_name(column.key)}' is {value}; the policy was "
            f"trained with whole numbers from {first} to {first + choices - 1}"
        )
    row = np.zeros(choices, np.float32)
    row[int(value) - first] = 1.0
    return row
