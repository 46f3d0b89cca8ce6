"""The folder of one training: its files, and how it is created.

run.json holds the settings and the dataset's digest, metrics.csv and tensorboard/ the figures,
best/ and last/ are checkpoints, and state.safetensors is what a resumed training starts from.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from robot_learning.core.ensemble_folders import BEST
from robot_learning.core.errors import ConfigurationError, used_folder
from robot_learning.core.files import write_atomically
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.store.index import EpisodeSummary
from robot_learning.learning.training.config import TrainConfig
from robot_learning.learning.training.errors import RunError, TrainingError
from robot_learning.learning.training.training_state import STATE_NAME, Standing
from robot_learning.policies.checkpoint import CheckpointDetails, save_checkpoint
from robot_learning.policies.errors import CheckpointError
from robot_learning.policies.policy import Policy

RUN_NAME, METRICS_NAME, BOARD_NAME = "run.json", "metrics.csv", "tensorboard"
LAST = "last"
TRAINED_ON = "trained_on"
"""Key of a checkpoint's details that holds the marks of the episodes it was trained on."""
_MARK_DIGITS = 16
# What a training writes up to its first checkpoint, which may be incomplete.
_BEGINNINGS = (
    *(RUN_NAME, METRICS_NAME, f"{BOARD_NAME}/events.out.tfevents.*"),
    *(f".{name}.*.new" for name in (RUN_NAME, BEST, LAST)),
)


def refuse_used(folder: Path) -> None:
    """Refuse a folder that is in use; remains of a training without a saved state are removed.

    Raises:
        RunError: the folder holds a training, checkpoints or something else.
    """
    if (folder / STATE_NAME).exists():
        raise RunError(used_folder(folder, "training"))
    found = [name for name in (BEST, LAST) if (folder / name).exists()]
    if found:
        raise RunError(
            f"{folder}: holds checkpoints of a training ({', '.join(found)}) that cannot be "
            f"resumed, as {STATE_NAME} is missing; move it away or choose another folder"
        )
    if not folder.exists() or not any(folder.iterdir()):
        return
    if not _is_run(folder):
        raise RunError(f"{folder}: holds something else; choose another folder")
    _remove_beginnings(folder)


def _is_run(folder: Path) -> bool:
    try:
        read_config(folder)
    except ConfigurationError:
        return False
    return True


def _remove_beginnings(folder: Path) -> None:
    """Remove the first files of a training; all other files stay."""
    for path in [path for pattern in _BEGINNINGS for path in folder.glob(pattern)]:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    # It stays if it holds other files.
    with suppress(OSError):
        (folder / BOARD_NAME).rmdir()


def create(folder: Path, identity: Mapping[str, Any]) -> None:
    """Make the folder, or keep the one that is resumed.

    Raises:
        TrainingError: it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / RUN_NAME, (json.dumps(dict(identity), indent=2) + "\n").encode())
    except OSError as problem:
        raise TrainingError(f"{folder}: cannot be written: {problem}") from problem


def read_config(folder: Path) -> TrainConfig:
    """The settings of the training in `folder`.

    Raises:
        RunError: the folder holds no training, it is damaged, or its settings are not valid.
    """
    path = folder / RUN_NAME
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(f"{folder}: there is no training here: {RUN_NAME} is missing") from None
    except (OSError, ValueError) as problem:
        raise RunError(f"{path}: damaged: {problem}") from problem
    settings = plain.get("config") if isinstance(plain, Mapping) else None
    if not isinstance(settings, Mapping):
        raise RunError(f"{path}: damaged: it holds no settings under 'config'")
    try:
        return TrainConfig.from_plain(settings)
    except ConfigurationError as problem:
        raise RunError(f"{path}: {problem}") from problem


def checkpoint_details(dataset: Dataset, config: TrainConfig) -> CheckpointDetails:
    """The details that are stored in this training's checkpoints."""
    info = dataset.info
    return CheckpointDetails(
        robot=info.robot,
        joint_names=info.joint_names,
        task=info.task,
        dataset_digest=dataset.digest,
        training={
            "config": config.to_plain(),
            "episodes": len(dataset),
            TRAINED_ON: [episode_mark(summary) for summary in dataset.episodes],
        },
    )


def episode_mark(summary: EpisodeSummary) -> str:
    """A mark that identifies an episode whatever its file name: a part of its digest."""
    return summary.digest[:_MARK_DIGITS]


def save(place: Path, policy: Policy, details: CheckpointDetails, standing: Standing) -> None:
    """Write a checkpoint with the progress of the training.

    Args:
        place: folder of the checkpoint.
        policy: policy to save.
        details: details of the checkpoint, without the progress.
        standing: progress of the training, of which step and best figures are stored.

    Raises:
        TrainingError: it cannot be written; the one before stays.
    """
    figures = {"step": standing.step, "best": standing.best}
    whole = CheckpointDetails(
        details.robot,
        details.joint_names,
        details.task,
        details.dataset_digest,
        {**details.training, **figures},
    )
    try:
        save_checkpoint(place, policy, whole)
    except CheckpointError as problem:
        raise TrainingError(str(problem)) from problem
