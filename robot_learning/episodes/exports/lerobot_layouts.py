"""Where the versions of LeRobot's format keep what: 3.0 many episodes a file, 2.1 one in each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robot_learning.episodes.exports.lerobot_files import TableFiles, write_tasks

CHUNKS_SIZE = 1000
_EPISODES = "meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
# What version 2.1 has of an episode's statistics.
_STATISTICS = ("min", "max", "mean", "std", "count")


@dataclass(frozen=True)
class Layout:
    """One version.

    Attributes:
        version: `codebase_version`.
        data: pattern of the tables' paths.
        video: pattern of the videos' paths.
        stated_data: `data_path`, by which readers find a table.
        stated_video: `video_path`, by which readers find a video.
        is_shared: whether a file holds many episodes.
    """

    version: str
    data: str
    video: str
    stated_data: str
    stated_video: str
    is_shared: bool


_DATA_3 = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
_VIDEO_3 = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
LAYOUTS: Mapping[str, Layout] = {
    "3.0": Layout("v3.0", _DATA_3, _VIDEO_3, _DATA_3, _VIDEO_3, is_shared=True),
    "2.1": Layout(
        "v2.1",
        "data/chunk-{chunk_index:03d}/episode_{number:06d}.parquet",
        "videos/chunk-{chunk_index:03d}/{video_key}/episode_{number:06d}.mp4",
        "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
        "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4",
        is_shared=False,
    ),
}


def write_shared_tables(
    path: Path, episodes: list[dict[str, Any]], tasks: Mapping[str, int], file_mb: int
) -> None:
    """The tables of episodes and tasks of version 3.0.

    Args:
        path: folder of the dataset.
        episodes: line of each episode.
        tasks: each task in words -> its index.
        file_mb: size from which a table is followed by another file, in megabytes.
    """
    files = TableFiles(path, _EPISODES, CHUNKS_SIZE, file_mb)
    try:
        files.add_lines(episodes, "meta/episodes/")
    finally:
        files.close()
    write_tasks(path / "meta/tasks.parquet", tasks)


def write_own_tables(
    path: Path, episodes: Iterable[Mapping[str, Any]], tasks: Mapping[str, int]
) -> None:
    """The tables of version 2.1, as lines of JSON.

    Args:
        path: folder of the dataset.
        episodes: line of each episode, as in version 3.0.
        tasks: each task in words -> its index.
    """
    lines, statistics = [], []
    for line in episodes:
        number = line["episode_index"]
        lines.append({"episode_index": number, "tasks": line["tasks"], "length": line["length"]})
        statistics.append({"episode_index": number, "stats": _statistics(line)})
    _write_lines(path / "meta/episodes.jsonl", lines)
    _write_lines(path / "meta/episodes_stats.jsonl", statistics)
    named = [{"task_index": index, "task": task} for task, index in tasks.items()]
    _write_lines(path / "meta/tasks.jsonl", named)


def _statistics(line: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for key, value in line.items():
        root, _, rest = key.partition("/")
        feature, _, name = rest.rpartition("/")
        if root == "stats" and name in _STATISTICS:
            found.setdefault(feature, {})[name] = value
    return found


def _write_lines(path: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(line) + "\n" for line in lines)
    path.write_text(text, encoding="utf-8")
