"""Executing chunks of actions in many environments at once, each at its own place in its chunk.

Receding horizon: a part of a chunk is executed, then the next one is predicted. Temporal
ensembling (Zhao et al. 2023, https://arxiv.org/abs/2304.13705): a chunk is predicted at every
step, and the action is the mean of all that were predicted for it, weighted by exp(-m i) with
i = 0 the oldest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import torch
from msgspec import Meta

from robot_learning.core.amounts import amount
from robot_learning.core.errors import ConfigurationError
from robot_learning.policies.policy import Policy
from robot_learning.policies.spec import PolicySpec

Array = npt.NDArray[Any]
Predict = Callable[[dict[str, Array]], Array]
"""From the histories of k environments, (k, T_o, ...) of each column, to chunks (k, T_a, ...)."""


@dataclass(frozen=True)
class ExecutionConfig:
    """How chunks become actions.

    Attributes:
        executed_steps: number of steps of each chunk that are executed; 0 for what the policy's
            spec says.
        ensemble: whether to predict at every step and average.
        ensemble_decay: m of the weights exp(-m i), with i = 0 the oldest chunk.
    """

    executed_steps: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    ensemble: bool = False
    ensemble_decay: float = 0.01


def observation_name(key: str) -> str:
    """The environment's name of a column of the training view.

    >>> observation_name("obs/joint_position"), observation_name("images/front")
    ('joint_position', 'front')
    """
    return key.split("/", maxsplit=1)[-1]


class ChunkExecutor:
    """The actions of whatever predicts chunks, in `envs` environments.

    Call `begin` for the environments whose episodes begin, then `act` at every step.
    """

    def __init__(
        self,
        spec: PolicySpec,
        predict: Predict,
        envs: int,
        config: ExecutionConfig | None = None,
        *,
        together: bool = False,
    ) -> None:
        """Prepare.

        Args:
            spec: spec of the policy, of which the horizons are used.
            predict: predicts chunks.
            envs: number of environments.
            config: how chunks become actions; None for what the spec says.
            together: whether chunks are predicted for all environments whenever one needs a new
                one, so that no prediction depends on which others are due.

        Raises:
            ConfigurationError: more steps are to be executed than the chunk has.
        """
        self._predict, self._together = predict, together
        self._config = config or ExecutionConfig()
        self._first, self._history_steps = spec.first_action_index, spec.observation_steps
        self._executed = self._config.executed_steps or spec.executed_steps
        length = spec.action_steps - self._first
        if self._executed > length:
            raise ConfigurationError(
                f"{amount(self._executed, 'step is', 'steps are')} to be executed, the policy's "
                f"chunks have {length} from the current one on"
            )
        # Whether an episode begins; steps since the chunk was predicted; the chunks and histories.
        self._is_new = np.ones(envs, bool)
        self._age = np.zeros(envs, np.int64)
        self._history: dict[str, Array] = {}
        self._chunks = np.zeros((envs, length, spec.action_dim))
        kept = length if self._config.ensemble else 0
        self._past = np.zeros((envs, kept, length, spec.action_dim))
        self._past_count = np.zeros(envs, np.int64)

    def begin(self, envs: Array) -> None:
        """Forget the history of `envs` (indices or mask)."""
        self._is_new[envs] = True
        self._past_count[envs] = 0

    def act(
        self,
        columns: Mapping[str, Array],
        active: Array | None = None,
        interrupted: Array | None = None,
    ) -> Array:
        """(envs, n) the actions for the observations of all environments, float64.

        Args:
            columns: (envs, ...) present observations, by column.
            active: (envs,) mask of the environments that matter; nothing is computed for the
                others, and their rows are left over from earlier chunks. None for all.
            interrupted: (envs,) mask of the environments in which something else acted in the step
                before, so that what was predicted before is void. None for none.
        """
        chosen = np.ones(len(self._is_new), bool) if active is None else active
        self._remember(columns)
        self._age += 1
        due = self._is_new | (self._age >= self._executed)
        if interrupted is not None:
            due |= interrupted
            self._past_count[interrupted] = 0
        if self._config.ensemble:
            due = np.ones_like(due)
        due &= chosen
        if due.any():
            self._renew(np.flatnonzero(due))
        self._is_new &= ~chosen
        return self._ensembled() if self._config.ensemble else self._current()

    def _remember(self, columns: Mapping[str, Array]) -> None:
        for key, present in columns.items():
            values = present[:, None]
            if key not in self._history:
                self._history[key] = np.repeat(values, self._history_steps, axis=1)
                continue
            past = self._history[key]
            past[:, :-1] = past[:, 1:]
            past[:, -1:] = values
            # An episode's first observation stands in for those before it, as in training.
            past[self._is_new] = values[self._is_new]

    def _renew(self, envs: npt.NDArray[np.int64]) -> None:
        if self._together:
            predicted = self._predict(self._history)[envs]
        else:
            predicted = self._predict({key: past[envs] for key, past in self._history.items()})
        chunk = predicted.reshape(len(envs), predicted.shape[1], -1)[:, self._first :]
        self._chunks[envs] = chunk
        self._age[envs] = 0
        if self._config.ensemble:
            self._past[envs] = np.roll(self._past[envs], 1, axis=1)
            self._past[envs, 0] = chunk
            length = self._past.shape[1]
            self._past_count[envs] = np.minimum(self._past_count[envs] + 1, length)

    def _current(self) -> Array:
        rows = np.arange(len(self._age))
        return self._chunks[rows, np.minimum(self._age, self._chunks.shape[1] - 1)]

    def _ensembled(self) -> Array:
        """Chunk k steps ago says `past[:, k, k]` for now."""
        kept = np.arange(self._past.shape[1])
        said = self._past[:, kept, kept]
        # i counts from the oldest that is there.
        index = self._past_count[:, None] - 1 - kept
        weights = np.exp(-self._config.ensemble_decay * index) * (index >= 0)
        weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-300)
        return np.asarray((weights[:, :, None] * said).sum(axis=1))


class PolicyExecutor(ChunkExecutor):
    """The actions of a policy for what environments observe: images, and columns by their names."""

    def __init__(
        self, policy: Policy, envs: int, config: ExecutionConfig | None = None, seed: int = 0
    ) -> None:
        """Prepare; `seed` is of the policy's own randomness.

        Raises:
            ConfigurationError: more steps are to be executed than the chunk has.
        """
        super().__init__(policy.spec, self._predicted, envs, config)
        self._policy, self._observations = policy.eval(), policy.spec.observations
        self._generator = torch.Generator(policy.device).manual_seed(seed)

    def seed(self, seed: int) -> None:
        """From here on the policy's own randomness follows from `seed`."""
        self._generator.manual_seed(seed)

    def act(
        self,
        columns: Mapping[str, Array],
        active: Array | None = None,
        interrupted: Array | None = None,
    ) -> Array:
        """See `ChunkExecutor.act`; `columns` is the environment's observation."""
        found: dict[str, Array] = {}
        for column in self._observations:
            values = columns[observation_name(column.key)]
            found[column.key] = np.moveaxis(values, -1, -3) if column.is_image else values
        return super().act(found, active, interrupted)

    def _predicted(self, histories: dict[str, Array]) -> Array:
        device = self._policy.device
        batch = {
            key: torch.from_numpy(np.ascontiguousarray(values)).to(device)
            for key, values in histories.items()
        }
        batch = {k: v.float() if v.is_floating_point() else v for k, v in batch.items()}
        with torch.inference_mode():
            chunk = self._policy.predict(batch, self._generator).cpu().double().numpy()
        if not np.isfinite(chunk).all():
            raise ConfigurationError("the policy answers with NaN or infinity")
        return chunk
