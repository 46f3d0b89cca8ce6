"""The description of a dataset, `dataset.json`, rebuilt from its episodes."""

from __future__ import annotations

from pathlib import Path

from robot_learning.core.amounts import amount
from robot_learning.core.errors import RobotLearningError
from robot_learning.core.files import write_atomically
from robot_learning.episodes.format.errors import DatasetError
from robot_learning.episodes.format.schema import DatasetInfo
from robot_learning.episodes.store.episode import Episode
from robot_learning.episodes.store.folder import (
    EPISODES_NAME,
    INFO_NAME,
    DatasetFolder,
    info_difference,
    locked,
    saved_episodes,
)
from robot_learning.episodes.store.trash import free_place

Group = tuple[DatasetInfo, list[str]]


def rebuild_description(path: Path) -> list[str]:
    """Rebuild a missing or broken `dataset.json`; says what was done, nothing if it was sound.

    Every episode holds the description that it was recorded with; what most of them say counts.
    The broken file is moved to the trash.

    Raises:
        DatasetError: it cannot be read now, no saved episode can, or as many say one thing as
            another; names both sides.
        DatasetLockedError: somebody is writing to this dataset.
        SchemaVersionError: a newer version wrote it.
    """
    try:
        DatasetFolder(path)
    except DatasetError as problem:
        if isinstance(problem.__cause__, OSError):
            raise  # it cannot be read now, and may be sound
        broken = problem
    else:
        return []
    names = saved_episodes(path)
    if not names:
        raise broken
    with locked(path):
        groups = _groups(path, names)
        info, agreeing = _agreed(path, groups, broken)
        done = [
            f"rewrote {INFO_NAME}, as {len(agreeing)} of "
            f"{amount(len(names), 'episode has', 'episodes have')} it"
        ]
        if (path / INFO_NAME).exists():
            place = free_place(path, INFO_NAME)
            (path / INFO_NAME).rename(place)
            done.append(f"moved the broken one to {place.relative_to(path)} ({broken})")
        write_atomically(path / INFO_NAME, info.to_json().encode())
    return done


def _groups(path: Path, names: list[str]) -> list[Group]:
    """What is said, and which episodes say it; the largest group comes first."""
    groups: list[Group] = []
    for name in names:
        try:
            with Episode(path / EPISODES_NAME / name) as episode:
                info = episode.info
        except RobotLearningError:
            continue  # the repair of episodes names it
        for known, members in groups:
            if not info_difference(known, info):
                members.append(name)
                break
        else:
            groups.append((info, [name]))
    return sorted(groups, key=lambda group: -len(group[1]))


def _agreed(path: Path, groups: list[Group], broken: DatasetError) -> Group:
    if not groups:
        raise DatasetError(f"{broken}; but none of its episodes can be read") from broken
    if len(groups) > 1 and len(groups[0][1]) == len(groups[1][1]):
        (ours, first), (theirs, second) = groups[:2]
        raise DatasetError(
            f"{path}: {INFO_NAME} is missing or broken, and its episodes disagree: with {first[0]} "
            f"{info_difference(ours, theirs)} ({second[0]}). Move those elsewhere that do not "
            "belong here, and repair again"
        ) from broken
    return groups[0]
