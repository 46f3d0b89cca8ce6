"""Reading arrays and text from HDF5 files of other tools."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from robot_learning.episodes.format.errors import EpisodeError

_TEXT_LIMIT_S, _TEXT_LIMIT_EACH_S = 20.0, 0.1
# Reads places (path, object, attribute or null) that it is given, and answers with a line each.
_READ_TEXTS = """
import json, sys, h5py, numpy
def text(value):
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
path, file = None, None
for line in sys.stdin:
    place = json.loads(line)
    try:
        if place[0] != path:
            path, file = place[0], h5py.File(place[0], "r")
        item = file[place[1]]
        value = item[()] if place[2] is None else item.attrs[place[2]]
        found = [text(each) for each in numpy.atleast_1d(numpy.asarray(value, object)).ravel()]
    except Exception:
        found = None
    print(json.dumps(found), flush=True)
"""
_NUMBER_TYPES = {
    **{name: name for name in ("bool", "uint8", "int8", "uint16", "int32", "int64")},
    **{"int16": "int32", "uint32": "int64", "uint64": "int64"},
}


# Bytes in fewer rows or columns are a grid of sensors rather than a picture.
_SMALLEST_PX = 16


@dataclass(frozen=True)
class Frames:
    """How an array holds the frames of a camera.

    Attributes:
        shape: (height, width, channels) of a frame as it is recorded: 3 channels of uint8, or 1
            of uint16, which is depth.
        channels: number of channels that the array has; 1 is grey, the fourth is opacity, which is
            left out.
        channels_first: whether the channels are the axis before height and width; None for arrays
            without an axis of channels.
    """

    shape: tuple[int, int, int]
    channels: int
    channels_first: bool | None

    @property
    def is_depth(self) -> bool:
        """Whether the frames are distances."""
        return self.shape[2] == 1

    @property
    def note(self) -> str:
        """What was changed; empty where nothing was."""
        changes = []
        if self.channels_first:
            changes.append("stored with its channels first, recorded with them last")
        if not self.is_depth and self.channels != 3:
            changes.append("grey, recorded as RGB" if self.channels == 1 else "opacity left out")
        return "; ".join(changes)


def frames_in(array: h5py.Dataset) -> Frames | None:
    """How the array holds frames; None where it holds something else."""
    dtype, shape = array.dtype.newbyteorder("="), array.shape
    if dtype == np.uint16 and array.ndim == 3:
        return Frames((shape[1], shape[2], 1), 1, None)
    if dtype == np.uint8 and array.ndim == 3 and min(shape[1:]) >= _SMALLEST_PX:
        return Frames((shape[1], shape[2], 3), 1, None)
    if dtype not in (np.uint8, np.uint16) or array.ndim != 4 or not all(shape[1:]):
        return None
    most = (1, 3, 4) if dtype == np.uint8 else (1,)
    if shape[3] in most:
        first, (height, width, channels) = False, shape[1:]
    elif shape[1] in most:
        first, (channels, height, width) = True, shape[1:]
    else:
        return None
    return Frames((height, width, 3 if dtype == np.uint8 else 1), channels, first)


def read_frame(array: h5py.Dataset, frames: Frames) -> Callable[[int], npt.NDArray[Any]]:
    """A function that reads the frame of a row, (height, width, channels)."""

    def read(row: int) -> npt.NDArray[Any]:
        stored = np.asarray(array[row])
        stored = stored.astype(stored.dtype.newbyteorder("="), copy=False)
        if frames.channels_first is None:
            stored = stored[:, :, None]
        elif frames.channels_first:
            stored = np.moveaxis(stored, 0, 2)
        if stored.shape[2] == frames.shape[2]:
            return np.ascontiguousarray(stored)
        if stored.shape[2] == 1:
            return np.repeat(stored, 3, axis=2)
        return np.ascontiguousarray(stored[:, :, :3])

    return read


def arrays_of(group: h5py.Group, place: str = "") -> Iterator[tuple[str, h5py.Dataset]]:
    """Every array in a group and in the groups in it, with its path from the group."""
    for name in group:
        item, path = group[name], f"{place}{name}"
        if isinstance(item, h5py.Group):
            yield from arrays_of(item, f"{path}/")
        else:
            yield path, item


def is_unwritten(array: h5py.Dataset) -> bool:
    """Whether the array was created and never written: every value is HDF5's fill value."""
    return bool(array.size) and array.id.get_storage_size() == 0


def is_numeric(item: Any) -> bool:
    """Whether this is an array of numbers or booleans with a row axis."""
    return isinstance(item, h5py.Dataset) and item.dtype.kind in "biuf" and item.ndim >= 1


def read_array(array: h5py.Dataset) -> npt.NDArray[Any]:
    """All rows in the type that `stored_dtype` names.

    Raises:
        EpisodeError: a whole number does not fit it.
    """
    rows: npt.NDArray[Any] = array[:]
    dtype = np.dtype(stored_dtype(array))
    if rows.dtype.kind == "u" and dtype.kind == "i" and (rows > np.iinfo(dtype).max).any():
        raise EpisodeError(f"'{array.name}' holds numbers above {np.iinfo(dtype).max}")
    return rows.astype(dtype, copy=False)


def stored_dtype(array: h5py.Dataset) -> str:
    """The NumPy name of what `read_array` gives: float64, or the smallest that holds it."""
    return column_dtype(array.dtype)


def column_dtype(dtype: np.dtype[Any]) -> str:
    """The NumPy name of the type in which a column keeps numbers of another type."""
    return _NUMBER_TYPES.get(dtype.newbyteorder("=").name, "float64")


def is_text(dtype: np.dtype[Any]) -> bool:
    """Whether this is text, of fixed or variable length."""
    return dtype.kind == "S" or h5py.check_string_dtype(dtype) is not None


def attribute_dtype(item: h5py.Group | h5py.Dataset, name: str) -> np.dtype[Any] | None:
    """The type of an attribute, without reading it; None where NumPy has none for it."""
    try:
        dtype: np.dtype[Any] = item.attrs.get_id(name).dtype
    except (TypeError, OSError, RuntimeError):
        return None
    return dtype


@dataclass(frozen=True)
class TextPlace:
    """Where text lies: an array of it, or an attribute of an object."""

    path: Path
    place: str
    attribute: str | None = None


def read_texts(places: Sequence[TextPlace]) -> Mapping[TextPlace, list[str]]:
    """The texts at each of the places; those that cannot be read are left out.

    Text of variable length lies in a heap whose parser can loop for ever on a damaged file:
    one other process reads all of it, and is given some seconds.
    """
    if not places:
        return {}
    asked = "".join(json.dumps([str(p.path), p.place, p.attribute]) + "\n" for p in places)
    try:
        answered = subprocess.run(
            [sys.executable, "-c", _READ_TEXTS],
            input=asked.encode(),
            capture_output=True,
            timeout=_TEXT_LIMIT_S + _TEXT_LIMIT_EACH_S * len(places),
            check=False,
        ).stdout
    except subprocess.TimeoutExpired as late:
        answered = late.stdout or b""
    found = {}
    for place, line in zip(places, answered.decode().split("\n"), strict=False):
        try:
            texts = json.loads(line)
        except ValueError:
            continue  # the process ended within this line
        if texts is not None:
            found[place] = texts
    return found


def read_text_attribute(path: Path, place: str, name: str) -> str | None:
    """The text of an attribute; None where there is none.

    Args:
        path: path of the HDF5 file.
        place: path of the object in the file.
        name: name of the attribute.

    Raises:
        EpisodeError: it cannot be read.
    """
    with h5py.File(path, "r") as file:
        if name not in file[place].attrs:
            return None
        attribute = file[place].attrs.get_id(name)
        if attribute.dtype.kind == "S":
            return bytes(file[place].attrs[name]).decode()
    asked = TextPlace(path, place, name)
    found = read_texts([asked]).get(asked)
    if not found:
        raise EpisodeError(f"{path}: the attribute '{name}' of '{place}' is damaged")
    return found[0]


def parse_object(text: str, what: str) -> dict[str, Any]:
    """A JSON object.

    Raises:
        EpisodeError: it is something else.
    """
    try:
        plain = json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise EpisodeError(f"{what}: not valid JSON: {problem}") from problem
    if not isinstance(plain, dict):
        raise EpisodeError(f"{what}: no JSON object")
    return plain
