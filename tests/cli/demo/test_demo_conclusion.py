"""The end of the loop: its figures are on the disk whatever becomes of the drawing."""

import io
import json
import math
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from robot_learning.cli.demo import program
from robot_learning.cli.demo.program import Screen
from robot_learning.cli.demo.result import PolicyResult, compared
from robot_learning.cli.demo.settings import DemoSettings
from robot_learning.learning.evaluation.demonstrations import (
    DemonstrationConfig,
    record_demonstrations,
)
from robot_learning.learning.evaluation.evaluation import Evaluation, EvaluationConfig
from robot_learning.learning.evaluation.rollout import EpisodeRecord
from robot_learning.learning.interactive.rounds import DaggerRun


def test_a_failure_of_drawing_loses_no_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = DemoSettings(tmp_path / "out")
    figures = settings.folder / "result.json"
    run = DaggerRun(str(settings.dataset), 50.0)

    def no_nodes(*_: object) -> None:
        for path in (settings.dataset, settings.dart_dataset):
            if not path.exists():
                record_demonstrations(DemonstrationConfig(task="reach", episodes=1), path)

    def results(*_: object) -> list[PolicyResult]:
        episode = EpisodeRecord(0, True, 0.0, np.zeros((5, 2)), np.zeros(3))
        evaluation = Evaluation(EvaluationConfig(), (episode,), 50.0, (True, True), math.nan, 1.0)
        names = (program.BC, program.DART)
        return compared([PolicyResult(n, tmp_path, 8, 500, 10.0, evaluation) for n in names])

    def broken(*_: object) -> None:
        assert len(json.loads(figures.read_text())["policies"]) == 2
        raise RuntimeError("no font")

    monkeypatch.setattr(program, "run_nodes", no_nodes)
    monkeypatch.setattr(program, "load_run", lambda _: run)
    monkeypatch.setattr(program, "train", lambda _: {program.BC: tmp_path})
    monkeypatch.setattr(program, "evaluate_all", results)
    monkeypatch.setattr(program, "save_plot", broken)
    monkeypatch.setattr(program, "save_rounds_video", broken)
    said = io.StringIO()
    assert program.run_loop(settings, Screen(Console(file=said, markup=False, width=200))) == 0
    assert "no plot: RuntimeError('no font')" in said.getvalue()
    assert "no video: RuntimeError('no font')" in said.getvalue()
    assert f"everything is in {settings.folder}" in said.getvalue()
