"""`trim`, `delete`, `restore`, `relabel-outcome`, `keep`: changes that can all be taken back."""

from __future__ import annotations

import argparse
from pathlib import Path

from robot_learning.cli.common.console import progress_bar
from robot_learning.core.amounts import amount
from robot_learning.core.errors import ConfigurationError
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.dataset.row_choice import parse_range
from robot_learning.episodes.store.changes import keep_by_hand, set_outcome
from robot_learning.episodes.store.episode import Episode
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.index import read_index
from robot_learning.episodes.store.names import find_episode, find_episodes
from robot_learning.episodes.store.trash import restore_episode, trash_episodes, trashed_episodes
from robot_learning.episodes.upkeep.trim import trim_episode


def run_trim(arguments: argparse.Namespace) -> int:
    """Trim one episode."""
    folder = DatasetFolder(Path(arguments.dataset))
    name = find_episode(arguments.episode, folder.episode_names())
    with folder.lock():
        with Episode(folder.episodes_path / name) as episode:
            rows = episode.rows
        start, stop = parse_rows(arguments.rows, rows)
        summary, place = trim_episode(folder, name, start, stop)
    print(f"{name}: kept rows {start} to {stop - 1}, {summary.rows} of {rows}")
    print(f"the original episode is in {place}; restore brings it back")
    return 0


def parse_rows(text: str, rows: int) -> tuple[int, int]:
    """The first row and the end that a slice such as `10:-5` means.

    Raises:
        ConfigurationError: it is no slice.
    """
    start, end = parse_range(text)
    # Only negative numbers count from the end; beyond the end is a mistake, which trim names.
    stop = rows if end is None else end
    return start + rows * (start < 0), stop + rows * (stop < 0)


def run_delete(arguments: argparse.Namespace) -> int:
    """Move episodes to the trash."""
    folder = DatasetFolder(Path(arguments.dataset))
    with folder.lock():
        names = find_episodes(arguments.episodes, folder.episode_names())
        places = trash_episodes(folder, names)
    for name, place in zip(names, places, strict=True):
        print(f"{name}: moved to {place}")
    return 0


def run_restore(arguments: argparse.Namespace) -> int:
    """List the trash, or bring an episode back."""
    folder = DatasetFolder(Path(arguments.dataset))
    if arguments.episode is None:
        present = set(folder.episode_names())
        for item in trashed_episodes(folder):
            note = "; an episode of this name is in the dataset" if item.name in present else ""
            print(f"{item.name}  version {item.version}{note}")
        return 0
    with folder.lock():
        trashed = trashed_episodes(folder)
        name = find_episode(arguments.episode, list(dict.fromkeys(item.name for item in trashed)))
        versions = {item.version: item for item in trashed if item.name == name}
        version = max(versions) if arguments.version is None else arguments.version
        if version not in versions:
            valid = ", ".join(map(str, versions))
            raise ConfigurationError(f"{name}: no version {version} in the trash; valid: {valid}")
        summary = restore_episode(folder, versions[version])
    print(f"{summary.name} is back, with {amount(summary.rows, 'row')}")
    return 0


def run_relabel(arguments: argparse.Namespace) -> int:
    """Set the outcome of episodes."""
    folder = DatasetFolder(Path(arguments.dataset))
    with folder.lock(), progress_bar("relabelling") as progress:
        names = find_episodes(arguments.episodes, folder.episode_names())
        before = read_index(folder)
        for number, name in enumerate(names):
            set_outcome(folder, name, arguments.outcome)
            progress(number + 1, len(names))
    for name in names:
        was = before[name].outcome if name in before else "?"
        print(f"{name}: {was} -> {arguments.outcome}")
    return 0


def run_keep(arguments: argparse.Namespace) -> int:
    """Keep episodes by hand, or list those whose timing was bad."""
    folder = DatasetFolder(Path(arguments.dataset))
    if not arguments.episodes:
        if arguments.undo:
            raise ConfigurationError("--undo: name the episodes")
        dataset = Dataset(folder.path)
        for summary in dataset.select(verdicts=["bad"]).episodes:
            episode = dataset.episode(summary.name)
            if episode.bad_timing:
                print(f"{summary.name}: {_use(episode)}: {'; '.join(episode.bad_timing)}")
        return 0
    with folder.lock(), progress_bar("keeping") as progress:
        names = find_episodes(arguments.episodes, folder.episode_names())
        for number, name in enumerate(names):
            keep_by_hand(folder, name, not arguments.undo)
            progress(number + 1, len(names))
    dataset = Dataset(folder.path)
    for name in names:
        print(f"{name}: {_use(dataset.episode(name))}")
    return 0


def _use(episode: Episode) -> str:
    if episode.kept_by_hand:
        return "kept by hand"
    return "left out" if episode.bad_timing else "used, its timing is good"
