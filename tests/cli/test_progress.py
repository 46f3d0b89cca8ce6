"""What takes long says how far it is where there is no terminal, and where Ctrl-C stopped it."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from robot_learning.cli.common import console
from robot_learning.cli.interactive import imitation_view
from robot_learning.cli.main import main
from robot_learning.cli.policies import evaluate_command, evaluate_trials, evaluating
from robot_learning.core.progress import ProgressLines

QUICK = partial(ProgressLines, every_s=0.02)


def test_lines_instead_of_a_bar(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(console, "ProgressLines", QUICK)
    with console.progress_bar("verifying", "episode") as show:
        show(3, 8)
        time.sleep(0.2)
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) > 1
    assert lines[0].startswith("verifying: episode 3 of 8, 0 s so far")


def test_an_evaluation_that_is_stopped_says_where(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    details = SimpleNamespace(task="reach", robot="desk_arm")
    policy = SimpleNamespace(spec=SimpleNamespace(rate_hz=50.0))
    checkpoint = SimpleNamespace(details=details, policy=policy)
    monkeypatch.setattr(evaluate_command, "check_checkpoint", lambda _: None)
    monkeypatch.setattr(evaluating, "load_checkpoint", lambda *_: checkpoint)
    monkeypatch.setattr(console, "ProgressLines", QUICK)

    def evaluate(_policy: object, _config: object, progress: Callable[[int, int], None]) -> None:
        progress(12, 40)
        time.sleep(0.2)
        raise KeyboardInterrupt

    monkeypatch.setattr(evaluate_trials, "evaluate", evaluate)
    assert main(["evaluate", "runs/lift", "--episodes", "40"]) == 130
    said = capfd.readouterr().err.splitlines()
    assert said[0].startswith("simulating runs/lift: episode 12 of 40, 0 s so far")
    assert said[-1] == (
        "robot-learning: simulating runs/lift: stopped after 12 of 40 episodes; nothing was written"
    )


def test_rounds_that_are_stopped_say_how_they_go_on(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(imitation_view, "ProgressLines", QUICK)

    def run_study(*_: object, **__: object) -> None:
        time.sleep(0.2)
        raise KeyboardInterrupt

    monkeypatch.setattr(imitation_view, "run_study", run_study)
    given = ["bc", "--env", "Pendulum-v1", "--expert", "examples.pendulum_expert:expert"]
    assert main([*given, "--rounds", "3", "--out", str(tmp_path / "run")]) == 130
    said = capfd.readouterr().err.splitlines()
    assert said[0].startswith("rounds: ")
    assert "done, of 3 each, 0 s so far" in said[0]
    assert "is saved; the same command with --resume continues" in said[-1]


def test_demonstrations_that_are_stopped_say_where_the_finished_ones_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(
        "robot_learning.cli.interactive.demonstrating.record_demonstrations", stopped
    )
    dataset = str(tmp_path / "data")
    assert main(["demonstrate", "--dataset", dataset]) == 130
    errors = capsys.readouterr().err
    assert f"stopped; the episodes that were finished are in {dataset}, and" in errors
