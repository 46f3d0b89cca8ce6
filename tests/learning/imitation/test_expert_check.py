"""An expert that is none is found out before anything starts, by a process of its own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from robot_learning.cli.main import main
from robot_learning.core.errors import ConfigurationError
from robot_learning.learning.imitation.expert_check import check_expert

MODULE = """
gain = 3.0

def expert(observation, info):
    return [0.0]

def of_three(observation, info, gain):
    return [0.0]
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the command is given; it is not in `sys.path`."""
    (tmp_path / "checked_experts.py").write_text(MODULE)
    (tmp_path / "broken_experts.py").write_text("import no_such_library")
    (tmp_path / "ending_experts.py").write_text("import sys\nsys.exit('usage: run me')")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_an_expert_passes_and_its_module_is_loaded_elsewhere() -> None:
    check_expert("checked_experts:expert")
    check_expert("scripted")
    assert "checked_experts" not in sys.modules


@pytest.mark.parametrize(
    ("expert", "text"),
    [
        ("checked_experts:of_three", r"its arguments are \(observation, info, gain\); expected"),
        ("checked_experts:gain", "it cannot be called"),
        ("checked_experts:exprt", "'checked_experts' has no 'exprt'"),
        ("broken_experts:expert", "cannot be imported: No module named 'no_such_library'"),
        ("ending_experts:expert", "cannot be imported: usage: run me"),
    ],
)
def test_what_is_no_expert_is_refused(expert: str, text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        check_expert(expert)


def test_the_command_refuses_it_before_a_worker_starts(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["bc", "--env", "Pendulum-v1", "--expert", "checked_experts:of_three", "--out", "run"]
    assert main(command) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "expected (observation, info)" in error
    assert not (place / "run").exists()
