"""Reading arrays and text from HDF5 files of other tools."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from robot_learning.core.types import UInt8Array
from robot_learning.episodes.errors import EpisodeError

_TEXT_LIMIT_S = 20.0
_READ_ATTRIBUTE = """
import sys, h5py
with h5py.File(sys.argv[1], "r") as file:
    value = file[sys.argv[2]].attrs[sys.argv[3]]
    sys.stdout.write(value.decode() if isinstance(value, bytes) else str(value))
"""


def is_numeric(item: Any) -> bool:
    """Whether this is an array of numbers or booleans with a row axis."""
    return isinstance(item, h5py.Dataset) and item.dtype.kind in "biuf" and item.ndim >= 1


def is_pixels(array: h5py.Dataset) -> bool:
    """Whether this is (T, height, width, 3) uint8."""
    return bool(array.dtype == np.uint8 and array.ndim == 4 and array.shape[3] == 3)


def read_array(array: h5py.Dataset) -> npt.NDArray[Any]:
    """All rows; floats as float64, booleans and whole numbers as they are."""
    rows: npt.NDArray[Any] = array[:]
    return rows.astype(np.float64) if rows.dtype.kind == "f" else rows


def stored_dtype(array: h5py.Dataset) -> str:
    """The NumPy name of what `read_array` gives."""
    return "float64" if array.dtype.kind == "f" else array.dtype.newbyteorder("=").name


def pixels_of(array: h5py.Dataset) -> Callable[[int], UInt8Array]:
    """A function that reads the frame of a row."""
    return lambda row: np.asarray(array[row])


def read_text_attribute(path: Path, place: str, name: str) -> str | None:
    """The text of an attribute; None where there is none.

    Text of variable length lies in a heap whose parser can loop for ever on a damaged file:
    that is read by another process, which is given some seconds.

    Raises:
        EpisodeError: it cannot be read.
    """
    with h5py.File(path, "r") as file:
        if name not in file[place].attrs:
            return None
        attribute = file[place].attrs.get_id(name)
        if attribute.dtype.kind == "S":
            return bytes(file[place].attrs[name]).decode()
    command = [sys.executable, "-c", _READ_ATTRIBUTE, str(path), place, name]
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=_TEXT_LIMIT_S, check=False, text=True
        )
    except subprocess.TimeoutExpired:
        raise EpisodeError(f"{path}: the attribute '{name}' of '{place}' is damaged") from None
    if done.returncode:
        raise EpisodeError(f"{path}: the attribute '{name}' of '{place}' cannot be read")
    return done.stdout


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
