"""The video writer: frames at a rate, and frames at their own times."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from robot_learning.episodes.exports.video import VideoWriter
from robot_learning.episodes.format.errors import DatasetError

av = pytest.importorskip("av")
SHAPE = (48, 64, 3)


def shown_at(path: Path) -> list[Fraction]:
    with av.open(str(path)) as video:
        return [frame.pts * frame.time_base for frame in video.decode(video=0)]


def frames(count: int) -> list[np.ndarray]:
    return [np.full(SHAPE, 40 * index, np.uint8) for index in range(count)]


def test_frames_are_shown_at_the_rate(tmp_path: Path) -> None:
    path = tmp_path / "video.mp4"
    with VideoWriter(path, 12.5, SHAPE, "h264") as video:
        for pixels in frames(4):
            video.add(pixels)
    assert shown_at(path) == [Fraction(2 * k, 25) for k in range(4)]
    assert (video.frames, video.bytes > 0) == (4, True)


def test_a_gap_between_timed_frames_does_not_shift_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "video.mp4"
    times_s = [0.0, 0.05, 0.61, 0.6625]
    with VideoWriter(path, 20, SHAPE, "h264", is_timed=True) as video:
        for pixels, at_s in zip(frames(4), times_s, strict=True):
            video.add(pixels, at_s=at_s)
    assert [float(time) for time in shown_at(path)] == pytest.approx(times_s, abs=1e-4)


def test_an_unknown_codec_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="unknown codec 'h265'"):
        VideoWriter(tmp_path / "video.mp4", 20, SHAPE, "h265")
