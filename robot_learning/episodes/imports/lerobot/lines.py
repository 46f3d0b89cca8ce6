"""The table of episodes: how long each one is, what it shows, and where its frames are."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from robot_learning.core.amounts import amount
from robot_learning.core.vocabulary import OUTCOMES
from robot_learning.episodes.format.errors import EpisodeError
from robot_learning.episodes.imports import foreign
from robot_learning.episodes.imports.lerobot.description import Description
from robot_learning.episodes.imports.lerobot.places import inside
from robot_learning.episodes.imports.lerobot.tables import Table

_LINES_A_BATCH = 500
_LONGEST_LINE = 2**20
# Nine hours at 30 Hz. An episode's numbers are held in memory, and a small file can claim any.
_MOST_ROWS = 1_000_000
_SUCCESSES = ("success", "is_success", "task_success")
# Columns that pandas gives the texts of its index.
_TASK_TEXTS = ("task", "__index_level_0__")


@dataclass(frozen=True, slots=True)
class Stretch:
    """Where the frames of an episode are in a video, from `from_s` on and before `to_s`."""

    path: Path
    from_s: float = 0.0
    to_s: float = math.inf


@dataclass(frozen=True, slots=True)
class Line:
    """What the table says of an episode.

    Attributes:
        number: `episode_index`.
        rows: number of rows.
        tasks: the tasks in words.
        data: file of the rows, as the table has it.
        first_row: `dataset_from_index`; None where the table does not say it.
        stretches: where each camera's frames are, by its feature.
        outcome: how the episode ended; empty where the table does not say it.
    """

    number: int
    rows: int
    tasks: tuple[str, ...]
    data: Path
    first_row: int | None = None
    stretches: Mapping[str, Stretch] = field(default_factory=dict)
    outcome: str = ""


@dataclass
class Lines:
    """All of the table.

    Attributes:
        found: the episodes' lines by their number, in the table's order.
        refused: number of each episode whose line makes no sense, and why.
    """

    found: dict[int, Line] = field(default_factory=dict)
    refused: dict[int, str] = field(default_factory=dict)


def read_lines(description: Description) -> Lines:
    """The table of episodes.

    Raises:
        EpisodeError: it is missing, damaged, or hostile.
    """
    cameras = [name for name, each in description.features.items() if each.dtype == "video"]
    lines = Lines()
    each_line = _shared_lines if description.is_shared else _own_lines
    for plain in each_line(description, cameras):
        number: Any = plain.get("episode_index")
        if not _is_index(number):
            raise EpisodeError(
                f"{description.root}: an episode of the table has the episode_index {number!r}"
            )
        if number in lines.found or number in lines.refused:
            lines.found.pop(number, None)
            lines.refused[number] = "the table of episodes has several lines for it"
            continue
        try:
            lines.found[number] = _line(description, cameras, plain)
        except _LineError as problem:
            lines.refused[number] = str(problem)
    _refuse_overlaps(lines, cameras, description.rate_hz)
    if not lines.found and not lines.refused:
        raise EpisodeError(f"{description.root}: its table of episodes is empty")
    return lines


def read_tasks(description: Description) -> dict[int, str]:
    """Each task in words, by its index; empty where there is no such file.

    Raises:
        EpisodeError: it is damaged.
    """
    if not description.is_shared:
        path = inside(description.root, "meta/tasks.jsonl")
        found = _json_lines(path) if path.is_file() else iter(())
        return {
            each["task_index"]: each["task"]
            for each in found
            if _is_index(each.get("task_index")) and isinstance(each.get("task"), str)
        }
    path = inside(description.root, "meta/tasks.parquet")
    if not path.is_file():
        return {}
    with Table(path) as table:
        texts = [name for name in _TASK_TEXTS if name in table.names][:1]
        if not texts or "task_index" not in table.names:
            raise EpisodeError(f"{path}: no columns 'task_index' and 'task'")
        tasks = {}
        for batch in table.batches(["task_index", *texts], _LINES_A_BATCH):
            for each in batch.to_pylist():
                if _is_index(each["task_index"]):
                    tasks[each["task_index"]] = str(each[texts[0]])
        return tasks


class _LineError(Exception):
    """A line that makes no sense; the text says why."""


def _shared_lines(description: Description, cameras: list[str]) -> Iterator[dict[str, Any]]:
    """Of version 3.0, without the statistics, which are most of the table."""
    folder = inside(description.root, "meta/episodes")
    paths = sorted(folder.glob("*/*.parquet"))
    if not paths:
        raise EpisodeError(f"{folder}: no table of episodes (chunk-000/file-000.parquet)")
    places = ("chunk_index", "file_index", "from_timestamp", "to_timestamp")
    wanted = {
        *("episode_index", "length", "tasks", "dataset_from_index", "outcome", *_SUCCESSES),
        *("data/chunk_index", "data/file_index"),
        *(f"videos/{camera}/{place}" for camera in cameras for place in places),
    }
    for path in paths:
        with Table(
            inside(description.root, path.relative_to(description.root).as_posix())
        ) as table:
            names = [name for name in table.names if name in wanted]
            for batch in table.batches(names, _LINES_A_BATCH):
                yield from batch.to_pylist()


def _own_lines(description: Description, _cameras: list[str]) -> Iterator[dict[str, Any]]:
    """Of version 2.1."""
    yield from _json_lines(inside(description.root, "meta/episodes.jsonl"))


def _json_lines(path: Path) -> Iterator[dict[str, Any]]:
    if not path.is_file():
        raise EpisodeError(f"{path}: no such file")
    try:
        with path.open(encoding="utf-8") as file:
            number = 0
            while text := file.readline(_LONGEST_LINE):
                number += 1
                if text.strip():
                    yield foreign.parse_object(text, f"{path}, line {number}")
    except (OSError, UnicodeDecodeError) as problem:
        raise EpisodeError(f"{path}: cannot be read: {problem}") from problem


def _line(description: Description, cameras: list[str], plain: Mapping[str, Any]) -> Line:
    number, rows = plain["episode_index"], _index(plain, "length")
    if not 0 < rows <= _MOST_ROWS:
        raise _LineError(
            f"the table says that it has {amount(rows, 'row')}; from 1 to {_MOST_ROWS} are taken"
        )
    if description.is_shared:
        data = description.data.path(**_file(plain, "data"))
        stretches = {camera: _stretch(description, camera, plain) for camera in cameras}
    else:
        places = {"episode_chunk": number // description.chunks_size, "episode_index": number}
        data = description.data.path(**places)
        videos = {each: description.video.path(**places, video_key=each) for each in cameras}
        stretches = {camera: Stretch(path) for camera, path in videos.items()}
    first_row = plain.get("dataset_from_index")
    return Line(
        number=number,
        rows=rows,
        tasks=_tasks(plain.get("tasks")),
        data=data,
        first_row=first_row if _is_index(first_row) else None,
        stretches=stretches,
        outcome=_outcome(plain),
    )


def _tasks(plain: Any) -> tuple[str, ...]:
    if isinstance(plain, str):
        return (plain,)
    return tuple(map(str, plain)) if isinstance(plain, list) else ()


def _stretch(description: Description, camera: str, plain: Mapping[str, Any]) -> Stretch:
    place = f"videos/{camera}"
    from_s: Any = plain.get(f"{place}/from_timestamp")
    to_s: Any = plain.get(f"{place}/to_timestamp", math.inf)
    for name, value in (("from", from_s), ("to", to_s)):
        if not isinstance(value, int | float) or math.isnan(value):
            raise _LineError(f"'{place}/{name}_timestamp' is {value} in the table of episodes")
    if not 0 <= from_s < to_s:
        raise _LineError(f"'{place}' is from {from_s:g} s to {to_s:g} s in the table of episodes")
    path = description.video.path(**_file(plain, place), video_key=camera)
    return Stretch(path, float(from_s), float(to_s))


def _file(plain: Mapping[str, Any], place: str) -> dict[str, int]:
    return {name: _index(plain, f"{place}/{name}") for name in ("chunk_index", "file_index")}


def _index(plain: Mapping[str, Any], name: str) -> int:
    value: Any = plain.get(name)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not _is_index(value):
        raise _LineError(f"'{name}' is {value} in the table of episodes")
    return int(value)


def _is_index(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53


def _outcome(plain: Mapping[str, Any]) -> str:
    if plain.get("outcome") in OUTCOMES:
        return str(plain["outcome"])
    for name in _SUCCESSES:
        if plain.get(name) in (True, False):
            return "success" if plain[name] else "failure"
    return ""


def _refuse_overlaps(lines: Lines, cameras: list[str], rate_hz: float) -> None:
    """Refuse episodes that claim the same frames: of one of them they are not."""
    for camera in cameras:
        order = sorted(
            lines.found.values(),
            key=lambda line: (str(line.stretches[camera].path), line.stretches[camera].from_s),
        )
        shared = set()
        for before, after in pairwise(order):
            left, right = before.stretches[camera], after.stretches[camera]
            ends_s = min(left.to_s, left.from_s + before.rows / rate_hz)
            if left.path == right.path and right.from_s < ends_s - 0.5 / rate_hz:
                shared |= {before.number, after.number}
        for number in shared:
            del lines.found[number]
            lines.refused[number] = f"other episodes have some of its frames in 'videos/{camera}'"
