"""What `robot-learning record` refuses before a node starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from robot_learning.cli.main import main
from robot_learning.cli.nodes.supervisor import Supervisor


@pytest.mark.parametrize(
    ("device", "said"),
    [
        ("no_such_devices:Pedal", "the module 'no_such_devices' cannot be imported"),
        ("robot_learning.teleop.device:Health", "no subclass of robot_learning.teleop.device"),
        ("joystick", "or a module:Class of your own"),
    ],
)
def test_a_device_that_is_none_is_one_line(
    device: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def start(_: Supervisor) -> int:
        raise AssertionError("nodes were started")

    monkeypatch.setattr(Supervisor, "run", start)
    monkeypatch.chdir(tmp_path)
    assert main(["record", "--device", device]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error
    assert not list(tmp_path.iterdir())
