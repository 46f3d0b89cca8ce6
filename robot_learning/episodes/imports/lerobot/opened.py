"""What a dataset of LeRobot holds, and what of it is taken: read before anything is recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from robot_learning.core.profile import RobotProfile
from robot_learning.episodes.format.errors import EpisodeError, FileAccessError
from robot_learning.episodes.imports.lerobot.description import Description, read_description
from robot_learning.episodes.imports.lerobot.features import (
    Features,
    add_camera,
    choose_features,
)
from robot_learning.episodes.imports.lerobot.frames import (
    FrameSource,
    PictureFrames,
    VideoFrames,
)
from robot_learning.episodes.imports.lerobot.lines import Lines, read_lines, read_tasks
from robot_learning.episodes.imports.lerobot.places import inside
from robot_learning.episodes.imports.lerobot.runs import Run
from robot_learning.episodes.imports.lerobot.tables import Table, is_numeric

# Cameras are sought in the first episodes; a dataset without any frame there has none.
_LOOKED_AT = 20


@dataclass(frozen=True)
class Opened:
    """A dataset of LeRobot, and what is taken of it.

    Attributes:
        description: what it says of itself.
        lines: table of episodes.
        tasks: each task in words, by its index.
        features: what becomes of every feature.
    """

    description: Description
    lines: Lines
    tasks: Mapping[int, str]
    features: Features

    def sources(self) -> dict[str, FrameSource]:
        """A source of frames for each camera that is taken."""
        return {name: _frame_source(self.description, name) for name in self.features.cameras}


def open_source(source: Path, profile: RobotProfile | None, *, encode_images: bool) -> Opened:
    """Read what a dataset says of itself, and a frame of each camera.

    Args:
        source: folder of the dataset.
        profile: profile of the robot; None where there is none.
        encode_images: store pictures that were stored without loss as JPEG.

    Raises:
        EpisodeError: it is no dataset of LeRobot, damaged, or hostile.
        ConfigurationError: the actions do not fit the profile.
    """
    description = read_description(source)
    lines, tasks = read_lines(description), read_tasks(description)
    several = any(len(line.tasks) > 1 for line in lines.found.values())
    features = choose_features(
        description,
        _stored_columns(description, lines),
        profile,
        keep_task_index=several,
    )
    for name, feature in description.features.items():
        if not feature.is_camera:
            continue
        if feature.dtype == "video" and feature.is_depth:
            features.left_out[name] = "distances in a video, which are not stored exactly"
            continue
        frame, why = _first_frame(description, lines, name)
        if frame is None:
            features.left_out[name] = why
        else:
            add_camera(features, feature, frame, encode_images=encode_images)
    return Opened(description, lines, tasks, features)


def _frame_source(description: Description, name: str) -> FrameSource:
    feature = description.features[name]
    if feature.dtype == "video":
        return VideoFrames(name, description.rate_hz)
    return PictureFrames(name, is_depth=feature.is_depth)


def _stored_columns(description: Description, lines: Lines) -> dict[str, bool]:
    """Each column of the first table that can be read, and whether it holds numbers."""
    problem: EpisodeError | None = None
    cameras = {name for name, each in description.features.items() if each.is_camera}
    for path in data_files(description, lines):
        try:
            with Table(path) as table:
                return {
                    name: is_numeric(table.kind(name))
                    for name in table.names
                    if name not in cameras
                }
        except EpisodeError as found:
            problem = problem or found
    raise problem or EpisodeError(f"{description.root}: no episode of it can be imported")


def data_files(description: Description, lines: Lines) -> list[Path]:
    """The files of rows in the table's order, and those that it forgot: the next by number."""
    paths = dict.fromkeys(line.data for line in lines.found.values())
    for path in list(paths):
        following = _following(path)
        if following not in paths and following.is_file():
            place = following.relative_to(description.root).as_posix()
            paths[inside(description.root, place)] = None
    return list(paths)


def _following(path: Path) -> Path:
    name, _, number = path.stem.rpartition("-")
    if not number.isdecimal():
        return path
    return path.with_name(f"{name}-{int(number) + 1:0{len(number)}d}{path.suffix}")


def _first_frame(description: Description, lines: Lines, camera: str) -> tuple[Any, str]:
    """A frame of a camera, and otherwise why there is none."""
    problem = "no frame of it can be read"
    source = _frame_source(description, camera)
    try:
        for line in list(lines.found.values())[:_LOOKED_AT]:
            first = Run(line.data, line.number, 0, (), line.rows)
            try:
                source.begin(line, first, np.zeros(1))
                if (frame := source.frame(0)) is not None:
                    return frame, ""
            except FileAccessError:
                raise
            except EpisodeError as found:
                problem = str(found)
    finally:
        source.close()
    return None, problem
