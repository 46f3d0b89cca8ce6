"""Checking a dataset, and bringing one back to order after a crash."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from robot_learning.core.amounts import amount
from robot_learning.core.clocks import seconds_to_ns
from robot_learning.core.errors import RobotLearningError
from robot_learning.core.files import fsync
from robot_learning.episodes.format.attributes import get_text, get_value
from robot_learning.episodes.format.episode_file import write_outcome
from robot_learning.episodes.format.errors import EpisodeError, FileAccessError
from robot_learning.episodes.format.journaled_file import (
    JournaledFile,
    journal_path,
)
from robot_learning.episodes.format.origins import Origins
from robot_learning.episodes.format.reading import reading
from robot_learning.episodes.format.row_quality import quality_of_rows
from robot_learning.episodes.format.sampler import NEVER_NS
from robot_learning.episodes.format.schema import DEMO_PATH, DatasetInfo
from robot_learning.episodes.store.columns import column_digests, find_columns
from robot_learning.episodes.store.episode import Episode
from robot_learning.episodes.store.folder import PARTIAL_SUFFIX, DatasetFolder, info_difference
from robot_learning.episodes.store.index import (
    EpisodeSummary,
    read_index,
    read_splits,
    write_index,
)
from robot_learning.episodes.store.summary import summarise
from robot_learning.episodes.store.trash import free_place

_log = logging.getLogger(__name__)
OTHER_FEATURES = "was recorded with other features"
Progress = Callable[[int, int], None]


@dataclass
class RepairReport:
    """What a repair did. `lost` says what could not be brought back, in words."""

    recovered: dict[str, int] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    actions: list[str] = field(default_factory=list)


def verify_dataset(folder: DatasetFolder, progress: Progress | None = None) -> list[str]:
    """Every invariant and digest of a dataset; returns the problems, none when it is sound."""
    problems = [
        f"{path.name}: its recording was not finished; repair it" for path in folder.partial_paths()
    ]
    indexed: dict[str, EpisodeSummary] = {}
    try:
        indexed = read_index(folder) if folder.index_path.exists() else {}
    except RobotLearningError as problem:
        problems.append(str(problem))
    names = folder.episode_names()
    problems += [
        f"{name}: is in the index, but its file is missing"
        for name in indexed
        if name not in set(names)
    ]
    known = _Known()
    for number, name in enumerate(names):
        problems += _episode_problems(folder, name, indexed.get(name), known)
        if progress:
            progress(number + 1, len(names))
    return problems + _origin_problems(known)


def repair_dataset(folder: DatasetFolder, progress: Progress | None = None) -> RepairReport:
    """Recover unfinished episodes and rewrite the index where it is wrong.

    Saved episodes are not changed; damaged ones are named and left out of the index. What
    cannot be recovered is moved to `trash/`.

    Raises:
        DatasetLockedError: somebody is writing to this dataset.
    """
    report = RepairReport()
    with folder.lock():
        for path in folder.partial_paths():
            _recover_into(folder, path, report)
        _remove_leftovers(folder, report)
        _repair_index(folder, report, progress)
    return report


def recover_partial(folder: DatasetFolder, path: Path) -> tuple[EpisodeSummary, str]:
    """Turn an unfinished recording into a saved episode, up to its last flush. Hold the lock.

    Returns:
        Its index entry, and what was lost in words. The index is not touched.

    Raises:
        EpisodeError: it holds no whole row.
    """
    final = path.with_name(path.name.removesuffix(PARTIAL_SUFFIX))
    if final.exists():
        raise EpisodeError(f"{path.name}: {final.name} exists already")
    journaled = JournaledFile(path, create=False)
    done = False
    try:
        with reading(path), h5py.File(journaled, "r+") as file:
            lost = "" if bool(get_value(file, "complete")) else _complete(file, path)
            summary = summarise(file, final.name)
        journaled.commit()
        done = True
    finally:
        journaled.close(remove_journal=done)
    path.rename(final)
    fsync(final.parent)
    return summary, lost


def _complete(file: h5py.File, path: Path) -> str:
    info = DatasetInfo.from_json(get_text(file, "dataset_info"), str(path))
    datasets = find_columns(file, info, path)
    lengths = {name: len(dataset) for name, dataset in datasets.items()}
    rows = _increasing_rows(datasets["tick_ns"][: min(lengths.values())])
    if rows == 0:
        raise EpisodeError(f"{path.name}: holds no whole row")
    for dataset in datasets.values():
        dataset.resize(rows, axis=0)
    ragged = max(lengths.values()) - rows
    lost = "what came after the last flush" + (
        f", and {amount(ragged, 'row')} that not every column had" if ragged else ""
    )
    digests = column_digests(file, info)
    quality = quality_of_rows(file, info, rows)
    quality["recovered"] = f"the recording was cut off; lost: {lost}"
    write_outcome(file, rows, "unknown", quality, digests)
    file.attrs["recovered"] = True
    return lost


def _increasing_rows(ticks_ns: np.ndarray[Any, Any]) -> int:
    """How many leading rows have increasing ticks; what never reached the disk reads as 0."""
    backwards = np.flatnonzero(np.diff(ticks_ns) <= 0)
    return int(backwards[0]) + 1 if len(backwards) else len(ticks_ns)


def _recover_into(folder: DatasetFolder, path: Path, report: RepairReport) -> None:
    try:
        summary, lost = recover_partial(folder, path)
    except (FileAccessError, OSError) as problem:  # no fault of the recording's: to be tried again
        report.damaged.append(f"{path.name}: stays as it is, try again: {problem}")
        return
    except RobotLearningError as problem:
        report.lost.append(f"{path.name}: nothing could be recovered: {problem}")
        _move_to_trash(folder, path)
        return
    report.recovered[summary.name] = summary.rows
    if lost:
        report.lost.append(f"{summary.name}: recovered {amount(summary.rows, 'row')}; lost: {lost}")


def _move_to_trash(folder: DatasetFolder, path: Path) -> None:
    path.rename(free_place(folder.path, path.name))
    with suppress(FileNotFoundError):
        journal_path(path).rename(free_place(folder.path, journal_path(path).name))


def _remove_leftovers(folder: DatasetFolder, report: RepairReport) -> None:
    """Half-made copies, and journals whose file is whole or gone."""
    leftovers = [*folder.path.glob(".*.new"), *folder.episodes_path.glob(".*.new")]
    leftovers += folder.episodes_path.glob(f"*{PARTIAL_SUFFIX}.journal")
    for path in leftovers:
        path.unlink(missing_ok=True)
        report.actions.append(f"removed {path.name}, left by an interrupted write")


def _repair_index(folder: DatasetFolder, report: RepairReport, progress: Progress | None) -> None:
    indexed: dict[str, EpisodeSummary] = {}
    splits: dict[str, list[str]] = {}
    try:
        indexed = read_index(folder) if folder.index_path.exists() else {}
        splits = read_splits(folder) if indexed else {}
    except RobotLearningError as problem:
        report.actions.append(f"rebuilt the index: {problem}")
    names = folder.episode_names()
    summaries: dict[str, EpisodeSummary] = {}
    for number, name in enumerate(names):
        try:
            with Episode(folder.episodes_path / name) as episode:
                summaries[name] = episode.summary()
                if difference := info_difference(folder.info, episode.info):
                    report.damaged.append(f"{name}: {OTHER_FEATURES}: {difference}")
        except RobotLearningError as problem:
            report.damaged.append(str(problem))
        if progress:
            progress(number + 1, len(names))
    report.lost += [f"{name}: its file is missing" for name in indexed if name not in set(names)]
    if summaries == indexed:
        return
    kept = {split: [n for n in members if n in summaries] for split, members in splits.items()}
    write_index(folder, summaries.values(), kept)
    changed = len({*summaries} ^ {*indexed})
    report.actions.append(
        f"wrote the index of {amount(len(summaries), 'episode')} ({changed} changed)"
    )


def summary_of(path: Path) -> EpisodeSummary:
    """The index entry of a saved episode, from its file.

    Raises:
        EpisodeError: it cannot be read.
    """
    with Episode(path) as episode:
        return episode.summary()


@dataclass
class _Known:
    """What is known of the episodes that were looked at so far.

    Attributes:
        names: name of the first episode with each digest.
        rows: number of rows of the recorded episode with each digest of a recording.
        origins: where the rows of corrective episodes came from, by their names.
    """

    names: dict[str, str] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    origins: dict[str, Origins] = field(default_factory=dict)


def _origin_problems(known: _Known) -> list[str]:
    """The corrective labels whose rows are not in the dataset."""
    problems = []
    for name, origins in known.origins.items():
        rows = known.rows.get(origins.digest)
        if rows is None:
            problems.append(
                f"{name}: its corrective labels were made for {origins.episode}, which was deleted "
                "or changed since; delete it, or make new ones with `robot-learning ccil`"
            )
        elif len(origins.row) and not 0 <= origins.row.min() <= origins.row.max() < rows:
            problems.append(f"{name}: a corrective label belongs to a row that is not there")
    return problems


def _episode_problems(
    folder: DatasetFolder, name: str, summary: EpisodeSummary | None, known: _Known
) -> list[str]:
    """The problems of an episode; `known` has those before it, and is added to."""
    path, problems = folder.episodes_path / name, []
    try:
        with Episode(path) as episode:
            if summary is None:
                problems.append(f"{name}: is not in the index; repair it")
            elif not summary.agrees_with(episode.summary()):
                problems.append(f"{name}: the index says something else of it; repair it")
            difference = info_difference(folder.info, episode.info)
            if difference:
                problems.append(f"{name}: {OTHER_FEATURES}: {difference}")
            problems += [
                f"{name}: '{column}' differs from what was recorded"
                for column in episode.verify_digests()
            ]
            problems += [f"{name}: {problem}" for problem in _row_problems(episode)]
            if episode.origins is not None:
                known.origins[name] = episode.origins
            else:
                known.rows[episode.recording_digest] = episode.rows
            first = known.names.setdefault(episode.digest, name)
            if first != name:
                problems.append(f"{name}: is equal to {first} in everything recorded; delete one")
    except RobotLearningError as problem:
        problems.append(str(problem))
    return problems


def _row_problems(episode: Episode) -> list[str]:
    """What contradicts itself in the rows."""
    problems = []
    ticks_ns = episode.column("tick_ns")
    if len(ticks_ns) > 1 and np.diff(ticks_ns).min() <= 0:
        problems.append("its rows do not move forward in time")
    stale = np.zeros(episode.rows, bool)
    for stream in episode.info.streams:
        stamps_ns = episode.column(f"streams/{stream.name}/stamp_ns")
        if (stamps_ns > ticks_ns).any():
            problems.append(f"a row holds a sample of '{stream.name}' from its future")
        ages_ns = episode.column(f"streams/{stream.name}/age_ns")
        stale |= (stamps_ns == NEVER_NS) | (ages_ns > seconds_to_ns(stream.max_age_s))
    if (stale & episode.valid).any():
        problems.append("a row is called valid although a stream was over age")
    dones = episode.column("dones")
    if dones.sum() != 1 or dones[-1] != 1:
        problems.append(f"'{DEMO_PATH}/dones' is not 1 in the last row only")
    return problems
