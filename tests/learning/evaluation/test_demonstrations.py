from pathlib import Path

import numpy as np
import pytest

from robot_learning.core.errors import ConfigurationError
from robot_learning.core.profile_loader import load_profile
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.format.errors import DatasetError
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.trash import trash_episodes
from robot_learning.learning.evaluation.demonstrations import (
    DemonstrationConfig,
    record_demonstrations,
)
from robot_learning.learning.training.errors import TrainingError
from robot_learning.sim.env import RobotEnv
from robot_learning.sim.experts import make_expert


def test_labels_are_clean_and_what_was_applied_is_noisy(demonstrations: Dataset) -> None:
    episode = demonstrations.episode(demonstrations.episodes[0].name)
    label, noise = episode.column("actions"), episode.column("control/noise")
    np.testing.assert_array_equal(label, episode.column("control/human"))
    np.testing.assert_allclose(episode.column("control/requested"), label + noise)
    limited = episode.column("control/limited") != 0
    applied, requested = episode.column("control/applied"), episode.column("control/requested")
    np.testing.assert_array_equal(applied[~limited], requested[~limited])
    assert (applied[limited] != requested[limited]).all()
    assert noise[:, :-1].std() == pytest.approx(0.01, rel=0.3)
    assert not noise[:, -1].any()


def test_every_row_is_the_expert_s_answer_to_what_was_observed(demonstrations: Dataset) -> None:
    profile = load_profile("desk_arm")
    expert = make_expert("reach", profile)
    env = RobotEnv(profile, "reach", control_rate_hz=50)
    episode = demonstrations.episode(demonstrations.episodes[1].name)
    observation, _ = env.reset(seed=1)
    for row in range(episode.rows):
        for name, value in observation.items():
            np.testing.assert_allclose(value, episode.column(f"obs/{name}")[row], atol=1e-6)
        np.testing.assert_allclose(expert(observation), episode.column("actions")[row], atol=1e-6)
        observation, _, success, _, _ = env.step(episode.column("control/applied")[row])
    assert success
    assert row == episode.rows - 1


def test_the_same_seed_records_the_same_episodes(demonstrations: Dataset, tmp_path: Path) -> None:
    config = DemonstrationConfig("reach", episodes=2, noise=0.01)
    record_demonstrations(config, tmp_path / "again")
    again = Dataset(tmp_path / "again")
    for path in ("actions", "control/applied", "obs/joint_position"):
        rows = len(again.array(path))
        np.testing.assert_array_equal(again.array(path), demonstrations.array(path)[:rows])
    assert not again.array("invalid").any()
    assert again.episodes[0].drivers == ("scripted expert",)
    assert again.episode(again.episodes[0].name).metadata.device == "expert"


def test_an_expert_that_cannot_succeed_ends_with_one_clear_line(tmp_path: Path) -> None:
    config = DemonstrationConfig("reach", episodes=1, noise=1.5)
    with pytest.raises(TrainingError, match=r"the expert of 'reach' failed 12 of 12 times"):
        record_demonstrations(config, tmp_path / "bad")
    assert len(Dataset(tmp_path / "bad")) == 0


def test_a_camera_that_is_none_of_the_robot_s_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="side"):
        record_demonstrations(DemonstrationConfig("reach", cameras=("side",)), tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_a_folder_of_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(DatasetError, match="holds other things than a dataset"):
        record_demonstrations(DemonstrationConfig("reach", episodes=1), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_dataset_is_continued_where_its_seeds_stand(tmp_path: Path) -> None:
    path, whole = tmp_path / "twice", tmp_path / "once"
    first = record_demonstrations(DemonstrationConfig("reach", episodes=2, noise=0.01), path)
    assert (first.before, first.first_seed) == (0, 0)
    folder = DatasetFolder(path)
    with folder.lock():
        trash_episodes(folder, ["episode_000001.hdf5"])  # its scene is not recorded again either
    second = record_demonstrations(DemonstrationConfig("reach", episodes=2, noise=0.01), path)
    assert (second.before, second.first_seed, second.saved) == (1, 2, 2)
    with pytest.raises(DatasetError, match=r"already holds 3 episodes; leave out --no-resume"):
        record_demonstrations(DemonstrationConfig("reach", resume=False), path)
    record_demonstrations(DemonstrationConfig("reach", episodes=4, noise=0.01), whole)
    twice, once = Dataset(path), Dataset(whole)
    assert [twice.episode(e.name).metadata.seed for e in twice.episodes] == [0, 2, 3]
    for name in ("episode_000002.hdf5", "episode_000003.hdf5"):
        np.testing.assert_array_equal(
            twice.episode(name).column("actions"), once.episode(name).column("actions")
        )


def test_an_interrupted_demonstration_leaves_nothing_half_made(tmp_path: Path) -> None:
    def interrupt(saved: int, _episodes: int) -> None:
        raise KeyboardInterrupt

    config = DemonstrationConfig("reach", episodes=3)
    with pytest.raises(KeyboardInterrupt):
        record_demonstrations(config, tmp_path / "cut", interrupt)
    assert DatasetFolder(tmp_path / "cut").partial_paths() == []
    assert record_demonstrations(config, tmp_path / "cut").first_seed == 1
