"""Where the trainings of a DAgger run lie, and what they tell of themselves."""

from __future__ import annotations

import os
from pathlib import Path

from robot_learning.core import ensemble_folders
from robot_learning.core.ensemble_folders import BEST, CHECKPOINT_NAME
from robot_learning.headers.checkpoint_header import read_checkpoint_header
from robot_learning.headers.json_header import HeaderError
from robot_learning.learning.training.errors import RunError

CHECKPOINT = Path(BEST, CHECKPOINT_NAME)
"""What a training has written once it has a checkpoint, in its folder."""
_METRICS, _TAIL_BYTES = "metrics.csv", 4096


def training_folder(folder: Path, number: int) -> Path:
    """Where round `number` of the run in `folder` is trained."""
    return folder / f"round_{number}"


def member_folders(folder: Path, number: int, members: int) -> list[Path]:
    """Where the policies of round `number` are trained; the first one drives."""
    return ensemble_folders.member_folders(training_folder(folder, number), members)


def trained_checkpoint(folder: Path, number: int) -> Path:
    """The checkpoint that this training ends with."""
    return training_folder(folder, number).resolve() / BEST


def steps_trained(folder: Path, number: int) -> int:
    """How many steps the training of a round has made, by its figures; 0 where there are none."""
    try:
        with (training_folder(folder, number) / _METRICS).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
            steps = [line.partition(b",")[0] for line in file.read().splitlines()]
    except OSError:
        return 0
    return max((int(step) for step in steps if step.isdigit()), default=0)


def checkpoint_digest(checkpoint: str | Path) -> str:
    """The digest that a checkpoint states of itself; whoever loads it checks it.

    Raises:
        RunError: it is no checkpoint, or damaged.
    """
    try:
        return read_checkpoint_header(checkpoint).digest
    except HeaderError as problem:
        raise RunError(str(problem)) from problem
