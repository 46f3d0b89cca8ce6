"""Where a run is, as its process tells another one."""

from pathlib import Path

import pytest

from robot_learning.learning.imitation.loop import Progress
from robot_learning.learning.imitation.progress_file import (
    ProgressFile,
    read_progress,
    remove_progress,
)
from robot_learning.learning.runs.run import Phase


def test_the_folder_tells_the_phase_and_moves_within_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = ProgressFile(tmp_path)
    assert read_progress(tmp_path) == ""
    file.write(Progress(0, Phase.COLLECTING, ()))
    assert read_progress(tmp_path) == "round 0, collecting"
    file.write(Progress(0, Phase.TRAINING, (), 1, 2000))
    file.write(Progress(0, Phase.TRAINING, (), 11, 2000))
    # Not at every step.
    text = "round 0, training: dynamics, {} of 2000 gradient steps"
    assert read_progress(tmp_path) == text.format(1)
    monkeypatch.setattr("robot_learning.learning.imitation.progress_file._EVERY_S", 0.0)
    file.write(Progress(0, Phase.TRAINING, (), 21, 2000))
    assert read_progress(tmp_path) == text.format(21)
    remove_progress(tmp_path)
    assert read_progress(tmp_path) == "" and not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_no_reason_to_stop(tmp_path: Path) -> None:
    ProgressFile(tmp_path / "none").write(Progress(0, Phase.COLLECTING, ()))
    assert not (tmp_path / "none").exists()
