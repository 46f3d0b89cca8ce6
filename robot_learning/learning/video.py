"""A film of evaluated episodes: their actions are replayed, which repeats them exactly."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import av

from robot_learning.core.errors import ConfigurationError
from robot_learning.core.types import UInt8Array
from robot_learning.learning.evaluation import Evaluation
from robot_learning.learning.rollout import EpisodeRecord
from robot_learning.sim.env import VIDEO_SIZE_PX, RobotEnv

# The last frame of an episode stands for so many frames.
_PAUSE_FRAMES = 15
_FRAME_EVERY = 2
FORMATS = (".mp4", ".mkv", ".mov")


def check_format(path: Path) -> None:
    """Refuse a file that would not be a film by its name.

    Raises:
        ConfigurationError: it would not; the text says which names are.
    """
    if path.suffix.lower() not in FORMATS:
        raise ConfigurationError(f"{path}: a film's name ends in {', '.join(FORMATS)}")


def write_video(evaluation: Evaluation, path: Path, episodes: int = 4) -> None:
    """Write an H.264 film of the first `episodes` episodes, one after the other, in real time.

    A film that stands there is replaced when the new one is whole.

    Raises:
        ConfigurationError: the file cannot be written, or has another format's name.
    """
    check_format(path)
    beside = path.with_name(f".{path.stem}.{os.getpid()}.new{path.suffix}")
    config = evaluation.config
    env = RobotEnv(
        config.robot, config.task, control_rate_hz=evaluation.rate_hz, render_mode="rgb_array"
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(beside), "w") as container:
            stream = container.add_stream("libx264", rate=round(evaluation.rate_hz / _FRAME_EVERY))
            stream.height, stream.width = VIDEO_SIZE_PX
            stream.pix_fmt = "yuv420p"
            for episode in evaluation.episodes[:episodes]:
                for pixels in _frames(env, episode):
                    container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
            container.mux(stream.encode())
        beside.replace(path)
    except OSError as problem:
        raise ConfigurationError(f"the video cannot be written: {path}: {problem}") from problem
    finally:
        beside.unlink(missing_ok=True)
        env.close()


def _frames(env: RobotEnv, episode: EpisodeRecord) -> Iterator[UInt8Array]:
    env.reset(seed=episode.seed)
    for step, action in enumerate(episode.actions):
        env.step(action)
        if step % _FRAME_EVERY == 0:
            frame = env.render()
            if frame is not None:
                yield frame
    last = env.render()
    for _ in range(_PAUSE_FRAMES if last is not None else 0):
        yield last  # type: ignore[misc]
