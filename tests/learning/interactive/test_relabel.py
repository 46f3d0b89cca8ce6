"""Recorded rollouts, labelled afterwards by an expert."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from robot_learning.core.errors import ConfigurationError
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.dataset.row_choice import RowChoice, parse_range
from robot_learning.episodes.format.errors import DatasetError
from robot_learning.episodes.recording.recorded_rows import RecordedRows
from robot_learning.episodes.store.episode import Episode
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.recovery import verify_dataset
from robot_learning.learning.imitation.expert import ExpertError
from robot_learning.learning.interactive.relabel import (
    Relabelled,
    dataset_expert,
    joint_limits,
    relabel_by_expert,
)
from robot_learning.sim.env import RobotEnv


def relabel(path: Path, expert: Any, **changed: Any) -> list[Relabelled]:
    folder = DatasetFolder(path)
    names = folder.episode_names()
    given = {"author": "test", "method": "asked", "bounds": joint_limits(folder.info), **changed}
    with folder.lock():
        return list(relabel_by_expert(folder, names, expert, **given))


def policy_drove(path: Path, rows: slice) -> None:
    """Say that a policy drove these rows of the first episode."""
    name = DatasetFolder(path).episode_names()[0]
    with h5py.File(path / "episodes" / name, "r+") as file:
        file["control/source"][rows] = 2


def test_a_recorded_row_is_what_the_environment_gave(demonstrations: Dataset) -> None:
    env = RobotEnv("desk_arm", "reach", control_rate_hz=demonstrations.info.rate_hz)
    for summary in demonstrations.episodes[:2]:
        with Episode(demonstrations.path / "episodes" / summary.name) as episode:
            rows = RecordedRows(episode)
            assert rows.visible.all()
            observation, _ = env.reset(seed=episode.metadata.seed)
            for row, requested in enumerate(episode.column("control/requested")):
                recorded = rows.values(row)
                for name, values in observation.items():
                    np.testing.assert_array_equal(recorded[name].astype("f4"), values)
                observation = env.step(requested)[0]


def test_the_scripted_expert_gives_the_labels_that_it_gave(own_demonstrations: Path) -> None:
    before = Dataset(own_demonstrations).array("actions")
    results = relabel(own_demonstrations, dataset_expert(Dataset(own_demonstrations).info))
    dataset = Dataset(own_demonstrations)
    # The demonstrator saw float32, the recording holds float64.
    np.testing.assert_allclose(dataset.array("actions"), before, atol=1e-5)
    assert [done.layer for done in results] == [0] * len(dataset)
    assert sum(done.rows for done in results) == dataset.rows
    assert max(done.change for done in results) < 1e-5
    assert verify_dataset(DatasetFolder(own_demonstrations)) == []


def test_only_what_is_chosen_is_labelled_and_nothing_recorded_changes(
    own_demonstrations: Path,
) -> None:
    policy_drove(own_demonstrations, slice(10, 20))
    name = DatasetFolder(own_demonstrations).episode_names()[0]
    with Episode(own_demonstrations / "episodes" / name) as episode:
        recorded = {c.path: episode.column(c.path) for c in episode.info.columns}
    asked: list[int] = []

    def expert(observation: Mapping[str, Any], info: Mapping[str, Any]) -> Any:
        if info["episode"] == name:
            asked.append(info["row"])
        return observation["joint_position"]

    choice = RowChoice(first=5, end=18, only="policy", every=3)
    first, *others = relabel(own_demonstrations, expert, choice=choice)
    assert asked == [10, 13, 16]
    assert (first.rows, first.layer) == (3, 0)
    assert all(done.layer is None and not done.rows for done in others)
    with Episode(own_demonstrations / "episodes" / name) as episode:
        for path, values in recorded.items():
            if path != "actions":
                np.testing.assert_array_equal(episode.column(path), values)
        (layer,) = episode.labels()
        actions = episode.column("actions")
    assert np.flatnonzero(layer.mask).tolist() == asked
    assert (layer.author, layer.method) == ("test", "asked")
    bounds = joint_limits(Dataset(own_demonstrations).info)
    assert bounds is not None
    wanted = np.clip(recorded["obs/joint_position"][asked], *bounds)
    np.testing.assert_array_equal(actions[asked], wanted)


@pytest.mark.parametrize("answer", ["raise", "nan", "shape", "text"])
def test_an_expert_that_fails_leaves_that_episode_and_keeps_those_before(
    own_demonstrations: Path, answer: str
) -> None:
    names = DatasetFolder(own_demonstrations).episode_names()
    files = [own_demonstrations / "episodes" / name for name in names]
    before = [path.read_bytes() for path in files]

    def expert(observation: Mapping[str, Any], info: Mapping[str, Any]) -> Any:
        right = observation["joint_position"]
        if (info["episode"], info["row"]) != (names[2], 7):
            return right
        if answer == "raise":
            raise KeyError("cube")
        return {"nan": right * np.nan, "shape": right[:3], "text": "left"}[answer]

    with pytest.raises(ExpertError, match=f"{names[2]}, row 7: the expert") as caught:
        relabel(own_demonstrations, expert)
    assert "\n" not in str(caught.value)
    changed = [path.read_bytes() != was for path, was in zip(files, before, strict=True)]
    assert changed == [True, True, False, False, False, False]
    assert verify_dataset(DatasetFolder(own_demonstrations)) == []


def test_what_lies_outside_of_the_limits_is_clipped_and_counted(own_demonstrations: Path) -> None:
    bounds = joint_limits(Dataset(own_demonstrations).info)
    assert bounds is not None

    def expert(observation: Mapping[str, Any], info: Mapping[str, Any]) -> Any:
        wanted = np.clip(observation["joint_position"], *bounds)
        wanted[1] = 100.0
        return wanted

    results = relabel(own_demonstrations, expert)
    assert [done.clipped for done in results] == [done.rows for done in results]
    labels = Dataset(own_demonstrations).array("actions")
    assert (labels[:, 1] == np.float32(bounds[1][1])).all()


def test_rows_without_an_observation_keep_their_label(own_demonstrations: Path) -> None:
    name = DatasetFolder(own_demonstrations).episode_names()[0]
    with h5py.File(own_demonstrations / "episodes" / name, "r+") as file:
        file["data/demo_0/obs/target"][3] = np.nan
    first = relabel(own_demonstrations, lambda seen, _: seen["joint_position"])[0]
    with Episode(own_demonstrations / "episodes" / name) as episode:
        assert (first.rows, first.unseen) == (episode.rows - 1, 1)
        assert not episode.labels()[0].mask[3]


def test_the_camera_frames_are_given_when_they_are_asked_for(own_demonstrations: Path) -> None:
    seen: list[set[str]] = []

    def expert(observation: Mapping[str, Any], info: Mapping[str, Any]) -> Any:
        seen.append(set(observation))
        return observation["joint_position"]

    relabel(own_demonstrations, expert, images=True)
    assert {"joint_position", "joint_velocity", "target"} <= seen[0]


def test_other_experts_are_named_by_module_and_callable(demonstrations: Dataset) -> None:
    expert = dataset_expert(
        demonstrations.info, "robot_learning.learning.evaluation.intervals:wilson"
    )
    assert callable(expert)
    with pytest.raises(ConfigurationError, match="has no 'nobody'"):
        dataset_expert(demonstrations.info, "robot_learning.learning.interactive.relabel:nobody")


def test_ranges_of_rows_are_pythons(demonstrations: Dataset) -> None:
    assert parse_range("3:") == (3, None)
    assert parse_range(":-2") == (0, -2)
    with pytest.raises(ConfigurationError, match="expected rows as first:end"):
        parse_range("three")
    with Episode(demonstrations.path / "episodes" / demonstrations.episodes[0].name) as episode:
        assert not RowChoice(9000).of(episode).any()
        assert np.flatnonzero(RowChoice(-3, -1).of(episode)).tolist() == [
            episode.rows - 3,
            episode.rows - 2,
        ]
        with pytest.raises(DatasetError, match="unknown source 'polcy'"):
            RowChoice(only="polcy").of(episode)
    with pytest.raises(DatasetError, match="every 0 rows"):
        RowChoice(every=0)
