"""ACT's and ALOHA's HDF5: `episode_<i>.hdf5` with `/observations` and `/action`; see its export."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import simplejpeg

from robot_learning.episodes.errors import EpisodeError
from robot_learning.episodes.imports import foreign, nominal
from robot_learning.episodes.imports.importer import (
    ImportReport,
    Progress,
    finish_episode,
    imported_metadata,
)
from robot_learning.episodes.imports.nominal import NominalEpisode, NominalOptions
from robot_learning.episodes.reading import reading
from robot_learning.episodes.recorder import Recorder
from robot_learning.episodes.safe_open import open_foreign
from robot_learning.episodes.schema import Column, DatasetInfo

# The column of each array; `base_action` are the wheels of Mobile ALOHA.
_COLUMNS = {
    "action": "actions",
    "observations/qpos": "obs/joint_position",
    "observations/qvel": "obs/joint_velocity",
    "observations/effort": "obs/joint_effort",
    "base_action": "control/base_action",
}


@dataclass(frozen=True)
class ActImporter:
    """Reads ACT's layout, plain or compressed."""

    options: NominalOptions

    def describe(self, source: Path) -> DatasetInfo:
        """From the first episode; see `Importer`."""
        first = _episode_paths(source)[0]
        with open_foreign(first) as file, reading(first):
            columns = [
                Column(path, array.shape[1:], foreign.stored_dtype(array))
                for path, array in _arrays(file).items()
            ]
            for camera, array in _cameras(file).items():
                is_jpeg = array.ndim == 2
                shape = _jpeg_shape(array, camera) if is_jpeg else array.shape[1:]
                jpeg = is_jpeg or self.options.encode_images
                columns.append(nominal.image_column(camera, shape, jpeg=jpeg))
        return nominal.describe(self.options, columns)

    def record(
        self, source: Path, recorder: Recorder, report: ImportReport, progress: Progress
    ) -> None:
        """Every episode; see `Importer`."""
        paths = _episode_paths(source)
        stamps, words = self.options.stamps, self.options.instruction
        for number, path in enumerate(paths):
            with open_foreign(path) as file, reading(path):
                episode = _read_episode(file, recorder.folder.info)
                metadata = imported_metadata(
                    source, path.name, kind="act", stamps=stamps, instruction=words
                )
                nominal.record_episode(recorder, episode, metadata, str(path))
                finish_episode(recorder, report, "unknown")
                if number == 0 and any(array.ndim == 2 for array in _cameras(file).values()):
                    report.notes.append(
                        "JPEG frames are kept as they are: scripts that hand RGB to OpenCV's "
                        "encoder store red and blue exchanged; look at the pictures"
                    )
            progress(number + 1, len(paths))


def _episode_paths(source: Path) -> list[Path]:
    if source.is_file():
        return [source]
    numbers = {}
    for path in source.iterdir():
        match = re.fullmatch(r"episode_(\d{1,9})\.hdf5", path.name)
        if match:
            numbers[path] = int(match.group(1))
    if not numbers:
        raise EpisodeError(f"{source}: holds no episode_<number>.hdf5")
    return sorted(numbers, key=lambda path: numbers[path])


def _arrays(file: h5py.File) -> dict[str, h5py.Dataset]:
    found = {}
    for place, path in _COLUMNS.items():
        array = file.get(place)
        if foreign.is_numeric(array) and array.ndim == 2:
            found[path] = array
    for path in ("actions", "obs/joint_position"):
        if path not in found:
            place = next(key for key, value in _COLUMNS.items() if value == path)
            raise EpisodeError(f"no array '/{place}' of one vector a row, so no file of ACT")
    return found


def _cameras(file: h5py.File) -> dict[str, h5py.Dataset]:
    images = file.get("observations/images")
    if not isinstance(images, h5py.Group):
        return {}
    found = {}
    for name in images:
        array = images[name]
        is_padded = isinstance(array, h5py.Dataset) and array.ndim == 2 and array.dtype == "uint8"
        if not (is_padded or (isinstance(array, h5py.Dataset) and foreign.is_pixels(array))):
            raise EpisodeError(
                f"'{images.name}/{name}': neither (T, height, width, 3) uint8 nor padded JPEG"
            )
        found[name] = array
    return found


def _jpeg_of(array: h5py.Dataset) -> Callable[[int], bytes]:
    # A JPEG image never ends with zeros, so that the padding comes off without the lengths.
    return lambda row: bytes(array[row].tobytes().rstrip(b"\0"))


def _jpeg_shape(array: h5py.Dataset, camera: str) -> tuple[int, int, int]:
    try:
        height, width, _, _ = simplejpeg.decode_jpeg_header(_jpeg_of(array)(0))
    except (ValueError, IndexError) as problem:
        raise EpisodeError(f"camera '{camera}', row 0: no JPEG image: {problem}") from problem
    return height, width, 3


def _read_episode(file: h5py.File, info: DatasetInfo) -> NominalEpisode:
    arrays, cameras = _arrays(file), _cameras(file)
    taken: dict[str, Any] = {}
    frames: dict[str, Any] = {}
    rows = len(arrays["actions"])
    for column in info.columns:
        camera = column.path.rsplit("/", maxsplit=1)[-1]
        stored = cameras.get(camera) if column.is_image else arrays.get(column.path)
        if stored is None:
            raise EpisodeError(f"has no '{column.path}', which the first episode has")
        if len(stored) != rows:
            raise EpisodeError(f"'{stored.name}' has {len(stored)} rows, '/action' {rows}")
        if column.is_image:
            is_jpeg = stored.ndim == 2
            frames[column.path] = _jpeg_of(stored) if is_jpeg else foreign.pixels_of(stored)
        else:
            taken[column.path] = foreign.read_array(stored)
            if taken[column.path].shape[1:] != column.shape:
                raise EpisodeError(
                    f"'{stored.name}' has rows of {stored.shape[1:]}, the first episode of "
                    f"{column.shape}"
                )
    if not rows:
        raise EpisodeError("has no rows")
    return NominalEpisode(rows, taken, frames)
