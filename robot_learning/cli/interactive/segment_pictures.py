"""Pictures of segments side by side, each with its number.

A rollout is repeated from its seed, with the actions that were taken. What it observes again is
compared with what was collected: people rank what they see.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from robot_learning.core.errors import ConfigurationError
from robot_learning.core.files import replacing
from robot_learning.core.types import UInt8Array
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.exports.video import VideoWriter
from robot_learning.episodes.format.optional import require
from robot_learning.episodes.viewing.banner import Banner
from robot_learning.episodes.viewing.picture import visible_pixels
from robot_learning.episodes.viewing.video import check_cameras
from robot_learning.learning.evaluation.outcomes import replayed
from robot_learning.learning.imitation.gym_evaluation import PICTURES, GymConfig
from robot_learning.learning.imitation.spaces import ActionLayout, Float32Array, ObservationLayout
from robot_learning.learning.preferences.dataset_segments import dataset_columns, observed_rows
from robot_learning.learning.preferences.segments import Scene, Segments
from robot_learning.learning.reinforcement.segment_rollouts import columns_of

_HEIGHT_PX = 240
_COLOUR = "#0072b2"
# Another processor may round otherwise.
_RTOL, _ATOL = 1e-4, 1e-5
_AGAIN = "rollouts can be ranked by hand where the same environment repeats itself from a seed"
_SAME_DATASET = "give the dataset that was collected from, or collect again"
Frames = list[UInt8Array]


class SegmentPictures:
    """Makes the pictures of the segments of a folder."""

    def __init__(self, segments: Segments, scene: Scene) -> None:
        """Prepare.

        Args:
            segments: segments.
            scene: environment or dataset that is opened to show them. The segments' own may be
                from anywhere: see `trusted_scene`.

        Raises:
            RobotLearningError: the segments can be shown in no way.
        """
        self._segments, self._scene = segments, scene
        self._image = require("PIL.Image", "showing segments")
        self.rate_hz = max(1, round(scene.rate_hz))
        self._frames_of: Callable[[int], Frames] = self._replayed
        if scene.dataset:
            self._dataset, self._frames_of = Dataset(scene.dataset), self._recorded

    def side_by_side(self, numbers: Sequence[int]) -> Frames:
        """Frames (height, width, 3) of segments beside each other, numbered from 1.

        Args:
            numbers: numbers of the segments.

        Raises:
            RobotLearningError: the environment gives no pictures here, or the dataset has none.
        """
        columns = [list(self._labelled(place, n)) for place, n in enumerate(numbers, start=1)]
        return [np.concatenate(frames, axis=1) for frames in zip(*columns, strict=True)]

    def _labelled(self, place: int, number: int) -> Iterator[UInt8Array]:
        for pixels in self._frames_of(number):
            # Colour at half resolution needs even sizes.
            width = round(pixels.shape[1] * _HEIGHT_PX / pixels.shape[0] / 2) * 2
            scaled = self._image.fromarray(pixels).resize((width, _HEIGHT_PX))
            bar = Banner(width).draw(str(place), _COLOUR, "")
            yield np.concatenate([bar, np.asarray(scaled)])

    def _replayed(self, number: int) -> Frames:
        segments, origins = self._segments, self._segments.origins
        episode, first = int(origins.episode[number]), int(origins.first[number])
        env = _Watched(GymConfig(self._scene.env, self._scene.arguments).make(PICTURES))
        frames, rows = Frames(), list[Float32Array]()
        with closing(env):
            layout = ObservationLayout(env.observation_space)
            acting = ActionLayout(env.action_space)
            segments.columns.refuse_other(columns_of(layout, acting), f"segment {number}")
            actions = acting.to_env(origins.actions[episode][: first + segments.length])
            for step, pixels, _ in replayed(env, int(origins.seeds[episode]), actions):
                if step >= first:
                    row = np.zeros((1, layout.size), np.float32)
                    layout.write_all([env.observed], row, [0])
                    rows.append(row[0])
                    frames.append(pixels)
        place = f"repeated in {self._scene.env}"
        if len(frames) <= segments.length:
            raise _cannot_be_shown(number, f"{place}, its episode ends before it does", _AGAIN)
        self._refuse_other(number, np.array(rows[:-1]), place, _AGAIN)
        return frames

    def _recorded(self, number: int) -> Frames:
        origins, first = self._segments.origins, int(self._segments.origins.first[number])
        name = origins.names[int(origins.episode[number])]
        # A name may also be a path that leads out of the dataset.
        if name not in {summary.name for summary in self._dataset.episodes}:
            raise ConfigurationError(
                f"segment {number} is from the episode '{name}', which {self._dataset.path} does "
                "not have"
            )
        episode = self._dataset.episode(name)
        check_cameras(episode)
        camera = next(column.path for column in episode.info.columns if column.is_image)
        columns = self._segments.columns
        columns.refuse_other(dataset_columns(self._dataset), f"segment {number}", "the dataset")
        rows = range(first, first + self._segments.length)
        observed = observed_rows(episode, columns, slice(rows.start, rows.stop))
        self._refuse_other(number, observed, f"in {self._dataset.path}", _SAME_DATASET)
        return [visible_pixels(episode.frame(camera, row)) for row in rows]

    def _refuse_other(self, number: int, observed: Float32Array, place: str, remedy: str) -> None:
        """Refuse to show what is not what was collected."""
        collected = self._segments.observations[number]
        if observed.shape != collected.shape:
            raise _cannot_be_shown(number, f"{place}, its episode has other rows", remedy)
        differs = ~np.isclose(observed, collected, rtol=_RTOL, atol=_ATOL)
        if differs.any():
            row, column = np.argwhere(differs)[0]
            step = int(self._segments.origins.first[number]) + int(row)
            raise _cannot_be_shown(
                number,
                f"{place}, step {step} of its episode observes {observed[row, column]:g} in column "
                f"{column}, where {collected[row, column]:g} was collected",
                remedy,
            )


def _cannot_be_shown(number: int, problem: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(f"segment {number} cannot be shown: {problem}; {remedy}")


class _Watched(gymnasium.Wrapper[Any, Any, Any, Any]):
    """An environment that keeps the last observation."""

    observed: Any = None

    def reset(self, **options: Any) -> tuple[Any, dict[str, Any]]:
        found = super().reset(**options)
        self.observed = found[0]
        return found

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        found = super().step(action)
        self.observed = found[0]
        return found


def write_video(frames: Frames, path: Path, rate_hz: float) -> None:
    """Write frames into an MP4 file, which replaces an older one once it is whole.

    Raises:
        DependencyError: PyAV is not installed.
        ConfigurationError: the file cannot be written.
    """
    try:
        with (
            replacing(path, durable=False) as beside,
            VideoWriter(beside, rate_hz, frames[0].shape, "h264") as video,
        ):
            for pixels in frames:
                video.add(pixels)
    except OSError as problem:
        raise ConfigurationError(f"{path}: cannot be written: {problem}") from problem
