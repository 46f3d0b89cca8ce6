"""The interface of an export format, and what all formats share: whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from robot_learning.core.amounts import amount
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.exports.source import ExportSource
from robot_learning.episodes.format.errors import DatasetError
from robot_learning.episodes.store.beside import made_beside
from robot_learning.episodes.store.index import is_corrective

Progress = Callable[[int, int], None]


class Exporter(Protocol):
    """Writes one format."""

    def write(self, source: ExportSource, path: Path, progress: Progress) -> tuple[str, ...]:
        """Write everything to `path`, which does not exist.

        Args:
            source: rows and columns to export.
            path: path of the file or folder, as the format has it.
            progress: called with the rows that are done and the rows in all.

        Returns:
            What a user of the result should know, a sentence each.
        """
        ...


@dataclass(frozen=True)
class ExportReport:
    """What was exported, what was left out and why, and what to know of it."""

    path: Path
    episodes: int
    rows: int
    left_out: Mapping[str, str]
    notes: tuple[str, ...]


def export_dataset(
    dataset: Dataset,
    path: Path,
    exporter: Exporter,
    *,
    valid_only: bool = False,
    min_rows: int = 2,
    progress: Progress | None = None,
) -> ExportReport:
    """Write the chosen episodes of `dataset` to `path`.

    It is written next to `path` and renamed, so that `path` is complete or absent.

    Args:
        dataset: dataset with the chosen episodes.
        path: path of the file or folder to make.
        exporter: the format.
        valid_only: leave out invalid rows, and rows without a label.
        min_rows: length of the shortest section that is kept, in rows.
        progress: called with the rows that are done and the rows in all; None for nothing.

    Raises:
        DatasetError: `path` exists, or nothing is left to be exported.
        EpisodeError: an episode cannot be read.
        DependencyError: a library that the format needs is missing.
    """
    if path.exists():
        raise DatasetError(f"{path}: exists already; export to another place")
    corrective = [summary.name for summary in dataset.episodes if is_corrective(summary)]
    dataset = dataset.without(corrective)
    source = ExportSource(dataset, valid_only=valid_only, min_rows=min_rows)
    try:
        with made_beside(path) as beside:
            notes = exporter.write(source, beside, progress or _ignore)
            beside.rename(path)
    except OSError as problem:
        raise DatasetError(f"{path}: cannot be written: {problem}") from problem
    if corrective:
        notes = (*notes, _corrective_note(len(corrective)))
    return ExportReport(path, len(source.sections), source.rows, dict(source.left_out), notes)


def _corrective_note(episodes: int) -> str:
    text = amount(episodes, "episode of corrective labels is", "episodes of corrective labels are")
    return f"{text} left out: their rows do not follow each other in time"


def _ignore(_done: int, _total: int) -> None:
    pass
