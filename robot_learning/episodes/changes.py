"""Changing what a dataset keeps: outcomes, and episodes that nobody wants any more."""

from __future__ import annotations

from robot_learning.core.errors import unknown_choice
from robot_learning.episodes.attributes import set_text
from robot_learning.episodes.errors import DatasetError
from robot_learning.episodes.folder import DatasetFolder
from robot_learning.episodes.index import EpisodeSummary
from robot_learning.episodes.labels import rewrite_episode
from robot_learning.episodes.recorder import OUTCOMES
from robot_learning.episodes.trash import trash_episodes


def set_outcome(folder: DatasetFolder, name: str, outcome: str) -> EpisodeSummary:
    """Say how a saved episode ended. Hold the lock.

    Raises:
        DatasetError: there is no such episode or outcome.
        EpisodeError: the episode cannot be read.
    """
    if outcome not in OUTCOMES:
        raise DatasetError(unknown_choice("outcome", outcome, OUTCOMES))
    _check_known(folder, name)
    return rewrite_episode(folder, name, lambda file: set_text(file, "outcome", outcome))


def move_to_trash(folder: DatasetFolder, name: str) -> None:
    """Take a saved episode out of the dataset; its file stays in `trash/`. Hold the lock.

    Raises:
        DatasetError: there is no such episode.
    """
    trash_episodes(folder, [name])


def _check_known(folder: DatasetFolder, name: str) -> None:
    names = folder.episode_names()
    if name not in names:
        raise DatasetError(f"{folder.path}: {unknown_choice('episode', name, names)}")
