"""Frames of cameras, in the order of the rows: out of videos, and out of columns of pictures.

Files are read from front to back and once, as far as the episodes are in order: a frame costs its
own decoding alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from robot_learning.core.errors import CommandError
from robot_learning.episodes.format.compressed_frames import (
    compressed_frame,
    png_depth,
    png_pixels,
)
from robot_learning.episodes.format.errors import EpisodeError
from robot_learning.episodes.format.optional import require
from robot_learning.episodes.format.reading import reading
from robot_learning.episodes.format.schema import MAX_ROW_BYTES
from robot_learning.episodes.imports.lerobot.lines import Line
from robot_learning.episodes.imports.lerobot.runs import Run
from robot_learning.episodes.imports.lerobot.tables import Table

# Pictures are read in small batches, since each may be megabytes.
_PICTURES_A_BATCH = 8
# Decoding as much costs about what it costs to look for a key frame.
_SKIP_S = 2.0
_DEPTH_FORM = "16UC1"
# Of a period: a little below half, so that frames twice as fast as the rows have one nearest.
_SHARE = 0.49
# FFmpeg is told the format: left to itself it also takes playlists, which name other files.
_FORMATS = {".mp4": "mp4", ".mov": "mp4", ".mkv": "matroska", ".webm": "matroska"}


class FrameSource(Protocol):
    """The frames of one camera."""

    def begin(self, line: Line, run: Run, times_s: npt.NDArray[np.float64]) -> None:
        """Go to the first frame of an episode.

        Args:
            line: line of the episode.
            run: rows of the episode.
            times_s: (rows,) times of the rows since the episode began.

        Raises:
            EpisodeError: the file is missing or damaged.
        """
        ...

    def frame(self, row: int) -> Any:
        """The frame of a row, as pixels or JPEG bytes; None where there is none. Rows rise."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...


class VideoFrames:
    """The frames of videos, found by their times.

    A row whose time no frame has gets none: never a neighbour's, and never another episode's.
    """

    def __init__(self, feature: str, rate_hz: float) -> None:
        """`feature` is the camera's; a frame may be nearly half of 1/`rate_hz` off its row."""
        self._feature, self._tolerance_s = feature, _SHARE / rate_hz
        self._path: Path | None = None
        self._container: Any = None
        self._frames: Iterator[tuple[float, Any]] = iter(())
        self._next: tuple[float, Any] | None = None
        self._asked_s: npt.NDArray[np.float64] = np.zeros(0)
        self._until_s = 0.0

    def begin(self, line: Line, run: Run, times_s: npt.NDArray[np.float64]) -> None:
        """See `FrameSource`."""
        stretch = line.stretches[self._feature]
        self._asked_s = stretch.from_s + times_s
        self._until_s = stretch.to_s - self._tolerance_s
        first_s = float(self._asked_s[0])
        if stretch.path != self._path:
            self._open(stretch.path)
        here_s = -np.inf if self._next is None else self._next[0]
        if not here_s - self._tolerance_s <= first_s <= here_s + _SKIP_S:
            self._seek(first_s)

    def frame(self, row: int) -> Any:
        """See `FrameSource`."""
        asked_s = float(self._asked_s[row])
        while self._next is not None and self._next[0] < asked_s - self._tolerance_s:
            self._advance()
        if self._next is None or asked_s > self._until_s:
            return None
        if self._next[0] > asked_s + self._tolerance_s:
            return None
        with self._decoding():
            return self._next[1].to_ndarray(format="rgb24")

    def close(self) -> None:
        """See `FrameSource`."""
        if self._container is not None:
            self._container.close()
        self._path, self._container, self._next = None, None, None

    def _open(self, path: Path) -> None:
        self.close()
        if not path.is_file():
            raise EpisodeError(f"{path}: no such file")
        self._path = path
        with self._decoding():
            av = require("av", "reading video")
            form = _FORMATS.get(path.suffix.lower())
            if form is None:
                raise EpisodeError(f"{path}: no video of {', '.join(_FORMATS)}")
            self._container = av.open(f"file:{path}", mode="r", format=form)
            streams = self._container.streams.video
            if not streams or streams[0].codec_context is None:
                raise EpisodeError(f"{path}: no video in it that can be decoded")
            stream = streams[0]
            stream.thread_type = "AUTO"
            if stream.width * stream.height * 3 > MAX_ROW_BYTES:
                raise EpisodeError(
                    f"{path}: frames of {stream.width}x{stream.height} are too large"
                )
        self._frames = self._decoded()
        self._advance()

    def _seek(self, time_s: float) -> None:
        with self._decoding():
            stream = self._container.streams.video[0]
            ticks = int(time_s / stream.time_base) + (stream.start_time or 0)
            self._container.seek(ticks, stream=stream, backward=True)
        self._frames = self._decoded()
        self._advance()

    def _decoded(self) -> Iterator[tuple[float, Any]]:
        """Times since the beginning of the file, s, and frames."""
        stream = self._container.streams.video[0]
        start, time_base = stream.start_time or 0, Fraction(stream.time_base)
        for frame in self._container.decode(stream):
            if frame.pts is not None:
                yield float((frame.pts - start) * time_base), frame

    def _advance(self) -> None:
        with self._decoding():
            self._next = next(self._frames, None)

    @contextmanager
    def _decoding(self) -> Iterator[None]:
        """Turn what FFmpeg says of a damaged file into an EpisodeError; the file is then closed."""
        av = require("av", "reading video")
        path = self._path
        assert path is not None  # noqa: S101 (open)
        try:
            with reading(path):
                try:
                    yield
                except av.FFmpegError as problem:
                    raise EpisodeError(f"{path}: damaged video: {problem.strerror}") from problem
        except EpisodeError:
            self.close()
            raise


class PictureFrames:
    """The frames of a column that holds whole pictures, PNG or JPEG."""

    def __init__(self, feature: str, *, is_depth: bool) -> None:
        """`is_depth` says whether 16 bits of grey are distances in millimetres."""
        self._feature, self._form = feature, _DEPTH_FORM if is_depth else ""
        self._table: Table | None = None
        self._values: Iterator[bytes | None] = iter(())
        self._position, self._start = 0, 0

    def begin(self, line: Line, run: Run, times_s: npt.NDArray[np.float64]) -> None:
        """See `FrameSource`."""
        if self._table is None or self._table.path != run.path or self._position > run.first:
            self.close()
            self._table = Table(run.path)
            self._values, self._position = self._read(self._table), 0
        self._start = run.first

    def frame(self, row: int) -> Any:
        """See `FrameSource`."""
        data = self._value(self._start + row)
        if not data:
            return None
        try:
            found = compressed_frame(data, self._form)
            if found.is_jpeg:
                return data
            if found.height_px * found.width_px * 3 > MAX_ROW_BYTES:
                raise CommandError(f"a picture of {found.width_px}x{found.height_px} is too large")
            return png_depth(data) if found.is_depth else png_pixels(data)
        except CommandError as problem:
            raise EpisodeError(f"'{self._feature}', row {row}: {problem}") from problem

    def close(self) -> None:
        """See `FrameSource`."""
        if self._table is not None:
            self._table.close()
        self._table = None

    def _value(self, row: int) -> bytes | None:
        value = None
        while self._position <= row:
            value = next(self._values, None)
            self._position += 1
        return value

    def _read(self, table: Table) -> Iterator[bytes | None]:
        for batch in table.batches([self._feature], _PICTURES_A_BATCH):
            for stored in batch.column(self._feature):
                plain = stored.as_py()
                data = plain.get("bytes") if isinstance(plain, dict) else plain
                yield data if isinstance(data, bytes) else None
