"""The files of a LeRobot dataset, of which there are as many as their bound on size asks for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from robot_learning.core.types import UInt8Array
from robot_learning.episodes.exports.feature_statistics import ImageHistogram, sampled_rows
from robot_learning.episodes.exports.video import VideoWriter
from robot_learning.episodes.format.optional import require

_PURPOSE = "LeRobot's format"
_LINES_A_GROUP = 100


class _Files:
    """Numbers files: `file_index` below `files_a_chunk`, then the next `chunk_index`.

    A pattern may name both, or `number`, which goes on from chunk to chunk.
    """

    def __init__(self, root: Path, pattern: str, files_a_chunk: int, size_mb: int) -> None:
        self._root, self._pattern = root, pattern
        self._files_a_chunk, self._size_bytes = files_a_chunk, size_mb * 2**20
        self._number = -1

    @property
    def index(self) -> tuple[int, int]:
        """(chunk, file) of the running file."""
        return divmod(self._number, self._files_a_chunk)

    def _next_path(self) -> Path:
        self._number += 1
        chunk, file = self.index
        place = {"chunk_index": chunk, "file_index": file, "number": self._number}
        path = self._root / self._pattern.format(**place)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


class TableFiles(_Files):
    """Parquet files. An episode lies in one file."""

    def __init__(self, root: Path, pattern: str, files_a_chunk: int, size_mb: int) -> None:
        super().__init__(root, pattern, files_a_chunk, size_mb)
        self._arrow = require("pyarrow", _PURPOSE)
        self._parquet = require("pyarrow.parquet", _PURPOSE)
        self._writer: Any = None
        self._path = Path()

    def add(self, values: Mapping[str, npt.NDArray[Any]]) -> tuple[int, int]:
        """Write an episode's rows; returns the (chunk, file) they are in."""
        columns = {name: _column(self._arrow, rows) for name, rows in values.items()}
        self._write(self._arrow.table(columns))
        return self.index

    def add_lines(self, lines: Sequence[Mapping[str, Any]], prefix: str) -> None:
        """Write a line an episode, each with its own place as `<prefix>chunk_index`."""
        for start in range(0, len(lines), _LINES_A_GROUP):
            group = lines[start : start + _LINES_A_GROUP]
            self._open_if_full()
            chunk, file = self.index
            place = {f"{prefix}chunk_index": chunk, f"{prefix}file_index": file}
            rows = [{**line, **place} for line in group]
            self._write(self._arrow.Table.from_pylist(rows))

    def close(self) -> None:
        """End the running file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _write(self, table: Any) -> None:
        self._open_if_full()
        if self._writer is None:
            self._writer = self._parquet.ParquetWriter(
                self._path, table.schema, compression="snappy", use_dictionary=True
            )
        self._writer.write_table(table)

    def _open_if_full(self) -> None:
        if self._number >= 0 and (
            not self._path.exists() or self._path.stat().st_size < self._size_bytes
        ):
            return
        self.close()
        self._path = self._next_path()


class VideoFiles(_Files):
    """MP4 files. An episode lies in one file, behind the episodes before it."""

    def __init__(
        self,
        root: Path,
        pattern: str,
        files_a_chunk: int,
        size_mb: int,
        encoding: tuple[float, tuple[int, ...], str, int],
    ) -> None:
        """`encoding` is (rate_hz, shape, codec, crf); see `VideoWriter`."""
        super().__init__(root, pattern, files_a_chunk, size_mb)
        self._encoding = encoding
        self._video: VideoWriter | None = None

    def add(
        self, frames: Iterable[UInt8Array], rows: int
    ) -> tuple[dict[str, int | float], ImageHistogram]:
        """Write an episode's frames; returns where they are, and their sampled colours."""
        if self._video is None or self._video.bytes >= self._size_bytes:
            self.close()
            self._video = VideoWriter(self._next_path(), *self._encoding)
        video, rate_hz = self._video, self._encoding[0]
        first, sampled, histogram = video.frames, sampled_rows(rows), ImageHistogram()
        for row, pixels in enumerate(frames):
            video.add(pixels, key_frame=row == 0)
            if row in sampled:
                histogram.add(pixels)
        chunk, file = self.index
        place: dict[str, int | float] = {
            "chunk_index": chunk,
            "file_index": file,
            "from_timestamp": first / rate_hz,
            "to_timestamp": video.frames / rate_hz,
        }
        return place, histogram

    def close(self) -> None:
        """End the running file."""
        if self._video is not None:
            self._video.close()
            self._video = None


def write_tasks(path: Path, tasks: Mapping[str, int]) -> None:
    """`meta/tasks.parquet`: a table whose index, as pandas stores it, are the tasks' texts."""
    arrow = require("pyarrow", _PURPOSE)
    parquet = require("pyarrow.parquet", _PURPOSE)
    columns = {"task_index": list(tasks.values()), "task": list(tasks)}
    table = arrow.table(columns, schema=arrow.schema([("task_index", "int64"), ("task", "string")]))
    described = [
        {
            "name": name,
            "field_name": name,
            "pandas_type": pandas_type,
            "numpy_type": numpy_type,
            "metadata": None,
        }
        for name, pandas_type, numpy_type in (
            ("task_index", "int64", "int64"),
            ("task", "unicode", "object"),
        )
    ]
    pandas = {
        "index_columns": ["task"],
        "column_indexes": [
            {
                "name": None,
                "field_name": None,
                "pandas_type": "unicode",
                "numpy_type": "object",
                "metadata": {"encoding": "UTF-8"},
            }
        ],
        "columns": described,
        "pandas_version": "2.2.0",
    }
    table = table.replace_schema_metadata({"pandas": json.dumps(pandas)})
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(table, path)


def _column(arrow: Any, rows: npt.NDArray[Any]) -> Any:
    """A column of numbers, or of fixed-size lists of numbers; of nested lists above that."""
    if rows.ndim == 1:
        return arrow.array(rows)
    if rows.ndim == 2:
        values = arrow.array(np.ascontiguousarray(rows).reshape(-1))
        return arrow.FixedSizeListArray.from_arrays(values, rows.shape[1])
    return arrow.array(rows.tolist())
