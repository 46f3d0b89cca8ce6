"""What runs a policy's network: PyTorch as it is, PyTorch compiled, or ONNX Runtime.

Each computes the same pure function, `Policy.act(observation, noise)`.
"""

from __future__ import annotations

import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from robot_learning.core.errors import DependencyError
from robot_learning.policies.policy import Policy

Array = npt.NDArray[Any]
NOISE = "noise"


class Backend(ABC):
    """Computes `act` for a batch."""

    name: str

    @abstractmethod
    def act(self, observation: Mapping[str, Array], noise: Array) -> Array:
        """(B, T_a, n) actions for (B, T_o, ...) observations and (B, *noise_shape) noise."""

    def close(self) -> None:
        """Release what the backend holds."""
        return


class EagerBackend(Backend):
    """PyTorch, operation by operation."""

    name = "eager"

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._device = policy.device
        self._act: Any = policy.act

    @torch.inference_mode()
    def act(self, observation: Mapping[str, Array], noise: Array) -> Array:
        """See `Backend.act`."""
        tensors = {key: self._tensor(values) for key, values in observation.items()}
        actions: Tensor = self._act(tensors, self._tensor(noise))
        return actions.cpu().numpy()

    def _tensor(self, values: Array) -> Tensor:
        return torch.from_numpy(values).to(self._device)


class CompiledBackend(EagerBackend):
    """torch.compile; the first call takes seconds to minutes."""

    name = "compiled"

    def __init__(self, policy: Policy, batch: int) -> None:
        """Compile for batches of exactly `batch`; any other size would be compiled in service."""
        super().__init__(policy)
        self._batch = batch
        self._act = torch.compile(policy.act, dynamic=False)

    def act(self, observation: Mapping[str, Array], noise: Array) -> Array:
        """See `Backend.act`; smaller batches are padded."""
        filled = {key: _filled(values, self._batch) for key, values in observation.items()}
        return super().act(filled, _filled(noise, self._batch))[: len(noise)]


class OnnxBackend(Backend):
    """ONNX Runtime on the CPU, from an exported network."""

    name = "onnx"

    def __init__(
        self, policy: Policy, batch: int, threads: int, export: Callable[[Path], None]
    ) -> None:
        """Have `export` write the network, for batches of exactly `batch`, and read it.

        Raises:
            DependencyError: ONNX Runtime is not installed.
        """
        try:
            import onnxruntime
        except ImportError as error:
            text = f"ONNX Runtime is not installed ({error.name})"
            raise DependencyError(f"{text}: pip install 'robot_learning[learning]'") from error
        self._batch = batch
        self._keys = tuple(spec.key for spec in policy.spec.observations)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # A thread that spins while waiting for work takes a core from the control loop.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "policy.onnx"
            export(path)
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        self._inputs = {entry.name for entry in self._session.get_inputs()}

    def act(self, observation: Mapping[str, Array], noise: Array) -> Array:
        """See `Backend.act`; smaller batches are padded."""
        feeds = {f"observation_{i}": observation[key] for i, key in enumerate(self._keys)}
        feeds[NOISE] = noise
        # The exporter drops an input without effect, such as the noise of a deterministic policy.
        used = {
            name: _filled(values, self._batch)
            for name, values in feeds.items()
            if name in self._inputs
        }
        actions: Array = self._session.run(None, used)[0]
        return actions[: len(noise)]


def _filled(values: Array, batch: int) -> Array:
    """(batch, ...) padded by repeating the last row; the caller drops the rows added."""
    if len(values) == batch:
        return values
    repeats = np.minimum(np.arange(batch), len(values) - 1)
    return np.ascontiguousarray(values[repeats])


def example_inputs(policy: Policy, batch: int, seed: int = 0) -> tuple[dict[str, Array], Array]:
    """Random inputs of a policy: observations (batch, T_o, ...) and noise (batch, *noise_shape).

    Args:
        policy: policy whose spec gives the shapes.
        batch: number of windows.
        seed: seed of the draw.
    """
    rng = np.random.default_rng(seed)
    spec = policy.spec
    observation: dict[str, Array] = {}
    for column in spec.observations:
        if column.is_image:
            height, width, channels = column.shape
            rows = (batch, spec.observation_steps)
            observation[column.key] = rng.integers(
                0, 256, (*rows, channels, height, width), np.uint8
            )
        else:
            shape = (batch, spec.observation_steps, *column.shape)
            observation[column.key] = (0.3 * rng.standard_normal(shape)).astype(np.float32)
    noise = rng.standard_normal((batch, *policy.noise_shape)).astype(np.float32)
    return observation, noise
