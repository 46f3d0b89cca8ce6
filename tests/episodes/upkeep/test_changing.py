"""Trash, trimming and merging: nothing that was recorded is lost."""

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from robot_learning.core.clocks import seconds_to_ns
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.format.attributes import set_text
from robot_learning.episodes.format.errors import DatasetError, EpisodeError
from robot_learning.episodes.format.schema import EpisodeMetadata
from robot_learning.episodes.recording.recorder import Recorder
from robot_learning.episodes.recording.writer import WriterSettings
from robot_learning.episodes.store.changes import keep_by_hand, set_outcome
from robot_learning.episodes.store.episode import Episode
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.labels import add_label_layer
from robot_learning.episodes.store.names import find_episode, find_episodes
from robot_learning.episodes.store.recovery import verify_dataset
from robot_learning.episodes.store.trash import restore_episode, trash_episodes, trashed_episodes
from robot_learning.episodes.upkeep.merge import merge_datasets
from robot_learning.episodes.upkeep.trim import trim_episode

FIRST, SECOND = "episode_000000.hdf5", "episode_000001.hdf5"


@pytest.fixture
def two(folder: DatasetFolder, record_episode) -> DatasetFolder:
    """Two episodes, the second one longer, and a split."""
    with folder.lock():
        record_episode(folder, 0.6, operator="ann")
        record_episode(folder, 0.8, "failure", operator="bob")
    dataset = Dataset(folder.path)
    dataset.save_splits({"train": dataset.select(names=[FIRST]), "all": dataset})
    return folder


def everything(path: Path) -> dict[str, bytes]:
    return {str(p.relative_to(path)): p.read_bytes() for p in path.rglob("*.hdf5*")}


def test_a_deleted_episode_comes_back_as_it_was(two: DatasetFolder) -> None:
    before = (two.episodes_path / FIRST).read_bytes()
    with two.lock():
        (place,) = trash_episodes(two, [FIRST])
        assert place.read_bytes() == before
        assert Dataset(two.path).stored_splits() == {"train": [], "all": [SECOND]}
        assert verify_dataset(two) == []
        assert two.next_episode_name() == "episode_000002.hdf5"
        (trashed,) = trashed_episodes(two)
        restore_episode(two, trashed)
    assert (two.episodes_path / FIRST).read_bytes() == before
    assert [s.name for s in Dataset(two.path).episodes] == [FIRST, SECOND]
    assert verify_dataset(two) == []


def test_deleting_what_is_not_there_moves_nothing(two: DatasetFolder) -> None:
    before = everything(two.path)
    with two.lock(), pytest.raises(DatasetError, match="unknown episode 'episode_000007"):
        trash_episodes(two, [FIRST, "episode_000007.hdf5"])
    assert everything(two.path) == before


def test_trimming_keeps_rows_labels_and_the_whole_episode(two: DatasetFolder) -> None:
    name = SECOND
    with two.lock():
        with Episode(two.episodes_path / name) as episode:
            rows = episode.rows
            mask = np.arange(rows) % 3 == 0
            labels = np.arange(rows * 3.0).reshape(rows, 3)
        details = {"author": "ann", "method": "by hand", "created_utc": "2026"}
        add_label_layer(two, name, labels, mask, **details)
        whole = (two.episodes_path / name).read_bytes()
        summary, place = trim_episode(two, name, 5, rows - 3)
    assert place.read_bytes() == whole
    assert summary.rows == rows - 8
    assert (summary.outcome, summary.operator) == ("failure", "bob")
    assert verify_dataset(two) == []
    with Episode(place) as before, Episode(two.episodes_path / name) as after:
        for column in after.info.columns:
            for row in (0, 4, after.rows - 1):
                if column.is_image:
                    pair = [
                        episode.stored_frame(column.path, r)
                        for episode, r in ((before, row + 5), (after, row))
                    ]
                    assert pair[0] == pair[1]
                else:
                    expected = before.column(column.path, 5 + row, 6 + row)
                    np.testing.assert_array_equal(after.column(column.path, row, row + 1), expected)
        np.testing.assert_array_equal(
            after.column("streams/front/age_ns"), before.column("streams/front/age_ns")[5:-3]
        )
        (layer,) = after.labels()
        np.testing.assert_array_equal(layer.mask, mask[5:-3])
        np.testing.assert_array_equal(layer.actions, labels[5:-3])
        assert after.metadata.notes["trimmed"] == f"rows 5 to {rows - 4} of {rows}"
        assert after.quality["rows"] == rows - 8


def test_trimming_then_deleting_keeps_both_versions(two: DatasetFolder) -> None:
    whole = (two.episodes_path / FIRST).read_bytes()
    with two.lock():
        trim_episode(two, FIRST, 2, 20)
        trimmed = (two.episodes_path / FIRST).read_bytes()
        trash_episodes(two, [FIRST])
        old, new = trashed_episodes(two)
        assert (old.path.read_bytes(), new.path.read_bytes()) == (whole, trimmed)
        restore_episode(two, new)
        # The version that is in the dataset makes room, and is not lost either.
        restore_episode(two, trashed_episodes(two)[0])
    assert (two.episodes_path / FIRST).read_bytes() == whole
    assert [item.path.read_bytes() for item in trashed_episodes(two)] == [trimmed]
    assert verify_dataset(two) == []


@pytest.mark.parametrize(("start", "stop"), [(-1, 5), (5, 5), (7, 5), (0, 1000)])
def test_a_wrong_range_changes_nothing(two: DatasetFolder, start: int, stop: int) -> None:
    before = everything(two.path)
    with two.lock(), pytest.raises(EpisodeError, match="no range of its 31 rows"):
        trim_episode(two, FIRST, start, stop)
    assert everything(two.path) == before


def test_a_damaged_episode_is_not_trimmed(two: DatasetFolder) -> None:
    with h5py.File(two.episodes_path / FIRST, "r+") as file:
        file["control/policy"][20, 1] += 1e-9
    with two.lock(), pytest.raises(EpisodeError, match="damaged in control/policy"):
        trim_episode(two, FIRST, 2, 9)
    assert trashed_episodes(two) == []


def test_merging_copies_renames_and_takes_equal_episodes_once(
    two: DatasetFolder, info, tmp_path: Path, record_episode
) -> None:
    other = DatasetFolder.create_or_open(tmp_path / "other", info)
    with other.lock():
        record_episode(other, 0.4, operator="eve")
        record_episode(other, 0.6, operator="somebody")
        set_outcome(other, FIRST, "unknown")
    before = everything(two.path)
    report = merge_datasets([two.path, other.path], tmp_path / "merged")
    # The second one of `other` recorded what the first one of `two` did.
    assert (report.episodes, len(report.left_out)) == (3, 1)
    merged = Dataset(tmp_path / "merged")
    assert [s.operator for s in merged.episodes] == ["ann", "bob", "eve"]
    assert merged.episodes[2].outcome == "unknown"
    assert merged.stored_splits() == {"train": [FIRST], "all": [FIRST, SECOND]}
    assert verify_dataset(DatasetFolder(tmp_path / "merged")) == []
    assert everything(two.path) == before


def test_what_cannot_be_merged_names_both_sides_and_leaves_nothing(
    two: DatasetFolder, info, tmp_path: Path
) -> None:
    other = DatasetFolder.create_or_open(tmp_path / "other", replace(info, robot="bench_arm"))
    with pytest.raises(DatasetError, match=r"robot 'desk_arm'.*'bench_arm'"):
        merge_datasets([two.path, other.path], tmp_path / "merged")
    with pytest.raises(DatasetError, match="exists already"):
        merge_datasets([two.path], other.path)
    (two.episodes_path / SECOND).write_bytes(b"torn")
    with pytest.raises(EpisodeError, match=SECOND):
        merge_datasets([two.path], tmp_path / "merged")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dataset", "other"]


def test_episodes_are_named_by_number_range_name_or_last() -> None:
    names = [f"episode_{number:06d}.hdf5" for number in (0, 3, 4, 12)]
    for text in ("3", "episode_000003", "episode_000003.hdf5", "demo_3"):
        assert find_episode(text, names) == names[1]
    assert find_episode("last", names) == names[3]
    assert find_episodes(["last", "0-3", "3"], names) == [names[0], names[1], names[3]]
    with pytest.raises(DatasetError, match=r"^unknown episode '5'; valid: 0, 3 to 4, 12$"):
        find_episode("5", names)
    for text in ("5-9", "3-13", "0-99", "4-0"):
        with pytest.raises(DatasetError, match=f"unknown range of episodes '{text}'"):
            find_episodes([text], names)
    with pytest.raises(DatasetError, match=r"valid: \(none\)"):
        find_episode("last", [])
    every_other = [f"episode_{number:06d}.hdf5" for number in range(0, 1000, 2)]
    with pytest.raises(DatasetError, match=r"valid: 0 to 998, some of which are gone$"):
        find_episode("1", every_other)


@pytest.fixture
def slow(two: DatasetFolder, feed_streams) -> str:
    """A third episode, in which the cameras were silent for a while; its name."""
    recorder = Recorder(two, settings=WriterSettings(min_free_bytes=0, sync=False))
    with two.lock():
        feed_streams(recorder, 0.0, 0.2)
        recorder.start(EpisodeMetadata(), seconds_to_ns(0.2))
        feed_streams(recorder, 0.2, 0.6)
        for tick in range(61, 120):
            recorder.advance(seconds_to_ns(tick / 100))
        feed_streams(recorder, 1.2, 1.6)
        return recorder.stop("success").summary.name


def test_bad_timing_leaves_an_episode_out_until_it_is_kept_by_hand_and_back(
    two: DatasetFolder, slow: str
) -> None:
    ((name, reasons),) = Dataset(two.path).badly_timed().items()
    assert name == slow
    assert "rows are invalid" in reasons[0]
    digest = Dataset(two.path).digest
    with two.lock():
        summary = keep_by_hand(two, slow)
        assert summary.verdict == "bad", "what the report says stays as it is"
        assert Dataset(two.path).badly_timed() == {}
        assert Dataset(two.path).episode(slow).bad_timing == reasons
        assert verify_dataset(two) == []
        keep_by_hand(two, slow)
        keep_by_hand(two, slow, keep=False)
    assert list(Dataset(two.path).badly_timed()) == [slow]
    assert Dataset(two.path).digest == digest
    assert verify_dataset(two) == []
    with two.lock(), pytest.raises(DatasetError, match="unknown episode 'episode_000009"):
        keep_by_hand(two, "episode_000009.hdf5")


def test_what_was_kept_by_hand_stays_so_when_it_is_trimmed_and_merged(
    two: DatasetFolder, slow: str, tmp_path: Path
) -> None:
    with two.lock():
        keep_by_hand(two, slow)
        trim_episode(two, slow, 2, 60)
    merge_datasets([two.path], tmp_path / "merged")
    for folder in (two.path, tmp_path / "merged"):
        episode = Dataset(folder).episode(slow)
        assert episode.kept_by_hand
        assert episode.bad_timing
        assert Dataset(folder).badly_timed() == {}


def test_a_damaged_quality_report_is_an_error_that_names_the_file(
    two: DatasetFolder, slow: str
) -> None:
    with h5py.File(two.episodes_path / slow, "r+") as file:
        set_text(file, "quality", '{"verdict": "bad", "thresholds": {}, "fault_rows": 3}')
    with pytest.raises(EpisodeError, match=f"{slow}: its quality report is damaged"):
        Dataset(two.path).badly_timed()
