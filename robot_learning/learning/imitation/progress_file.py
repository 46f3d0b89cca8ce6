"""The progress of a run, told by its process through a small file in the run's folder."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from robot_learning.core.amounts import amount
from robot_learning.core.files import replacing
from robot_learning.learning.imitation.loop import Progress
from robot_learning.learning.runs.run import Phase

_NAME = ".progress"
_EVERY_S = 0.5


class ProgressFile:
    """Writes the progress of a run, at most twice a second within a phase.

    A process that is killed leaves its file: who starts it removes that by `remove_progress`.
    """

    def __init__(self, folder: Path) -> None:
        """Write into the folder of a run."""
        self._path = folder / _NAME
        self._written: tuple[int, Phase] | None = None
        self._written_at = 0.0

    def write(self, progress: Progress) -> None:
        """Replace the file; a folder that cannot be written is no reason to stop."""
        now, place = time.monotonic(), (progress.round, progress.phase)
        if place == self._written and now - self._written_at < _EVERY_S:
            return
        self._written, self._written_at = place, now
        with suppress(OSError), replacing(self._path, durable=False) as beside:
            beside.write_text(_text(progress), encoding="utf-8")


def read_progress(folder: Path) -> str:
    """The progress of the run in a folder, such as `round 2, collecting`; empty without a file."""
    try:
        return (folder / _NAME).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""


def remove_progress(folder: Path) -> None:
    """Remove the file of a run that is not under way, however it ended."""
    with suppress(OSError):
        (folder / _NAME).unlink(missing_ok=True)


def _text(progress: Progress) -> str:
    text = f"round {progress.round}, {progress.phase.value}"
    if progress.total:
        text += f": dynamics, {progress.done} of {amount(progress.total, 'gradient step')}"
    return text
