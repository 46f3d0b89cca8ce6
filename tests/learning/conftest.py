import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.learning.evaluation.demonstrations import (
    DemonstrationConfig,
    record_demonstrations,
)
from robot_learning.learning.training.config import TrainConfig


@pytest.fixture(scope="session")
def demonstrations_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six noisy demonstrations of `reach`; not to be changed."""
    path = tmp_path_factory.mktemp("learning") / "reach"
    record_demonstrations(DemonstrationConfig("reach", episodes=6, noise=0.01), path)
    return path


@pytest.fixture
def demonstrations(demonstrations_path: Path) -> Dataset:
    return Dataset(demonstrations_path)


@pytest.fixture
def own_demonstrations(demonstrations_path: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(demonstrations_path, tmp_path / "copy"))


@pytest.fixture
def make_config() -> Callable[..., TrainConfig]:
    """A training of seconds; sections are given as nested mappings."""

    def make(**values: object) -> TrainConfig:
        small = {
            "steps": 12,
            "batch_size": 32,
            "log_every_steps": 4,
            "save_every_steps": 5,
            "policy": {"hidden": [32, 32]},
            "data": {"action_steps": 4, "executed_steps": 2, "validation_share": 0.2},
            "optimizer": {"warmup_steps": 2},
            "validation": {"every_steps": 6},
            "compute": {"device": "cpu", "threads": 1},
        }
        return TrainConfig().with_values(small).with_values(values)

    return make


@pytest.fixture(autouse=True)
def same_threads() -> object:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)
