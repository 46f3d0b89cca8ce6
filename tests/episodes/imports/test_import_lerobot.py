"""Datasets of LeRobot: what is in them is taken, what is broken is told in one line."""

import json
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from robot_learning.core.errors import ConfigurationError
from robot_learning.core.profile_loader import load_profile
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.exports.exporter import export_dataset
from robot_learning.episodes.exports.lerobot import LeRobotExporter
from robot_learning.episodes.format.errors import EpisodeError
from robot_learning.episodes.format.schema import RowFault
from robot_learning.episodes.imports.importer import ImportReport, import_dataset
from robot_learning.episodes.imports.lerobot.importer import LeRobotImporter
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.recovery import verify_dataset

arrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

RATE_HZ = 10
LENGTHS = (4, 5, 3)
STARTS = (0, 4, 9)
ROWS = sum(LENGTHS)
TASKS = ("pick", "place", "pick")
NAMES = ["shoulder", "elbow", "gripper"]
SIDE = 64
VECTORS = np.random.default_rng(3).normal(size=(2, ROWS, 3)).astype(np.float32)
TOP, WRIST = "observation.images.top", "observation.images.wrist"
DATA = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
EPISODES = "meta/episodes/chunk-000/file-000.parquet"
Damage = Callable[[Path], None]


def level(camera: str, row: int) -> int:
    """The grey of the frame that belongs to a row of the whole dataset."""
    return 20 + 15 * row if camera == TOP else 220 - 15 * row


def write_video(path: Path, greys: list[int], codec: str = "libx264") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=RATE_HZ)
        stream.width = stream.height = SIDE
        stream.pix_fmt = "yuv420p"
        for grey in greys:
            pixels = np.full((SIDE, SIDE, 3), grey, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())


def png(height: int, width: int, pixels: bytes) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = b"".join(b"\0" + pixels[i * width : (i + 1) * width] for i in range(height))
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def rows_of(episode: int) -> dict[str, Any]:
    begin, rows = STARTS[episode], LENGTHS[episode]
    section = slice(begin, begin + rows)
    last = np.arange(rows) == rows - 1
    return {
        "observation.state": list(VECTORS[0, section]),
        "action": list(VECTORS[1, section]),
        "next.reward": last.astype(np.float32),
        "next.success": last & (episode != 1),
        "complementary_info.is_intervention": np.arange(rows) == 1,
        "language": ["words"] * rows,
        "timestamp": (np.arange(rows) / RATE_HZ).astype(np.float32),
        "frame_index": np.arange(rows),
        "episode_index": np.full(rows, episode),
        "index": np.arange(rows) + begin,
        "task_index": np.full(rows, int(TASKS[episode] == "place")),
    }


def write_rows(path: Path, episodes: tuple[int, ...]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    tables = [arrow.table(rows_of(episode)) for episode in episodes]
    parquet.write_table(arrow.concat_tables(tables), path)


def info_of(version: str) -> dict[str, Any]:
    vector = {"dtype": "float32", "shape": [3], "names": {"motors": [f"{n}.pos" for n in NAMES]}}
    number = {"shape": [1], "names": None}
    video = {"dtype": "video", "shape": [3, SIDE, SIDE], "names": None, "info": {}}
    features = {
        "observation.state": vector,
        "action": vector,
        "next.reward": {"dtype": "float32", **number},
        "next.success": {"dtype": "bool", **number},
        "complementary_info.is_intervention": {"dtype": "bool", **number},
        "language": {"dtype": "string", **number},
        TOP: video,
        WRIST: video,
        "timestamp": {"dtype": "float32", **number},
        **{
            name: {"dtype": "int64", **number}
            for name in ("frame_index", "episode_index", "index", "task_index")
        },
    }
    return {"codebase_version": version, "fps": RATE_HZ, "features": features, "unknown": 1}


def write_v3(root: Path, codec: str = "libx264") -> None:
    """Two episodes in the first table and one in the second; the wrist's videos are split apart."""
    place = {"chunk_index": 0}
    write_rows(root / DATA.format(**place, file_index=0), (0, 1))
    write_rows(root / DATA.format(**place, file_index=1), (2,))
    top, wrist = (VIDEO.replace("{video_key}", camera) for camera in (TOP, WRIST))
    write_video(
        root / top.format(**place, file_index=0), [level(TOP, row) for row in range(ROWS)], codec
    )
    for file, rows in enumerate((range(4), range(4, ROWS))):
        greys = [level(WRIST, row) for row in rows]
        write_video(root / wrist.format(**place, file_index=file), greys, codec)
    lines: dict[str, Any] = {
        "episode_index": [0, 1, 2],
        "tasks": [[task] for task in TASKS],
        "length": list(LENGTHS),
        "data/chunk_index": [0, 0, 0],
        "data/file_index": [0, 0, 1],
        "dataset_from_index": list(STARTS),
        "dataset_to_index": [4, 9, 12],
        "stats/action/mean": [[0.0] * 3] * 3,
    }
    for camera, files, starts in ((TOP, [0, 0, 0], STARTS), (WRIST, [0, 1, 1], (0, 0, 5))):
        lines |= {
            f"videos/{camera}/chunk_index": [0, 0, 0],
            f"videos/{camera}/file_index": files,
            f"videos/{camera}/from_timestamp": [start / RATE_HZ for start in starts],
            f"videos/{camera}/to_timestamp": [
                (start + rows) / RATE_HZ for start, rows in zip(starts, LENGTHS, strict=True)
            ],
        }
    (root / EPISODES).parent.mkdir(parents=True)
    parquet.write_table(arrow.table(lines), root / EPISODES)
    tasks = {"task_index": [0, 1], "__index_level_0__": ["pick", "place"]}
    parquet.write_table(arrow.table(tasks), root / "meta/tasks.parquet")
    info = {**info_of("v3.0"), "data_path": DATA, "video_path": VIDEO}
    (root / "meta/info.json").write_text(json.dumps(info))


def write_v2(root: Path, codec: str = "libx264") -> None:
    (root / "meta").mkdir(parents=True)
    lines = []
    for number, rows in enumerate(LENGTHS):
        write_rows(root / f"data/chunk-{number // 2:03d}/episode_{number:06d}.parquet", (number,))
        for camera in (TOP, WRIST):
            path = root / f"videos/chunk-{number // 2:03d}/{camera}/episode_{number:06d}.mp4"
            greys = [level(camera, STARTS[number] + row) for row in range(rows)]
            write_video(path, greys, codec)
        lines.append({"episode_index": number, "tasks": [TASKS[number]], "length": rows})
    (root / "meta/episodes.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (root / "meta/info.json").write_text(json.dumps({**info_of("v2.1"), "chunks_size": 2}))


@pytest.fixture(scope="module")
def v3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("lerobot") / "v3"
    write_v3(root)
    return root


def imported(
    root: Path, path: Path, importer: LeRobotImporter | None = None
) -> tuple[ImportReport, Dataset]:
    report = import_dataset(root, path, importer or LeRobotImporter("someone"))
    return report, Dataset(path)


def imported_soundly(
    root: Path, path: Path, importer: LeRobotImporter | None = None
) -> tuple[ImportReport, Dataset]:
    report, _ = imported(root, path, importer)
    assert verify_dataset(DatasetFolder(path)) == []
    return report, Dataset(path)


def check_frames(dataset: Dataset, starts: tuple[int, ...] = STARTS) -> None:
    """Every valid row has its own frame: a neighbour's would differ by 15."""
    for summary, start in zip(dataset.episodes, starts, strict=True):
        episode = dataset.episode(summary.name)
        for row in np.flatnonzero(episode.valid):
            for camera in (TOP, WRIST):
                path = f"images/{camera.rpartition('.')[2]}"
                grey = episode.frame(path, int(row)).mean()
                assert abs(grey - level(camera, start + int(row))) < 6


@pytest.mark.parametrize("version", ["v3.0", "v2.1"])
def test_both_layouts_give_the_same_rows(version: str, v3: Path, tmp_path: Path) -> None:
    root = v3
    if version == "v2.1":
        root = tmp_path / "v2"
        write_v2(root)
    report, dataset = imported_soundly(root, tmp_path / "out")
    assert (report.rows, report.invalid_rows) == (ROWS, 0)
    np.testing.assert_array_equal(dataset.array("obs/joint_position"), VECTORS[0])
    np.testing.assert_array_equal(dataset.array("actions"), VECTORS[1])
    assert dataset.info.joint_names == tuple(NAMES) == dataset.info.column("actions").names
    assert dataset.info.rate_hz == RATE_HZ
    assert [episode.instruction for episode in dataset.episodes] == list(TASKS)
    assert [e.outcome for e in dataset.episodes] == ["success", "failure", "success"]
    assert dataset.array("intervention").sum() == dataset.array("rewards").sum() == len(LENGTHS)
    assert np.diff(dataset.array("tick_ns")[:4]).tolist() == [100_000_000] * 3
    assert report.left_out == {"language": "of the type string, not numbers in the tables"}
    check_frames(dataset)
    notes = dataset.episode(dataset.episodes[2].name).metadata.notes
    assert notes["imported_item"] == "episode 2" and notes["source_version"] == version


@pytest.mark.parametrize("codec", ["libx265", "libsvtav1", "libvpx-vp9"])
def test_every_usual_codec_is_read(codec: str, tmp_path: Path) -> None:
    write_v3(tmp_path / "source", codec)
    check_frames(imported(tmp_path / "source", tmp_path / "out")[1])


def test_our_own_export_comes_back_equal(small_dataset: Path, tmp_path: Path) -> None:
    dataset = Dataset(small_dataset)
    export_dataset(dataset, tmp_path / "lerobot", LeRobotExporter())
    report, back = imported(tmp_path / "lerobot", tmp_path / "back", LeRobotImporter("desk_arm"))
    assert (report.rows, report.invalid_rows, report.left_out) == (dataset.rows, 0, {})
    for path in ("actions", "obs/joint_position", "obs/joint_velocity"):
        np.testing.assert_array_equal(back.array(path), dataset.array(path).astype(np.float32))
    for path in ("control/source", "intervention"):
        np.testing.assert_array_equal(back.array(path), dataset.array(path))
        assert back.info.column(path).dtype == dataset.info.column(path).dtype
    for kind in ("outcome", "instruction", "rows"):
        assert [getattr(e, kind) for e in back.episodes] == [
            getattr(e, kind) for e in dataset.episodes
        ]
    assert back.info.joint_names == dataset.info.joint_names
    numbers = {
        name: [int(e[8:14]) for e in split] for name, split in dataset.stored_splits().items()
    }
    assert numbers == {
        name: [int(e[8:14]) for e in split] for name, split in back.stored_splits().items()
    }
    for ours, theirs in zip(dataset.episodes, back.episodes, strict=True):
        left = dataset.episode(ours.name).frame("images/front", 3).astype(float)
        assert np.abs(back.episode(theirs.name).frame("images/front", 3) - left).mean() < 6


def test_pictures_in_the_tables_are_kept_as_they_are(v3: Path, tmp_path: Path) -> None:
    root = tmp_path / "source"
    shutil.copytree(v3, root)
    greys = iter(range(ROWS))
    for path in sorted((root / "data").rglob("*.parquet")):
        table = parquet.read_table(path)
        pictures = [
            {"bytes": png(4, 6, bytes([next(greys)] * 24)), "path": "x.png"}
            for _ in range(len(table))
        ]
        parquet.write_table(table.append_column(TOP, arrow.array(pictures)), path)
    change_info(root, lambda info: info["features"][TOP].update(dtype="image"))
    # An episode that is left out in between does not shift the others' frames.
    change(root / EPISODES, "length", [4, 6, 3])
    report, dataset = imported(root, tmp_path / "out")
    assert (
        len(report.episodes) == 2 and "it has 5 rows there, and 6" in report.left_out["episode 1"]
    )
    for summary, start in zip(dataset.episodes, (0, 9), strict=True):
        frames = [dataset.episode(summary.name).frame("obs/top", row) for row in range(3)]
        assert [frame.shape for frame in frames] == [(4, 6, 3)] * 3
        assert [int(frame.mean()) for frame in frames] == [start, start + 1, start + 2]


def test_degrees_are_converted_only_when_asked(v3: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="'someone' has no profile, which says which"):
        LeRobotImporter("someone", degrees=True)
    profile = load_profile("desk_arm")
    width = len(profile.joint_names)
    root = tmp_path / "source"
    shutil.copytree(v3, root)
    degrees = np.tile(np.linspace(0, 30, width), (ROWS, 1)).astype(np.float32)
    for path, section in zip(
        sorted((root / "data").rglob("*.parquet")), (slice(0, 9), slice(9, ROWS)), strict=True
    ):
        for name in ("action", "observation.state"):
            change(path, name, list(degrees[section]))
    names = [f"{name}.pos" for name in reversed(profile.joint_names)]
    for name in ("action", "observation.state"):
        change_info(
            root, lambda info, n=name: info["features"][n].update(shape=[width], names=names)
        )
    importer = LeRobotImporter("desk_arm", profile=profile)
    report, _ = imported(root, tmp_path / "stored", importer)
    assert any("leaves the limits of 'desk_arm'" in note for note in report.notes)
    assert any("if these are degrees, import with --units degrees" in n for n in report.notes)
    importer = LeRobotImporter("desk_arm", profile=profile, degrees=True)
    report, dataset = imported(root, tmp_path / "radians", importer)
    gripper = profile.arms[0].gripper
    assert gripper is not None
    turned = [name != gripper.joint for name in profile.joint_names]
    # In the robot's order, although the source has the opposite one.
    expected = degrees.astype(float)[:, ::-1]
    expected = np.where(turned, np.deg2rad(expected), expected)
    np.testing.assert_array_equal(dataset.array("actions"), expected.astype(np.float32))
    assert any(f"as stored: {gripper.joint}" in note for note in report.notes)


def test_a_killed_import_goes_on(v3: Path, tmp_path: Path) -> None:
    def kill(done: int, _total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    root, out = tmp_path / "source", tmp_path / "out"
    shutil.copytree(v3, root)
    change_info(root, lambda info: info.update(splits={"train": "0:2", "test": "2:3"}))
    with pytest.raises(KeyboardInterrupt):
        import_dataset(root, out, LeRobotImporter("someone"), progress=kill)
    for new, present in ((1, 2), (0, 3)):
        report, dataset = imported(root, out)
        assert (len(report.episodes), report.present) == (new, present)
        np.testing.assert_array_equal(dataset.array("actions"), VECTORS[1])
        assert {k: len(v) for k, v in dataset.stored_splits().items()} == {"train": 2, "test": 1}


def change(path: Path, name: str, values: Any) -> None:
    table = parquet.read_table(path)
    place = table.schema.get_field_index(name)
    parquet.write_table(table.set_column(place, name, arrow.array(values)), path)


def change_info(root: Path, edit: Callable[[dict[str, Any]], Any]) -> None:
    path = root / "meta/info.json"
    info = json.loads(path.read_text())
    edit(info)
    path.write_text(json.dumps(info))


def changed(name: str, values: Any, path: str = EPISODES) -> Damage:
    return lambda root: change(root / path, name, values)


def stated(**values: Any) -> Damage:
    return lambda root: change_info(root, lambda info: info.update(values))


def feature(name: str, **values: Any) -> Damage:
    return lambda root: change_info(root, lambda info: info["features"][name].update(values))


def data(number: int) -> str:
    return DATA.format(chunk_index=0, file_index=number)


def video(camera: str, number: int) -> str:
    return VIDEO.format(video_key=camera, chunk_index=0, file_index=number)


def cut(path: str) -> Damage:
    def damage(root: Path) -> None:
        whole = (root / path).read_bytes()
        (root / path).write_bytes(whole[: len(whole) // 2])

    return damage


def shorten_video(root: Path) -> None:
    write_video(root / video(WRIST, 0), [level(WRIST, row) for row in range(2)])


def reorder_columns(root: Path) -> None:
    table = parquet.read_table(root / data(1))
    parquet.write_table(table.select(table.column_names[::-1]), root / data(1))


def forget_names(root: Path) -> None:
    for name in ("action", "observation.state"):
        feature(name, names=None)(root)


def pickle_type(root: Path) -> None:
    """A column whose type older versions of pyarrow unpickled."""
    table = parquet.read_table(root / data(0))
    # Executes `1/0` when it is loaded.
    metadata = {
        b"ARROW:extension:name": b"arrow.py_extension_type",
        b"ARROW:extension:metadata": b"cbuiltins\neval\n(V1/0\ntR.",
    }
    place = table.schema.get_field_index("next.reward")
    field = table.schema.field(place).with_metadata(metadata)
    parquet.write_table(table.cast(table.schema.set(place, field)), root / data(0))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (changed("data/file_index", [0, 0, 0]), "1 episode is in another file than the table"),
        (changed("dataset_from_index", [9, 0, 4]), "rows of 3 episodes begin is wrong"),
        (changed(f"videos/{TOP}/from_timestamp", [0.0, 0.43, 0.94]), ""),
        (forget_names, ""),
        (reorder_columns, ""),
        (shorten_video, f"'{WRIST}' has no frame for 2 rows: invalid here"),
        (changed(f"videos/{WRIST}/to_timestamp", [0.2, 0.5, 0.8]), "no frame for 2 rows"),
        (pickle_type, ""),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_can_be_repaired_is_imported_and_told(
    v3: Path, tmp_path: Path, damage: Damage, says: str
) -> None:
    shutil.copytree(v3, tmp_path / "source")
    damage(tmp_path / "source")
    report, dataset = imported(tmp_path / "source", tmp_path / "out")
    assert len(report.episodes) == len(LENGTHS)
    np.testing.assert_array_equal(dataset.array("actions"), VECTORS[1])
    check_frames(dataset)
    assert not says or sum(says in note for note in report.notes) == 1
    assert report.invalid_rows == (2 if "no frame" in says else 0)
    if report.invalid_rows:
        assert set(dataset.array("invalid")) == {0, RowFault.FRAME_LOST}


@pytest.mark.parametrize(
    ("damage", "item", "why", "left"),
    [
        (cut(data(1)), data(1), "no whole Parquet file (was its writer never closed?)", (0, 1)),
        (changed("length", [4.0, np.nan, 3.0]), "episode 1", "'length' is nan", (0, 2)),
        (changed("length", [4, 10**12, 3]), "episode 1", "1000000000000 rows", (0, 2)),
        (
            changed(f"videos/{TOP}/from_timestamp", [0.0, 0.2, 0.9]),
            "episode 0",
            f"other episodes have some of its frames in 'videos/{TOP}' (as in 1 more episode)",
            (2,),
        ),
        (cut(video(WRIST, 0)), "episode 0", "damaged video", (1, 2)),
        (lambda root: (root / video(WRIST, 0)).unlink(), "episode 0", "no such file", (1, 2)),
        (changed("timestamp", [0.0, 0.2, 0.1], data(1)), "episode 2", "does not rise", (0, 1)),
        (changed("action", [[1.0, 2.0]] * 3, data(1)), "episode 2", "2 numbers a row", (0, 1)),
        (changed("action", ["a", "b", "c"], data(1)), "episode 2", "of the type string", (0, 1)),
        (feature(TOP, info={"video.is_depth_map": True}), TOP, "distances in a video", ()),
        (
            lambda root: [
                change(root / data(n), TOP, [{"bytes": png(60000, 60000, b"")}] * (9, 3)[n])
                for n in (0, 1)
            ],
            TOP,
            "60000x60000 is too large",
            (),
        ),
    ],
)
def test_what_is_broken_is_left_out_by_name(
    v3: Path, tmp_path: Path, damage: Damage, item: str, why: str, left: tuple[int, ...]
) -> None:
    root = tmp_path / "source"
    shutil.copytree(v3, root)
    if "60000" in why:
        feature(TOP, dtype="image")(root)
        for number in (0, 1):
            table = parquet.read_table(root / data(number))
            blank = arrow.array([b""] * len(table))
            parquet.write_table(table.append_column(TOP, blank), root / data(number))
    damage(root)
    report, dataset = imported(root, tmp_path / "out")
    assert why in report.left_out[item]
    assert "\n" not in report.left_out[item]
    if left:
        check_frames(dataset, tuple(STARTS[number] for number in left))
        assert [e.rows for e in dataset.episodes] == [LENGTHS[number] for number in left]
    else:
        assert [c.path for c in dataset.info.columns if c.is_image] == ["images/wrist"]


def link_out(root: Path) -> None:
    (root / data(1)).unlink()
    (root / data(1)).symlink_to("/etc/passwd")


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (stated(data_path="../{file_index}"), "leaves the dataset's folder; refused"),
        (stated(video_path="/etc/{video_key}"), "leaves the dataset's folder; refused"),
        (stated(data_path="{file_index:999999999d}"), "the form '999999999d' is none of a number"),
        (stated(data_path="{file_index.__class__}"), "unknown field 'file_index.__class__'"),
        (link_out, "is a link that leaves the dataset's folder; refused"),
        (stated(codebase_version="v1.6"), "v2.0, v2.1 and v3.0 are read"),
        (stated(fps=0), "fps is 0; it must be above 0"),
        (stated(features=[]), "'features' is no object"),
        (feature("action", shape=[0]), "'action': 'shape' is [0]"),
        (lambda root: (root / "meta/info.json").write_text("{"), "not valid JSON"),
        (lambda root: (root / "meta/info.json").unlink(), "so no dataset of LeRobot"),
        (lambda root: shutil.rmtree(root / "meta/episodes"), "no table of episodes"),
        (cut(EPISODES), "no whole Parquet file"),
    ],
)
def test_hostile_and_damaged_datasets_are_refused(
    v3: Path, tmp_path: Path, damage: Damage, says: str
) -> None:
    shutil.copytree(v3, tmp_path / "source")
    damage(tmp_path / "source")
    with pytest.raises(EpisodeError) as refused:
        import_dataset(tmp_path / "source", tmp_path / "out", LeRobotImporter("someone"))
    assert says in str(refused.value) and "\n" not in str(refused.value)
    assert not (tmp_path / "out").exists()
