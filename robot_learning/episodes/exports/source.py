"""What is exported: runs of rows of the chosen episodes, and the columns that are fit for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from robot_learning.core.amounts import amount
from robot_learning.core.types import UInt8Array
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.format.errors import DatasetError
from robot_learning.episodes.format.images import encode_jpeg
from robot_learning.episodes.format.schema import Column, Encoding
from robot_learning.episodes.store.episode import Episode
from robot_learning.episodes.store.index import EpisodeSummary

JPEG_QUALITY = 95


@dataclass(frozen=True, slots=True)
class Section:
    """Rows `start` to `stop` of an episode; they become one episode of the export."""

    episode: EpisodeSummary
    start: int
    stop: int

    @property
    def rows(self) -> int:
        """How many."""
        return self.stop - self.start

    @property
    def is_end(self) -> bool:
        """Whether the episode's last row is in it, the one that its outcome belongs to."""
        return self.stop == self.episode.rows


class ExportSource:
    """The rows and columns of an export.

    Rows are always consecutive: they are 1/rate apart in the export as they are here. With
    `valid_only` an episode with invalid rows therefore becomes several, one for each run of
    valid rows; nothing is ever joined over a gap.

    A column of observations that holds NaN in these rows (an effort that was not measured, say)
    is left out, as other tools train on NaN without a word; `left_out` says which and why.
    """

    def __init__(self, dataset: Dataset, *, valid_only: bool = False, min_rows: int = 2) -> None:
        """Choose the sections.

        Args:
            dataset: dataset with the chosen episodes.
            valid_only: leave out invalid rows, and rows without a label.
            min_rows: length of the shortest section that is kept, in rows.

        Raises:
            DatasetError: nothing is left, or a row has no label.
        """
        self.dataset = dataset
        self.info = dataset.info
        self.left_out: dict[str, str] = {}
        self.sections = _sections(dataset, valid_only, min_rows)
        if not self.sections:
            raise DatasetError(f"{dataset.path}: no rows are left to be exported")
        rows = self._row_mask()
        self._check_labels(rows)
        self.arrays = tuple(self._usable_arrays(rows))
        self.images = tuple(column for column in self.info.columns if is_camera(column))
        self._camera_names = _camera_names(self.arrays, self.images)

    @property
    def rows(self) -> int:
        """Rows of all sections."""
        return sum(section.rows for section in self.sections)

    def has(self, path: str) -> bool:
        """Whether a low-dimensional column is there and can be exported."""
        return any(column.path == path for column in self.arrays)

    def camera_name(self, column: Column) -> str:
        """What the camera of an image column is called: no observation has the same name."""
        return self._camera_names[column.path]

    def episode(self, section: Section) -> Episode:
        """The episode of a section, open."""
        return self.dataset.episode(section.episode.name)

    def read(self, section: Section, path: str) -> npt.NDArray[Any]:
        """The section's rows of an array column, (rows, *shape), as stored."""
        rows: npt.NDArray[Any] = self.episode(section).column(path, section.start, section.stop)
        return rows

    def frames(self, section: Section, column: Column) -> Iterator[UInt8Array]:
        """The section's decoded frames, (height, width, 3) uint8 each; a lost one is black."""
        episode = self.episode(section)
        for row in range(section.start, section.stop):
            yield episode.frame(column.path, row)

    def jpegs(self, section: Section, column: Column) -> Iterator[bytes]:
        """The section's frames as JPEG: untouched where they are stored so."""
        episode = self.episode(section)
        for row in range(section.start, section.stop):
            stored = (
                episode.frame_bytes(column.path, row) if column.encoding is Encoding.JPEG else b""
            )
            yield stored or encode_jpeg(episode.frame(column.path, row), JPEG_QUALITY)

    def instruction(self, section: Section) -> str:
        """The task in words, or its name."""
        return section.episode.instruction or self.info.task

    def succeeded(self, section: Section) -> bool:
        """Whether it holds the end of an episode that succeeded."""
        return section.is_end and section.episode.outcome == "success"

    def _row_mask(self) -> npt.NDArray[np.bool_]:
        starts = dict(
            zip((s.name for s in self.dataset.episodes), self.dataset.row_starts(), strict=False)
        )
        mask = np.zeros(self.dataset.rows, bool)
        for section in self.sections:
            first = starts[section.episode.name]
            mask[first + section.start : first + section.stop] = True
        return mask

    def _check_labels(self, rows: npt.NDArray[np.bool_]) -> None:
        actions = self.dataset.array("actions")[rows]
        missing = int((~np.isfinite(actions).all(axis=1)).sum())
        if missing:
            raise DatasetError(
                f"{self.dataset.path}: {amount(missing, 'row has', 'rows have')} no label (the "
                "action is NaN); export valid rows only"
            )

    def _usable_arrays(self, rows: npt.NDArray[np.bool_]) -> Iterator[Column]:
        for column in self.info.columns:
            if is_camera(column):
                continue
            if column.is_image:
                self.left_out[column.path] = "depth images have no place in these formats"
                continue
            values = self.dataset.array(column.path)[rows]
            is_observation = column.path.startswith(("obs/", "states"))
            if is_observation and values.dtype.kind == "f" and np.isnan(values).any():
                count = int(np.isnan(values).reshape(len(values), -1).any(axis=1).sum())
                self.left_out[column.path] = f"it is NaN in {count} of {amount(len(values), 'row')}"
                continue
            yield column


def is_camera(column: Column) -> bool:
    """Whether a column holds colour frames, in whatever encoding."""
    return column.is_image and column.encoding is not Encoding.DEPTH


def _camera_names(arrays: Iterable[Column], images: Iterable[Column]) -> dict[str, str]:
    """A name for the camera of each image column, by its path."""
    taken = {column.path.removeprefix("obs/") for column in arrays}
    names: dict[str, str] = {}
    for column in images:
        name = column.path.rsplit("/", maxsplit=1)[-1]
        while name in taken:
            name = f"{name}_image"
        names[column.path] = name
        taken.add(name)
    return names


def _sections(dataset: Dataset, valid_only: bool, min_rows: int) -> list[Section]:
    if not valid_only:
        return [Section(summary, 0, summary.rows) for summary in dataset.episodes if summary.rows]
    valid = (dataset.array("invalid") == 0) & dataset.action_valid()
    starts = dataset.row_starts()
    found = []
    for number, summary in enumerate(dataset.episodes):
        edges = np.diff(
            valid[starts[number] : starts[number + 1]].astype(np.int8), prepend=0, append=0
        )
        runs = zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True)
        found += [
            Section(summary, int(start), int(stop))
            for start, stop in runs
            if stop - start >= min_rows
        ]
    return found
