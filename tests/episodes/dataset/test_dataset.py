import json
import math
import multiprocessing
import pickle
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from robot_learning.core.vocabulary import Source
from robot_learning.episodes.dataset import open_episodes
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.dataset.statistics import statistics_of
from robot_learning.episodes.dataset.windows import Windows, WindowSpec
from robot_learning.episodes.format.errors import DatasetError, EpisodeError
from robot_learning.episodes.store.episode import Episode
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.labels import add_label_layer
from robot_learning.episodes.store.recovery import repair_dataset, verify_dataset

KINDS = [
    {"outcome": "success", "operator": "ana", "round": 0, "instruction": "lift"},
    {"outcome": "failure", "operator": "ben", "round": 0, "instruction": "lift"},
    {"outcome": "success", "operator": "ana", "round": 1, "source": Source.POLICY},
    {"outcome": "unknown", "operator": "", "round": 1, "instruction": "push"},
]


@pytest.fixture
def dataset(folder: DatasetFolder, record_episode) -> Dataset:
    with folder.lock():
        for index, kind in enumerate(KINDS):
            record_episode(folder, 0.3 + 0.1 * index, **kind)
    return Dataset(folder.path)


def numbers(dataset: Dataset) -> list[int]:
    return [int(summary.name[8:14]) for summary in dataset.episodes]


def test_opening_reads_the_index_only(dataset: Dataset) -> None:
    assert [summary.rows for summary in dataset.episodes] == [16, 21, 26, 31]
    assert dataset.rows == 94
    for path in (dataset.path / "episodes").iterdir():
        path.chmod(0)
        path.write_bytes(b"nothing")
    assert Dataset(dataset.path).digest == dataset.digest


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, [0, 1, 2, 3]),
        ({"outcomes": ["success"]}, [0, 2]),
        ({"outcomes": "success"}, [0, 2]),
        ({"rounds": [1]}, [2, 3]),
        ({"operators": ["ana"], "rounds": [0]}, [0]),
        ({"instructions": ["push", "lift"]}, [0, 1, 3]),
        ({"sources": ["policy"]}, [2]),
        ({"sources": ["human", "none"]}, [0, 1, 3]),
        ({"verdicts": ["bad"]}, [0, 1, 2]),
        ({"outcomes": ["none"]}, []),
    ],
)
def test_filters(folder: DatasetFolder, dataset: Dataset, filters: dict, expected: list) -> None:
    # The three shorter ones are below half a second, which the verdict does not forgive.
    assert numbers(dataset.select(**filters)) == ([0, 1] if "verdicts" in filters else expected)


def test_splits_are_disjoint_whole_and_repeatable(dataset: Dataset) -> None:
    for fractions in ({"a": 0.9, "b": 0.1}, {"a": 0.5, "b": 0.5}, {"a": 0.01, "b": 0.99}):
        parts = dataset.split(fractions, seed=3)
        assert sorted(numbers(parts["a"]) + numbers(parts["b"])) == [0, 1, 2, 3]
        assert min(len(parts["a"]), len(parts["b"])) >= 1
        again = Dataset(dataset.path).split(fractions, seed=3)
        assert numbers(again["a"]) == numbers(parts["a"])
    drawn = {tuple(numbers(dataset.split({"a": 0.5}, seed)["a"])) for seed in range(20)}
    assert len(drawn) > 3
    with pytest.raises(DatasetError, match="cannot be split into 5 parts"):
        dataset.split(dict.fromkeys("abcde", 0.1))
    for wrong in ({"a": 0.9, "b": 0.2}, {"a": math.nan}, {"a": 0.5, "b": math.nan}, {}):
        with pytest.raises(DatasetError, match="sum to at most 1"):
            dataset.split(wrong)


def test_an_episode_recorded_twice_is_on_one_side_of_a_split(
    folder: DatasetFolder, record_episode
) -> None:
    with folder.lock():
        for index in range(3):
            record_episode(folder, 0.3 + 0.1 * index)
        for name in folder.episode_names():
            number = int(name[8:14]) + 3
            copy = folder.episodes_path / f"episode_{number:06d}.hdf5"
            shutil.copy(folder.episodes_path / name, copy)
    repair_dataset(folder)
    dataset = Dataset(folder.path)
    assert [*dataset.copies().values()] == folder.episode_names()[:3]
    for seed in range(5):
        parts = dataset.split({"train": 0.5, "valid": 0.5}, seed)
        digests = [{e.digest for e in part.episodes} for part in parts.values()]
        assert digests[0] and digests[1] and not digests[0] & digests[1]
    with pytest.raises(DatasetError, match="3 different episodes cannot be split into 4 parts"):
        dataset.split(dict.fromkeys("abcd", 0.25))
    problems = verify_dataset(folder)
    assert len(problems) == 3
    assert problems[0].startswith("episode_000003.hdf5: is equal to episode_000000.hdf5")


def test_stored_splits_survive_further_recording(
    folder: DatasetFolder, dataset: Dataset, record_episode
) -> None:
    parts = dataset.split({"train": 0.75, "valid": 0.25})
    dataset.save_splits(parts)
    with folder.lock():
        record_episode(folder, 0.2)
    again = Dataset(folder.path)
    assert len(again) == 5
    assert numbers(again.stored_split("train")) == numbers(parts["train"])
    with h5py.File(folder.index_path) as file:
        assert file["mask/valid"][:].tolist() == [
            f"demo_{number}".encode() for number in numbers(parts["valid"])
        ]
    with pytest.raises(DatasetError, match="unknown split 'tran'; did you mean 'train'"):
        again.stored_split("tran")


def test_the_index_reads_as_robomimic_does(dataset: Dataset) -> None:
    with h5py.File(dataset.path / "dataset.hdf5") as file:
        data = file["data"]
        assert sorted(data) == ["demo_0", "demo_1", "demo_2", "demo_3"]
        assert data.attrs["total"] == 94
        assert {"env_name", "type", "env_kwargs"} <= set(json.loads(data.attrs["env_args"]))
        for demo in data.values():
            rows = demo.attrs["num_samples"]
            for key in ("actions", "rewards", "dones", "obs/joint_position", "obs/wrist"):
                assert len(demo[key]) == rows


def test_windows_are_what_a_plain_loop_gives(dataset: Dataset) -> None:
    spec = WindowSpec(observation_steps=3, action_steps=4, valid_only=False)
    windows = Windows(dataset, spec)
    assert len(windows) == 94
    index = 0
    for summary in dataset.episodes:
        episode = dataset.episode(summary.name)
        position, actions = episode.column("obs/joint_position"), episode.column("actions")
        for row in range(summary.rows):
            window = windows[index]
            index += 1
            for step in range(3):
                wanted = row - 2 + step
                assert window["observation_is_pad"][step] == (wanted < 0)
                np.testing.assert_array_equal(
                    window["obs/joint_position"][step], position[max(wanted, 0)].astype("f4")
                )
            for step in range(4):
                wanted = row + step
                assert window["action_is_pad"][step] == (wanted >= summary.rows)
                np.testing.assert_array_equal(
                    window["action"][step], actions[min(wanted, summary.rows - 1)].astype("f4")
                )
    with pytest.raises(IndexError):
        windows[94]


def test_windows_leave_invalid_rows_out(folder: DatasetFolder, record_episode) -> None:
    with folder.lock():
        saved = record_episode(folder, 0.4)
    path = folder.episodes_path / saved.summary.name
    with h5py.File(path, "r+") as file:
        file["invalid"][7] = 1
        file["streams/decision/age_ns"][12] = 10**9
    windows = Windows(Dataset(folder.path), WindowSpec(observation_steps=2, action_steps=3))
    assert windows.rows.tolist() == [r for r in range(21) if r not in (7, 8, 12)]
    chunk = windows[windows.rows.tolist().index(10)]
    assert chunk["action_is_pad"].tolist() == [False, False, True]


def test_windows_of_one_source(dataset: Dataset) -> None:
    windows = Windows(dataset, WindowSpec(sources=("policy",)))
    assert windows.rows.tolist() == list(range(37, 63))
    with pytest.raises(DatasetError, match="unknown source 'robot'"):
        Windows(dataset, WindowSpec(sources=("robot",)))
    with pytest.raises(DatasetError, match=r"no window can be made: .* 0 were driven by none"):
        Windows(dataset, WindowSpec(sources=("none",)))
    with pytest.raises(DatasetError, match="unknown column 'obs/joint_positon'; did you mean"):
        Windows(dataset, WindowSpec(observation_keys=("obs/joint_positon",)))


def test_images_come_with_their_rows(dataset: Dataset) -> None:
    spec = WindowSpec(("images/front", "obs/wrist", "obs/depth"), observation_steps=2)
    windows = Windows(dataset, spec)
    batch = windows.batch([0, 40, 93])
    assert batch["images/front"].shape == (3, 2, 48, 64, 3)
    assert batch["obs/depth"].dtype == np.uint16
    for place, row in enumerate((0, 40, 93)):
        index = int(batch["obs/depth"][place, 1, 0, 0, 0])
        assert batch["obs/wrist"][place, 1, 9, 9, 0] == index % 25 * 10
        assert abs(int(batch["images/front"][place, 1, 9, 9, 0]) - index % 25 * 10) < 5
        starts = dataset.row_starts()
        number = int(np.searchsorted(starts, row, "right")) - 1
        episode = dataset.episode(dataset.episodes[number].name)
        stamp_ns = episode.column("streams/depth/stamp_ns")[row - starts[number]]
        assert index == (stamp_ns + 5_000_000) // 33_000_000


def test_statistics_are_exact_and_cached(dataset: Dataset, monkeypatch) -> None:
    keys = ["obs/joint_position", "actions", "control/human", "images/front"]
    found = dataset.statistics(keys)
    values = np.concatenate(
        [dataset.episode(s.name).column("actions") for s in dataset.episodes]
    ).astype("f4")
    np.testing.assert_allclose(found["actions"].mean, values.mean(0), rtol=1e-5)
    np.testing.assert_allclose(found["actions"].std, values.std(0), rtol=1e-5)
    for quantile in (1, 10, 50, 90, 99):
        np.testing.assert_allclose(
            getattr(found["actions"], f"q{quantile:02}"), np.percentile(values, quantile, axis=0)
        )
    assert found["actions"].count == 94
    assert np.isfinite(found["control/human"].mean).all()
    assert found["images/front"].mean.shape == (3,)
    assert found["images/front"].maximum.max() <= 1

    again = Dataset(dataset.path)
    monkeypatch.setattr(Dataset, "array", lambda *_: pytest.fail("was computed anew"))
    cached = again.statistics(keys)
    np.testing.assert_array_equal(cached["actions"].q99, found["actions"].q99)


def test_a_broken_cache_is_computed_anew(dataset: Dataset) -> None:
    first = dataset.statistics(["actions"])
    (cache,) = (dataset.path / ".cache").iterdir()
    for text in ("{", '{"actions": {"mean": 3}}', "[]"):
        cache.write_text(text)
        again = Dataset(dataset.path).statistics(["actions"])
        np.testing.assert_array_equal(again["actions"].mean, first["actions"].mean)


def test_other_episodes_have_other_statistics(dataset: Dataset) -> None:
    some = dataset.select(rounds=[1])
    assert some.digest != dataset.digest
    assert some.statistics(["actions"])["actions"].count == 57
    assert dataset.statistics(["actions"])["actions"].count == 94


def test_statistics_of_nothing() -> None:
    with pytest.raises(EpisodeError, match="no valid rows"):
        statistics_of(np.zeros((0, 3)))


def add_layer(folder: DatasetFolder, name: str, value: float, rows: slice, count: int) -> int:
    mask = np.zeros(count, bool)
    mask[rows] = True
    actions = np.where(mask[:, None], value, np.nan) * np.ones(3)
    with folder.lock():
        return add_label_layer(
            folder, name, actions, mask, author="ana", method="by hand", created_utc="2026-01-01"
        )


def test_the_newest_label_layer_wins(folder: DatasetFolder, dataset: Dataset) -> None:
    name = dataset.episodes[2].name
    before = dataset.episode(name).column("actions")
    digest = dataset.digest
    assert add_layer(folder, name, 5.0, slice(3, 8), 26) == 0
    assert add_layer(folder, name, 7.0, slice(6, 10), 26) == 1
    after = Dataset(folder.path)
    actions = after.episode(name).column("actions")
    np.testing.assert_array_equal(actions[3:6], 5.0)
    np.testing.assert_array_equal(actions[6:10], 7.0)
    policy = after.episode(name).column("control/policy")
    np.testing.assert_array_equal(actions[10:], policy[10:])
    assert not np.array_equal(before, actions)
    assert [layer.number for layer in after.episode(name).labels()] == [0, 1]
    assert after.episode(name).labels()[1].author == "ana"
    assert after.digest != digest
    assert verify_dataset(folder) == []


def test_bad_labels_are_refused_and_change_nothing(folder: DatasetFolder, dataset: Dataset) -> None:
    name = dataset.episodes[0].name
    whole = (folder.episodes_path / name).read_bytes()
    with pytest.raises(EpisodeError, match="expected \\(16, 3\\)"), folder.lock():
        add_label_layer(
            folder, name, np.ones((15, 3)), np.ones(16, bool),
            author="", method="", created_utc="",
        )  # fmt: skip
    with pytest.raises(EpisodeError, match="NaN or infinite"):
        add_layer(folder, name, np.nan, slice(0, 3), 16)
    assert (folder.episodes_path / name).read_bytes() == whole


def test_an_episode_that_is_not_in_the_index_is_found(
    folder: DatasetFolder, dataset: Dataset, caplog
) -> None:
    name = dataset.episodes[-1].name
    copy = folder.episodes_path / "episode_000009.hdf5"
    copy.write_bytes((folder.episodes_path / name).read_bytes())
    (folder.episodes_path / "episode_000010.hdf5").write_bytes(b"damaged")
    assert numbers(Dataset(folder.path)) == [0, 1, 2, 3, 9]
    assert "episode_000009.hdf5 is not in the index; repair it" in caplog.text
    assert "left out" in caplog.text


def test_no_dataset_here(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no dataset here: dataset\.json is missing"):
        Dataset(tmp_path)


def _read_in_child(windows: Windows, queue: multiprocessing.Queue) -> None:
    queue.put(windows.batch([0, 5])["images/front"].sum())


def test_no_open_file_crosses_a_fork_or_a_pickle(dataset: Dataset) -> None:
    windows = Windows(dataset, WindowSpec(("images/front",)))
    expected = windows.batch([0, 5])["images/front"].sum()
    episode = dataset.episode(dataset.episodes[0].name)
    copy = pickle.loads(pickle.dumps(windows))
    assert copy.batch([0, 5])["images/front"].sum() == expected
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_read_in_child, args=(windows, queue))
    child.start()
    assert queue.get(timeout=60) == expected
    child.join()
    assert not episode._file.id.valid
    assert windows.batch([0, 5])["images/front"].sum() == expected


def test_statistics_open_each_file_once(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def counted(path: Path) -> Episode:
        opened.append(path.name)
        return Episode(path)

    monkeypatch.setattr(open_episodes, "Episode", counted)
    fresh = Dataset(dataset.path)
    fresh._open = open_episodes.OpenEpisodes(limit=2)  # fewer than there are episodes
    keys = ["actions", "obs/joint_position", "obs/joint_velocity", "control/human"]
    found = fresh.statistics(keys)
    assert sorted(opened) == [summary.name for summary in fresh.episodes]
    assert fresh.statistics(keys)["actions"].count == found["actions"].count
    np.testing.assert_allclose(
        found["obs/joint_position"].mean,
        fresh.array("obs/joint_position")[fresh.array("invalid") == 0].mean(axis=0, dtype=float),
    )
