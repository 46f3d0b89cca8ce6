"""Whether the folders that a command names are there: told before what takes seconds to load."""

from __future__ import annotations

from pathlib import Path

from robot_learning.core.ensemble_folders import best_checkpoint
from robot_learning.headers.checkpoint_header import read_checkpoint_header


def check_dataset(folder: Path) -> None:
    """Refuse a folder without a dataset.

    Raises:
        DatasetError: there is none, or its description is not valid.
        SchemaVersionError: a newer version wrote it.
    """
    from robot_learning.episodes.store.folder import DatasetFolder

    DatasetFolder(folder)


def check_checkpoint(folder: Path) -> None:
    """Refuse a folder without a checkpoint.

    Args:
        folder: folder of a checkpoint or of a training, whose best one is meant.

    Raises:
        ConfigurationError: there is none, it is damaged, or the folder holds several trainings.
    """
    read_checkpoint_header(best_checkpoint(folder))
