"""The units of joints, which the format does not state: LeRobot's arms report degrees or percent.

They are never guessed. The user may say that they are degrees or radians; otherwise values stay as
they are stored, and what leaves the robot's limits is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from robot_learning.core.profile import JointKind, RobotProfile
from robot_learning.core.types import FloatArray
from robot_learning.episodes.imports.nominal import NominalEpisode

Units = Literal["stored", "radians", "degrees"]
"""What the joints of a dataset are in; stored: nobody says it, and values stay as they are."""
_POSITIONS = ("actions", "obs/joint_position")
_TURNED = (*_POSITIONS, "obs/joint_velocity")
# Share of a joint's range by which values may leave it before anybody is told.
_BEYOND_SHARE = 0.1


class JointUnits:
    """Converts the joints of one robot's episodes, and looks whether they fit its limits."""

    def __init__(self, profile: RobotProfile | None, units: Units) -> None:
        """Degrees of the joints that turn become radians; grippers stay as they are."""
        self._profile, self._units = profile, units
        self._low: dict[str, FloatArray] = {}
        self._high: dict[str, FloatArray] = {}
        self._turning = _turning(profile) if profile else np.zeros(0, bool)

    def applied(self, episode: NominalEpisode) -> NominalEpisode:
        """The episode with its joints in radians where they were degrees."""
        if self._units != "degrees":
            return episode
        found = {
            path: np.where(self._turning, np.deg2rad(rows), rows)
            for path, rows in self._joints(episode.arrays, _TURNED).items()
        }
        return replace(episode, arrays={**episode.arrays, **found})

    def look(self, episode: NominalEpisode) -> None:
        """Take the values of an episode into account."""
        for path, rows in self._joints(episode.arrays, _POSITIONS).items():
            before = [self._low[path], self._high[path]] if path in self._low else []
            seen = np.concatenate([rows, *(row[None] for row in before)])
            self._low[path] = np.fmin.reduce(seen, axis=0)
            self._high[path] = np.fmax.reduce(seen, axis=0)

    def notes(self) -> list[str]:
        """What was converted, and which joints leave their limits."""
        told = {
            "stored": ["units are as stored, since the format does not state them"],
            "radians": [],
            "degrees": ["joints were converted from degrees to radians" + self._unconverted()],
        }
        return told[self._units] + [self._beyond(p) for p in self._low if self._outside(p).any()]

    def _unconverted(self) -> str:
        joints = () if self._profile is None else self._profile.joint_names
        left = [name for name, turning in zip(joints, self._turning, strict=True) if not turning]
        return f"; as stored: {', '.join(left)}" if left else ""

    def _joints(
        self, arrays: Mapping[str, npt.NDArray[Any]], paths: tuple[str, ...]
    ) -> dict[str, FloatArray]:
        if self._profile is None:
            return {}
        width = (len(self._profile.joints),)
        return {
            path: arrays[path]
            for path in paths
            if path in arrays and arrays[path].shape[1:] == width
        }

    def _outside(self, path: str) -> npt.NDArray[np.bool_]:
        assert self._profile is not None  # noqa: S101 (nothing was looked at otherwise)
        slack = _BEYOND_SHARE * self._profile.position_range
        low, high = self._low[path], self._high[path]
        outside: npt.NDArray[np.bool_] = (low < self._profile.position_min - slack) | (
            high > self._profile.position_max + slack
        )
        return outside

    def _beyond(self, path: str) -> str:
        assert self._profile is not None  # noqa: S101 (nothing was looked at otherwise)
        texts = [
            f"{self._profile.joints[index].name} {self._low[path][index]:.3g} to "
            f"{self._high[path][index]:.3g} (limits {self._profile.position_min[index]:.3g} to "
            f"{self._profile.position_max[index]:.3g})"
            for index in np.flatnonzero(self._outside(path))
        ]
        is_open = self._units == "stored"
        hint = "; if these are degrees, import with --units degrees" if is_open else ""
        return f"'{path}' leaves the limits of '{self._profile.name}': {', '.join(texts)}{hint}"


def _turning(profile: RobotProfile) -> npt.NDArray[np.bool_]:
    """Which joints turn, without grippers, which LeRobot reports from 0 to 100."""
    grippers = {arm.gripper.joint for arm in profile.arms if arm.gripper is not None}
    return np.array(
        [each.kind is JointKind.REVOLUTE and each.name not in grippers for each in profile.joints]
    )
