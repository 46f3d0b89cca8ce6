import numpy as np
import pytest

from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.dataset.torch_view import TorchWindows, make_loader
from robot_learning.episodes.dataset.windows import Windows, WindowSpec
from robot_learning.episodes.store.folder import DatasetFolder


@pytest.fixture
def windows(folder: DatasetFolder, record_episode) -> Windows:
    with folder.lock():
        for _ in range(2):
            record_episode(folder, 0.5)
    keys = ("obs/joint_position", "images/front")
    return Windows(Dataset(folder.path), WindowSpec(keys, action_steps=4))


def test_tensors_hold_the_same_values(windows: Windows) -> None:
    one, many = TorchWindows(windows)[3], TorchWindows(windows)[[1, 3]]
    assert tuple(one["images/front"].shape) == (1, 3, 48, 64)
    for key, values in one.items():
        np.testing.assert_array_equal(values.numpy(), many[key][1].numpy())
    np.testing.assert_array_equal(
        one["images/front"].numpy()[0, 1], windows[3]["images/front"][0, :, :, 1]
    )


@pytest.mark.parametrize("workers", [0, 2])
def test_a_loader_gives_every_window_once(windows: Windows, workers: int) -> None:
    batches = list(make_loader(windows, 16, workers=workers, seed=1))
    assert [len(batch["action"]) for batch in batches] == [16, 16, 16, 4]
    found = np.concatenate([batch["obs/joint_position"].numpy()[:, 0] for batch in batches])
    expected = windows.batch(range(len(windows)))["obs/joint_position"][:, 0]
    assert not np.array_equal(found, expected)
    np.testing.assert_array_equal(np.sort(found, axis=0), np.sort(expected, axis=0))
    again = next(iter(make_loader(windows, 16, seed=1)))
    np.testing.assert_array_equal(again["action"].numpy(), batches[0]["action"].numpy())
