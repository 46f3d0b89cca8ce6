"""Recording episodes that carry no times: the rows of ACT's, robomimic's and LeRobot's files.

Their rows are laid 1/rate apart, at a rate that the user states, and the episode says so: its
stamps are nominal. Nothing is known of when anything was measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from robot_learning.core.amounts import amount
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.profile import RobotProfile
from robot_learning.episodes.format.errors import EpisodeError
from robot_learning.episodes.format.sampler import row_tick_ns
from robot_learning.episodes.format.schema import (
    Column,
    DatasetInfo,
    Encoding,
    EpisodeMetadata,
    Stream,
)
from robot_learning.episodes.recording import standard
from robot_learning.episodes.recording.recorder import Recorder

OBSERVATIONS = "observations"
JPEG_START = b"\xff\xd8"
# Roots of the columns that trainings use.
_LEARNT = ("actions", "obs")


@dataclass(frozen=True)
class NominalOptions:
    """What a source without times does not say.

    Attributes:
        robot: name of the robot in the dataset.
        rate_hz: rate of the rows.
        task: name of the task in the dataset.
        instruction: task in words.
        profile: profile of the robot, which names the joints; None where there is none.
        encode_images: whether uncompressed images are stored as JPEG.
    """

    robot: str
    rate_hz: float
    task: str = "imported"
    instruction: str = ""
    profile: RobotProfile | None = None
    encode_images: bool = False

    def __post_init__(self) -> None:
        """Refuse a rate that is none.

        Raises:
            ConfigurationError: it is not positive.
        """
        if not np.isfinite(self.rate_hz) or self.rate_hz <= 0:
            raise ConfigurationError(f"the rate is {self.rate_hz}; state one above 0 Hz")

    @property
    def stamps(self) -> str:
        """What an episode says of its stamps."""
        return (
            f"nominal: the source has none; rows are laid {1 / self.rate_hz:g} s apart, at the "
            f"{self.rate_hz:g} Hz that were stated on import"
        )


@dataclass(frozen=True)
class NominalEpisode:
    """One episode of such a source.

    `arrays` maps columns to (rows, *shape); `frames` maps image columns to a function that
    gives the frame of a row, as JPEG bytes or pixels, or None where it is lost. It is called once
    a row, in their order.
    """

    rows: int
    arrays: Mapping[str, npt.NDArray[Any]]
    frames: Mapping[str, Callable[[int], Any]]


class Gaps:
    """Counts the rows in which an action or an observation is NaN or infinite."""

    def __init__(self) -> None:
        self._rows: dict[str, int] = {}

    def look(self, episode: NominalEpisode) -> None:
        """Take an episode into account."""
        for path, rows in episode.arrays.items():
            if path.split("/", maxsplit=1)[0] not in _LEARNT or rows.dtype.kind != "f":
                continue
            if count := int((~np.isfinite(rows.reshape(len(rows), -1))).any(axis=1).sum()):
                self._rows[path] = self._rows.get(path, 0) + count

    def notes(self) -> list[str]:
        """A sentence a column."""
        remedies = {"actions": "these rows have no label, and nothing is learnt from them"}
        other = "to train without it, name the other columns in data.observation_keys"
        return [
            f"'{path}' is NaN or infinite in {amount(count, 'row')}: {remedies.get(path, other)}"
            for path, count in self._rows.items()
        ]


def describe(
    options: NominalOptions, columns: Sequence[Column], env_args: Mapping[str, Any] | None = None
) -> DatasetInfo:
    """The dataset that such rows are recorded into.

    Args:
        options: what the user says of the source.
        columns: columns of the rows; `actions` is among them.
        env_args: environment in robomimic's form; None where the source gives none.

    Raises:
        ConfigurationError: the robot's profile does not fit the actions.
    """
    rate_hz = options.rate_hz
    names: tuple[str, ...] = ()
    width = next(c.shape for c in columns if c.path == "actions")
    if options.profile is not None:
        names = options.profile.joint_names
        if width != (len(names),):
            raise ConfigurationError(
                f"actions have the shape {width}, and robot '{options.profile.name}' has "
                f"{amount(len(names), 'joint')}: {', '.join(names)}"
            )
    groups: dict[str, list[Column]] = {OBSERVATIONS: [], standard.DECISION: [], standard.TASK: []}
    for column in columns:
        if column.is_image:
            name = column.path.rsplit("/", maxsplit=1)[-1]
            while name in groups:
                name += "_camera"
            groups[name] = [column]
        elif column.path.startswith(("obs/", "states")):
            groups[OBSERVATIONS].append(column)
        elif column.path == "rewards" or column.path.startswith("task/"):
            groups[standard.TASK].append(column)
        else:
            groups[standard.DECISION].append(column)
    streams = tuple(
        Stream(name, rate_hz, standard.max_age_s(rate_hz), tuple(members))
        for name, members in groups.items()
        if members
    )
    return DatasetInfo(options.robot, options.task, rate_hz, streams, names, env_args or {})


def record_episode(
    recorder: Recorder, episode: NominalEpisode, metadata: EpisodeMetadata, item: str
) -> None:
    """Record the rows of one episode; the caller stops it.

    Args:
        recorder: takes the rows.
        episode: rows to record.
        metadata: what is known of the episode.
        item: name of the episode, for errors.

    Raises:
        EpisodeError: a row does not fit the dataset; names it.
    """
    info = recorder.folder.info
    for row in range(episode.rows):
        tick_ns = row_tick_ns(0, info.rate_hz, row)
        for stream in info.streams:
            values = {column.path: _value(episode, column, row) for column in stream.columns}
            if any(value is None for value in values.values()):
                recorder.push_lost(stream.name, tick_ns, tick_ns)
                continue
            if not recorder.push(stream.name, tick_ns, tick_ns, values):
                problem = recorder.status(tick_ns).refused[stream.name]
                raise EpisodeError(f"{item}, row {row}: {problem}")
        if row == 0:
            recorder.start(metadata, tick_ns)
        recorder.advance(tick_ns)
        # At every row: a few dozen of several large cameras would fill the queue.
        recorder.keep_pace()


def image_column(name: str, shape: tuple[int, ...], *, jpeg: bool) -> Column:
    """The column of a camera.

    Args:
        name: name of the camera.
        shape: (height, width, channels) of a frame.
        jpeg: whether frames are stored as JPEG; otherwise as they are.
    """
    if jpeg:
        return Column(f"images/{name}", shape, "uint8", Encoding.JPEG)
    return Column(f"obs/{name}", shape, "uint8")


def _value(episode: NominalEpisode, column: Column, row: int) -> Any:
    if column.is_image:
        return episode.frames[column.path](row)
    return episode.arrays[column.path][row]
