"""Writing rows into one HDF5 episode file; the layout is described in `data/README.md`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np

from robot_learning.episodes.format.attributes import set_text
from robot_learning.episodes.format.digests import ColumnDigests, combine
from robot_learning.episodes.format.schema import (
    DEMO_PATH,
    SCHEMA_VERSION,
    Column,
    DatasetInfo,
    Encoding,
    EpisodeMetadata,
    RowFault,
    physical_path,
)

LAYOUT = "robot_learning episode"
ROW_COLUMNS = {"tick_ns": "int64", "invalid": "uint8"}
STREAM_COLUMNS = ("stamp_ns", "receive_ns", "age_ns")
KEPT = "kept_by_hand"
"""The attribute of an episode that is to be a label although its timing was bad."""
_CHUNK_BYTES = 16384
_CHUNK_ROWS = 256
_VLEN_BYTES = h5py.vlen_dtype(np.uint8)


@dataclass(slots=True)
class EncodedRow:
    """A row ready to be stored.

    `streams` holds (stamp, receipt, age) in nanoseconds for each stream. `values` has one
    entry a column: an array, the bytes of a JPEG image (empty: the frame was lost), or
    compressed depth.
    """

    tick_ns: int
    faults: RowFault
    streams: Mapping[str, tuple[int, int, int]]
    values: Mapping[str, Any]


class EpisodeFile:
    """Appends rows to an open HDF5 file. All columns always have the same length."""

    def __init__(self, file: h5py.File, info: DatasetInfo, metadata: EpisodeMetadata) -> None:
        """Lay out a new, empty file."""
        self.rows = 0
        self._file = file
        self._info = info
        self._digests = ColumnDigests()
        self._datasets: dict[str, h5py.Dataset] = {}
        write_metadata(file, info, metadata)
        for path, dtype in ROW_COLUMNS.items():
            self._datasets[path] = _create(file, path, (), dtype)
        for stream in info.streams:
            for name in STREAM_COLUMNS:
                path = f"streams/{stream.name}/{name}"
                self._datasets[path] = _create(file, path, (), "int64")
        for column in info.columns:
            self._datasets[column.path] = _create_column(file, column)

    def append(self, rows: Sequence[EncodedRow]) -> None:
        """Append rows to every column."""
        if not rows:
            return
        self._append_array("tick_ns", np.array([row.tick_ns for row in rows], np.int64))
        self._append_array("invalid", np.array([int(row.faults) for row in rows], np.uint8))
        for stream in self._info.streams:
            times = np.array([row.streams[stream.name] for row in rows], np.int64)
            for index, name in enumerate(STREAM_COLUMNS):
                path = f"streams/{stream.name}/{name}"
                self._append_array(path, np.ascontiguousarray(times[:, index]))
        for column in self._info.columns:
            self._append_column(column, [row.values[column.path] for row in rows])
        self.rows += len(rows)

    def column_digests(self) -> dict[str, str]:
        """The digest of every column so far."""
        return self._digests.hexdigests()

    def _append_column(self, column: Column, values: list[Any]) -> None:
        path, dataset = column.path, self._datasets[column.path]
        if column.encoding is Encoding.JPEG:
            self._digests.update_frames(path, values)
            self._append_frames(dataset, values)
        elif column.is_image:
            dataset.id.set_extent((self.rows + len(values), *column.shape))
            for offset, value in enumerate(values):
                # One row is one chunk, so it can bypass HDF5's chunk cache and filters.
                raw = value if isinstance(value, bytes) else np.ascontiguousarray(value).tobytes()
                dataset.id.write_direct_chunk((self.rows + offset, 0, 0, 0), raw)
                self._digests.update_frames(path, [raw])
        else:
            self._append_array(path, np.array(values, column.dtype))

    def _append_array(self, path: str, rows: np.ndarray[Any, Any]) -> None:
        dataset = self._datasets[path]
        self._digests.update(path, rows)
        dataset.id.set_extent((self.rows + len(rows), *rows.shape[1:]))
        file_space = dataset.id.get_space()
        file_space.select_hyperslab((self.rows,) + (0,) * (rows.ndim - 1), rows.shape)
        dataset.id.write(h5py.h5s.create_simple(rows.shape), file_space, rows)

    def _append_frames(self, dataset: h5py.Dataset, frames: Sequence[bytes]) -> None:
        # The high-level call would stack frames that happen to be equally long.
        arrays = np.empty(len(frames), object)
        for index, frame in enumerate(frames):
            arrays[index] = np.frombuffer(frame, np.uint8)
        dataset.id.set_extent((self.rows + len(frames),))
        file_space = dataset.id.get_space()
        file_space.select_hyperslab((self.rows,), (len(frames),))
        memory_type = h5py.h5t.py_create(_VLEN_BYTES)
        dataset.id.write(h5py.h5s.create_simple((len(frames),)), file_space, arrays, memory_type)


def write_metadata(file: h5py.File, info: DatasetInfo, metadata: EpisodeMetadata) -> None:
    """Write the attributes that are known when an episode starts.

    Args:
        file: the new episode file.
        info: description of the dataset.
        metadata: what is known of the episode.
    """
    attributes = file.attrs
    attributes["schema_version"] = SCHEMA_VERSION
    attributes["complete"] = False
    attributes["rate_hz"] = info.rate_hz
    attributes["round"] = metadata.round
    texts = {
        "layout": LAYOUT,
        "robot": info.robot,
        "task": info.task,
        "dataset_info": info.to_json(),
        "instruction": metadata.instruction,
        "operator": metadata.operator,
        "device": metadata.device,
        "checkpoint_digest": metadata.checkpoint_digest,
        "started_utc": metadata.started_utc,
        "software_version": metadata.software_version,
        "notes": json.dumps(dict(metadata.notes)),
    }
    for name, text in texts.items():
        set_text(file, name, text)
    if metadata.seed is not None:
        attributes["seed"] = metadata.seed
    if metadata.noise_covariance is not None:
        attributes["noise_covariance"] = metadata.noise_covariance
    file.create_group(DEMO_PATH)
    set_text(file["data"], "env_args", json.dumps(info.full_env_args()))


def write_outcome(
    file: h5py.File,
    rows: int,
    outcome: str,
    quality: Mapping[str, Any],
    column_digests: Mapping[str, str],
) -> None:
    """Write what is known when an episode ends; from here on the file is complete.

    Args:
        file: the episode file, whose rows are written.
        rows: number of rows.
        outcome: how the episode ended, one of `OUTCOMES`.
        quality: the quality report, as JSON can hold it.
        column_digests: digest of each column, by its path.
    """
    demo = file[DEMO_PATH]
    dones = np.zeros(rows, np.uint8)
    dones[-1:] = 1
    if "dones" in demo:
        del demo["dones"]
    demo["dones"] = dones
    if "rewards" not in demo:
        demo["rewards"] = np.zeros(rows)
    demo.attrs["num_samples"] = rows
    file["data"].attrs["total"] = rows
    set_text(file, "outcome", outcome)
    set_text(file, "quality", json.dumps(quality))
    write_digests(file, column_digests)
    file.attrs["complete"] = True


def write_digests(file: h5py.File, column_digests: Mapping[str, str]) -> None:
    """Store the digest of each column and, as `digest`, the one of them all."""
    # As a dataset, because an attribute may not exceed 64 KiB.
    text = np.frombuffer(json.dumps(dict(column_digests)).encode(), np.uint8)
    if "column_digests" in file:
        del file["column_digests"]
    file["column_digests"] = text
    set_text(file, "digest", combine(column_digests))


def _create_column(file: h5py.File, column: Column) -> h5py.Dataset:
    path = physical_path(column.path)
    if column.encoding is Encoding.JPEG:
        return file.create_dataset(path, (0,), maxshape=(None,), chunks=(64,), dtype=_VLEN_BYTES)
    if column.is_image:
        filters = (
            {"shuffle": True, "compression": "gzip", "compression_opts": 1}
            if column.encoding is Encoding.DEPTH
            else {}
        )
        return file.create_dataset(
            path,
            (0, *column.shape),
            maxshape=(None, *column.shape),
            chunks=(1, *column.shape),
            dtype=column.dtype,
            **filters,
        )
    dataset = _create(file, path, column.shape, column.dtype)
    if column.unit:
        set_text(dataset, "unit", column.unit)
    return dataset


def _create(file: h5py.File, path: str, shape: tuple[int, ...], dtype: str) -> h5py.Dataset:
    row_bytes = max(1, int(np.prod(shape, dtype=np.int64))) * np.dtype(dtype).itemsize
    chunk_rows = min(max(1, _CHUNK_BYTES // row_bytes), _CHUNK_ROWS)
    return file.create_dataset(
        path, (0, *shape), maxshape=(None, *shape), chunks=(chunk_rows, *shape), dtype=dtype
    )
