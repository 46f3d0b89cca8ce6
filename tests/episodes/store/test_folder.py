"""A dataset's folder: what stands in the way of a recording, and what does not."""

from dataclasses import replace
from pathlib import Path

import pytest

from robot_learning.episodes.format.errors import DatasetError
from robot_learning.episodes.format.schema import DatasetInfo
from robot_learning.episodes.store.folder import DatasetFolder, is_free
from robot_learning.episodes.store.trash import trash_episodes


def other(info: DatasetInfo) -> DatasetInfo:
    return replace(info, task="push", streams=info.streams[:2])


def test_an_empty_session_does_not_decide_what_the_next_one_records(folder: DatasetFolder) -> None:
    wanted = other(folder.info)
    with folder.lock():
        pass  # a session that ended before its first episode
    assert DatasetFolder.create_or_open(folder.path, wanted).info == wanted
    assert DatasetFolder(folder.path).info == wanted


def test_recordings_decide_wherever_they_are(folder: DatasetFolder, record_episode) -> None:
    wanted = other(folder.info)
    with (
        folder.lock(),
        pytest.raises(DatasetError, match="the dataset has task 'lift', the recording 'push'"),
    ):
        DatasetFolder.create_or_open(folder.path, wanted)  # somebody is about to record
    with folder.lock():
        record_episode(folder, 0.3)
    with pytest.raises(DatasetError, match="has task 'lift'"):
        DatasetFolder.create_or_open(folder.path, wanted)
    with folder.lock():
        trash_episodes(folder, folder.episode_names())
    with pytest.raises(DatasetError, match="has task 'lift'"):
        DatasetFolder.create_or_open(folder.path, wanted)  # it can be brought back


def test_what_was_left_half_made_is_no_obstacle(tmp_path: Path) -> None:
    path = tmp_path / "data"
    assert is_free(path)
    (path / "episodes").mkdir(parents=True)
    (path / ".lock").touch()
    (path / ".dataset.json.17.new").write_text("{")
    assert is_free(path)
    (path / "notes.txt").touch()
    assert not is_free(path)
    assert not is_free(path / "notes.txt")
