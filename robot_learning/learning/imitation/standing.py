"""Where a run is now, told by its process through a small file in the run's folder."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from robot_learning.core.amounts import amount
from robot_learning.learning.imitation.loop import Progress
from robot_learning.learning.runs.run import Phase

_NAME = ".standing"
_EVERY_S = 0.5


class Standing:
    """Writes where a run is, at most twice a second within a phase."""

    def __init__(self, folder: Path) -> None:
        """Tell it in the folder of a run."""
        self._path = folder / _NAME
        self._told: tuple[int, Phase] | None = None
        self._told_at = 0.0

    def tell(self, progress: Progress) -> None:
        """Replace what the file says; a folder that cannot be written is no reason to stop."""
        now, place = time.monotonic(), (progress.round, progress.phase)
        if place == self._told and now - self._told_at < _EVERY_S:
            return
        self._told, self._told_at = place, now
        with suppress(OSError):
            self._path.write_text(_text(progress), encoding="utf-8")

    def close(self) -> None:
        """The run has ended, well or not."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)


def standing(folder: Path) -> str:
    """Where the run in a folder is, such as `round 2, collecting`; empty where nobody says."""
    try:
        return (folder / _NAME).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""


def _text(progress: Progress) -> str:
    text = f"round {progress.round}, {progress.phase.value}"
    if progress.total:
        text += f": dynamics, {progress.done} of {amount(progress.total, 'gradient step')}"
    return text
