"""A video of evaluated episodes: their actions are replayed, which repeats them exactly.

A bar above the picture names the episode, its seed and its time, and at the end its outcome. The
outcome is that of the replay, also in an environment that does not repeat itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import av
import numpy as np

from robot_learning.core.amounts import amount
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.files import replacing
from robot_learning.core.types import UInt8Array
from robot_learning.episodes.exports.video import VideoWriter
from robot_learning.episodes.viewing.banner import Banner
from robot_learning.learning.evaluation.outcomes import Outcome, Take, replayed

FORMATS = {".mp4": "mp4", ".mkv": "matroska", ".mov": "mov"}
"""Container formats by file name extension."""
# The last picture of an episode is shown for this long.
_PAUSE_S = 1.0
_LARGEST_RATE_HZ = 30.0
# Narrower pictures are enlarged, so that the bar can be read.
_SMALLEST_WIDTH_PX = 480
# Colours that people with red-green colour blindness can tell apart (Okabe and Ito).
_COLOURS = {None: "#606060", True: "#009e73", False: "#d55e00"}


def chosen(takes: Sequence[Take], count: int) -> list[Take]:
    """The first `count` episodes to show: failures first, then the others, each in their order."""
    return sorted(takes, key=lambda take: take.success is not False)[:count]


def summary(shown: Sequence[Take], takes: Sequence[Take]) -> str:
    """How many episodes, failures and successes a video shows, out of how many.

    >>> summary([Take(3, 9, False, [])], [Take(3, 9, False, []), Take(4, 10, True, [])])
    '1 of 2 episodes, failures first: 1 of 1 failure, 0 of 1 success'
    """
    text = f"{len(shown)} of {amount(len(takes), 'episode')}"
    if any(take.success is None for take in takes):
        return text
    failed, succeeded = (
        [take for take in takes if take.success is outcome] for outcome in (False, True)
    )
    failures, successes = (
        sum(take.success is outcome for take in shown) for outcome in (False, True)
    )
    return (
        f"{text}, failures first: {failures} of {amount(len(failed), 'failure')}, {successes} of "
        f"{amount(len(succeeded), 'success', 'successes')}"
    )


def check_format(path: Path) -> None:
    """Refuse a video that could not be made here, or whose file has no video's extension.

    Raises:
        ConfigurationError: the extension is not supported; the text lists those that are.
        DependencyError: matplotlib or Pillow is not installed.
    """
    if path.suffix.lower() not in FORMATS:
        raise ConfigurationError(f"{path}: a video's name ends in {', '.join(FORMATS)}")
    Banner(_SMALLEST_WIDTH_PX)


def check_pictures(env: Any) -> None:
    """Refuse a gymnasium environment that cannot be rendered; it is closed.

    Raises:
        RobotLearningError: the environment gives no pictures here; the text says why.
    """
    with closing(env):
        for _ in replayed(env, 0, []):
            pass


def write_video(
    env: Any,
    takes: Sequence[Take],
    path: Path,
    rate_hz: float,
    *,
    success_return: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write an H.264 video of episodes, one after the other, in real time.

    An existing file is replaced once the new one is complete.

    Args:
        env: gymnasium environment in the mode `rgb_array`; it is closed.
        takes: episodes to show.
        path: file of the video.
        rate_hz: steps of the environment per second.
        success_return: return from which an episode counts as a success; None leaves it to
            `info`.
        progress: callback with the number of recorded steps and of the steps of all episodes;
            None for none.

    Raises:
        ConfigurationError: the file cannot be written, has another format's name, or the
            environment gives no pictures.
    """
    check_format(path)
    every = max(1, math.ceil(rate_hz / _LARGEST_RATE_HZ))
    video_rate_hz = max(1, round(rate_hz / every))
    container = FORMATS[path.suffix.lower()]
    before, total = 0, sum(len(take.actions) for take in takes)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(env), replacing(path, durable=False) as beside, ExitStack() as stack:
            writer: VideoWriter | None = None
            for take in takes:
                frame = None
                for steps, frame in _frames(env, take, rate_hz, every, success_return):
                    if writer is None:
                        new = VideoWriter(
                            beside, video_rate_hz, frame.shape, "h264", container=container
                        )
                        writer = stack.enter_context(new)
                    writer.add(frame)
                    if progress:
                        progress(before + steps, total)
                before += len(take.actions)
                for _ in range(round(_PAUSE_S * video_rate_hz)):
                    if writer is not None and frame is not None:
                        writer.add(frame)
    except (OSError, av.FFmpegError) as problem:
        raise ConfigurationError(f"the video cannot be written: {path}: {problem}") from problem


def _frames(
    env: Any, take: Take, rate_hz: float, every: int, success_return: float | None
) -> Iterator[tuple[int, UInt8Array]]:
    """The number of steps and the frame with its bar; the last frame shows the outcome."""
    banner: Banner | None = None
    pictures = replayed(env, take.seed, take.actions, every, success_return)
    for steps, pixels, outcome in pictures:
        picture = _picture(pixels)
        if banner is None:
            banner = Banner(picture.shape[1])
        bar = banner.draw(*_caption(take, steps / rate_hz, outcome))
        yield steps, np.concatenate([bar, picture])


def _caption(take: Take, time_s: float, outcome: Outcome | None) -> tuple[str, str, str]:
    """Name, colour, and text at the right."""
    name, right = f"episode {take.number}", f"seed {take.seed}   {time_s:6.2f} s"
    success = outcome.success if outcome else None
    if success is not None:
        name += ": SUCCESS" if success else ": FAILURE"
    elif outcome is not None:
        name += f": return {outcome.total_reward:.1f}"
    return name, _COLOURS[success], right


def _picture(pixels: Any) -> UInt8Array:
    """(height, width, 3), large enough, with even sizes, as colour has half the resolution."""
    if not isinstance(pixels, np.ndarray) or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ConfigurationError("the environment gives no pictures in the mode rgb_array")
    factor = math.ceil(_SMALLEST_WIDTH_PX / pixels.shape[1])
    larger = pixels.repeat(factor, 0).repeat(factor, 1)
    height, width = (size // 2 * 2 for size in larger.shape[:2])
    return np.ascontiguousarray(larger[:height, :width], np.uint8)
