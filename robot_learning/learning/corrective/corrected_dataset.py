"""A dataset with corrective labels, made from one of demonstrations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from robot_learning.core.amounts import amount
from robot_learning.core.files import fsync
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.format.errors import DatasetError
from robot_learning.episodes.store.beside import made_beside
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.index import is_corrective, read_index, read_splits, write_index
from robot_learning.episodes.upkeep.corrective import write_corrective_episode
from robot_learning.episodes.upkeep.merge import copy_episodes
from robot_learning.learning.corrective.config import CorrectiveConfig
from robot_learning.learning.corrective.correction import Correction, correct
from robot_learning.learning.corrective.dynamics import Progress
from robot_learning.learning.corrective.recorded import (
    RecordedSteps,
    recorded_steps,
    rows_of,
    state_keys,
)
from robot_learning.learning.training.bad_timing import without_bad_timing
from robot_learning.learning.training.failures import without_failures


@dataclass(frozen=True)
class CorrectedDataset:
    """What was made.

    Attributes:
        folder: folder of the new dataset.
        episodes: number of demonstrations in it.
        rows: number of their rows.
        corrective_episodes: number of episodes of corrective labels.
        steps: number of steps that dynamics were learnt from.
        keys: columns that make up the state.
        found: the labels, and what they rest on.
    """

    folder: Path
    episodes: int
    rows: int
    corrective_episodes: int
    steps: int
    keys: tuple[str, ...]
    found: Correction


def correct_dataset(
    dataset: Dataset,
    target: Path,
    config: CorrectiveConfig,
    *,
    keys: Sequence[str] = (),
    progress: Progress | None = None,
) -> CorrectedDataset:
    """Copy demonstrations into a new dataset and add corrective labels for them.

    All episodes are copied but those of earlier corrective labels. Labels are made for the episodes
    that a training would use: not for failures, nor where the timing was bad. The new dataset
    appears whole or not at all.

    Args:
        dataset: demonstrations; not changed.
        target: folder of the new dataset, which is not there yet.
        config: settings of the labels.
        keys: columns that make up the state; empty for all observations in numbers.
        progress: called with the gradient steps of the dynamics that are made, which take most of
            the time, and those in all; None for nothing.

    Raises:
        ConfigurationError: there are too few steps.
        DatasetError: the target exists, or the dataset is not fit for it; the text says why.
        EpisodeError: an episode cannot be read or written.
    """
    if target.exists():
        raise DatasetError(f"{target}: exists already; choose a new folder")
    demonstrations = dataset.without(s.name for s in dataset.episodes if is_corrective(s))
    used = without_bad_timing(without_failures(demonstrations))
    # Copies would stand on both sides of what is held out.
    used = used.without(tuple(used.copies()))
    steps = recorded_steps(used, state_keys(used, keys))
    found = correct(steps.transitions, config, progress)
    if not len(found.labels):
        raise DatasetError(
            f"{dataset.path}: none of {amount(found.tried, 'label')} can be trusted: "
            f"{found.rejected}. More demonstrations, or some with noise (DART), let the dynamics "
            "be learnt better"
        )
    source = DatasetFolder(dataset.path)
    chosen, splits = [(source, demonstrations.episodes)], [read_splits(source)]
    try:
        with made_beside(target) as beside:
            copied = copy_episodes(chosen, beside, splits)
            count = _add_labels(DatasetFolder(beside), used, steps, found)
            beside.rename(target)
            fsync(target.parent)
    except OSError as problem:
        raise DatasetError(f"{target}: could not be written: {problem}") from problem
    return CorrectedDataset(
        folder=target,
        episodes=copied.episodes,
        rows=copied.rows,
        corrective_episodes=count,
        steps=len(steps.transitions),
        keys=steps.keys,
        found=found,
    )


def _add_labels(
    folder: DatasetFolder, used: Dataset, steps: RecordedSteps, found: Correction
) -> int:
    """Write an episode of labels for each demonstration that has some; how many there are.

    It is in the same stored splits as the demonstration.
    """
    index, splits = read_index(folder), read_splits(folder)
    names = {summary.digest: summary.name for summary in index.values()}
    made = []
    with folder.lock():
        for number, rows in rows_of(used, steps, found):
            summary = used.episodes[number]
            copy = names[summary.digest]
            bound = replace(rows, origins=replace(rows.origins, episode=copy))
            name, origin = folder.next_episode_name(), used.episode(summary.name)
            made.append(write_corrective_episode(folder, name, bound, origin))
            for members in splits.values():
                members.extend([name] * (copy in members))
        write_index(folder, [*index.values(), *made], splits)
    return len(made)
