"""One trainer for every family of policy: from a dataset to a checkpoint."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import torch

from robot_learning.core.amounts import amount
from robot_learning.core.ensemble_folders import BEST
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.learning.training import run_folder
from robot_learning.learning.training.config import TrainConfig
from robot_learning.learning.training.distributed import process_group
from robot_learning.learning.training.errors import TrainingError
from robot_learning.learning.training.threads import threads_restored
from robot_learning.learning.training.training_loop import Training
from robot_learning.learning.training.validation import Rollout
from robot_learning.policies.errors import memory_errors_as


@dataclass(frozen=True)
class TrainResult:
    """The result of a training.

    Attributes:
        folder: folder of the run; `best` and `last` in it are checkpoints.
        steps: number of steps made, fewer than asked for after an early stop.
        best: figures of the best checkpoint, by name.
        wall_s: duration of this call, in seconds of wall time.
        stopped_early: whether validation made no progress for `validation.patience` times.
    """

    folder: Path
    steps: int
    best: dict[str, float]
    wall_s: float
    stopped_early: bool

    @property
    def checkpoint(self) -> Path:
        """The best checkpoint."""
        return self.folder / BEST

    @property
    def summary(self) -> str:
        """The path of the checkpoint, the steps, the time and the best figures, in one line."""
        best = ", ".join(f"{name} {value:.4g}" for name, value in self.best.items())
        early = ", stopped early" if self.stopped_early else ""
        steps = amount(self.steps, "step")
        return f"{self.checkpoint}: {steps} in {self.wall_s:.0f} s{early}; best: {best}"


def train(
    dataset: Dataset,
    config: TrainConfig,
    folder: Path,
    *,
    resume: bool = False,
    rollout: Rollout | None = None,
    show_progress: bool = False,
) -> TrainResult:
    """Train a policy on a dataset.

    Args:
        dataset: dataset whose episodes the configuration divides into training and validation.
        config: settings of the training.
        folder: folder of the run; created here.
        resume: whether the training in `folder` is resumed.
        rollout: returns the success rate of a policy in evaluation mode, in the main process; None
            for validation by the loss alone.
        show_progress: whether a summary and the progress are shown: a bar on a terminal, otherwise
            a line every few seconds.

    Ctrl-C ends the training between two steps and saves its state, and raises `KeyboardInterrupt`.

    Raises:
        ConfigurationError: settings, dataset and policy do not fit, or the folder is in use.
        TrainingError: the loss is not finite, memory ran out, or the disk failed.
    """
    begin_s = time.monotonic()
    with (
        threads_restored(),
        process_group(config.compute.device) as processes,
        clear_memory_errors(config),
    ):
        if config.compute.threads:
            torch.set_num_threads(config.compute.threads)
        training = Training(dataset, config, folder, processes, rollout)
        if resume:
            training.resume()
        elif processes.is_main:
            run_folder.refuse_used(folder)
        stopped = training.run(show_progress and processes.is_main)
    standing = training.standing
    return TrainResult(folder, standing.step, standing.best, time.monotonic() - begin_s, stopped)


def clear_memory_errors(config: TrainConfig) -> AbstractContextManager[None]:
    """Turn running out of memory into an error of one line that says what helps."""
    told = TrainingError(
        f"out of memory with batch_size {config.batch_size}: a smaller one, a smaller "
        "network or data.image_cache_mib=0 may fit"
    )
    return memory_errors_as(told)
