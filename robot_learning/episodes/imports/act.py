"""ACT's and ALOHA's HDF5: `episode_<i>.hdf5` with `/observations` and `/action`; see its export."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import simplejpeg

from robot_learning.episodes.format.errors import EpisodeError
from robot_learning.episodes.format.reading import reading
from robot_learning.episodes.format.safe_open import open_foreign
from robot_learning.episodes.format.schema import DatasetInfo
from robot_learning.episodes.imports import foreign, nominal
from robot_learning.episodes.imports.foreign import TextPlace
from robot_learning.episodes.imports.importer import (
    ImportReport,
    Progress,
    finish_episode,
    imported_metadata,
)
from robot_learning.episodes.imports.joint_turns import JointTurns
from robot_learning.episodes.imports.layout import (
    OUR_CONTROL,
    Layout,
    Omissions,
    make_layout,
    read_episode_texts,
    text_places,
)
from robot_learning.episodes.imports.nominal import NominalOptions
from robot_learning.episodes.recording.recorder import Recorder

# The column of each array; `base_action` are the wheels of Mobile ALOHA.
_COLUMNS = {
    "action": ("actions", ""),
    "observations/qpos": ("obs", "joint_position"),
    "observations/qvel": ("obs", "joint_velocity"),
    "observations/effort": ("obs", "joint_effort"),
    "base_action": ("control", "base_action"),
}
_REQUIRED = ("action", "observations/qpos")
_IMAGES = "observations/images"
# The lengths of padded JPEG images, which say it themselves.
_DERIVED = ("compress_len",)


@dataclass(frozen=True)
class ActImporter:
    """Reads ACT's layout, plain or compressed."""

    options: NominalOptions

    def describe(self, source: Path) -> DatasetInfo:
        """From the first episode; see `Importer`."""
        first = _episode_paths(source)[0]
        with open_foreign(first) as file, reading(first):
            return nominal.describe(self.options, self._layout(file).columns)

    def record(
        self, source: Path, recorder: Recorder, report: ImportReport, progress: Progress
    ) -> None:
        """Record every episode.

        Args:
            source: file or folder to read.
            recorder: takes the rows.
            report: notes what was imported and what was left out.
            progress: called with the episodes that are done and the episodes in all.
        """
        paths = _episode_paths(source)
        left_out, places = Omissions(), list[TextPlace]()
        turns, gaps = JointTurns(self.options.profile), nominal.Gaps()
        for path in paths:
            with open_foreign(path) as file, reading(path):
                places += text_places(path, file, "/")
        texts = foreign.read_texts(places)
        layout: Layout | None = None
        for number, path in enumerate(paths):
            with open_foreign(path) as file, reading(path):
                if layout is None:
                    layout = self._layout(file)
                    report.notes += layout.notes()
                    report.notes += _jpeg_note(layout)
                episode = layout.read(file, path.name, left_out)
                told = read_episode_texts(path, file, "/", texts, partial(left_out.add, path.name))
                metadata = imported_metadata(
                    source,
                    path.name,
                    kind="act",
                    stamps=self.options.stamps,
                    instruction=self.options.instruction or told.instruction,
                    notes=told.notes,
                )
                episode = turns.applied(episode, path.name)
                gaps.look(episode)
                nominal.record_episode(recorder, episode, metadata, str(path))
                finish_episode(recorder, report, told.outcome)
            progress(number + 1, len(paths))
        report.notes += turns.notes() + gaps.notes()
        report.left_out.update(left_out.lines())
        if source.is_dir():
            known = {path.name for path in paths}
            others = sorted(path.name for path in source.iterdir() if path.name not in known)
            report.left_out.update(dict.fromkeys(others, "no episode_<number>.hdf5"))

    def _layout(self, file: h5py.File) -> Layout:
        for place in _REQUIRED:
            array = file.get(place)
            if not foreign.is_numeric(array) or array.ndim != 2:
                raise EpisodeError(f"no array '/{place}' of one vector a row, so no file of ACT")
        images = file.get(_IMAGES)
        jpeg = {}
        for name, array in foreign.arrays_of(images) if isinstance(images, h5py.Group) else ():
            if _is_jpeg(array):
                jpeg[f"{_IMAGES}/{name}"] = (_jpeg_shape(array, name), _jpeg_of)
            elif foreign.is_numeric(array) and foreign.frames_in(array) is None:
                raise EpisodeError(
                    f"'{array.name}': neither (T, height, width, 3) uint8 nor padded JPEG"
                )
        return make_layout(
            file,
            _column_place,
            actions="action",
            required=_REQUIRED,
            known=_DERIVED,
            encode_images=self.options.encode_images,
            jpeg=jpeg,
        )


def _column_place(place: str) -> tuple[str, str] | str:
    if place in _COLUMNS:
        return _COLUMNS[place]
    for root in (_IMAGES, "observations"):
        if place.startswith(f"{root}/"):
            return "obs", place.removeprefix(f"{root}/")
    return "control", f"{place}_array" if place in OUR_CONTROL else place


def _jpeg_note(layout: Layout) -> list[str]:
    if not any(taken.jpeg for taken in layout.taken.values()):
        return []
    return [
        "JPEG frames are kept as they are: scripts that hand RGB to OpenCV's "
        "encoder store red and blue exchanged; look at the pictures"
    ]


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


def _is_jpeg(array: h5py.Dataset) -> bool:
    """Whether each row is bytes: padded uint8, or bytes of a fixed length."""
    is_padded = array.ndim == 2 and array.dtype == np.uint8
    return bool(is_padded or (array.ndim == 1 and array.dtype.kind in "SV"))


def _jpeg_of(array: h5py.Dataset) -> Callable[[int], bytes]:
    # A JPEG image never ends with zeros, so that the padding comes off without the lengths.
    return lambda row: bytes(array[row].tobytes().rstrip(b"\0"))


def _jpeg_shape(array: h5py.Dataset, camera: str) -> tuple[int, int, int]:
    try:
        height, width, _, _ = simplejpeg.decode_jpeg_header(_jpeg_of(array)(0))
    except (ValueError, IndexError) as problem:
        raise EpisodeError(f"camera '{camera}', row 0: no JPEG image: {problem}") from problem
    return height, width, 3
