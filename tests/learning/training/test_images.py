from dataclasses import replace
from pathlib import Path

import pytest
import torch

from robot_learning.core.errors import DependencyError
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.learning.evaluation.demonstrations import (
    DemonstrationConfig,
    record_demonstrations,
)
from robot_learning.learning.evaluation.evaluation import EvaluationConfig, evaluate
from robot_learning.learning.evaluation.simulation import rollout_for
from robot_learning.learning.training.batches import Batches
from robot_learning.learning.training.config import DataConfig, TrainConfig
from robot_learning.learning.training.trainer import train
from robot_learning.policies.checkpoint import load_checkpoint
from robot_learning.policies.families import make_policy
from robot_learning.policies.spec import ObservationSpec, PolicySpec
from robot_learning.sim import rendering

PLAIN = {
    **{"observation_normalization": "none", "action_normalization": "none", "hidden": [8]},
    **{"images.width": 8, "images.keypoints": 4, "images.features": 4},
}
KEYS = ("obs/joint_position", "obs/front")


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("images") / "reach"
    # Few pictures: without a graphics card each takes its time.
    config = DemonstrationConfig(
        "reach", episodes=2, noise=0.01, cameras=("front",), image_size_px=(24, 32), rate_hz=10.0
    )
    record_demonstrations(config, path)
    return path


def test_images_in_memory_and_from_files_are_the_same(seen: Path) -> None:
    dataset = Dataset(seen)
    config = DataConfig(KEYS, observation_steps=2)
    cached = Batches(dataset, config, torch.device("cpu"))
    streamed = Batches(dataset, replace(config, image_cache_mib=0), torch.device("cpu"))
    assert not cached.streams_images
    assert streamed.streams_images
    order = [torch.tensor([0, 5, 9]), torch.tensor([len(cached) - 1, 1, 5])]
    for indices, direct, worked in zip(
        order, streamed.stream(order, 0), streamed.stream(order, 1), strict=True
    ):
        expected = cached.batch(indices)
        assert expected["obs/front"].shape == (3, 2, 3, 24, 32)
        for key, values in expected.items():
            assert torch.equal(values, direct[key]), key
            assert torch.equal(values, worked[key]), key


def test_a_policy_that_sees_is_trained_and_simulated(seen: Path, tmp_path: Path) -> None:
    config = TrainConfig(steps=2, batch_size=4).with_values(
        {
            "data": {"observation_keys": list(KEYS)},
            "policy": {"hidden": [8], "images": {"width": 8, "keypoints": 4, "features": 4}},
            "compute": {"threads": 1},
        }
    )
    result = train(Dataset(seen), config, tmp_path / "run")
    policy = load_checkpoint(result.checkpoint).policy
    found = evaluate(
        policy, EvaluationConfig("reach", episodes=1, seed=7, ask_expert=False, reward="sparse")
    )
    assert [episode.seed for episode in found.episodes] == [7]


def test_without_a_way_to_draw_a_training_on_images_is_validated_by_its_loss(
    seen: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_context(width_px: int, height_px: int) -> None:
        raise DependencyError("no OpenGL here")

    wanted = TrainConfig().with_values(
        {"data": {"observation_keys": list(KEYS)}, "validation": {"rollout_episodes": 1}}
    )
    assert rollout_for(Dataset(seen), wanted) is not None
    monkeypatch.setattr(rendering, "open_context", no_context)
    assert rollout_for(Dataset(seen), wanted) is None
    assert "validation by the loss alone, there is no simulation: no OpenGL here" in caplog.text


def test_each_camera_is_simulated_in_the_size_that_the_policy_knows() -> None:
    columns = (
        ObservationSpec("obs/joint_position", (7,)),
        ObservationSpec("obs/front", (24, 32, 3), is_image=True),
        ObservationSpec("obs/wrist", (48, 40, 3), is_image=True),
    )
    # Few pictures: without a graphics card each takes its time.
    spec = PolicySpec(columns, 7, action_steps=1, rate_hz=5.0)
    policy = make_policy("deterministic", spec, None, PLAIN)
    found = evaluate(policy, EvaluationConfig("reach", episodes=1, ask_expert=False))
    assert len(found.episodes) == 1
