"""What was observed in each row of an episode, as experts and teleoperation devices take it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from robot_learning.core.types import FloatArray, Image, Observation
from robot_learning.episodes.format.errors import EpisodeError
from robot_learning.episodes.store.episode import Episode

_PREFIX = "obs/"
_POSITION, _VELOCITY, _EFFORT = "joint_position", "joint_velocity", "joint_effort"
_POSE = (7,)


class RecordedRows:
    """The observations of an open episode, row by row.

    Attributes:
        episode: the open episode.
        visible: (T,) whether a row is valid and its observation has no NaN; effort may have some.
    """

    def __init__(self, episode: Episode, *, images: bool = False) -> None:
        """Read the low-dimensional columns; with `images` frames are decoded when asked for."""
        self.episode = episode
        columns = episode.info.columns
        self._arrays: dict[str, Any] = {
            column.path.removeprefix(_PREFIX): episode.column(column.path)
            for column in columns
            if column.path.startswith(_PREFIX) and not column.is_image
        }
        self._cameras = {
            column.path.partition("/")[2]: column.path for column in columns if column.is_image
        }
        self._ticks_ns = episode.column("tick_ns")
        self._with_images = images
        self.visible = episode.valid.copy()
        for name, rows in self._arrays.items():
            if name != _EFFORT and rows.dtype.kind == "f":
                self.visible &= np.isfinite(rows).reshape(len(rows), -1).all(axis=1)

    def __len__(self) -> int:
        return self.episode.rows

    @property
    def poses(self) -> Mapping[str, FloatArray]:
        """The recorded poses by name, each (T, 7)."""
        joints = (_POSITION, _VELOCITY, _EFFORT)  # of a robot with as many as a pose has numbers
        return {
            name: rows
            for name, rows in self._arrays.items()
            if rows.shape[1:] == _POSE and name not in joints
        }

    def array(self, name: str) -> FloatArray:
        """(T, …) an observation by its name.

        Raises:
            EpisodeError: it was not recorded; the text lists what was.
        """
        if name not in self._arrays:
            known = ", ".join(self._arrays)
            raise EpisodeError(f"{self.episode.path}: '{name}' was not recorded; there are {known}")
        values: FloatArray = self._arrays[name]
        return values

    def images(self, row: int) -> dict[str, Any]:
        """The frame of each camera, uint8 (height, width, channels)."""
        return {name: self.episode.frame(path, row) for name, path in self._cameras.items()}

    def values(self, row: int) -> dict[str, Any]:
        """The observation as an environment gives it: arrays by name, frames by camera."""
        found = {name: np.array(rows[row]) for name, rows in self._arrays.items()}
        return found | self.images(row) if self._with_images else found

    def observation(self, row: int) -> Observation:
        """The observation as a robot gives it, stamped with the row's time.

        Raises:
            EpisodeError: joint positions were not recorded.
        """
        stamp_ns = int(self._ticks_ns[row])
        position = np.array(self.array(_POSITION)[row])
        unknown = np.full_like(position, np.nan)
        images = self.images(row) if self._with_images else {}
        return Observation(
            stamp_ns=stamp_ns,
            joint_position=position,
            joint_velocity=np.array(self._arrays[_VELOCITY][row])
            if _VELOCITY in self._arrays
            else unknown,
            joint_effort=np.array(self._arrays[_EFFORT][row])
            if _EFFORT in self._arrays
            else unknown,
            poses={name: np.array(rows[row]) for name, rows in self.poses.items()},
            images={name: Image(stamp_ns, pixels) for name, pixels in images.items()},
        )
