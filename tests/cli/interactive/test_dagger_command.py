"""What `robot-learning dagger` refuses over nodes before one of them starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from robot_learning.cli.main import main
from robot_learning.cli.nodes.supervisor import Supervisor

SAMPLE = str(Path(__file__).parents[3] / "data" / "sample")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--set", "wrong.name=1"], "unknown key 'wrong'"),
        (["--set", "stps=5"], "unknown key 'stps'; did you mean 'steps'"),
        (["--set", "steps=0"], "steps: expected at least 1"),
        (["--set", "learning_rate=1"], "did you mean 'optimizer.learning_rate'"),
        (["--set", "hidden=[8]"], "did you mean 'policy.hidden'"),
        (["settings:=data.validation_share=2"], "data.validation_share: expected at least 0"),
        (["--policy", "gnm"], "policy: unknown value 'gnm'; did you mean 'gmm'"),
    ],
)
def test_settings_that_no_training_takes_are_one_line(
    given: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def start(_: Supervisor) -> int:
        raise AssertionError("nodes were started")

    monkeypatch.setattr(Supervisor, "run", start)
    monkeypatch.chdir(tmp_path)
    assert main(["dagger", "--dataset", SAMPLE, *given]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error
    assert not list(tmp_path.iterdir())


def test_a_run_that_was_interrupted_says_how_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"

    def interrupted(supervisor: Supervisor) -> int:
        supervisor._interrupted = True
        return 0

    def begun(supervisor: Supervisor) -> int:
        run.mkdir()
        (run / "rounds.json").write_text("{}")
        return interrupted(supervisor)

    monkeypatch.setattr(Supervisor, "run", interrupted)
    order = ["dagger", "--dataset", SAMPLE, "--device", "scripted", "--out", str(run)]
    assert main(order) == 0
    assert "To go on" not in capsys.readouterr().out, "nothing was begun"
    monkeypatch.setattr(Supervisor, "run", begun)
    assert main(order) == 0
    said = capsys.readouterr().out.splitlines()[-1]
    assert said.startswith("stopped. To go on: robot-learning dagger --resume ")
    assert f"out:={run}" in said
    assert "device:=scripted" in said
