"""LeRobot's dataset format, versions 3.0 and 2.1: Parquet tables, MP4 videos and JSON.

```
meta/info.json                                    features, rate, totals, where files lie
meta/stats.json                                   statistics of each feature
meta/tasks.parquet                                the tasks in words
meta/episodes/chunk-000/file-000.parquet          a line an episode
data/chunk-000/file-000.parquet                   a line a row
videos/<feature>/chunk-000/file-000.mp4           many episodes one after the other
```

Version 2.1 has a table and videos an episode, and lines of JSON for tables; see `lerobot_layouts`.

`observation.state` are the joint positions (or the columns that are asked for), `action` the
labels, `observation.images.<camera>` the cameras; `next.reward`, `next.done`, `next.success`,
`control.source`, `intervention` and `valid` are added. Vectors are float32, as LeRobot has
them. Its rates are whole numbers; see `stated_rate`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from robot_learning.core.errors import unknown_choice
from robot_learning.episodes.exports.exporter import Progress
from robot_learning.episodes.exports.feature_statistics import (
    ImageHistogram,
    Statistics,
    vector_statistics,
)
from robot_learning.episodes.exports.lerobot_files import TableFiles, VideoFiles
from robot_learning.episodes.exports.lerobot_layouts import (
    CHUNKS_SIZE,
    LAYOUTS,
    write_own_tables,
    write_shared_tables,
)
from robot_learning.episodes.exports.source import ExportSource, Section
from robot_learning.episodes.exports.video import CODECS, DEFAULT_CRF
from robot_learning.episodes.format.errors import DatasetError

_NAMED = {
    "obs/joint_position": "observation.state",
    "obs/joint_velocity": "observation.velocity",
    "obs/joint_effort": "observation.effort",
}
_CAMERA = "observation.images."
# Share of a rate by which the nearest whole number may differ to stand for it.
_NEAR = 0.01
_INDICES = ("timestamp", "frame_index", "episode_index", "index", "task_index")


def stated_rate(rate_hz: float) -> tuple[int | float, tuple[str, ...]]:
    """The rate that the export states, in Hz, and what a user should know of it.

    LeRobot's schema asks for a whole number. One within 1 % of the rows' rate stands for it;
    any other rate is stated as it is.
    """
    whole = round(rate_hz)
    if whole == rate_hz:
        return whole, ()
    if whole and abs(whole - rate_hz) <= _NEAR * rate_hz:
        note = f"LeRobot asks for a whole rate: {rate_hz:g} Hz are written, and timed, as {whole}"
        return whole, (note,)
    note = (
        f"LeRobot asks for a whole rate, and the rows' is {rate_hz:g} Hz: readers that insist on "
        "it refuse this export; record or import at a whole rate for them"
    )
    return rate_hz, (note,)


@dataclass(frozen=True)
class LeRobotExporter:
    """Writes LeRobot's layout.

    Attributes:
        codec: codec of the videos, `h264` or `av1`.
        crf: constant rate factor, lower is better; None: the codec's default here.
        state: observations that make up `observation.state`, one after the other, without their
            `obs/`; empty for `joint_position`, or for every one where there is none.
        version: version of the format, `3.0` or `2.1`.
        data_file_mb: size from which a table is followed by another file, in megabytes.
        video_file_mb: size from which a video is followed by another file, in megabytes.
    """

    codec: str = "h264"
    crf: int | None = None
    state: tuple[str, ...] = ()
    version: str = "3.0"
    data_file_mb: int = 100
    video_file_mb: int = 200

    def write(self, source: ExportSource, path: Path, progress: Progress) -> tuple[str, ...]:
        """Write a folder of tables, videos and JSON.

        Args:
            source: rows and columns to export.
            path: folder to make.
            progress: called with the rows that are done and the rows in all.
        """
        if self.codec not in CODECS:
            raise DatasetError(unknown_choice("codec", self.codec, CODECS))
        if self.version not in LAYOUTS:
            raise DatasetError(unknown_choice("version", self.version, LAYOUTS))
        path.mkdir()
        rate_hz, notes = stated_rate(source.info.rate_hz)
        _Export(self, source, path, rate_hz).run(progress)
        return notes

    def columns(self, source: ExportSource) -> dict[str, tuple[str, ...]]:
        """Each vector feature and the columns that it is made of.

        Raises:
            DatasetError: a column of `state` is not there.
        """
        observed = [c.path for c in source.arrays if c.path.startswith("obs/")]
        state = tuple(f"obs/{key}" for key in self.state)
        for column in state:
            if column not in observed:
                names = [name.removeprefix("obs/") for name in observed]
                raise DatasetError(
                    unknown_choice("observation", column.removeprefix("obs/"), names)
                )
        if not state:
            state = ("obs/joint_position",) if "obs/joint_position" in observed else tuple(observed)
        features = {"observation.state": state} if state else {}
        cameras = {_CAMERA + source.camera_name(column) for column in source.images}
        for column in observed:
            if column not in state:
                key = column.removeprefix("obs/")
                name = _NAMED.get(column, f"observation.{key}")
                while name in features or name in cameras:
                    # Never a slash: LeRobot takes what is behind one for a level of its own.
                    name = f"{name}.{key}"
                features[name] = (column,)
        return {**features, "action": ("actions",)}


@dataclass
class _Totals:
    episodes: list[dict[str, Any]] = field(default_factory=list)
    tasks: dict[str, int] = field(default_factory=dict)
    rows: int = 0


class _Export:
    def __init__(
        self, options: LeRobotExporter, source: ExportSource, path: Path, rate_hz: float
    ) -> None:
        self._source, self._path, self._rate_hz = source, path, rate_hz
        self._columns = options.columns(source)
        self._options, self._codec = options, options.codec
        self._layout = LAYOUTS[options.version]
        self._crf = options.crf if options.crf is not None else DEFAULT_CRF[options.codec]
        self._totals = _Totals()
        self._images = {_CAMERA + source.camera_name(c): c for c in source.images}
        self._histograms = {key: ImageHistogram() for key in self._images}
        self._values: dict[str, list[npt.NDArray[Any]]] = {}
        self._features: dict[str, dict[str, Any]] = {}

    def run(self, progress: Progress) -> None:
        layout, options = self._layout, self._options
        # A bound of 0 gives each episode a file of its own.
        data_mb = options.data_file_mb if layout.is_shared else 0
        video_mb = options.video_file_mb if layout.is_shared else 0
        data = TableFiles(self._path, layout.data, CHUNKS_SIZE, data_mb)
        videos = {
            key: VideoFiles(
                self._path,
                layout.video.replace("{video_key}", key),
                CHUNKS_SIZE,
                video_mb,
                (self._rate_hz, column.shape, self._codec, self._crf),
            )
            for key, column in self._images.items()
        }
        try:
            for number, section in enumerate(self._source.sections):
                self._write_episode(number, section, data, videos)
                progress(self._totals.rows, self._source.rows)
        finally:
            data.close()
            for video in videos.values():
                video.close()
        self._write_meta()

    def _write_episode(
        self, number: int, section: Section, data: TableFiles, videos: Mapping[str, VideoFiles]
    ) -> None:
        totals, rows = self._totals, section.rows
        task = self._source.instruction(section)
        task_index = totals.tasks.setdefault(task, len(totals.tasks))
        values = self._vectors(section)
        values |= {
            "timestamp": (np.arange(rows) / self._rate_hz).astype(np.float32),
            "frame_index": np.arange(rows),
            "episode_index": np.full(rows, number),
            "index": np.arange(rows) + totals.rows,
            "task_index": np.full(rows, task_index),
        }
        if not self._features:
            self._features = self._describe(values)
        chunk, file = data.add(values)
        line: dict[str, Any] = {
            "episode_index": number,
            "tasks": [task],
            "length": rows,
            "data/chunk_index": chunk,
            "data/file_index": file,
            "dataset_from_index": totals.rows,
            "dataset_to_index": totals.rows + rows,
        }
        statistics = {key: vector_statistics(rows_of) for key, rows_of in values.items()}
        for key, column in self._images.items():
            place, histogram = videos[key].add(self._source.frames(section, column), rows)
            line |= {f"videos/{key}/{name}": value for name, value in place.items()}
            statistics[key] = histogram.statistics()
            self._histograms[key].merge(histogram)
        line |= {
            f"stats/{key}/{name}": value.tolist()
            for key, described in statistics.items()
            for name, value in described.items()
        }
        totals.episodes.append(line)
        totals.rows += rows
        for key, array in values.items():
            self._values.setdefault(key, []).append(array)

    def _vectors(self, section: Section) -> dict[str, npt.NDArray[Any]]:
        source, rows = self._source, section.rows
        values: dict[str, npt.NDArray[Any]] = {}
        for feature, paths in self._columns.items():
            parts = [source.read(section, path) for path in paths]
            if len(parts) > 1:
                parts = [np.concatenate([part.reshape(rows, -1) for part in parts], axis=1)]
            values[feature] = parts[0].astype(np.float32)
        last = np.zeros(rows, bool)
        last[-1] = True
        values["next.reward"] = source.read(section, "rewards").astype(np.float32)
        values["next.done"] = last
        values["next.success"] = last & source.succeeded(section)
        if source.has("control/source"):
            values["control.source"] = source.read(section, "control/source").astype(np.int64)
        if source.has("intervention"):
            values["intervention"] = source.read(section, "intervention").astype(bool)
        values["valid"] = source.read(section, "invalid") == 0
        return values

    def _describe(self, values: Mapping[str, npt.NDArray[Any]]) -> dict[str, dict[str, Any]]:
        features: dict[str, dict[str, Any]] = {}
        for key, rows in values.items():
            if key not in _INDICES:
                features[key] = _feature(rows, self._names(key))
        for key, column in self._images.items():
            features[key] = {
                "dtype": "video",
                "shape": list(column.shape),
                "names": ["height", "width", "channels"],
                "info": self._video_info(column.shape),
            }
        return features | {key: _feature(values[key], None) for key in _INDICES}

    def _names(self, feature: str) -> list[str] | None:
        columns = [self._source.info.column(path) for path in self._columns.get(feature, ())]
        names = [name for column in columns for name in column.names]
        width = sum(int(np.prod(column.shape)) for column in columns)
        if feature == "action" and not names:
            names = list(self._source.info.joint_names)
        return names if names and len(names) == width else None

    def _video_info(self, shape: tuple[int, ...]) -> dict[str, Any]:
        halved = shape[0] % 2 == 0 and shape[1] % 2 == 0
        return {
            "video.height": shape[0],
            "video.width": shape[1],
            "video.codec": self._codec,
            "video.pix_fmt": "yuv420p" if halved else "yuv444p",
            "video.is_depth_map": False,
            "video.fps": self._rate_hz,
            "video.channels": 3,
            "has_audio": False,
        }

    def _write_meta(self) -> None:
        totals, path = self._totals, self._path
        if self._layout.is_shared:
            write_shared_tables(path, totals.episodes, totals.tasks, self._options.data_file_mb)
            _write_json(path / "meta/stats.json", self._statistics())
        else:
            write_own_tables(path, totals.episodes, totals.tasks)
        _write_json(path / "meta/info.json", self._info())
        _write_json(path / "meta/robot_learning.json", self._provenance())

    def _statistics(self) -> dict[str, dict[str, Any]]:
        """Of the whole dataset; version 2.1 has none, as readers put the episodes' together."""
        statistics: dict[str, Statistics] = {
            key: vector_statistics(np.concatenate(parts)) for key, parts in self._values.items()
        }
        statistics |= {key: found.statistics() for key, found in self._histograms.items()}
        return {
            key: {name: value.tolist() for name, value in described.items()}
            for key, described in statistics.items()
        }

    def _info(self) -> dict[str, Any]:
        totals, layout, episodes = self._totals, self._layout, len(self._totals.episodes)
        own: dict[str, int] = {
            "total_videos": episodes * len(self._images),
            "total_chunks": -(-episodes // CHUNKS_SIZE),
        }
        shared: dict[str, int] = {
            "data_files_size_in_mb": max(self._options.data_file_mb, 1),
            "video_files_size_in_mb": max(self._options.video_file_mb, 1),
        }
        return {
            "codebase_version": layout.version,
            "robot_type": self._source.info.robot,
            "total_episodes": episodes,
            "total_frames": totals.rows,
            "total_tasks": len(totals.tasks),
            "chunks_size": CHUNKS_SIZE,
            **(shared if layout.is_shared else own),
            "fps": self._rate_hz,
            "splits": {"train": f"0:{episodes}"},
            "data_path": layout.stated_data,
            "video_path": layout.stated_video if self._images else None,
            "features": self._features,
        }

    def _provenance(self) -> dict[str, Any]:
        sections = [
            {"episode": s.episode.name, "rows": [s.start, s.stop], "outcome": s.episode.outcome}
            for s in self._source.sections
        ]
        splits = {
            name: [
                number
                for number, section in enumerate(self._source.sections)
                if section.episode.name in episodes
            ]
            for name, episodes in self._source.dataset.stored_splits().items()
        }
        return {
            "source_digest": self._source.dataset.digest,
            "episodes": sections,
            "columns": self._columns,
            "splits": {name: numbers for name, numbers in splits.items() if numbers},
        }


def _feature(rows: npt.NDArray[Any], names: list[str] | None) -> dict[str, Any]:
    return {"dtype": str(rows.dtype), "shape": list(rows.shape[1:]) or [1], "names": names}


def _write_json(path: Path, plain: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(plain, indent=4) + "\n", encoding="utf-8")
