"""A device of a user's own is looked at by a process: nothing that it opens is held here."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from robot_learning.core.errors import ConfigurationError
from robot_learning.teleop.device_check import check_device_apart

MODULE = """
import socket

from robot_learning.teleop.device import TeleopDevice

port = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
port.bind(("127.0.0.1", {port}))

class Pedal(TeleopDevice):
    def open(self): ...

    def close(self): ...

    def poll(self, now_ns, context): ...

    def describe(self):
        return "a pedal"
"""


@pytest.fixture
def port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """A free UDP port, which `greedy_devices` opens when it is imported."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        free = int(probe.getsockname()[1])
    (tmp_path / "greedy_devices.py").write_text(MODULE.format(port=free))
    monkeypatch.chdir(tmp_path)
    return free


def test_what_a_module_opens_is_free_again(port: int) -> None:
    check_device_apart("greedy_devices:Pedal")
    assert "greedy_devices" not in sys.modules
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
        again.bind(("127.0.0.1", port))


@pytest.mark.usefixtures("port")
@pytest.mark.parametrize(
    ("name", "map_name", "text"),
    [
        ("greedy_devices:Pedl", None, "'greedy_devices' has no 'Pedl'"),
        ("greedy_devices:socket", "", "no subclass of"),
        ("no_such_devices:Pedal", None, "No module named 'no_such_devices'"),
        ("greedy_devices:Pedal", "xbox", "map: maps are for the devices that ship"),
        ("joystick", None, "or a module:Class of your own"),
    ],
)
def test_what_is_no_device_is_refused_in_one_line(
    name: str, map_name: str | None, text: str
) -> None:
    with pytest.raises(ConfigurationError, match=text) as error:
        check_device_apart(name, map_name)
    assert "\n" not in str(error.value)
