"""Opening episode files that may be damaged or hostile.

HDF5 can be made to read other files (external links, external storage, virtual datasets), and
a small file can claim enormous arrays. Everything is checked before a value is read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from robot_learning.core.amounts import amount
from robot_learning.episodes.format.attributes import check_attributes, get_integer, get_text
from robot_learning.episodes.format.episode_file import LAYOUT
from robot_learning.episodes.format.errors import EpisodeError
from robot_learning.episodes.format.reading import reading
from robot_learning.episodes.format.schema import MAX_ROW_BYTES, check_schema_version

_MAX_OBJECTS = 10_000
_MAX_FOREIGN_OBJECTS = 1_000_000
_MAX_DEPTH = 8
# The most that gzip can compress, so the largest size of an uncompressed chunk.
_MAX_INFLATION = 1100
_VLEN_ENTRY_BYTES = 16
# What was created and never written has no bytes in a file, and is none the less sound: HDF5
# gives the fill value. All of it in a file together may be as large as this.
_MAX_UNWRITTEN_BYTES = 256 * 2**20


def open_checked(path: Path) -> h5py.File:
    """Open an episode for reading, after checking that it is one and reads nothing else.

    Raises:
        EpisodeError: it is missing, no HDF5, no episode, damaged, or hostile.
        SchemaVersionError: a newer version wrote it.
    """
    with reading(path):
        file = _open(path)
        try:
            _check_tree(file, path.stat().st_size)
            if "layout" not in file.attrs or get_text(file, "layout") != LAYOUT:
                raise EpisodeError(f"{path}: an HDF5 file, but no episode of robot_learning")
            check_schema_version(get_integer(file, "schema_version"), str(path))
        except BaseException:
            file.close()
            raise
    return file


def open_foreign(path: Path) -> h5py.File:
    """Open another tool's HDF5 file for reading, after checking that it reads nothing else.

    Links and sizes are checked. Attributes are not, nor arrays of types that have no fixed
    size: read neither.

    Raises:
        EpisodeError: it is missing, no HDF5, damaged, or hostile.
    """
    with reading(path):
        file = _open(path)
        try:
            _check_tree(file, path.stat().st_size, foreign=True)
        except BaseException:
            file.close()
            raise
    return file


def _open(path: Path) -> h5py.File:
    if path.is_symlink() and path.resolve().parent != path.parent.resolve():
        raise EpisodeError(f"{path}: is a link that leaves its folder; refused")
    if not path.is_file():
        raise EpisodeError(f"{path}: no such file")
    try:
        return h5py.File(path, "r", locking="best-effort")
    except OSError as problem:
        raise EpisodeError(f"{path}: no HDF5 file, or a damaged one: {problem}") from problem


def _check_tree(file: h5py.File, file_bytes: int, *, foreign: bool = False) -> None:
    waiting: list[tuple[h5py.Group, int]] = [(file, 0)]
    unwritten = 0
    seen, most_objects = 0, _MAX_FOREIGN_OBJECTS if foreign else _MAX_OBJECTS
    while waiting:
        group, depth = waiting.pop()
        if not foreign:
            check_attributes(group)
        if depth > _MAX_DEPTH:
            raise EpisodeError("groups are nested too deeply")
        for name in group:
            seen += 1
            if seen > most_objects:
                raise EpisodeError(f"more than {most_objects} objects")
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise EpisodeError(f"'{group.name}/{name}' is a link to elsewhere; refused")
            child = group[name]
            if isinstance(child, h5py.Group):
                waiting.append((child, depth + 1))
            elif isinstance(child, h5py.Dataset):
                if not foreign:
                    _check_layout(child)
                spare = _MAX_UNWRITTEN_BYTES - unwritten if foreign else 0
                unwritten += _check_dataset(child, file_bytes, spare)
            else:
                raise EpisodeError(f"'{child.name}' is neither a group nor an array")


def _check_layout(dataset: h5py.Dataset) -> None:
    check_attributes(dataset)
    if _is_frames(dataset):
        if dataset.ndim != 1 or not dataset.chunks or dataset.compression:
            raise EpisodeError(f"'{dataset.name}' does not store frames as this layout does")
    elif dataset.dtype.kind not in "bifuS" or dataset.dtype.names:
        raise EpisodeError(f"'{dataset.name}' has the type {dataset.dtype}")


def _is_frames(dataset: h5py.Dataset) -> bool:
    return bool(h5py.check_vlen_dtype(dataset.dtype) == np.dtype(np.uint8))


def _check_dataset(dataset: h5py.Dataset, file_bytes: int, spare_bytes: int) -> int:
    """Refuse what claims more than the file holds and `spare_bytes`; how many of those it takes."""
    name = dataset.name
    if dataset.is_virtual or dataset.external:
        raise EpisodeError(f"'{name}' keeps its data in another file; refused")
    if dataset.shape is None:
        if spare_bytes:
            return 0  # another tool's empty array, which nobody reads
        raise EpisodeError(f"'{name}' has no shape")
    elements = _product(dataset.shape)
    entry_bytes = _VLEN_ENTRY_BYTES if _is_frames(dataset) else dataset.dtype.itemsize
    stored = dataset.id.get_storage_size()
    if stored > file_bytes:
        raise EpisodeError(f"'{name}' claims {amount(stored, 'byte')} in a file of {file_bytes}")
    inflation = _MAX_INFLATION if dataset.compression else 1
    # A chunk at the end may be partly used, never the other way round.
    unwritten: int = max(0, elements * entry_bytes - stored * inflation)
    if unwritten > spare_bytes:
        raise EpisodeError(f"'{name}' claims {amount(elements, 'value')}, more than the file holds")
    row_bytes = _product(dataset.shape[1:]) * entry_bytes
    chunk_bytes = _product(dataset.chunks or ()) * entry_bytes
    if max(row_bytes, chunk_bytes) > MAX_ROW_BYTES:
        raise EpisodeError(f"'{name}' has rows or chunks that are too large")
    return unwritten


def _product(sizes: tuple[Any, ...]) -> int:
    product = 1
    for size in sizes:
        product *= int(size)
    return product
