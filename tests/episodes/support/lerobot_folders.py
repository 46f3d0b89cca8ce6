"""Small datasets in LeRobot's layouts, written as its tools write them, and ways to change them."""

import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import av
import numpy as np
import pytest

from robot_learning.episodes.format.schema import EpisodeMetadata
from robot_learning.episodes.imports.importer import ImportReport
from robot_learning.episodes.imports.lerobot.importer import LeRobotImporter
from robot_learning.episodes.recording.recorder import Recorder

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


def png(height: int, width: int, pixels: bytes, bits: int = 8) -> bytes:
    """A grey picture; `pixels` are its rows."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    size = width * bits // 8
    rows = b"".join(b"\0" + pixels[i * size : (i + 1) * size] for i in range(height))
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


def write_v3(root: Path, codecs: tuple[str, str, str] = ("libx264",) * 3) -> None:
    """Two episodes in the first table and one in the second; the wrist's videos are split apart.

    `codecs` are those of the top camera's only video, and of the two of the wrist's.
    """
    place = {"chunk_index": 0}
    write_rows(root / DATA.format(**place, file_index=0), (0, 1))
    write_rows(root / DATA.format(**place, file_index=1), (2,))
    top, wrist = (VIDEO.replace("{video_key}", camera) for camera in (TOP, WRIST))
    write_video(
        root / top.format(**place, file_index=0),
        [level(TOP, row) for row in range(ROWS)],
        codecs[0],
    )
    for file, rows in enumerate((range(4), range(4, ROWS))):
        greys = [level(WRIST, row) for row in rows]
        write_video(root / wrist.format(**place, file_index=file), greys, codecs[1 + file])
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


def write_v2(root: Path) -> None:
    (root / "meta").mkdir(parents=True)
    lines = []
    for number, rows in enumerate(LENGTHS):
        write_rows(root / f"data/chunk-{number // 2:03d}/episode_{number:06d}.parquet", (number,))
        for camera in (TOP, WRIST):
            path = root / f"videos/chunk-{number // 2:03d}/{camera}/episode_{number:06d}.mp4"
            greys = [level(camera, STARTS[number] + row) for row in range(rows)]
            write_video(path, greys)
        lines.append({"episode_index": number, "tasks": [TASKS[number]], "length": rows})
    (root / "meta/episodes.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (root / "meta/info.json").write_text(json.dumps({**info_of("v2.1"), "chunks_size": 2}))


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


class Notebook:
    """Takes what a recorder takes and writes no files, which cost most of an import's time.

    Attributes:
        episodes: rows of each saved episode, as values by column.
        metadata: metadata of each saved episode.
        outcomes: outcome of each saved episode.
        ticks_ns: times of all rows.
        lost: number of frames that were lost.
    """

    def __init__(self, importer: LeRobotImporter, root: Path) -> None:
        self.folder = SimpleNamespace(
            info=importer.describe(root), episode_names=list, partial_paths=list
        )
        self.recording, self.stop_reason = False, ""
        self.episodes: list[list[dict[str, Any]]] = []
        self.metadata: list[EpisodeMetadata] = []
        self.outcomes: list[str] = []
        self.ticks_ns: list[int] = []
        self.lost = 0
        self._metadata = EpisodeMetadata()
        self._rows: list[dict[str, Any]] = []
        self._row: dict[str, Any] = {}

    def push(self, _stream: str, _stamp_ns: int, _receive_ns: int, values: Any) -> bool:
        self._row |= values
        return True

    def push_lost(self, _stream: str, _stamp_ns: int, _receive_ns: int) -> None:
        self.lost += 1

    def start(self, metadata: EpisodeMetadata, _now_ns: int) -> None:
        self.recording, self._rows, self._metadata = True, [], metadata

    def advance(self, now_ns: int) -> None:
        self.ticks_ns.append(now_ns)
        self._rows.append(self._row)
        self._row = {}

    def keep_pace(self) -> None:
        pass

    def discard(self) -> None:
        self.recording, self._row = False, {}

    def stop(self, outcome: str) -> Any:
        self.recording = False
        self.episodes.append(self._rows)
        self.metadata.append(self._metadata)
        self.outcomes.append(outcome)
        name = f"episode_{len(self.episodes):06d}.hdf5"
        summary = SimpleNamespace(name=name, rows=len(self._rows), invalid_rows=0, digest=name)
        return SimpleNamespace(summary=summary, quality={"streams": {}})

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows of all episodes."""
        return [row for rows in self.episodes for row in rows]

    def column(self, path: str) -> np.ndarray:
        """(rows, *shape) of all episodes."""
        return np.stack([row[path] for row in self.rows])


def noted(root: Path, importer: LeRobotImporter | None = None) -> tuple[ImportReport, Notebook]:
    """Import a folder into a notebook."""
    importer = importer or LeRobotImporter("someone")
    report, notebook = ImportReport(root), Notebook(importer, root)
    importer.record(root, cast(Recorder, notebook), report, lambda _done, _total: None)
    return report, notebook


def check_frames(episodes: list[list[dict[str, Any]]], which: tuple[int, ...] = (0, 1, 2)) -> None:
    """Hold each row's frames against those that belong to it: a neighbour's differ by 15."""
    assert [len(rows) for rows in episodes] == [LENGTHS[number] for number in which]
    for number, rows in zip(which, episodes, strict=True):
        for row, values in enumerate(rows):
            for camera in (TOP, WRIST):
                pixels = values.get(f"images/{camera.rpartition('.')[2]}")
                if pixels is not None:
                    assert abs(pixels.mean() - level(camera, STARTS[number] + row)) < 6
