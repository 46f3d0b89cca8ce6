"""Exports, checked by readers that are written from the formats' own loaders, and back again."""

import json
from pathlib import Path
from typing import Any

import av
import h5py
import numpy as np
import pytest
import simplejpeg

from robot_learning.core.errors import DependencyError
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.exports.act import ActExporter
from robot_learning.episodes.exports.exporter import export_dataset
from robot_learning.episodes.exports.formats import EXPORTERS
from robot_learning.episodes.exports.lerobot import LeRobotExporter, stated_rate
from robot_learning.episodes.exports.robomimic import RobomimicExporter
from robot_learning.episodes.exports.source import ExportSource
from robot_learning.episodes.format import optional
from robot_learning.episodes.format.errors import DatasetError
from robot_learning.episodes.format.schema import (
    Column,
    DatasetInfo,
    Encoding,
    EpisodeMetadata,
    Stream,
)
from robot_learning.episodes.imports.act import ActImporter
from robot_learning.episodes.imports.importer import import_dataset
from robot_learning.episodes.imports.nominal import NominalOptions
from robot_learning.episodes.imports.robomimic import RobomimicImporter
from robot_learning.episodes.recording.recorder import Recorder
from robot_learning.episodes.recording.writer import WriterSettings
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.labels import rewrite_episode
from robot_learning.episodes.store.recovery import verify_dataset

parquet = pytest.importorskip("pyarrow.parquet")

OPTIONS = NominalOptions("desk_arm", 50.0)


def frames_of(dataset: Dataset, path: str) -> np.ndarray:
    found = []
    for summary in dataset.episodes:
        episode = dataset.episode(summary.name)
        found += [episode.frame(path, row) for row in range(episode.rows)]
    return np.stack(found)


def load_act(path: Path, camera: str) -> dict[str, Any]:
    """As ALOHA's and ACT's loaders read an episode."""
    with h5py.File(path, "r") as root:
        images = root[f"/observations/images/{camera}"][()]
        if root.attrs.get("compress", False):
            lengths = root["/compress_len"][()]
            number = list(root["/observations/images"].keys()).index(camera)
            jpegs = [row[: int(lengths[number, t])].tobytes() for t, row in enumerate(images)]
            images = np.stack([simplejpeg.decode_jpeg(jpeg) for jpeg in jpegs])
        return {
            "sim": bool(root.attrs["sim"]),
            "qpos": root["/observations/qpos"][()],
            "qvel": root["/observations/qvel"][()],
            "action": root["/action"][()],
            "images": images,
        }


@pytest.mark.parametrize("compress", [True, False])
def test_act_files_are_read_as_its_loaders_do(
    small_dataset: Path, tmp_path: Path, compress: bool
) -> None:
    dataset = Dataset(small_dataset)
    report = export_dataset(dataset, tmp_path / "act", ActExporter(compress=compress))
    files = [load_act(tmp_path / "act" / f"episode_{i}.hdf5", "front") for i in range(3)]
    assert len(list((tmp_path / "act").iterdir())) == report.episodes == 3
    assert all(file["sim"] for file in files)
    for name, path in (("action", "actions"), ("qpos", "obs/joint_position")):
        rows = np.concatenate([file[name] for file in files])
        assert rows.dtype == np.float32
        np.testing.assert_array_equal(rows, dataset.array(path))
    images = np.concatenate([file["images"] for file in files])
    np.testing.assert_array_equal(images, frames_of(dataset, "images/front"))
    assert "obs/depth" in report.left_out
    assert any("differ in length" in note for note in report.notes)


def test_act_comes_back_equal(small_dataset: Path, tmp_path: Path) -> None:
    dataset = Dataset(small_dataset)
    export_dataset(dataset, tmp_path / "act", ActExporter())
    report = import_dataset(tmp_path / "act", tmp_path / "back", ActImporter(OPTIONS))
    back = Dataset(tmp_path / "back")
    assert verify_dataset(DatasetFolder(tmp_path / "back")) == []
    assert (report.rows, report.invalid_rows) == (dataset.rows, 0)
    for path in ("actions", "obs/joint_position", "obs/joint_velocity"):
        np.testing.assert_array_equal(back.array(path), dataset.array(path))
    # JPEG bytes are passed through, both ways.
    for theirs, ours in zip(back.episodes, dataset.episodes, strict=True):
        left, right = back.episode(theirs.name), dataset.episode(ours.name)
        for row in range(left.rows):
            path = "images/front"
            assert left.frame_bytes(path, row) == right.frame_bytes(path, row)
    notes = back.episode(back.episodes[0].name).metadata.notes
    assert notes["stamps"].startswith("nominal") and notes["imported_item"] == "episode_0.hdf5"


def test_robomimic_has_no_links_and_comes_back_equal(small_dataset: Path, tmp_path: Path) -> None:
    dataset = Dataset(small_dataset)
    path = tmp_path / "all.hdf5"
    export_dataset(dataset, path, RobomimicExporter())
    with h5py.File(path, "r") as file:
        linked: list[str] = []
        file.visititems_links(
            lambda name, link: linked.append(name) if not isinstance(link, h5py.HardLink) else None
        )
        assert linked == []
        assert sorted(file["data"]) == ["demo_0", "demo_1", "demo_2"]
        assert file["data"].attrs["total"] == dataset.rows
        assert json.loads(file["data"].attrs["env_args"])["env_name"] == "lift"
        demo = file["data/demo_1"]
        assert demo.attrs["num_samples"] == dataset.episodes[1].rows == len(demo["actions"])
        assert demo["obs/front"].dtype == np.uint8 and demo["obs/front"].ndim == 4
        assert demo["dones"][:].sum() == 1 and demo["dones"][-1] == 1
        masks = {name: [d.decode() for d in file[f"mask/{name}"]] for name in file["mask"]}
    assert masks["success"] == ["demo_0", "demo_2"] and masks["failure"] == ["demo_1"]
    assert sorted(masks["train"] + masks["valid"]) == ["demo_0", "demo_1", "demo_2"]
    import_dataset(path, tmp_path / "back", RobomimicImporter(OPTIONS))
    back = Dataset(tmp_path / "back")
    for column in back.info.columns:
        if not column.is_image:
            np.testing.assert_array_equal(
                back.array(column.path), dataset.array(column.path), err_msg=column.path
            ) if column.path in {c.path for c in dataset.info.columns} else None
    assert {c.path for c in back.info.columns} >= {
        *("actions", "obs/joint_position", "obs/joint_velocity", "obs/front", "obs/wrist"),
        *("control/source", "control/human", "intervention"),
    }
    np.testing.assert_array_equal(frames_of(back, "obs/front"), frames_of(dataset, "images/front"))
    np.testing.assert_array_equal(frames_of(back, "obs/wrist"), frames_of(dataset, "obs/wrist"))
    assert [s.outcome for s in back.episodes] == ["success", "failure", "success"]
    assert [s.instruction for s in back.episodes] == ["pick", "place", "pick"]
    assert len(back.stored_split("train")) == len(dataset.stored_split("train"))


def decode_video(path: Path) -> tuple[np.ndarray, list[float]]:
    with av.open(str(path)) as container:
        decoded = [(f.to_ndarray(format="rgb24"), f.time) for f in container.decode(video=0)]
    return np.stack([pixels for pixels, _ in decoded]), [time for _, time in decoded]


@pytest.mark.parametrize("codec", ["h264", "av1"])
def test_lerobot_tables_videos_and_metadata_agree(
    small_dataset: Path, tmp_path: Path, codec: str
) -> None:
    dataset = Dataset(small_dataset)
    root = tmp_path / "lerobot"
    export_dataset(dataset, root, LeRobotExporter(codec=codec))
    info = json.loads((root / "meta/info.json").read_text())
    assert (info["codebase_version"], info["fps"]) == ("v3.0", 50)
    assert (info["total_episodes"], info["total_frames"], info["total_tasks"]) == (
        3,
        dataset.rows,
        2,
    )
    assert info["splits"] == {"train": "0:3"}
    table = parquet.read_table(root / info["data_path"].format(chunk_index=0, file_index=0))
    assert set(table.column_names) == {
        key for key, feature in info["features"].items() if feature["dtype"] != "video"
    }
    for key, path in (("action", "actions"), ("observation.state", "obs/joint_position")):
        rows = np.stack(table[key].to_numpy())
        np.testing.assert_array_equal(rows, dataset.array(path))
        assert info["features"][key]["shape"] == [3]
    assert info["features"]["action"]["names"] == ["a", "b", "c"]
    lengths = [summary.rows for summary in dataset.episodes]
    assert table["index"].to_pylist() == list(range(dataset.rows))
    assert table["episode_index"].to_pylist() == np.repeat([0, 1, 2], lengths).tolist()
    stamps = np.concatenate([np.arange(n) / 50 for n in lengths]).astype(np.float32)
    np.testing.assert_array_equal(table["timestamp"].to_numpy(), stamps)
    assert table["next.success"].to_numpy().sum() == 2
    episodes = parquet.read_table(root / "meta/episodes/chunk-000/file-000.parquet").to_pylist()
    assert [e["tasks"] for e in episodes] == [["pick"], ["place"], ["pick"]]
    assert [e["dataset_to_index"] for e in episodes] == np.cumsum(lengths).tolist()
    tasks = parquet.read_table(root / "meta/tasks.parquet")
    assert tasks.schema.pandas_metadata["index_columns"] == ["task"]
    assert tasks.to_pydict() == {"task_index": [0, 1], "task": ["pick", "place"]}
    for camera, path in (("front", "images/front"), ("wrist", "obs/wrist")):
        key = f"observation.images.{camera}"
        video = root / info["video_path"].format(video_key=key, chunk_index=0, file_index=0)
        pixels, times = decode_video(video)
        expected = frames_of(dataset, path)
        # Every frame is at its place: a neighbour would differ by ten times the tolerance.
        errors = np.abs(pixels.astype(float) - expected).mean(axis=(1, 2, 3))
        assert errors.max() < 5.0
        np.testing.assert_allclose(times, np.arange(dataset.rows) / 50, atol=1e-6)
        starts = np.concatenate([[0], np.cumsum(lengths)])
        found = [
            (e[f"videos/{key}/from_timestamp"], e[f"videos/{key}/to_timestamp"]) for e in episodes
        ]
        np.testing.assert_allclose(found, np.stack([starts[:-1], starts[1:]], 1) / 50)


@pytest.mark.parametrize(
    ("recorded_hz", "rate_hz", "shape", "lengths"),
    [
        (30.0, 30.0, (33, 47), (20, 17)),  # odd sizes, which video codecs do not take as they are
        (7.0, 7.0, (32, 32), (21,) * 4),  # times that no decimal fraction states
        (12.5, 12.5, (32, 32), (10, 11)),  # rates that are no whole number
        (29.97, 30.0, (32, 32), (90,)),
        (30.0, 30.0, (9, 8), (10, 10)),
        (30.0, 30.0, (32, 32), (1, 1, 1)),
        (30.0, 30.0, (32, 32), (40, 37, 41) * 6),
    ],
)
def test_lerobot_finds_every_frame_by_its_time(
    tmp_path: Path,
    recorded_hz: float,
    rate_hz: float,
    shape: tuple[int, int],
    lengths: tuple[int, ...],
) -> None:
    """As its loader asks: the frame nearest to the row's time in the episode's stretch of video."""
    (tmp_path / "act").mkdir()
    begin = 0
    for number, rows in enumerate(lengths):
        with h5py.File(tmp_path / f"act/episode_{number}.hdf5", "w") as file:
            count = np.arange(begin, begin + rows, dtype=np.float32)
            file["action"] = file["observations/qpos"] = np.stack([count, count], 1)
            pixels = (37 * count.astype(int) % 256).astype(np.uint8)[:, None, None, None]
            file["observations/images/top"] = np.broadcast_to(pixels, (rows, *shape, 3))
        begin += rows
    options = NominalOptions("someone", recorded_hz)
    import_dataset(tmp_path / "act", tmp_path / "dataset", ActImporter(options))
    report = export_dataset(Dataset(tmp_path / "dataset"), tmp_path / "out", LeRobotExporter())
    assert len(report.notes) == (not recorded_hz.is_integer())
    info = json.loads((tmp_path / "out/meta/info.json").read_text())
    assert info["fps"] == rate_hz and isinstance(info["fps"], int) == rate_hz.is_integer()
    key = "observation.images.top"
    table = parquet.read_table(tmp_path / "out/data/chunk-000/file-000.parquet").to_pylist()
    stretches = parquet.read_table(tmp_path / "out/meta/episodes/chunk-000/file-000.parquet")
    starts = stretches[f"videos/{key}/from_timestamp"].to_pylist()
    pixels, times = decode_video(tmp_path / f"out/videos/{key}/chunk-000/file-000.mp4")
    assert len(pixels) == len(table) == begin
    for row in table:
        assert row["timestamp"] == np.float32(row["frame_index"] / rate_hz)
        asked = starts[row["episode_index"]] + np.float32(row["timestamp"])
        nearest = int(np.abs(np.array(times) - asked).argmin())
        assert nearest == row["index"]
        assert abs(times[nearest] - asked) < 1e-4
        assert pixels[nearest].mean() == pytest.approx(37 * nearest % 256, abs=4)


@pytest.mark.parametrize(
    ("rate_hz", "stated", "note"),
    [
        (50.0, 50, ""),
        (29.97, 30, "29.97 Hz are written, and timed, as 30"),
        (59.5, 60, "as 60"),
        (12.5, 12.5, "the rows' is 12.5 Hz: readers that insist on it refuse this export"),
        (0.4, 0.4, "the rows' is 0.4 Hz"),
    ],
)
def test_lerobot_states_a_whole_rate_where_one_is_near(
    rate_hz: float, stated: float, note: str
) -> None:
    found, notes = stated_rate(rate_hz)
    assert (found, type(found)) == (stated, type(stated))
    assert len(notes) == bool(note) and note in "".join(notes)


def test_lerobot_statistics_are_those_of_the_rows(small_dataset: Path, tmp_path: Path) -> None:
    dataset = Dataset(small_dataset)
    export_dataset(dataset, tmp_path / "lerobot", LeRobotExporter())
    stats = json.loads((tmp_path / "lerobot/meta/stats.json").read_text())
    actions = dataset.array("actions").astype(np.float32).astype(float)
    expected = {
        **{"mean": actions.mean(0), "std": actions.std(0), "min": actions.min(0)},
        **{"max": actions.max(0), "q50": np.median(actions, 0), "count": [dataset.rows]},
    }
    for name, value in expected.items():
        np.testing.assert_allclose(stats["action"][name], value, err_msg=name)
    image = stats["observation.images.wrist"]
    pixels = frames_of(dataset, "obs/wrist")
    assert np.shape(image["mean"]) == np.shape(image["q99"]) == (3, 1, 1)
    # From sampled pixels, so near but not equal.
    np.testing.assert_allclose(np.ravel(image["mean"]), pixels.mean((0, 1, 2)) / 255, atol=0.03)
    assert np.ravel(image["min"])[0] == pixels[..., 0].min() / 255
    episodes = parquet.read_table(tmp_path / "lerobot/meta/episodes/chunk-000/file-000.parquet")
    first = actions[: dataset.episodes[0].rows]
    np.testing.assert_allclose(episodes["stats/action/mean"].to_pylist()[0], first.mean(0))


def test_lerobot_files_are_followed_by_others_when_full(
    small_dataset: Path, tmp_path: Path
) -> None:
    dataset = Dataset(small_dataset)
    root = tmp_path / "lerobot"
    export_dataset(dataset, root, LeRobotExporter(data_file_mb=0, video_file_mb=0))
    episodes = parquet.read_table(root / "meta/episodes/chunk-000/file-000.parquet").to_pylist()
    key = "observation.images.front"
    for number, (line, summary) in enumerate(zip(episodes, dataset.episodes, strict=True)):
        assert (line["data/chunk_index"], line["data/file_index"]) == (0, number)
        table = parquet.read_table(root / f"data/chunk-000/file-{number:03d}.parquet")
        assert set(table["episode_index"].to_pylist()) == {number}
        assert line[f"videos/{key}/file_index"] == number
        assert line[f"videos/{key}/from_timestamp"] == 0.0
        pixels, _ = decode_video(root / f"videos/{key}/chunk-000/file-{number:03d}.mp4")
        assert len(pixels) == summary.rows


def test_lerobot_2_1_has_files_an_episode(small_dataset: Path, tmp_path: Path) -> None:
    dataset, root = Dataset(small_dataset), tmp_path / "lerobot"
    export_dataset(dataset, root, LeRobotExporter(version="2.1"))
    info = json.loads((root / "meta/info.json").read_text())
    assert (info["codebase_version"], info["total_videos"], info["total_chunks"]) == ("v2.1", 6, 1)
    tables = {
        name: [json.loads(line) for line in (root / f"meta/{name}.jsonl").read_text().splitlines()]
        for name in ("episodes", "tasks", "episodes_stats")
    }
    assert [line["tasks"] for line in tables["episodes"]] == [["pick"], ["place"], ["pick"]]
    assert [line["task"] for line in tables["tasks"]] == ["pick", "place"]
    for number, summary in enumerate(dataset.episodes):
        place = {"episode_chunk": 0, "episode_index": number}
        table = parquet.read_table(root / info["data_path"].format(**place))
        actions = np.stack(table["action"].to_numpy())
        assert len(table) == tables["episodes"][number]["length"] == summary.rows
        assert set(table["episode_index"].to_pylist()) == {number}
        described = tables["episodes_stats"][number]["stats"]
        np.testing.assert_allclose(described["action"]["mean"], actions.mean(0), rtol=1e-5)
        assert set(described["action"]) == {"min", "max", "mean", "std", "count"}
        for camera in ("front", "wrist"):
            key = f"observation.images.{camera}"
            pixels, _ = decode_video(root / info["video_path"].format(**place, video_key=key))
            assert len(pixels) == summary.rows and np.shape(described[key]["mean"]) == (3, 1, 1)
    with pytest.raises(DatasetError, match=r"unknown version '2'; valid: 2.1, 3.0"):
        export_dataset(dataset, tmp_path / "no", LeRobotExporter(version="2"))


def test_lerobot_state_can_be_several_observations(small_dataset: Path, tmp_path: Path) -> None:
    dataset = Dataset(small_dataset)
    state = ("joint_velocity", "joint_position")
    export_dataset(dataset, tmp_path / "out", LeRobotExporter(state=state))
    table = parquet.read_table(tmp_path / "out/data/chunk-000/file-000.parquet")
    expected = np.concatenate([dataset.array(f"obs/{key}") for key in state], axis=1)
    np.testing.assert_array_equal(np.stack(table["observation.state"].to_numpy()), expected)
    with pytest.raises(DatasetError, match="unknown observation 'joint_positions'; did you mean"):
        export_dataset(dataset, tmp_path / "no", LeRobotExporter(state=("joint_positions",)))
    assert not (tmp_path / "no").exists()


@pytest.fixture
def flawed_dataset(folder: DatasetFolder, record_episode: Any) -> Dataset:
    """One episode of 21 rows: two invalid, one without a label, and a velocity that is NaN."""
    with folder.lock():
        name = record_episode(folder, 0.4).summary.name

        def spoil(file: h5py.File) -> None:
            file["invalid"][5:7] = 1
            file["data/demo_0/actions"][12] = np.nan
            file["data/demo_0/obs/joint_velocity"][3, 1] = np.nan

        rewrite_episode(folder, name, spoil)
    return Dataset(folder.path)


def test_valid_rows_only_gives_runs_and_never_joins_over_a_gap(flawed_dataset: Dataset) -> None:
    source = ExportSource(flawed_dataset, valid_only=True)
    assert [(s.start, s.stop) for s in source.sections] == [(0, 5), (7, 12), (13, 21)]
    longer = ExportSource(flawed_dataset, valid_only=True, min_rows=6)
    assert [(s.start, s.stop) for s in longer.sections] == [(13, 21)]
    assert [section.is_end for section in longer.sections] == [True]


def test_rows_without_a_label_and_columns_with_nan_are_not_exported(
    flawed_dataset: Dataset, tmp_path: Path
) -> None:
    with pytest.raises(DatasetError, match="1 row has no label"):
        export_dataset(flawed_dataset, tmp_path / "a.hdf5", RobomimicExporter())
    report = export_dataset(
        flawed_dataset, tmp_path / "a.hdf5", RobomimicExporter(), valid_only=True
    )
    assert report.left_out["obs/joint_velocity"] == "it is NaN in 1 of 18 rows"
    with h5py.File(tmp_path / "a.hdf5", "r") as file:
        assert sorted(file["data/demo_0/obs"]) == ["front", "joint_position", "wrist"]
        actions = np.concatenate([file[f"data/demo_{i}/actions"][:] for i in range(3)])
    assert np.isfinite(actions).all()


@pytest.mark.parametrize("name", EXPORTERS)
def test_an_export_is_whole_or_not_there(small_dataset: Path, tmp_path: Path, name: str) -> None:
    dataset = Dataset(small_dataset)
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(DatasetError, match="exists already"):
        export_dataset(dataset, tmp_path / "taken", EXPORTERS[name]())

    def interrupt(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_dataset(dataset, tmp_path / "out", EXPORTERS[name](), progress=interrupt)
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


@pytest.fixture
def odd_names(tmp_path: Path) -> Dataset:
    """An observation has the name of the camera, another one that of LeRobot's joint positions."""
    columns = (
        Column("actions", (2,)),
        *(Column(f"obs/{name}", (2,)) for name in ("joint_position", "state", "front")),
        Column("images/front", (32, 32, 3), "uint8", Encoding.JPEG),
    )
    info = DatasetInfo("desk_arm", "lift", 20.0, (Stream("all", 20.0, 0.2, columns),))
    folder = DatasetFolder.create_or_open(tmp_path / "odd", info)
    values = {column.path: np.ones(2) for column in columns[:-1]}
    values["images/front"] = simplejpeg.encode_jpeg(np.zeros((32, 32, 3), np.uint8))
    with folder.lock():
        recorder = Recorder(folder, settings=WriterSettings(min_free_bytes=0, sync=False))
        for now_ns in range(50_000_000, 250_000_001, 50_000_000):
            recorder.push("all", now_ns, now_ns, values)
            if now_ns == 50_000_000:
                recorder.start(EpisodeMetadata(), now_ns)
            recorder.advance(now_ns)
        recorder.stop("success")
    return Dataset(folder.path)


def test_names_that_meet_in_an_export_are_kept_apart(odd_names: Dataset, tmp_path: Path) -> None:
    export_dataset(odd_names, tmp_path / "a.hdf5", RobomimicExporter())
    with h5py.File(tmp_path / "a.hdf5", "r") as file:
        observed = file["data/demo_0/obs"]
        assert sorted(observed) == ["front", "front_image", "joint_position", "state"]
        assert (observed["front"].shape[1:], observed["front_image"].shape[1:]) == (
            (2,),
            (32, 32, 3),
        )
    export_dataset(odd_names, tmp_path / "lerobot", LeRobotExporter())
    features = json.loads((tmp_path / "lerobot/meta/info.json").read_text())["features"]
    named = {name for name in features if name.startswith("observation.")}
    assert named == {
        "observation.state",
        "observation.state.state",
        "observation.front",
        "observation.images.front_image",
    }


def test_a_missing_library_is_one_clear_line() -> None:
    with pytest.raises(
        DependencyError, match=r"LeRobot's format needs the package 'no_such_package'"
    ):
        optional.require("no_such_package.parquet", "LeRobot's format")
    try:
        optional.require("no_such_package", "x")
    except DependencyError as error:
        assert "pip install 'robot_learning[datasets]'" in str(error)
