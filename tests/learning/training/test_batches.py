import h5py
import numpy as np
import pytest
import torch

from robot_learning.core.errors import ConfigurationError
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.dataset.torch_view import TorchWindows
from robot_learning.episodes.dataset.windows import Windows, WindowSpec
from robot_learning.episodes.format.errors import DatasetError
from robot_learning.learning.evaluation.demonstrations import (
    DemonstrationConfig,
    record_demonstrations,
)
from robot_learning.learning.training.batches import Batches, default_keys, observation_keys
from robot_learning.learning.training.config import DataConfig
from robot_learning.learning.training.weights import row_weights

CPU = torch.device("cpu")


def test_batches_are_the_windows_of_the_dataset(demonstrations: Dataset) -> None:
    keys = ("obs/joint_position", "obs/target")
    batches = Batches(demonstrations, DataConfig(keys, 3, 5, executed_steps=1), CPU)
    windows = TorchWindows(Windows(demonstrations, WindowSpec(keys, 3, 5)))
    assert len(batches) == len(windows) == demonstrations.rows
    chosen = torch.randperm(len(batches), generator=torch.Generator().manual_seed(0))
    ours, theirs = batches.batch(chosen), windows[chosen.tolist()]
    assert ours.keys() == theirs.keys()
    for key, values in theirs.items():
        assert torch.equal(ours[key], values), key


def test_a_chunk_may_begin_in_the_past(demonstrations: Dataset) -> None:
    config = DataConfig(action_steps=4, executed_steps=1, first_action_index=2)
    batches = Batches(demonstrations, config, CPU)
    actions = torch.from_numpy(demonstrations.array("actions"))
    first, second = (int(start) for start in demonstrations.row_starts()[:2])
    batch = batches.batch(torch.tensor([first + 1, first + 7, second - 1]))
    assert batch["action_is_pad"].tolist() == [
        [True, False, False, False],
        [False, False, False, False],
        [False, False, False, True],
    ]
    assert torch.equal(batch["action"][1], actions[first + 5 : first + 9])
    assert torch.equal(batch["action"][0, 1:], actions[first : first + 3])


def test_the_default_observation_is_positions_and_poses(demonstrations: Dataset) -> None:
    assert default_keys(demonstrations) == (
        "obs/joint_position",
        "obs/arm_end_effector",
        "obs/target",
    )


def test_rows_per_episode(demonstrations: Dataset) -> None:
    config = DataConfig(rows_per_episode=5)
    batches = Batches(demonstrations, config, CPU, seed=1)
    starts = demonstrations.row_starts()
    episodes = np.searchsorted(starts, batches.rows, "right") - 1
    assert np.bincount(episodes).tolist() == [5] * len(demonstrations)
    again = Batches(demonstrations, config, CPU, seed=1)
    np.testing.assert_array_equal(again.rows, batches.rows)
    assert not np.array_equal(Batches(demonstrations, config, CPU, seed=2).rows, batches.rows)


def rewrite(dataset: Dataset, path: str, values: object) -> Dataset:
    """Change a column of the first episode behind the package's back."""
    name = dataset.episodes[0].name
    with h5py.File(dataset.path / "episodes" / name, "r+") as file:
        file[path][...] = values
    return Dataset(dataset.path)


def test_weights_follow_sources_and_interventions(own_demonstrations: object) -> None:
    dataset = Dataset(own_demonstrations)  # type: ignore[arg-type]
    rows = dataset.episodes[0].rows
    dataset = rewrite(dataset, "intervention", np.arange(rows) >= rows - 3)
    dataset = rewrite(dataset, "control/source", np.where(np.arange(rows) < 4, 2, 1))
    config = DataConfig(intervention_weight=5.0, source_weights={"policy": 0.5})
    weights = row_weights(dataset, config)
    assert weights[:rows].tolist() == [0.5] * 4 + [1.0] * (rows - 7) + [5.0] * 3
    assert (weights[rows:] == 1).all()
    np.testing.assert_array_equal(Batches(dataset, config, CPU).weights.numpy(), weights)


def test_an_unknown_source_is_named(demonstrations: Dataset) -> None:
    with pytest.raises(ConfigurationError, match="unknown source 'humn'; did you mean 'human'"):
        row_weights(demonstrations, DataConfig(source_weights={"humn": 2.0}))


def test_nan_in_an_observation_is_refused(own_demonstrations: object) -> None:
    dataset = Dataset(own_demonstrations)  # type: ignore[arg-type]
    values = np.zeros((dataset.episodes[0].rows, 7))
    values[3] = np.nan
    dataset = rewrite(dataset, "data/demo_0/obs/target", values)
    with pytest.raises(DatasetError, match=r"'obs/target' is NaN or infinite in 1 of \d+"):
        Batches(dataset, DataConfig(), CPU)
    Batches(dataset, DataConfig(observation_keys=("obs/joint_position",)), CPU)


def test_no_weight_at_all_is_refused(demonstrations: Dataset) -> None:
    with pytest.raises(DatasetError, match="weight 0"):
        Batches(demonstrations, DataConfig(source_weights={"human": 0.0}), CPU)


def test_a_missing_column_is_named(demonstrations: Dataset) -> None:
    with pytest.raises(DatasetError, match="unknown column 'obs/targt'; did you mean 'obs/target'"):
        Batches(demonstrations, DataConfig(observation_keys=("obs/targt",)), CPU)


@pytest.fixture(scope="module")
def with_camera(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    path = tmp_path_factory.mktemp("with_camera") / "reach"
    config = DemonstrationConfig("reach", episodes=2, cameras=("front",), image_size_px=(24, 32))
    record_demonstrations(config, path)
    return Dataset(path)


def test_cameras_are_seen_by_default_and_true_poses_then_are_not(with_camera: Dataset) -> None:
    seen = ("obs/joint_position", "obs/arm_end_effector")
    (camera,) = (column.path for column in with_camera.info.columns if column.is_image)
    assert default_keys(with_camera) == (*seen, camera)
    assert observation_keys(with_camera, DataConfig()) == (*seen, camera)
    assert observation_keys(with_camera, DataConfig(use_cameras=False)) == (*seen, "obs/target")
    batches = Batches(with_camera, DataConfig(), CPU)
    assert batches.image_keys == (camera,)


def test_a_camera_may_be_spelled_both_ways(with_camera: Dataset) -> None:
    (camera,) = (column.path for column in with_camera.info.columns if column.is_image)
    for given in ("images/front", "obs/front"):
        assert observation_keys(with_camera, DataConfig((given,))) == (camera,)
        assert Batches(with_camera, DataConfig((given,)), CPU).image_keys == (camera,)
    assert with_camera.spelling("images/joint_position") == "obs/joint_position"
    with pytest.raises(DatasetError, match="unknown column 'images/frnt'; did you mean"):
        with_camera.spelling("images/frnt")
