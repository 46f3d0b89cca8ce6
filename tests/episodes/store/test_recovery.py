import errno
import random
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from warm_process import WarmProcess

from robot_learning.core.clocks import NS_PER_S, seconds_to_ns
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.format.errors import DatasetLockedError, EpisodeError
from robot_learning.episodes.format.journaled_file import JournaledFile
from robot_learning.episodes.format.schema import EpisodeMetadata
from robot_learning.episodes.recording.recorder import Recorder
from robot_learning.episodes.recording.writer import WriterSettings
from robot_learning.episodes.store import recovery
from robot_learning.episodes.store.episode import Episode
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.recovery import recover_partial, repair_dataset, verify_dataset

CHILD = Path(__file__).parents[1] / "recording_child.py"
RECORD = f"import runpy; runpy.run_path({str(CHILD)!r}, run_name='__main__')"
KILLS = 15


def start_child(path: Path, said: Path) -> WarmProcess:
    """One that records into `path`, and has said something by now."""
    said.unlink(missing_ok=True)
    child = WarmProcess(RECORD, [path], said)
    while not said.exists() or "\n" not in said.read_text():
        assert child.poll() is None, "it ended at once"
        time.sleep(0.002)
    return child


def check_rows(episode: Episode) -> None:
    """What the child fed is a function of time: every row must hold its own."""
    ticks_s = episode.column("tick_ns") / NS_PER_S
    expected = np.sin(ticks_s[:, None] + np.arange(3))
    np.testing.assert_allclose(episode.column("obs/joint_position"), expected, atol=1e-9)
    np.testing.assert_allclose(episode.column("actions"), expected, atol=1e-9)
    frames = episode.column("streams/front/stamp_ns") // 33_000_000 + 1
    for row in range(0, episode.rows, 7):
        brightness = frames[row] % 25 * 10
        assert abs(int(episode.frame("images/front", row)[5, 5, 0]) - brightness) < 5
        assert episode.frame("obs/wrist", row)[5, 5, 0] == brightness
        assert episode.column("obs/depth", row, row + 1)[0, 3, 3, 0] == frames[row]


def test_killed_at_random_instants_nothing_flushed_is_lost(tmp_path: Path) -> None:
    draw = random.Random(4)
    recovered = 0
    for run in range(KILLS):
        path = tmp_path / f"dataset_{run % 5}"
        child = start_child(path, tmp_path / "said.txt")
        time.sleep(draw.uniform(0, 0.25))
        child.kill()
        said = [line.split() for line in (tmp_path / "said.txt").read_text().splitlines()]
        flushed = {words[0]: int(words[1]) for words in said if len(words) == 2}
        saved = {words[1]: int(words[2]) for words in said if words[0] == "saved"}

        folder = DatasetFolder(path)
        for name in folder.episode_names():
            with Episode(folder.episodes_path / name) as episode:
                assert episode.rows >= saved.get(name, 1)
        report = repair_dataset(folder)
        assert verify_dataset(folder) == []
        dataset = Dataset(path)
        rows = {summary.name: summary.rows for summary in dataset.episodes}
        for name, count in {**flushed, **saved}.items():
            assert rows.get(name, 0) >= count, (name, report)
        for name in report.recovered:
            check_rows(dataset.episode(name))
        recovered += len(report.recovered)
    assert recovered > KILLS // 3


@pytest.fixture
def partial(folder: DatasetFolder, feed_streams, tmp_path: Path) -> Path:
    """An unfinished recording of at least 40 flushed rows, as a kill would leave it."""
    settings = WriterSettings(min_free_bytes=0, flush_interval_s=0.01)
    recorder = Recorder(folder, settings=settings)
    feed_streams(recorder, 0.0, 0.2)
    recorder.start(EpisodeMetadata(), seconds_to_ns(0.2))
    feed_streams(recorder, 0.2, 1.2)
    while recorder.status(0).flushed_rows < 40:
        time.sleep(0.01)
    (running,) = folder.partial_paths()
    copy = tmp_path / "copy.partial"
    copy.write_bytes(running.read_bytes())
    recorder.discard()
    running.write_bytes(copy.read_bytes())
    return running


def test_ragged_columns_are_cut_to_the_shortest(folder: DatasetFolder, partial: Path) -> None:
    with h5py.File(partial, "r+") as file:
        rows = len(file["tick_ns"])
        file["streams/front/age_ns"].resize(rows - 3, axis=0)
        file["images/front"].resize(rows - 5, axis=0)
    summary, lost = recover_partial(folder, partial)
    assert summary.rows == rows - 5
    assert "5 rows that not every column had" in lost
    with Episode(folder.episodes_path / summary.name) as episode:
        check_rows(episode)
        assert episode.outcome == "unknown"
        assert "cut off" in episode.quality["recovered"]


def test_rows_that_never_reached_the_disk_are_cut(folder: DatasetFolder, partial: Path) -> None:
    with h5py.File(partial, "r+") as file:
        rows = len(file["tick_ns"])
        file["tick_ns"][-4:] = 0
    summary, _ = recover_partial(folder, partial)
    assert summary.rows == rows - 4


def test_a_partial_without_rows_goes_to_the_trash_and_is_told(folder: DatasetFolder) -> None:
    (folder.episodes_path / "episode_000007.hdf5.partial").write_bytes(b"torn")
    report = repair_dataset(folder)
    assert len(report.lost) == 1
    assert "episode_000007.hdf5.partial: nothing could be recovered" in report.lost[0]
    assert (folder.path / "trash" / "episode_000007.hdf5.partial").read_bytes() == b"torn"
    assert folder.next_episode_name() == "episode_000008.hdf5"


def test_a_damaged_index_is_written_anew(folder: DatasetFolder, record_episode) -> None:
    with folder.lock():
        record_episode(folder, 0.2)
        record_episode(folder, 0.24)
    folder.index_path.write_bytes(b"\x89HDF\r\n\x1a\n nothing")
    with pytest.raises(EpisodeError, match=r"dataset\.hdf5: damaged"):
        Dataset(folder.path)
    report = repair_dataset(folder)
    assert "wrote the index of 2 episodes" in report.actions[-1]
    assert len(Dataset(folder.path)) == 2
    assert verify_dataset(folder) == []


def test_a_changed_byte_is_found_and_named(folder: DatasetFolder, record_episode) -> None:
    with folder.lock():
        record_episode(folder, 0.5)
    assert verify_dataset(folder) == []
    path = folder.episodes_path / "episode_000000.hdf5"
    with h5py.File(path, "r+") as file:
        file["control/policy"][3, 1] += 1e-9
    assert verify_dataset(folder) == [
        "episode_000000.hdf5: 'control/policy' differs from what was recorded"
    ]


def test_what_verify_says_of_missing_and_unfinished_episodes(
    folder: DatasetFolder, record_episode
) -> None:
    with folder.lock():
        for index in range(3):
            record_episode(folder, 0.2 + 0.04 * index)
    (folder.episodes_path / "episode_000001.hdf5").unlink()
    (folder.episodes_path / "episode_000009.hdf5.partial").write_bytes(b"")
    assert verify_dataset(folder) == [
        "episode_000009.hdf5.partial: its recording was not finished; repair it",
        "episode_000001.hdf5: is in the index, but its file is missing",
    ]
    report = repair_dataset(folder)
    assert "episode_000001.hdf5: its file is missing" in report.lost
    assert verify_dataset(folder) == []
    assert [s.name for s in Dataset(folder.path).episodes] == [
        "episode_000000.hdf5",
        "episode_000002.hdf5",
    ]


def test_a_dataset_that_is_being_recorded_into_is_not_repaired(tmp_path: Path) -> None:
    child = start_child(tmp_path / "dataset", tmp_path / "said.txt")
    try:
        folder = DatasetFolder(tmp_path / "dataset")
        with pytest.raises(DatasetLockedError, match=f"process {child.pid} is writing"):
            repair_dataset(folder)
    finally:
        child.kill()


def test_a_recording_that_the_disk_cannot_take_stays_and_can_be_repaired_later(
    folder: DatasetFolder, partial: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(JournaledFile, "commit", refuse)
        report = repair_dataset(folder)
    assert not report.recovered
    assert f"{partial.name}: stays as it is, try again" in report.damaged[0]
    assert partial.exists()
    assert not (folder.path / "trash").exists()
    assert partial.name.removesuffix(".partial") in repair_dataset(folder).recovered


def test_a_mistake_of_our_own_does_not_condemn_a_recording(
    folder: DatasetFolder, partial: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "quality_of_rows", lambda: None)
    with pytest.raises(TypeError):
        repair_dataset(folder)
    assert partial.exists()
