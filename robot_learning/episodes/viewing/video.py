"""One episode as a video: its cameras side by side, who was in control, and a time line."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from robot_learning.core.clocks import NS_PER_S
from robot_learning.core.files import replacing
from robot_learning.core.types import UInt8Array
from robot_learning.episodes.exports.video import VideoWriter
from robot_learning.episodes.format.errors import EpisodeError
from robot_learning.episodes.format.optional import require
from robot_learning.episodes.store.episode import Episode
from robot_learning.episodes.store.recovery import Progress
from robot_learning.episodes.viewing.banner import DARK, Banner
from robot_learning.episodes.viewing.banner import HEIGHT_PX as BAR_PX
from robot_learning.episodes.viewing.controllers import (
    COLOURS,
    control_segments,
    controllers,
    interventions,
)
from robot_learning.episodes.viewing.picture import visible_pixels

HEIGHT_PX = 480
_LINE_PX = 16
Draw = Callable[[int], UInt8Array]
"""The picture (height, width, 3) of a row."""


def save_video(episode: Episode, path: Path, progress: Progress | None = None) -> None:
    """Write an episode into an MP4 file, one frame a row.

    Args:
        episode: the open episode.
        path: path of the file.
        progress: called with the rows that are done and the rows in all; None for nothing.

    Raises:
        DependencyError: PyAV, matplotlib or Pillow is not installed.
        EpisodeError: it has no camera, is damaged, or the file cannot be written.
    """
    frames = EpisodeFrames(episode)
    rate_hz = max(1, round(episode.info.rate_hz))
    try:
        with (
            replacing(path, durable=False) as beside,
            VideoWriter(beside, rate_hz, frames.shape, "h264") as video,
        ):
            for row in range(episode.rows):
                video.add(frames.frame(row))
                if progress:
                    progress(row + 1, episode.rows)
    except OSError as problem:
        raise EpisodeError(f"{path}: cannot be written: {problem}") from problem


def check_cameras(episode: Episode) -> None:
    """Refuse an episode of which no video can be made.

    Raises:
        EpisodeError: it has no camera; the text says how to record with one.
    """
    if not any(column.is_image for column in episode.info.columns):
        raise EpisodeError(
            f"{episode.path}: has no camera, so there is nothing to show; record with one, as "
            "`robot-learning demonstrate --cameras front` does"
        )


class EpisodeFrames:
    """The frames of one episode's video; the caller writes them."""

    def __init__(self, episode: Episode, draw: Draw | None = None, title: str = "") -> None:
        """Prepare.

        Args:
            episode: the open episode.
            draw: makes the picture of a row; None shows the cameras that were recorded.
            title: text in the lower left corner of the picture; empty for none.

        Raises:
            DependencyError: matplotlib or Pillow is not installed.
            EpisodeError: it has no camera.
        """
        self._episode, self._title = episode, title
        self._image = require("PIL.Image", "making videos")
        self._draw = require("PIL.ImageDraw", "making videos").Draw
        self._views = [draw] if draw else _recorded(episode)
        shapes = [view(0).shape for view in self._views]
        # Colour at half resolution needs even sizes.
        self._widths = [round(shape[1] * HEIGHT_PX / shape[0] / 2) * 2 for shape in shapes]
        self.shape = (HEIGHT_PX + BAR_PX + _LINE_PX, sum(self._widths), 3)
        self._banner = Banner(self.shape[1])
        self._controllers = controllers(episode) or ["nobody"] * episode.rows
        self._interventions = interventions(episode)
        self._invalid = ~episode.valid
        ticks_ns = episode.column("tick_ns")
        self._times_s = (ticks_ns - ticks_ns[0]) / NS_PER_S
        self._line = self._time_line()

    def frame(self, row: int) -> UInt8Array:
        """The video's frame for a row, (height, width, 3)."""
        canvas = self._image.new("RGB", (self.shape[1], self.shape[0]), DARK)
        left = 0
        for view, width in zip(self._views, self._widths, strict=True):
            image = self._image.fromarray(view(row))
            if image.size != (width, HEIGHT_PX):
                image = image.resize((width, HEIGHT_PX))
            canvas.paste(image, (left, BAR_PX))
            left += width
        canvas.paste(self._line, (0, self.shape[0] - _LINE_PX))
        draw = self._draw(canvas)
        canvas.paste(self._image.fromarray(self._bar(row)), (0, 0))
        if self._title:
            self._write_title(draw)
        x = round((row + 0.5) / self._episode.rows * self.shape[1])
        draw.rectangle((x - 1, self.shape[0] - _LINE_PX, x + 1, self.shape[0]), fill="white")
        pixels_out: UInt8Array = np.asarray(canvas)
        return pixels_out

    def _bar(self, row: int) -> UInt8Array:
        name = self._controllers[row]
        text = "HUMAN INTERVENES" if self._interventions[row] else name.upper()
        right = f"{self._times_s[row]:6.2f} s   {row + 1}/{self._episode.rows}"
        if self._invalid[row]:
            right = f"INVALID   {right}"
        return self._banner.draw(text, COLOURS[name], right)

    def _write_title(self, draw: Any) -> None:
        corner = (12, self.shape[0] - _LINE_PX - 12)
        around = draw.textbbox(corner, self._title, font=self._banner.font, anchor="lb")
        draw.rectangle((0, around[1] - 8, around[2] + 12, self.shape[0] - _LINE_PX), fill=DARK)
        draw.text(corner, self._title, fill="white", font=self._banner.font, anchor="lb")

    def _time_line(self) -> Any:
        line = self._image.new("RGB", (self.shape[1], _LINE_PX), DARK)
        draw = self._draw(line)
        scale = self.shape[1] / self._episode.rows
        for segment in control_segments(self._controllers):
            box = (round(segment.start * scale), 3, round(segment.stop * scale), _LINE_PX)
            draw.rectangle(box, fill=COLOURS[segment.controller])
        for row in np.flatnonzero(self._invalid):
            draw.rectangle((round(row * scale), 0, round((row + 1) * scale), 3), fill="red")
        return line


def _recorded(episode: Episode) -> list[Draw]:
    """The pictures of each camera that was recorded."""
    check_cameras(episode)
    cameras = [column.path for column in episode.info.columns if column.is_image]
    return [partial(_picture, episode, path) for path in cameras]


def _picture(episode: Episode, path: str, row: int) -> UInt8Array:
    return visible_pixels(episode.frame(path, row))
