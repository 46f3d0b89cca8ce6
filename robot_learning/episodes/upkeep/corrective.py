"""Episodes of corrective labels: rows that were computed, beside those that were recorded.

Each belongs to one recorded episode and says for every row which row of it that was made for. The
rows do not follow each other in time: training, splits and exports take each for itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from robot_learning import __version__
from robot_learning.core.clocks import seconds_to_ns
from robot_learning.core.files import replacing
from robot_learning.core.types import FloatArray
from robot_learning.core.vocabulary import Mode, Source
from robot_learning.episodes.format.episode_file import EncodedRow, EpisodeFile, write_outcome
from robot_learning.episodes.format.errors import EpisodeError
from robot_learning.episodes.format.origins import Origins, write_origins
from robot_learning.episodes.format.row_quality import quality_of_corrective_rows
from robot_learning.episodes.format.schema import Column, DatasetInfo, EpisodeMetadata, RowFault
from robot_learning.episodes.store.episode import Episode
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.index import EpisodeSummary
from robot_learning.episodes.store.summary import summarise

_LABELS = ("actions", "control/requested")
_EXECUTED = "control/applied"
_NOTHING = ("control/noise", "control/limited", "intervention", "rewards")


@dataclass(frozen=True)
class CorrectiveRows:
    """T corrective labels of one episode.

    Attributes:
        observed: (T, *shape) of each column of observations that is known, by its path.
        actions: (T, n) labels, rad or m.
        executed: (T, n) actions that lead from the observed state to where the label leads back to,
            rad or m; they differ from the labels where limits acted in the demonstration.
        origins: the rows that they were made for.
    """

    observed: Mapping[str, npt.NDArray[Any]]
    actions: FloatArray
    executed: FloatArray
    origins: Origins


def write_corrective_episode(
    folder: DatasetFolder, name: str, rows: CorrectiveRows, origin: Episode
) -> EpisodeSummary:
    """Write an episode of corrective labels. Hold the lock; the index is the caller's.

    Observations that are not known are NaN. Outcome, operator, instruction and round are those of
    the episode that the labels were made for, so that filters choose both.

    Args:
        folder: dataset that gets the episode.
        name: file name of the new episode.
        rows: labels, at least one.
        origin: episode that the labels were made for.

    Returns:
        The episode's entry in the index.

    Raises:
        EpisodeError: the dataset has images, which cannot be computed, or the episode
            cannot be written.
    """
    info, path, count = folder.info, folder.episodes_path / name, len(rows.actions)
    if any(column.is_image for column in info.columns):
        raise EpisodeError(f"{folder.path}: a corrective label has no picture")
    values = {column.path: _values(column, rows) for column in info.columns}
    try:
        with replacing(path) as beside, h5py.File(beside, "w") as file:
            target = EpisodeFile(file, info, _metadata(origin))
            target.append([_row(info, values, number) for number in range(count)])
            write_origins(file, rows.origins)
            quality = quality_of_corrective_rows(file, info, count)
            write_outcome(file, count, origin.outcome, quality, target.column_digests())
            return summarise(file, name)
    except OSError as problem:
        raise EpisodeError(f"{path}: cannot be written: {problem}") from problem


def _values(column: Column, rows: CorrectiveRows) -> npt.NDArray[Any]:
    """(T, *shape) what a column holds in these rows."""
    count, path = len(rows.actions), column.path
    if path in _LABELS:
        return rows.actions
    if path == _EXECUTED:
        return rows.executed
    if path in rows.observed:
        return rows.observed[path]
    fill: float = 0
    if path == "control/source":
        fill = int(Source.CORRECTIVE)
    elif path == "control/mode":
        fill = int(Mode.DISABLED)
    elif column.dtype.startswith("float") and path not in _NOTHING:
        fill = np.nan
    return np.full((count, *column.shape), fill, column.dtype)


def _row(info: DatasetInfo, values: Mapping[str, npt.NDArray[Any]], number: int) -> EncodedRow:
    tick_ns = seconds_to_ns(number / info.rate_hz)
    return EncodedRow(
        tick_ns=tick_ns,
        faults=RowFault(0),
        streams={stream.name: (tick_ns, tick_ns, 0) for stream in info.streams},
        values={path: column[number] for path, column in values.items()},
    )


def _metadata(origin: Episode) -> EpisodeMetadata:
    return replace(
        origin.metadata,
        seed=None,
        checkpoint_digest="",
        noise_covariance=None,
        started_utc=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        software_version=__version__,
        notes={},
    )
