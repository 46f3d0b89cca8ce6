"""Writing frames into a video file: the one video writer."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

from robot_learning.core.errors import unknown_choice
from robot_learning.core.types import UInt8Array
from robot_learning.episodes.format.errors import DatasetError
from robot_learning.episodes.format.optional import require

# Encoder, and its options. Every second frame is a key frame, so that a random frame costs the
# decoding of at most two; no frame refers to a later one.
_CODECS: dict[str, tuple[str, dict[str, str]]] = {
    "h264": ("libx264", {"preset": "veryfast", "g": "2", "bf": "0"}),
    # Preset 12 leaves out small changes between two frames altogether.
    "av1": ("libsvtav1", {"preset": "10", "g": "2"}),
}
CODECS = tuple(_CODECS)
_LARGEST_DENOMINATOR = 10_000
DEFAULT_CRF = {"h264": 23, "av1": 30}


# As MPEG counts time: fine enough for any stamp.
_STAMPED_TIME_BASE = Fraction(1, 90_000)


class VideoWriter:
    """One video file. Frame k is shown at k / rate, or each at its own time."""

    def __init__(
        self,
        path: Path,
        rate_hz: float,
        shape: tuple[int, ...],
        codec: str,
        crf: int | None = None,
        *,
        container: str = "mp4",
        is_timed: bool = False,
    ) -> None:
        """Create the file.

        Args:
            path: path of the file.
            rate_hz: frames a second, an integer or not.
            shape: (height, width, 3) of each frame.
            codec: `h264` or `av1`.
            crf: constant rate factor, lower is better; None: the codec's default here.
            container: FFmpeg's name of the file format, whatever the file is called.
            is_timed: whether `add` is given the time of each frame, so that a gap does not shift
                what follows it.

        Raises:
            DatasetError: no such codec.
            DependencyError: PyAV is missing.
        """
        if codec not in _CODECS:
            raise DatasetError(unknown_choice("codec", codec, _CODECS))
        av = require("av", "writing video")
        encoder, options = _CODECS[codec]
        # Otherwise the AV1 encoder logs verbosely on stderr; errors are still reported.
        os.environ.setdefault("SVT_LOG", "1")
        rate = crf if crf is not None else DEFAULT_CRF[codec]
        # 12.5 is 25/2, and 29.97 is 2997/100: what a binary fraction means.
        exact_rate = Fraction(rate_hz).limit_denominator(_LARGEST_DENOMINATOR)
        height, width = shape[:2]
        self.frames = 0
        self._container: Any = av.open(str(path), "w", format=container)
        self._stream = self._container.add_stream(
            encoder, rate=exact_rate, options={**options, "crf": str(rate)}
        )
        self._stream.width, self._stream.height = width, height
        # Colour at half resolution needs even sizes.
        halved = width % 2 == 0 and height % 2 == 0
        self._stream.pix_fmt = "yuv420p" if halved else "yuv444p"
        self._time_base = _STAMPED_TIME_BASE if is_timed else 1 / exact_rate
        if is_timed:
            self._stream.time_base = self._stream.codec_context.time_base = self._time_base
        self._to_frame = av.VideoFrame.from_ndarray
        self._key_frame = require("av.video.frame", "writing video").PictureType.I
        self.bytes = 0

    def add(
        self, pixels: UInt8Array, *, key_frame: bool = False, at_s: float | None = None
    ) -> None:
        """Append a frame.

        Args:
            pixels: (height, width, 3) RGB.
            key_frame: whether the frame is a key frame, as the first one of an episode is.
            at_s: time at which the frame is shown, later than the frame before, in a file whose
                frames are timed; None in others.
        """
        frame = self._to_frame(pixels, format="rgb24")
        frame.pts = self.frames if at_s is None else round(at_s / self._time_base)
        frame.time_base = self._time_base
        if key_frame:
            frame.pict_type = self._key_frame
        self._mux(self._stream.encode(frame))
        self.frames += 1

    def close(self) -> None:
        """Write what the encoder still holds, and end the file."""
        self._mux(self._stream.encode())
        self._container.close()

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _mux(self, packets: list[Any]) -> None:
        for packet in packets:
            self.bytes += packet.size
            self._container.mux(packet)
