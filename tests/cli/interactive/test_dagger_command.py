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
