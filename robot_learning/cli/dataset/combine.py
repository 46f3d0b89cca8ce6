"""`merge` and `split`: one dataset of several, and several parts of one."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from robot_learning.cli.common.console import progress_bar
from robot_learning.cli.dataset.chosen import open_chosen
from robot_learning.core.amounts import amount
from robot_learning.core.errors import ConfigurationError
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.upkeep.merge import copy_episodes, is_copy, merge_datasets


def run_merge(arguments: argparse.Namespace) -> int:
    """Merge datasets."""
    with progress_bar("merging") as progress:
        target = Path(arguments.into)
        report = merge_datasets([Path(path) for path in arguments.sources], target, progress)
    for path in report.left_out:
        print(f"{path}: left out, an equal episode was taken already")
    print(f"{target}: {amount(report.episodes, 'episode')}, {amount(report.rows, 'row')}")
    return 0


def run_split(arguments: argparse.Namespace) -> int:
    """Divide a dataset."""
    dataset = open_chosen(arguments)
    parts = dataset.split(parse_parts(arguments.parts), arguments.seed)
    folders = {name: Path(arguments.into) / name for name in parts} if arguments.into else {}
    # What a split that was killed has copied already is taken as it is.
    source = DatasetFolder(dataset.path)
    missing = {
        name: path
        for name, path in folders.items()
        if not is_copy(source, parts[name].episodes, path)
    }
    for path in missing.values():
        if path.exists():
            raise ConfigurationError(
                f"{path}: exists already, and is not what would be copied there; choose another "
                "--into"
            )
    copies = dataset.copies()
    if copies:
        print(
            amount(
                len(copies),
                "episode is equal to another and stays with it: ",
                "episodes are equal to others and stay with them: ",
            )
            + ", ".join(sorted(copies)[:5])
        )
    with _copied(parts, missing):
        dataset.save_splits(parts)
    for name, part in parts.items():
        done = "copied to" if name in missing else "was copied already to"
        note = f", {done} {folders[name]}" if name in folders else ""
        print(f"{name}: {amount(len(part), 'episode')}, {amount(part.rows, 'row')}{note}")
    return 0


@contextmanager
def _copied(parts: Mapping[str, Dataset], folders: Mapping[str, Path]) -> Iterator[None]:
    """Copy the parts; none stays if that or the block fails, so that one can try again."""
    made: list[Path] = []
    try:
        for name, path in folders.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with progress_bar(f"copying {name}") as progress:
                source = DatasetFolder(parts[name].path)
                copy_episodes([(source, parts[name].episodes)], path, progress=progress)
            made.append(path)
        yield
    except BaseException:
        for path in made:
            shutil.rmtree(path)
        raise


def parse_parts(texts: list[str]) -> dict[str, float]:
    """Fractions by name, from `name=fraction`.

    Raises:
        ConfigurationError: one of them is none, or a name is a duplicate.
    """
    parts: dict[str, float] = {}
    for text in texts:
        name, separator, fraction = text.partition("=")
        try:
            if not separator or not name.replace("_", "a").isalnum() or name in parts:
                raise ValueError
            parts[name] = float(fraction)
        except ValueError:
            expected = "expected name=fraction, each name once: train=0.9 valid=0.1"
            raise ConfigurationError(f"'{text}': {expected}") from None
    return parts
