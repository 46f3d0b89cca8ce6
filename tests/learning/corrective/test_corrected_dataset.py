"""Corrective labels in a dataset: bound to their rows, and treated like everything else there."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from robot_learning.core.errors import RobotLearningError
from robot_learning.core.vocabulary import Source
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.dataset.windows import Windows, WindowSpec
from robot_learning.episodes.exports.act import ActExporter
from robot_learning.episodes.exports.exporter import export_dataset
from robot_learning.episodes.format.errors import DatasetError
from robot_learning.episodes.recording.standard import POSE_NAMES
from robot_learning.episodes.store.changes import set_outcome
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.index import is_corrective
from robot_learning.episodes.store.labels import add_label_layer
from robot_learning.episodes.store.recovery import repair_dataset, verify_dataset
from robot_learning.episodes.store.trash import restore_episode, trash_episodes, trashed_episodes
from robot_learning.episodes.upkeep.merge import merge_datasets
from robot_learning.episodes.upkeep.trim import trim_episode
from robot_learning.episodes.viewing.controllers import controllers
from robot_learning.episodes.viewing.picture import save_picture
from robot_learning.learning.corrective.config import CorrectiveConfig
from robot_learning.learning.corrective.corrected_dataset import correct_dataset
from robot_learning.learning.corrective.recorded import recorded_steps, state_keys
from robot_learning.learning.training.batches import Batches
from robot_learning.learning.training.config import DataConfig, TrainConfig
from robot_learning.learning.training.failures import failed_demonstrations
from robot_learning.learning.training.trainer import train

# Kept however uncertain they are: what is asked here is where labels go.
QUICK = CorrectiveConfig(
    members=2, hidden=(8,), steps=20, batch_size=32, largest_error=100.0, disturbed_per_row=1
)


@pytest.fixture(scope="module")
def corrected_path(demonstrations_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Demonstrations with corrective labels; not to be changed."""
    target = tmp_path_factory.mktemp("corrected") / "reach-ccil"
    correct_dataset(Dataset(demonstrations_path), target, QUICK)
    return target


@pytest.fixture
def own(corrected_path: Path, tmp_path: Path) -> DatasetFolder:
    """A copy that a test may change."""
    return DatasetFolder(Path(shutil.copytree(corrected_path, tmp_path / "own")))


def corrective_names(dataset: Dataset) -> list[str]:
    return [summary.name for summary in dataset.episodes if is_corrective(summary)]


def test_the_demonstrations_are_there_as_they_were(
    corrected_path: Path, demonstrations: Dataset
) -> None:
    corrected = Dataset(corrected_path)
    recorded = corrected.select(sources=["human"])
    assert [s.digest for s in recorded.episodes] == [s.digest for s in demonstrations.episodes]
    assert corrected.corrective_rows == corrected.rows - demonstrations.rows > 0
    assert [s.sources for s in corrected.select(sources=["corrective"]).episodes] == [
        ("corrective",)
    ] * len(corrective_names(corrected))


def test_everything_is_sound(corrected_path: Path) -> None:
    assert verify_dataset(DatasetFolder(corrected_path)) == []


def test_every_row_says_which_row_it_was_made_for(corrected_path: Path) -> None:
    corrected = Dataset(corrected_path)
    for name in corrective_names(corrected):
        episode = corrected.episode(name)
        origins = episode.origins
        assert origins is not None
        origin = corrected.episode(origins.episode)
        assert origin.recording_digest == origins.digest
        assert origin.origins is None
        assert (origins.error_bound > 0).all()
        label, clean = episode.column("actions"), origin.column("actions")[origins.row]
        assert np.array_equal(label[origins.kind == 1], clean[origins.kind == 1])
        executed = origin.column("control/applied") - origin.column("control/noise")
        applied = episode.column("control/applied")
        kept = origins.kind == 1
        assert np.allclose(applied[kept], executed[origins.row][kept], atol=1e-6)
        moved = applied - executed[origins.row]
        assert np.allclose(label - clean, moved, atol=1e-6)
        assert (episode.column("control/source") == Source.CORRECTIVE).all()
        beside = (
            episode.column("obs/joint_position") - origin.column("obs/joint_position")[origins.row]
        )
        assert 0 < np.abs(beside).max() < 0.5
        assert episode.outcome == origin.outcome
        assert np.isnan(episode.column("obs/joint_effort")).all()
        state = np.concatenate(
            [episode.column("obs/joint_position"), episode.column("obs/joint_velocity")], axis=1
        )
        assert np.array_equal(episode.column("states"), state)


def test_poses_have_unit_quaternions(corrected_path: Path) -> None:
    corrected = Dataset(corrected_path).select(sources=["corrective"])
    poses = [c.path for c in corrected.info.columns if c.names == POSE_NAMES]
    assert poses
    for path in poses:
        lengths = np.linalg.norm(corrected.array(path)[:, 3:], axis=1)
        assert np.allclose(lengths, 1.0, atol=1e-5)


def test_a_window_never_joins_two_labels(corrected_path: Path) -> None:
    corrected = Dataset(corrected_path)
    windows = Windows(corrected, WindowSpec(observation_steps=2, action_steps=4))
    batch = windows.batch(np.arange(len(windows)))
    own = corrected.source_rows(["corrective"])[windows.rows]
    assert batch["action_is_pad"][own][:, 1:].all()
    assert batch["observation_is_pad"][own][:, 0].all()
    assert not batch["action_is_pad"][own][:, 0].any()
    assert not batch["action_is_pad"][~own][:, 1:].all()


def test_batches_of_a_training_agree_with_the_windows(corrected_path: Path) -> None:
    import torch

    corrected = Dataset(corrected_path)
    config = DataConfig(action_steps=4, observation_steps=2)
    batches = Batches(corrected, config, torch.device("cpu"))
    own = corrected.source_rows(["corrective"])[batches.rows]
    batch = batches.batch(torch.arange(len(batches)))
    assert batch["action_is_pad"].numpy()[own][:, 1:].all()
    assert batch["observation_is_pad"].numpy()[own][:, 0].all()


def test_labels_stay_in_the_part_of_their_demonstration(corrected_path: Path) -> None:
    corrected = Dataset(corrected_path)
    for part in corrected.split({"train": 0.5, "valid": 0.5}).values():
        names = {summary.name for summary in part.episodes}
        origins = [corrected.episode(name).origins for name in corrective_names(part)]
        assert {each.episode for each in origins if each} <= names


def test_stored_splits_take_the_labels_in(own_demonstrations: Path, tmp_path: Path) -> None:
    demonstrations = Dataset(own_demonstrations)
    demonstrations.save_splits(demonstrations.split({"train": 0.5, "valid": 0.5}))
    corrected = Dataset(correct_dataset(demonstrations, tmp_path / "new", QUICK).folder)
    for name in ("train", "valid"):
        part = corrected.stored_split(name)
        found = [corrected.episode(each).origins for each in corrective_names(part)]
        assert found and {each.episode for each in found if each} <= {s.name for s in part.episodes}


def test_a_training_takes_them_as_it_is(
    corrected_path: Path, make_config: Callable[..., TrainConfig], tmp_path: Path
) -> None:
    result = train(Dataset(corrected_path), make_config(), tmp_path / "run")
    assert result.steps == 12
    weighted = make_config(data={"source_weights": {"corrective": 0.5}})
    assert train(Dataset(corrected_path), weighted, tmp_path / "weighted").steps == 12


def test_a_trimmed_label_episode_keeps_its_origins(own: DatasetFolder) -> None:
    name = corrective_names(Dataset(own.path))[0]
    before = Dataset(own.path).episode(name).origins
    with own.lock():
        trim_episode(own, name, 1, 3)
    episode = Dataset(own.path).episode(name)
    assert before is not None and episode.origins is not None
    assert np.array_equal(episode.origins.row, before.row[1:3])
    assert episode.quality["verdict"] == "good"
    assert is_corrective(episode.summary())
    assert verify_dataset(own) == []


def test_labels_can_be_deleted_and_restored(own: DatasetFolder) -> None:
    names = corrective_names(Dataset(own.path))
    with own.lock():
        trash_episodes(own, names)
    assert Dataset(own.path).corrective_rows == 0
    assert verify_dataset(own) == []
    with own.lock():
        restore_episode(own, trashed_episodes(own)[0])
    assert len(corrective_names(Dataset(own.path))) == 1


def test_labels_of_a_demonstration_that_was_deleted_or_trimmed_are_named(
    own: DatasetFolder,
) -> None:
    first = Dataset(own.path).episode(corrective_names(Dataset(own.path))[0]).origins
    assert first is not None
    with own.lock():
        trim_episode(own, first.episode, 0, 10)
    (problem,) = verify_dataset(own)
    assert f"were made for {first.episode}, which was deleted or changed since" in problem


def test_damaged_origins_are_found(own: DatasetFolder) -> None:
    name = corrective_names(Dataset(own.path))[0]
    path = own.episodes_path / name
    with h5py.File(path, "r+") as file:
        offset = file["origin/row"].id.get_chunk_info(0).byte_offset
    with path.open("r+b") as raw:
        raw.seek(offset)
        raw.write(b"\xff")
    assert any(name in problem for problem in verify_dataset(own))


def test_a_lost_index_is_made_again(own: DatasetFolder) -> None:
    digest = Dataset(own.path).digest
    own.index_path.unlink()
    repair_dataset(own)
    assert Dataset(own.path).digest == digest
    assert Dataset(own.path).corrective_rows > 0


def test_merged_labels_are_still_bound(own: DatasetFolder, tmp_path: Path) -> None:
    merged = tmp_path / "merged"
    merge_datasets([own.path], merged)
    assert verify_dataset(DatasetFolder(merged)) == []


def test_an_export_leaves_them_out_and_says_so(
    corrected_path: Path, demonstrations: Dataset, tmp_path: Path
) -> None:
    report = export_dataset(Dataset(corrected_path), tmp_path / "act", ActExporter())
    assert report.rows == demonstrations.rows
    assert any("corrective labels are left out" in note for note in report.notes)


def test_they_are_seen_as_what_they_are(corrected_path: Path, tmp_path: Path) -> None:
    corrected = Dataset(corrected_path)
    episode = corrected.episode(corrective_names(corrected)[0])
    assert set(controllers(episode)) == {"corrective"}
    save_picture(episode, tmp_path / "labels.png", 4)
    assert (tmp_path / "labels.png").exists()


def test_labels_are_made_anew_and_not_for_labels(corrected_path: Path, tmp_path: Path) -> None:
    again = correct_dataset(Dataset(corrected_path), tmp_path / "again", QUICK)
    assert Dataset(again.folder).corrective_rows == Dataset(corrected_path).corrective_rows


def test_failures_get_no_labels(own_demonstrations: Path, tmp_path: Path) -> None:
    folder = DatasetFolder(own_demonstrations)
    with folder.lock():
        set_outcome(folder, folder.episode_names()[0], "failure")
    made = correct_dataset(Dataset(own_demonstrations), tmp_path / "new", QUICK)
    corrected = Dataset(made.folder)
    assert made.episodes == 6
    assert {corrected.episode(n).outcome for n in corrective_names(corrected)} == {"success"}


def test_rows_that_were_relabelled_afterwards_teach_dynamics_and_get_no_labels(
    own_demonstrations: Path, tmp_path: Path
) -> None:
    folder = DatasetFolder(own_demonstrations)
    name = folder.episode_names()[0]
    dataset = Dataset(own_demonstrations)
    actions = dataset.episode(name).column("actions")
    mask = np.zeros(len(actions), np.bool_)
    mask[5:15] = True
    with folder.lock():
        how = {"author": "ann", "method": "expert", "created_utc": "2026-11-30T10:00:00+00:00"}
        add_label_layer(folder, name, actions + 0.1, mask, **how)
    relabelled = Dataset(own_demonstrations)
    steps = recorded_steps(relabelled, state_keys(relabelled))
    covered = (steps.episode == 0) & (steps.row >= 5) & (steps.row < 15)
    assert covered.sum() == 10
    assert np.array_equal(steps.transitions.wanted, ~covered)
    corrected = Dataset(correct_dataset(relabelled, tmp_path / "new", QUICK).folder)
    for each in corrective_names(corrected):
        origins = corrected.episode(each).origins
        assert origins is not None
        assert origins.episode != name or not mask[origins.row].any()


def test_labels_that_a_failed_rollout_gave_are_trained_on(own: DatasetFolder) -> None:
    name = corrective_names(Dataset(own.path))[0]
    with own.lock():
        set_outcome(own, name, "failure")
    assert name not in failed_demonstrations(Dataset(own.path))


def test_observations_in_whole_numbers_are_refused(own_demonstrations: Path) -> None:
    plain = json.loads((own_demonstrations / "dataset.json").read_text())
    contact = {"path": "obs/contact", "shape": [1], "dtype": "uint8", "encoding": "array"}
    plain["streams"][0]["columns"].append({**contact, "names": []})
    (own_demonstrations / "dataset.json").write_text(json.dumps(plain))
    with pytest.raises(DatasetError, match="obs/contact holds whole numbers"):
        state_keys(Dataset(own_demonstrations))


def refused(dataset: Dataset, target: Path, text: str, **settings: object) -> None:
    before = sorted(target.parent.iterdir())
    with pytest.raises(RobotLearningError, match=text) as error:
        correct_dataset(dataset, target, replace(QUICK, **settings))
    assert "\n" not in str(error.value)
    assert sorted(target.parent.iterdir()) == before


def test_too_few_rows_are_one_line_and_nothing_is_written(
    demonstrations: Dataset, tmp_path: Path
) -> None:
    few = demonstrations.select(names=[demonstrations.episodes[0].name])
    refused(few, tmp_path / "new", "too few to learn the dynamics")


def test_labels_that_nobody_can_trust_are_one_line_and_nothing_is_written(
    demonstrations: Dataset, tmp_path: Path
) -> None:
    refused(
        demonstrations, tmp_path / "new", "can be trusted: .* too uncertain", largest_error=1e-9
    )


def test_a_folder_that_is_there_is_not_touched(demonstrations: Dataset, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    refused(demonstrations, tmp_path / "new", "exists already")


def with_values(path: Path, column: str, value: float) -> Dataset:
    folder = DatasetFolder(path)
    with h5py.File(folder.episodes_path / folder.episode_names()[0], "r+") as file:
        file[f"data/demo_0/{column}"][5] = value
    return Dataset(path)


def test_a_number_that_is_missing_is_named(own_demonstrations: Path, tmp_path: Path) -> None:
    dataset = with_values(own_demonstrations, "obs/joint_velocity", np.nan)
    (tmp_path / "there").mkdir()
    text = "'obs/joint_velocity' is NaN or infinite in 1 of .* --state"
    refused(dataset, tmp_path / "there" / "new", text)


def described_anew(path: Path, keep: Callable[[str], bool]) -> Dataset:
    """The dataset without observations that are not to be kept, and with a camera."""
    plain = json.loads((path / "dataset.json").read_text())
    for stream in plain["streams"]:
        stream["columns"] = [c for c in stream["columns"] if keep(c["path"])]
    image = {"path": "obs/front", "shape": [4, 4, 3], "dtype": "uint8", "encoding": "array"}
    camera = {"name": "front", "rate_hz": 50.0, "max_age_s": 0.1}
    plain["streams"].append({**camera, "columns": [{**image, "names": []}]})
    (path / "dataset.json").write_text(json.dumps(plain))
    return Dataset(path)


def test_a_dataset_of_nothing_but_images_is_refused(own_demonstrations: Path) -> None:
    dataset = described_anew(own_demonstrations, lambda path: not path.startswith("obs/"))
    with pytest.raises(DatasetError, match=r"nothing but images \(obs/front\)"):
        state_keys(dataset)


def test_a_dataset_with_images_is_refused(own_demonstrations: Path) -> None:
    dataset = described_anew(own_demonstrations, lambda path: True)
    with pytest.raises(DatasetError, match=r"has images \(obs/front\)"):
        state_keys(dataset)


def test_the_noise_of_demonstrations_is_known(demonstrations: Dataset) -> None:
    steps = recorded_steps(demonstrations, state_keys(demonstrations)).transitions
    assert np.abs(steps.noise).max() > 0.005
    assert len(steps) == demonstrations.rows - len(demonstrations)
    assert np.array_equal(steps.episode, np.sort(steps.episode))
