"""The columns of an episode's file: their types, and the digests of their rows."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from robot_learning.episodes.format.digests import ColumnDigests
from robot_learning.episodes.format.episode_file import ROW_COLUMNS, STREAM_COLUMNS
from robot_learning.episodes.format.errors import EpisodeError
from robot_learning.episodes.format.frames import FrameReader
from robot_learning.episodes.format.schema import Column, DatasetInfo, Encoding, physical_path

_DIGEST_ROWS = 256


def find_columns(file: h5py.File, info: DatasetInfo, path: Path) -> dict[str, h5py.Dataset]:
    """The arrays of all columns and of the times, each of the type that it should have.

    Args:
        file: the episode file.
        info: description of the dataset.
        path: path of the file, for errors.

    Raises:
        EpisodeError: a column is missing or of another type; the text names file and column.
    """
    columns = {column.path: column for column in info.columns}
    found = {}
    for name in [*columns, *_time_columns(info)]:
        dataset = file.get(physical_path(name))
        if not isinstance(dataset, h5py.Dataset):
            raise EpisodeError(f"{path}: the column '{name}' is missing")
        _check_type(dataset, columns.get(name), f"{path}: '{name}'")
        found[name] = dataset
    return found


def column_digests(
    file: h5py.File, info: DatasetInfo, frames: FrameReader | None = None
) -> dict[str, str]:
    """The digests of the rows that a file holds, as the writer computed them.

    Args:
        file: the episode file.
        info: description of the dataset.
        frames: reads frames past HDF5; None lets HDF5 read them, for files that are not on the disk
            as they are in memory.
    """
    digests = ColumnDigests()
    columns = {column.path: column for column in info.columns}
    for path in [*columns, *_time_columns(info)]:
        dataset, column = file[physical_path(path)], columns.get(path)
        for start in range(0, len(dataset), _DIGEST_ROWS):
            rows = range(start, min(start + _DIGEST_ROWS, len(dataset)))
            if column is None or not column.is_image:
                digests.update(path, dataset[rows.start : rows.stop])
            elif column.encoding is Encoding.JPEG:
                stored = [frames.read(dataset, r) if frames else dataset[r].tobytes() for r in rows]
                digests.update_frames(path, stored)
            else:
                stored = [dataset.id.read_direct_chunk((row, 0, 0, 0))[1] for row in rows]
                digests.update_frames(path, stored)
    return digests.hexdigests()


def _time_columns(info: DatasetInfo) -> list[str]:
    streams = [f"streams/{s.name}/{name}" for s in info.streams for name in STREAM_COLUMNS]
    return [*ROW_COLUMNS, *streams]


def _check_type(dataset: h5py.Dataset, column: Column | None, place: str) -> None:
    is_frames = h5py.check_vlen_dtype(dataset.dtype) is not None
    if column is None:
        if dataset.ndim != 1 or dataset.dtype.kind not in "iu":
            raise EpisodeError(f"{place}: expected a list of whole numbers")
    elif is_frames != (column.encoding is Encoding.JPEG):
        raise EpisodeError(f"{place}: frames and arrays are confused")
    elif is_frames:
        if dataset.ndim != 1:
            raise EpisodeError(f"{place}: has the shape {dataset.shape}")
    elif dataset.shape[1:] != column.shape or dataset.dtype != np.dtype(column.dtype):
        raise EpisodeError(
            f"{place}: has rows of {dataset.dtype} {dataset.shape[1:]}, "
            f"expected {column.dtype} {column.shape}"
        )
