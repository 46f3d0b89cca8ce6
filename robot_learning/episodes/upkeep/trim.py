"""Cutting an episode to a range of its rows; the whole one stays in the trash."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import h5py

from robot_learning.core.amounts import amount
from robot_learning.core.files import fsync, replacing
from robot_learning.episodes.format.episode_file import (
    KEPT,
    ROW_COLUMNS,
    STREAM_COLUMNS,
    EncodedRow,
    EpisodeFile,
    write_outcome,
)
from robot_learning.episodes.format.errors import EpisodeError
from robot_learning.episodes.format.origins import write_origins
from robot_learning.episodes.format.row_quality import (
    quality_of_corrective_rows,
    quality_of_rows,
)
from robot_learning.episodes.format.schema import RowFault
from robot_learning.episodes.store.episode import Episode
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.index import EpisodeSummary, read_index, read_splits, write_index
from robot_learning.episodes.store.labels import write_layer
from robot_learning.episodes.store.summary import summarise
from robot_learning.episodes.store.trash import free_place

_BATCH_ROWS = 64


def trim_episode(
    folder: DatasetFolder, name: str, start: int, stop: int
) -> tuple[EpisodeSummary, Path]:
    """Keep a range of an episode's rows. Hold the lock.

    The quality report is made again from the rows that are kept, and labels and origins are cut
    with them.

    Args:
        folder: the dataset.
        name: file name of the episode.
        start: first row to keep.
        stop: row after the last one to keep.

    Returns:
        The new index entry, and where the whole episode lies now.

    Raises:
        EpisodeError: the range keeps nothing or everything, or the episode is damaged; nothing
            was changed then.
    """
    path = folder.episodes_path / name
    try:
        with replacing(path) as beside:
            with Episode(path) as episode:
                _check(episode, start, stop)
                with h5py.File(beside, "w") as file:
                    _write(episode, file, start, stop)
                    summary = summarise(file, name)
            place = free_place(folder.path, name)
            # Linked first: the whole episode is in one place at least, whenever this ends.
            os.link(path, place)
            fsync(place.parent)
    except OSError as problem:
        raise EpisodeError(f"{path}: could not be trimmed: {problem}") from problem
    write_index(folder, {**read_index(folder), name: summary}.values(), read_splits(folder))
    return summary, place


def _check(episode: Episode, start: int, stop: int) -> None:
    if not 0 <= start < stop <= episode.rows:
        raise EpisodeError(
            f"{episode.path}: rows {start} to {stop} are no range of its "
            f"{amount(episode.rows, 'row')}"
        )
    if stop - start == episode.rows:
        raise EpisodeError(f"{episode.path}: rows {start} to {stop} are all it has")
    damaged = episode.verify_digests()
    if damaged:
        # New digests over damaged rows would hide the damage for ever.
        raise EpisodeError(f"{episode.path}: is damaged in {', '.join(damaged)}; not trimmed")


def _write(episode: Episode, file: h5py.File, start: int, stop: int) -> None:
    described = f"rows {start} to {stop - 1} of {episode.rows}"
    before = episode.metadata
    notes = dict(before.notes)
    notes["trimmed"] = f"{described}; {notes['trimmed']}" if "trimmed" in notes else described
    target = EpisodeFile(file, episode.info, replace(before, notes=notes))
    for rows in _stored_rows(episode, start, stop):
        target.append(rows)
    for layer in episode.labels(removed=True):
        mask, actions = layer.mask[start:stop], layer.actions[start:stop]
        write_layer(file, replace(layer, mask=mask, actions=actions))
    if episode.origins is not None:
        write_origins(file, episode.origins.between(start, stop))
    report = quality_of_rows if episode.origins is None else quality_of_corrective_rows
    quality = report(file, episode.info, stop - start)
    quality["trimmed"] = described
    if "recovered" in episode.quality:
        quality["recovered"] = episode.quality["recovered"]
        file.attrs["recovered"] = True
    if episode.kept_by_hand:
        file.attrs[KEPT] = True
    write_outcome(file, stop - start, episode.outcome, quality, target.column_digests())


def _stored_rows(episode: Episode, start: int, stop: int) -> Iterator[list[EncodedRow]]:
    columns, streams = episode.info.columns, episode.info.streams
    for first in range(start, stop, _BATCH_ROWS):
        end = min(first + _BATCH_ROWS, stop)
        arrays = {
            column.path: episode.column(column.path, first, end)
            for column in columns
            if not column.is_image
        }
        times = {
            stream.name: [
                episode.column(f"streams/{stream.name}/{name}", first, end).tolist()
                for name in STREAM_COLUMNS
            ]
            for stream in streams
        }
        ticks_ns, invalid = (episode.column(path, first, end) for path in ROW_COLUMNS)
        yield [
            EncodedRow(
                tick_ns=int(ticks_ns[row]),
                faults=RowFault(int(invalid[row])),
                streams={name: (s[row], r[row], a[row]) for name, (s, r, a) in times.items()},
                values={
                    column.path: episode.stored_frame(column.path, first + row)
                    if column.is_image
                    else arrays[column.path][row]
                    for column in columns
                },
            )
            for row in range(end - first)
        ]
