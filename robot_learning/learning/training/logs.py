"""What a training reports: a CSV file, TensorBoard, and a progress bar."""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text
from torch.utils.tensorboard import SummaryWriter

from robot_learning.core.files import replacing
from robot_learning.core.progress import ProgressLines
from robot_learning.learning.training.run_folder import BOARD_NAME, METRICS_NAME

_REDRAWN_EVERY_S = 0.1
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

    def __init__(self, folder: Path, step: int, columns: Sequence[str] = COLUMNS) -> None:
        """Continue after a step: later lines, from a training that was killed, are removed.

        Args:
            folder: folder of the run.
            step: number of steps made so far.
            columns: columns of the CSV file, `step` among them.
        """
        self._columns = columns
        self.path = folder / METRICS_NAME
        self._keep_until(step)
        self._file = self.path.open("a", newline="", encoding="utf-8")
        self._writer = csv.DictWriter(self._file, columns)
        if not self._file.tell():
            self._writer.writeheader()
        # Events at and after `purge_step` are hidden; there are none in a new run.
        self._board = SummaryWriter(str(folder / BOARD_NAME), purge_step=step + 1 if step else None)

    def write(
        self, step: int, values: Mapping[str, float], extra: Mapping[str, float] | None = None
    ) -> None:
        """Write the figures of a step.

        Args:
            step: number of steps made so far.
            values: figures by name, among the columns.
            extra: further figures, which go to TensorBoard only; None for none.
        """
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
        with (
            replacing(self.path, durable=False) as beside,
            beside.open("w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.DictWriter(file, self._columns, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)


def _step_of(row: Mapping[str, str | None]) -> float:
    text = row.get("step") or ""
    return int(text) if text.isdigit() else float("inf")


class _FairTimeRemaining(TimeRemainingColumn):
    """Nothing before `ProgressBar.estimate_from`."""

    def render(self, task: Task) -> Text:
        return super().render(task) if task.fields["is_fair"] else Text("-:--:--")


class ProgressBar:
    """Steps, loss and remaining time: a bar on a terminal, otherwise a line every few seconds."""

    def __init__(self, total: int, completed: int, shown: bool) -> None:
        self._console = console = Console(stderr=True)
        self._total, self._shown = total, shown
        self._is_drawn = shown and console.is_terminal
        self._lines = ProgressLines("training", "step") if shown and not self._is_drawn else None
        if self._lines:
            self._lines.begin_at(completed, total)
            self._lines.hold_estimate()
        self._due_s = 0.0
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            TimeElapsedColumn(),
            _FairTimeRemaining(),
            console=console,
            disable=not self._is_drawn,
            refresh_per_second=4,
        )
        self._task = self._progress.add_task(
            "training", total=total, completed=completed, figures="", is_fair=False
        )

    def __enter__(self) -> ProgressBar:
        self._progress.start()
        if self._lines:
            self._lines.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()
        if self._lines:
            self._lines.__exit__()

    def update(self, completed: int, figures: Mapping[str, float]) -> None:
        """Show the progress of the training; call it after each step."""
        now_s = time.monotonic()
        if not self._shown or (now_s < self._due_s and completed < self._total):
            return
        self._due_s = now_s + _REDRAWN_EVERY_S
        text = ", ".join(f"{name} {value:.4g}" for name, value in figures.items())
        if self._lines:
            self._lines.update(completed, self._total, text)
        else:
            self._progress.update(self._task, completed=completed, figures=text)

    def estimate_from(self, completed: int) -> None:
        """Tell the remaining time from now on; the steps before are no measure of the others."""
        if self._lines:
            self._lines.estimate_from(completed)
        else:
            self._progress.reset(self._task, completed=completed, figures="", is_fair=True)

    def phase(self, text: str) -> None:
        """Show what is done instead of training steps; empty for training steps."""
        if self._lines:
            self._lines.phase(text)
        elif self._is_drawn:
            self._progress.update(self._task, description=text or "training")

    def say(self, text: str) -> None:
        """Print a separate line."""
        if self._is_drawn:
            self._progress.console.print(text, highlight=False, markup=False, soft_wrap=True)
        elif self._shown:
            print(text, file=sys.stderr, flush=True)
