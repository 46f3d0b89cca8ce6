"""The summaries of a folder's episodes, also of those that its index lacks."""

from __future__ import annotations

import logging

from robot_learning.core.amounts import amount
from robot_learning.core.errors import RobotLearningError
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.index import EpisodeSummary, read_index
from robot_learning.episodes.store.recovery import summary_of

_log = logging.getLogger(__name__)


def all_summaries(folder: DatasetFolder) -> list[EpisodeSummary]:
    """The summary of every episode, in order; one that cannot be read is left out and logged.

    Raises:
        EpisodeError: the index is damaged.
    """
    names = folder.episode_names()
    indexed = read_index(folder) if folder.index_path.exists() else {}
    gone = indexed.keys() - set(names)
    if gone:
        text = amount(len(gone), "episode of the index is", "episodes of the index are")
        _log.warning("%s: %s gone; repair it", folder.path, text)
    summaries = []
    for name in names:
        summary = indexed.get(name)
        if summary is None:
            try:
                summary = summary_of(folder.episodes_path / name)
            except RobotLearningError as problem:
                _log.warning("left out: %s", problem)
                continue
            _log.warning("%s: %s is not in the index; repair it", folder.path, name)
        summaries.append(summary)
    return summaries
