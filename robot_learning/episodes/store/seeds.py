"""The seeds of a dataset's episodes so far, so that no scene is recorded twice."""

from __future__ import annotations

from contextlib import suppress

from robot_learning.core.errors import RobotLearningError
from robot_learning.episodes.store.episode import Episode
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.trash import trashed_episodes


def next_seed(folder: DatasetFolder, first: int) -> int:
    """The seed after all that episodes have or had, those in the trash included; at least `first`.

    An episode that cannot be read has no seed. Repair unfinished recordings before.
    """
    paths = [folder.episodes_path / name for name in folder.episode_names()]
    paths += [trashed.path for trashed in trashed_episodes(folder)]
    following = first
    for path in paths:
        with suppress(RobotLearningError), Episode(path) as episode:
            seed = episode.metadata.seed
            following = max(following, first if seed is None else seed + 1)
    return following
