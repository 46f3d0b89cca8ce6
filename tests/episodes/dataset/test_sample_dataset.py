"""The episode that ships with the package: recorded through ROS, readable by everything here."""

import numpy as np

from robot_learning.core.profile_loader import load_profile
from robot_learning.core.resources import share_directory
from robot_learning.core.vocabulary import Source
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.dataset.windows import Windows, WindowSpec
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.recovery import verify_dataset

SAMPLE = share_directory() / "data" / "sample"


def test_the_sample_is_small_and_sound():
    assert verify_dataset(DatasetFolder(SAMPLE)) == []
    assert sum(path.stat().st_size for path in SAMPLE.rglob("*") if path.is_file()) < 500_000
    (summary,) = Dataset(SAMPLE).episodes
    assert (summary.outcome, summary.verdict) == ("success", "good")
    assert "human" in summary.sources


def test_the_sample_shows_a_demonstration_with_noise():
    dataset = Dataset(SAMPLE)
    assert dataset.info.joint_names == load_profile("desk_arm").joint_names
    with dataset.episode(dataset.episodes[0].name) as episode:
        human = episode.column("control/source") == Source.HUMAN
        assert human.mean() > 0.8
        np.testing.assert_array_equal(
            episode.column("actions")[human], episode.column("control/human")[human]
        )
        assert np.abs(episode.column("control/noise")).max() > 0
        assert episode.metadata.noise_covariance is not None
        assert episode.column("task/success")[-1]
        first, last = (episode.frame("images/front", row) for row in (0, episode.rows - 1))
        assert first.shape == (64, 64, 3)
        assert np.abs(first.astype(int) - last).mean() > 1.0


def test_the_sample_makes_training_windows():
    dataset = Dataset(SAMPLE)
    windows = Windows(dataset, WindowSpec(("obs/joint_position", "images/front"), 2, 8))
    batch = windows.batch([len(windows) // 2])
    assert batch["action"].shape == (1, 8, 7)
    assert batch["images/front"].shape == (1, 2, 64, 64, 3)
