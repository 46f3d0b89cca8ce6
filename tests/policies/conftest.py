"""Tiny policies of every family, and batches for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch

from robot_learning.policies.families import make_policy
from robot_learning.policies.policy import Policy
from robot_learning.policies.spec import ObservationSpec, PolicySpec
from robot_learning.policies.statistics import MeasuredStatistics

TRANSFORMER = {"width": 16, "layers": 2, "heads": 2, "dropout": 0.0}
UNET = {"channels": [16, 32], "groups": 4, "time_features": 16}
TINY: dict[str, dict[str, Any]] = {
    "deterministic": {"hidden": [32, 32]},
    "gaussian": {"hidden": [32, 32], "answer": "sample"},
    "gmm": {"hidden": [32, 32], "components": 3, "answer": "sample"},
    "rnn_gmm": {"hidden": 16, "components": 3, "answer": "sample"},
    "act": {"width": 16, "heads": 2, "hidden": 32, "latent": 4, "dropout": 0.0},
    "autoregressive": {"bins": 16, **TRANSFORMER},
    "diffusion": {**UNET, "train_steps": 20, "inference_steps": 5},
    "flow": {**UNET, "inference_steps": 4},
}
DETERMINISTIC = ("deterministic", "act")


@dataclass
class Case:
    """One family in one shape; everything is drawn from `seed`."""

    family: str
    observation_steps: int = 2
    action_steps: int = 4
    action_dim: int = 3
    discrete: int = 0
    images: bool = False
    vectors: bool = True
    overrides: Mapping[str, Any] = field(default_factory=dict)
    samples: int = 5
    seed: int = 0

    @property
    def spec(self) -> PolicySpec:
        steps = self.observation_steps
        along_history = self.family == "rnn_gmm"
        columns = []
        if self.vectors:
            columns += [ObservationSpec("obs/q", (4,)), ObservationSpec("obs/pose", (2, 3))]
        if self.images:
            columns.append(ObservationSpec("obs/cam.0", (24, 28, 3), is_image=True))
        return PolicySpec(
            observations=tuple(columns),
            action_dim=1 if self.discrete else self.action_dim,
            discrete_actions=self.discrete,
            observation_steps=steps,
            action_steps=steps if along_history else self.action_steps,
            first_action_index=steps - 1 if along_history else 0,
        )

    @property
    def statistics(self) -> dict[str, MeasuredStatistics]:
        rng = np.random.default_rng(self.seed)
        sizes = {"obs/q": (4,), "obs/pose": (2, 3), "obs/cam.0": (3,), "action": (self.action_dim,)}
        values = {key: rng.normal(1, 2, (200, *shape)) for key, shape in sizes.items()}
        return {key: MeasuredStatistics.of(rows) for key, rows in values.items()}

    def policy(self, **overrides: Any) -> Policy:
        torch.manual_seed(self.seed)
        images = {"images.width": 8, "images.keypoints": 4, "images.features": 8}
        chosen = {**TINY[self.family], **(images if self.images else {}), **self.overrides}
        return make_policy(self.family, self.spec, self.statistics, {**chosen, **overrides})

    def batch(self) -> dict[str, torch.Tensor]:
        rng, spec = np.random.default_rng(self.seed + 1), self.spec
        head = (self.samples, spec.observation_steps)
        batch: dict[str, Any] = {}
        for column in spec.observations:
            if column.is_image:
                shape = (*head, 3, *column.shape[:2])
                batch[column.key] = rng.integers(0, 256, shape, dtype=np.uint8)
            else:
                batch[column.key] = rng.normal(1, 2, (*head, *column.shape)).astype(np.float32)
        shape = (self.samples, spec.action_steps, spec.action_dim)
        if self.discrete:
            batch["action"] = rng.integers(0, self.discrete, shape).astype(np.float32)
        else:
            batch["action"] = rng.normal(1, 2, shape).astype(np.float32)
        batch["action_is_pad"] = np.zeros(shape[:2], bool)
        batch["observation_is_pad"] = np.zeros(head, bool)
        return {key: torch.from_numpy(values) for key, values in batch.items()}


@pytest.fixture
def case() -> type[Case]:
    return Case


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "family" in metafunc.fixturenames:
        metafunc.parametrize("family", list(TINY))


@pytest.fixture
def is_deterministic(family: str) -> bool:
    return family in DETERMINISTIC


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
