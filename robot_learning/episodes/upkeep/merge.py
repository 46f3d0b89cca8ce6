"""Making one dataset of episodes of several, by copying; the sources are not changed."""

from __future__ import annotations

import filecmp
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from robot_learning.core.files import fsync
from robot_learning.episodes.format.errors import DatasetError, EpisodeError
from robot_learning.episodes.store.beside import made_beside
from robot_learning.episodes.store.episode import Episode
from robot_learning.episodes.store.folder import DatasetFolder, info_difference
from robot_learning.episodes.store.index import EpisodeSummary, read_index, read_splits, write_index
from robot_learning.episodes.store.recovery import Progress


@dataclass(frozen=True)
class MergeReport:
    """What was copied, and what was left out because an equal episode was there already."""

    episodes: int
    rows: int
    left_out: tuple[str, ...]


def merge_datasets(
    sources: Sequence[Path], target: Path, progress: Progress | None = None
) -> MergeReport:
    """Copy all episodes of several datasets into a new one, in their order.

    Robot, task, rate, joints and streams must be the same. Episodes with equal digests are
    taken once. Stored splits of one name are joined.

    Args:
        sources: folders of the datasets.
        target: folder of the new dataset, which is not there yet.
        progress: called with the episodes that are done and the episodes in all; None for nothing.

    Raises:
        DatasetError: the sources differ (the text names both sides), or the target exists.
        EpisodeError: an index is damaged, or an episode cannot be read. Nothing is left behind.
    """
    folders = [DatasetFolder(path) for path in sources]
    for folder in folders[1:]:
        difference = info_difference(folders[0].info, folder.info)
        if difference:
            raise DatasetError(
                f"{folders[0].path} and {folder.path} cannot be merged: {difference}"
            )
    chosen = [(folder, list(read_index(folder).values())) for folder in folders]
    splits = [read_splits(folder) for folder in folders]
    return copy_episodes(chosen, target, splits, progress)


def copy_episodes(
    chosen: Sequence[tuple[DatasetFolder, Sequence[EpisodeSummary]]],
    target: Path,
    splits: Sequence[Mapping[str, Sequence[str]]] = (),
    progress: Progress | None = None,
) -> MergeReport:
    """Copy episodes into the new dataset `target`, which appears whole or not at all.

    Args:
        chosen: datasets that fit each other, each with some of its episodes.
        target: folder of the new dataset, which is not there yet.
        splits: splits of each dataset to take over, by episode names; empty for none.
        progress: called with the episodes that are done and the episodes in all; None for nothing.

    Raises:
        DatasetError: the target exists or cannot be written.
        EpisodeError: an episode cannot be read.
    """
    if target.exists():
        raise DatasetError(f"{target}: exists already; choose a new folder")
    try:
        with made_beside(target) as beside:
            made = DatasetFolder.create_or_open(beside, chosen[0][0].info)
            report = _fill(made, chosen, splits, progress)
            beside.rename(target)
            fsync(target.parent)
    except OSError as problem:
        raise DatasetError(f"{target}: could not be written: {problem}") from problem
    return report


def is_copy(source: DatasetFolder, summaries: Sequence[EpisodeSummary], target: Path) -> bool:
    """Whether `target` holds what `copy_episodes` makes of these episodes now, and nothing else.

    Args:
        source: dataset of the episodes.
        summaries: the episodes that would be copied.
        target: folder that may hold copies of them.
    """
    chosen: dict[str, EpisodeSummary] = {}
    for summary in summaries:
        chosen.setdefault(summary.digest, summary)
    try:
        folder = DatasetFolder(target)
        copies = list(read_index(folder).values())
    except (DatasetError, EpisodeError):
        return False
    if len(copies) != len(chosen):
        return False
    return all(
        replace(copy, name=summary.name) == summary
        and filecmp.cmp(
            folder.episodes_path / copy.name, source.episodes_path / summary.name, shallow=False
        )
        for copy, summary in zip(copies, chosen.values(), strict=True)
    )


def _fill(
    target: DatasetFolder,
    chosen: Sequence[tuple[DatasetFolder, Sequence[EpisodeSummary]]],
    splits: Sequence[Mapping[str, Sequence[str]]],
    progress: Progress | None,
) -> MergeReport:
    total = sum(len(summaries) for _, summaries in chosen)
    taken: dict[str, EpisodeSummary] = {}
    joined: dict[str, list[str]] = {}
    left_out, done = [], 0
    for number, (source, summaries) in enumerate(chosen):
        renamed: dict[str, str] = {}
        for summary in summaries:
            done += 1
            path = source.episodes_path / summary.name
            if summary.digest in taken:
                left_out.append(str(path))
                renamed[summary.name] = taken[summary.digest].name
            else:
                name = f"episode_{len(taken):06d}.hdf5"
                _copy(path, target.episodes_path / name)
                taken[summary.digest] = replace(summary, name=name)
                renamed[summary.name] = name
            if progress:
                progress(done, total)
        for split, members in splits[number].items() if splits else ():
            names = [renamed[name] for name in members if name in renamed]
            joined[split] = list(dict.fromkeys([*joined.get(split, []), *names]))
    fsync(target.episodes_path)
    write_index(target, taken.values(), joined)
    rows = sum(summary.rows for summary in taken.values())
    return MergeReport(len(taken), rows, tuple(left_out))


def _copy(source: Path, target: Path) -> None:
    # Opening checks it: what is damaged or reaches out of its file is not spread.
    with Episode(source):
        shutil.copyfile(source, target)
    with target.open("rb") as copy:
        os.fsync(copy.fileno())
