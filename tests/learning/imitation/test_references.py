"""What `--env` and `--expert` name is looked for before anything starts; what works is let pass."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from robot_learning.core.errors import ConfigurationError
from robot_learning.learning.imitation.references import check_references

REGISTERING = """
import gymnasium
gymnasium.register("Registered-v0", "gymnasium.envs.classic_control:PendulumEnv")

def expert(observation, info):
    return [0.0]
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the command is given; it is not in `sys.path`."""
    (tmp_path / "registering_module.py").write_text(REGISTERING)
    (tmp_path / "broken_module.py").write_text("{}['missing']")
    (tmp_path / "package_here").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("env", "expert"),
    [
        ("Pendulum-v1", "registering_module:expert"),
        ("Pendulum", "registering_module:expert"),
        ("Pendulum-v1", "package_here.inner:expert"),
        ("Pendulum-v1", "os.path:join"),
        ("Registered-v0", "registering_module:expert"),
        ("registering_module:Registered-v0", "math:sin"),
        ("robot_learning/Lift-v0", "scripted"),
    ],
)
def test_what_may_work_passes(env: str, expert: str) -> None:
    check_references(env, expert)
    assert "registering_module" not in sys.modules


@pytest.mark.parametrize(
    ("env", "expert", "text"),
    [
        ("Pendulum-v1", "wrong:thing", "--expert wrong:thing: there is no module 'wrong'; modules"),
        ("nowhere:Grid-v0", "math:sin", "--env nowhere:Grid-v0: there is no module 'nowhere'"),
        ("Pendulumm-v1", "math:sin", "--env Pendulumm-v1: .*Did you mean: `Pendulum`"),
        ("Pendulum-v99", "registering_module:expert", "--env Pendulum-v99: .*Where a module"),
        ("registering_module:Wrong", "math:sin", "registering_module:Wrong: .*Registered-v0"),
        ("broken_module:Wrong-v0", "math:sin", "'broken_module' cannot be imported: KeyError"),
        ("math:Grid-v0", "math:sin", "it registers nothing"),
        ("robot_learning/Lft-v0", "scripted", "did you mean 'robot_learning/Lift-v0'"),
    ],
)
def test_what_is_not_there_is_refused(env: str, expert: str, text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        check_references(env, expert)


@pytest.mark.timeout(60)
def test_a_wrong_name_is_told_before_anything_is_loaded() -> None:
    code = (
        "import sys\n"
        "from robot_learning.cli.main import main\n"
        "code = main(['bc', '--env', 'Pendulum-v1', '--expert', 'wrong:thing'])\n"
        "print(code, 'torch' in sys.modules)"
    )
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.stdout.split() == ["2", "False"]
    assert ended.stderr.startswith("robot-learning bc: --expert wrong:thing: there is no module")
    assert len(ended.stderr.splitlines()) == 1
