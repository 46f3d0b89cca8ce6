"""The trash of a dataset: nothing that was recorded is deleted, and every episode can come back.

`trash/` keeps files under the names they had; where a name is there already, further files of
that name get `.1`, `.2`, ... appended, the highest being the newest.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from robot_learning.core.files import fsync
from robot_learning.episodes.format.errors import DatasetError
from robot_learning.episodes.store.episode import Episode
from robot_learning.episodes.store.folder import TRASH_NAME, DatasetFolder
from robot_learning.episodes.store.index import EpisodeSummary, read_index, read_splits, write_index
from robot_learning.episodes.store.names import unknown_episode

_TRASHED = re.compile(r"(episode_\d{6,9}\.hdf5)(?:\.(\d+))?")


@dataclass(frozen=True, slots=True)
class TrashedEpisode:
    """An episode in the trash: its file, the name it had, and which of that name it is."""

    path: Path
    name: str
    version: int


def free_place(dataset: Path, name: str) -> Path:
    """Where a file called `name` can lie in the trash of a dataset's folder; makes the trash."""
    trash = dataset / TRASH_NAME
    trash.mkdir(exist_ok=True)
    number, place = 0, trash / name
    while place.exists():
        number += 1
        place = trash / f"{name}.{number}"
    return place


def trashed_episodes(folder: DatasetFolder) -> list[TrashedEpisode]:
    """The episodes in the trash by name, the newest of a name last."""
    trash = folder.path / TRASH_NAME
    found = []
    for path in trash.iterdir() if trash.is_dir() else ():
        match = _TRASHED.fullmatch(path.name)
        if match:
            found.append(TrashedEpisode(path, match.group(1), int(match.group(2) or 0)))
    return sorted(found, key=lambda item: (len(item.name), item.name, item.version))


def trash_episodes(folder: DatasetFolder, names: Sequence[str]) -> list[Path]:
    """Take saved episodes out of the dataset. Hold the lock.

    Returns:
        Where their files lie now.

    Raises:
        DatasetError: one does not exist; nothing was moved.
    """
    known = folder.episode_names()
    for name in names:
        if name not in known:
            raise DatasetError(f"{folder.path}: {unknown_episode(name, known)}")
    places = []
    for name in names:
        place = free_place(folder.path, name)
        (folder.episodes_path / name).rename(place)
        places.append(place)
    _sync(folder)
    gone = set(names)
    kept = [summary for summary in read_index(folder).values() if summary.name not in gone]
    splits = {
        split: [member for member in members if member not in gone]
        for split, members in read_splits(folder).items()
    }
    write_index(folder, kept, splits)
    return places


def restore_episode(folder: DatasetFolder, trashed: TrashedEpisode) -> EpisodeSummary:
    """Bring an episode back; one that has its name meanwhile goes to the trash. Hold the lock.

    Raises:
        EpisodeError: the file cannot be read; nothing was moved.
    """
    with Episode(trashed.path) as episode:
        summary = episode.named_summary(trashed.name)
    place = folder.episodes_path / trashed.name
    if place.exists():
        place.rename(free_place(folder.path, trashed.name))
    trashed.path.rename(place)
    _sync(folder)
    indexed = read_index(folder) if folder.index_path.exists() else {}
    summaries = {**indexed, trashed.name: summary}
    ordered = sorted(summaries.values(), key=lambda item: (len(item.name), item.name))
    write_index(folder, ordered, read_splits(folder) if indexed else {})
    return summary


def _sync(folder: DatasetFolder) -> None:
    fsync(folder.path / TRASH_NAME)
    fsync(folder.episodes_path)
