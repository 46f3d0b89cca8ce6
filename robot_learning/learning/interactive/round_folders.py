"""The folders of a DAgger run's trainings, and the progress that can be read from them."""

from __future__ import annotations

import os
from pathlib import Path

from robot_learning.core import ensemble_folders
from robot_learning.core.ensemble_folders import BEST, CHECKPOINT_NAME
from robot_learning.headers.checkpoint_header import read_checkpoint_header
from robot_learning.headers.json_header import HeaderError
from robot_learning.learning.training.errors import RunError

CHECKPOINT = Path(BEST, CHECKPOINT_NAME)
"""File in a training's folder that exists once there is a checkpoint."""
_METRICS, _TAIL_BYTES = "metrics.csv", 4096


def training_folder(folder: Path, number: int) -> Path:
    """Folder in which round `number` of the run in `folder` is trained."""
    return folder / f"round_{number}"


def member_folders(folder: Path, number: int, members: int) -> list[Path]:
    """Folders in which the policies of a round are trained.

    Args:
        folder: folder of the run.
        number: number of the round.
        members: number of policies; the first one drives.
    """
    return ensemble_folders.member_folders(training_folder(folder, number), members)


def trained_checkpoint(folder: Path, number: int) -> Path:
    """The best checkpoint of round `number`'s training."""
    return training_folder(folder, number).resolve() / BEST


def steps_trained(folder: Path, number: int) -> int:
    """Number of steps that a round's training has logged; 0 where it has logged none."""
    try:
        with (training_folder(folder, number) / _METRICS).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
            steps = [line.partition(b",")[0] for line in file.read().splitlines()]
    except OSError:
        return 0
    return max((int(step) for step in steps if step.isdigit()), default=0)


def checkpoint_digest(checkpoint: str | Path) -> str:
    """The digest that a checkpoint states; it is verified when the checkpoint is loaded.

    Raises:
        RunError: the folder is not a checkpoint, or the checkpoint is damaged.
    """
    try:
        return read_checkpoint_header(checkpoint).digest
    except HeaderError as problem:
        raise RunError(str(problem)) from problem
