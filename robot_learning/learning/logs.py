"""What a training reports: a CSV file, TensorBoard, and a progress bar."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from torch.utils.tensorboard import SummaryWriter

from robot_learning.learning.run_folder import BOARD_NAME, METRICS_NAME

COLUMNS = (
    "step",
    "epoch",
    "loss",
    "learning_rate",
    "gradient_norm",
    "samples_per_s",
    "validation_loss",
    "validation_success",
)


class RunLog:
    """The figures of one run, in `metrics.csv` and `tensorboard/` of its folder."""

    def __init__(self, folder: Path, step: int) -> None:
        """Go on after `step`: what was logged later, by a training that was killed, goes."""
        self.path = folder / METRICS_NAME
        self._keep_until(step)
        self._file = self.path.open("a", newline="", encoding="utf-8")
        self._writer = csv.DictWriter(self._file, COLUMNS)
        if not self._file.tell():
            self._writer.writeheader()
        # Events at and after `purge_step` are hidden; there are none in a new run.
        self._board = SummaryWriter(str(folder / BOARD_NAME), purge_step=step + 1 if step else None)

    def write(
        self, step: int, values: Mapping[str, float], extra: Mapping[str, float] | None = None
    ) -> None:
        """One line at `step`; `extra` figures go to TensorBoard only."""
        row: dict[str, Any] = {"step": step, **{k: f"{v:.8g}" for k, v in values.items()}}
        self._writer.writerow(row)
        self._file.flush()
        for name, value in {**values, **(extra or {})}.items():
            self._board.add_scalar(name, value, step)

    def close(self) -> None:
        """Finish the files."""
        self._file.close()
        self._board.close()

    def _keep_until(self, step: int) -> None:
        if not self.path.exists():
            return
        with self.path.open(newline="", encoding="utf-8") as file:
            # A line that was cut off by a kill has no valid step.
            rows = [row for row in csv.DictReader(file) if _step_of(row) <= step]
        beside = self.path.with_suffix(".new")
        with beside.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)
        beside.replace(self.path)


def _step_of(row: Mapping[str, str | None]) -> float:
    text = row.get("step") or ""
    return int(text) if text.isdigit() else float("inf")


class ProgressBar:
    """Steps, loss and remaining time on a terminal; silent otherwise."""

    def __init__(self, total: int, completed: int, shown: bool) -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not (shown and console.is_terminal),
            refresh_per_second=4,
        )
        self._task = self._progress.add_task(
            "training", total=total, completed=completed, figures=""
        )

    def __enter__(self) -> ProgressBar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def update(self, completed: int, figures: Mapping[str, float]) -> None:
        """Show where the training is."""
        text = " ".join(f"{name} {value:.4g}" for name, value in figures.items())
        self._progress.update(self._task, completed=completed, figures=text)
