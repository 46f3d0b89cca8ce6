"""The rows of episodes, found by their own `episode_index`.

The table of episodes also says where an episode's rows are. It is wrong there in many datasets
(after a file was full, and where pictures are in the tables), and the rows are right.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from robot_learning.core.amounts import amount
from robot_learning.episodes.format.errors import EpisodeError
from robot_learning.episodes.format.optional import require
from robot_learning.episodes.imports.lerobot.lines import Line
from robot_learning.episodes.imports.lerobot.tables import PURPOSE, Table, numbers

_ROWS_A_BATCH = 1024
_EPISODE, _FRAME, _INDEX, _TIME = "episode_index", "frame_index", "index", "timestamp"
BOOKKEEPING = (_EPISODE, _FRAME, _INDEX, _TIME)
"""Columns that number the rows and say nothing else."""
TASK_INDEX = "task_index"


@dataclass(frozen=True)
class Run:
    """Rows that follow each other and are of one episode.

    Attributes:
        path: file that they are in.
        number: number of the episode.
        first: row of the file that is the first of them.
        parts: the rows as batches of Arrow; empty where there are too many of them.
        rows: number of rows.
    """

    path: Path
    number: int
    first: int
    parts: Sequence[Any]
    rows: int

    def column(self, name: str, shape: tuple[int, ...]) -> npt.NDArray[Any]:
        """(rows, *shape) of a column; see `numbers` for errors."""
        arrow = require("pyarrow", PURPOSE)
        return numbers(arrow.concat_arrays([part.column(name) for part in self.parts]), shape, name)

    def has(self, name: str) -> bool:
        """Whether a column was read."""
        return name in self.parts[0].schema.names


def runs_in(path: Path, wanted: Sequence[str], lines: Mapping[int, Line]) -> Iterator[Run]:
    """The runs of a file, in its order.

    At most one episode is held in memory, and never more of its rows than its line says.

    Args:
        path: file of rows.
        wanted: columns to read, beside those that number the rows.
        lines: lines of the table of episodes, by number.

    Raises:
        EpisodeError: the file is damaged, or lacks a column.
    """
    with Table(path) as table:
        counted = [name for name in (*BOOKKEEPING, TASK_INDEX) if name in table.names]
        names = list(dict.fromkeys([_EPISODE, *counted, *wanted]))
        number, first, rows = -1, 0, 0
        parts: list[Any] = []
        for batch in table.batches(names, _ROWS_A_BATCH):
            episodes = numbers(batch.column(_EPISODE), (), _EPISODE)
            edges = np.flatnonzero(np.diff(episodes)) + 1
            for start, stop in zip([0, *edges], [*edges, len(episodes)], strict=True):
                if start == stop:
                    continue
                if (found := int(episodes[start])) != number:
                    if rows:
                        yield Run(path, number, first, parts, rows)
                    number, first, rows, parts = found, first + rows, 0, []
                rows += int(stop - start)
                line = lines.get(number)
                if line is None or rows > line.rows:
                    parts = []
                else:
                    parts.append(batch.slice(start, stop - start))
        if rows:
            yield Run(path, number, first, parts, rows)


def check_run(run: Run, line: Line) -> None:
    """Hold an episode's rows against its line.

    Raises:
        EpisodeError: rows are missing, too many, or out of order.
    """
    if run.rows != line.rows:
        raise EpisodeError(
            f"{run.path}: it has {amount(run.rows, 'row')} there, and {line.rows} by the table of "
            "episodes"
        )
    for name in (_FRAME, _INDEX):
        if run.has(name) and (np.diff(run.column(name, ())) < 1).any():
            raise EpisodeError(f"{run.path}: '{name}' does not rise from row to row")
    if run.has(_TIME):
        times = run.column(_TIME, ())
        if not np.isfinite(times).all() or (np.diff(times) <= 0).any():
            raise EpisodeError(f"{run.path}: '{_TIME}' does not rise from row to row")


def times_of(run: Run, rate_hz: float) -> npt.NDArray[np.float64]:
    """(rows,) times since the episode began, s: as they stand there, or by the rate."""
    if run.has(_TIME):
        return run.column(_TIME, ()).astype(np.float64)
    return np.arange(run.rows) / rate_hz


def first_index(run: Run) -> int | None:
    """`index` of the first row; None where there is none."""
    return int(run.column(_INDEX, ())[0]) if run.has(_INDEX) else None
