"""A lost or broken `dataset.json` is written anew from the episodes; nothing is guessed."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.format.errors import (
    DatasetError,
    DatasetLockedError,
    SchemaVersionError,
)
from robot_learning.episodes.store.description import rebuild_description
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.recovery import repair_dataset, verify_dataset


@pytest.fixture
def recorded(folder: DatasetFolder, record_episode: Callable) -> DatasetFolder:
    """Two episodes."""
    with folder.lock():
        for index in range(2):
            record_episode(folder, 0.2 + 0.04 * index)
    return folder


@pytest.fixture
def add_foreign(tmp_path: Path, recorded: DatasetFolder, record_episode: Callable) -> Callable:
    """Copy an episode of another rate into the dataset under a name."""
    info = replace(recorded.info, rate_hz=25.0)
    other = DatasetFolder.create_or_open(tmp_path / "other", info)
    with other.lock():
        record_episode(other, 0.2)

    def add(name: str) -> None:
        shutil.copy(other.episodes_path / "episode_000000.hdf5", recorded.episodes_path / name)

    return add


@pytest.mark.parametrize("text", [None, "", "{", '{"schema_version": 1}', "[]", "\x00\xff"])
def test_it_is_written_anew_and_the_broken_one_is_kept(
    recorded: DatasetFolder, text: str | None
) -> None:
    recorded.info_path.unlink()
    if text is not None:
        recorded.info_path.write_text(text, encoding="latin-1")
        with pytest.raises(DatasetError, match=r"repair|cannot be read"):
            DatasetFolder(recorded.path)
    done = rebuild_description(recorded.path)
    assert done[0] == "rewrote dataset.json, as 2 of 2 episodes have it"
    assert DatasetFolder(recorded.path).info == recorded.info
    assert verify_dataset(recorded) == []
    assert len(Dataset(recorded.path)) == 2
    trashed = recorded.path / "trash" / "dataset.json"
    assert trashed.exists() == (text is not None)
    if text is not None:
        assert trashed.read_text(encoding="latin-1") == text
        assert "moved the broken one to trash/dataset.json" in done[1]
    assert rebuild_description(recorded.path) == []


def test_what_most_episodes_say_counts_and_the_others_are_named(
    recorded: DatasetFolder, add_foreign: Callable
) -> None:
    add_foreign("episode_000002.hdf5")
    recorded.info_path.write_text("{")
    done = rebuild_description(recorded.path)
    assert done[0] == "rewrote dataset.json, as 2 of 3 episodes have it"
    folder = DatasetFolder(recorded.path)
    assert folder.info == recorded.info
    (named,) = repair_dataset(folder).damaged
    assert named == (
        "episode_000002.hdf5: was recorded with other features: "
        "the dataset has rate_hz 50.0, the recording 25.0"
    )


def test_a_tie_is_not_guessed_and_nothing_changes(
    recorded: DatasetFolder, add_foreign: Callable
) -> None:
    for number in (2, 3):
        add_foreign(f"episode_{number:06d}.hdf5")
    recorded.info_path.write_text("{")
    with pytest.raises(DatasetError, match=r"disagree: with episode_000000\.hdf5 .*25\.0"):
        rebuild_description(recorded.path)
    assert recorded.info_path.read_text() == "{"
    assert not (recorded.path / "trash").exists()


def test_damaged_episodes_have_no_say(recorded: DatasetFolder) -> None:
    (recorded.episodes_path / "episode_000000.hdf5").write_bytes(b"torn")
    recorded.info_path.write_text("{")
    assert "as 1 of 2 episodes" in rebuild_description(recorded.path)[0]
    assert DatasetFolder(recorded.path).info == recorded.info
    recorded.info_path.write_text("{")
    (recorded.episodes_path / "episode_000001.hdf5").write_bytes(b"torn")
    with pytest.raises(DatasetError, match="none of its episodes can be read"):
        rebuild_description(recorded.path)


def test_what_is_not_broken_is_left_alone(recorded: DatasetFolder, tmp_path: Path) -> None:
    newer = recorded.info.to_json().replace('"schema_version": 1', '"schema_version": 99')
    recorded.info_path.write_text(newer)
    with pytest.raises(SchemaVersionError, match="99"):
        rebuild_description(recorded.path)
    assert recorded.info_path.read_text() == newer
    with pytest.raises(DatasetError, match="no dataset here"):
        rebuild_description(tmp_path / "nowhere")


def test_a_recording_dataset_is_not_touched(recorded: DatasetFolder) -> None:
    recorded.info_path.write_text("{")
    with recorded.lock(), pytest.raises(DatasetLockedError):
        rebuild_description(recorded.path)
    assert recorded.info_path.read_text() == "{"
