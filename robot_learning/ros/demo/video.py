"""Writes a video from stamped frames as they come."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av

from robot_learning.core.clocks import NS_PER_S
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.types import UInt8Array

TIME_BASE = Fraction(1, 90_000)
NOMINAL_RATE_HZ = 30


class VideoWriter:
    """An H.264 MP4 file; every frame is shown at its own stamp, so gaps do not shift the rest."""

    def __init__(self, path: Path) -> None:
        """Open the file; folders are made.

        Raises:
            ConfigurationError: it cannot be written.
        """
        self.path = path
        self.frames = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._container = av.open(str(path), "w")
        except OSError as error:
            raise ConfigurationError(f"the video cannot be written: {path}: {error}") from error
        self._stream: av.VideoStream | None = None
        self._first_ns = 0
        self._last_pts = -1

    def write(self, pixels: UInt8Array, stamp_ns: int) -> None:
        """Append an RGB frame (height, width, 3); left out where not newer than the last."""
        if self._stream is None:
            self._stream = self._open_stream(pixels)
            self._first_ns = stamp_ns
        pts = round((stamp_ns - self._first_ns) / NS_PER_S / TIME_BASE)
        if pts <= self._last_pts:
            return
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        frame.pts, frame.time_base = pts, TIME_BASE
        self._container.mux(self._stream.encode(frame))
        self._last_pts = pts
        self.frames += 1

    def close(self) -> None:
        """Finish the file."""
        if self._stream is not None:
            self._container.mux(self._stream.encode())
        self._container.close()

    def _open_stream(self, pixels: UInt8Array) -> av.VideoStream:
        stream = self._container.add_stream("libx264", rate=NOMINAL_RATE_HZ)
        stream.height, stream.width = pixels.shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.time_base = stream.codec_context.time_base = TIME_BASE
        stream.options = {"preset": "veryfast", "crf": "20"}
        return stream
