"""Changing what a dataset keeps: outcomes, and which episodes somebody wants or does not."""

from __future__ import annotations

import h5py

from robot_learning.core.errors import unknown_choice
from robot_learning.core.vocabulary import OUTCOMES
from robot_learning.episodes.format.attributes import set_text
from robot_learning.episodes.format.episode_file import KEPT
from robot_learning.episodes.format.errors import DatasetError
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.index import EpisodeSummary
from robot_learning.episodes.store.labels import rewrite_episode
from robot_learning.episodes.store.names import unknown_episode
from robot_learning.episodes.store.trash import trash_episodes


def set_outcome(folder: DatasetFolder, name: str, outcome: str) -> EpisodeSummary:
    """Say how a saved episode ended. Hold the lock.

    Args:
        folder: the dataset.
        name: file name of the episode.
        outcome: one of `OUTCOMES`.

    Raises:
        DatasetError: there is no such episode or outcome.
        EpisodeError: the episode cannot be read.
    """
    if outcome not in OUTCOMES:
        raise DatasetError(unknown_choice("outcome", outcome, OUTCOMES))
    _check_known(folder, name)
    return rewrite_episode(folder, name, lambda file: set_text(file, "outcome", outcome))


def keep_by_hand(folder: DatasetFolder, name: str, keep: bool = True) -> EpisodeSummary:
    """Say whether an episode is a label although its timing was bad. Hold the lock.

    Args:
        folder: the dataset.
        name: file name of the episode.
        keep: whether to keep it; False takes that back.

    Raises:
        DatasetError: there is no such episode.
        EpisodeError: the episode cannot be read.
    """
    _check_known(folder, name)

    def edit(file: h5py.File) -> None:
        file.attrs.pop(KEPT, None)
        if keep:
            file.attrs[KEPT] = True

    return rewrite_episode(folder, name, edit)


def move_to_trash(folder: DatasetFolder, name: str) -> None:
    """Take a saved episode out of the dataset; its file stays in `trash/`. Hold the lock.

    Raises:
        DatasetError: there is no such episode.
    """
    trash_episodes(folder, [name])


def _check_known(folder: DatasetFolder, name: str) -> None:
    names = folder.episode_names()
    if name not in names:
        raise DatasetError(f"{folder.path}: {unknown_episode(name, names)}")
