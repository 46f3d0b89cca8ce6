"""A device of a user's own, by the name of its class: made, or refused in one line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from robot_learning.core.errors import ConfigurationError
from robot_learning.core.profile import RobotProfile
from robot_learning.teleop.device import TeleopContext
from robot_learning.teleop.device_pair import DevicePair
from robot_learning.teleop.devices import make_device
from robot_learning.teleop.own_device import check_device

MODULE = """
from robot_learning.teleop.device import TeleopDevice, TeleopInput

number = 3

class Pedal(TeleopDevice):
    def __init__(self):
        self.profile = None

    def open(self): ...

    def close(self): ...

    def poll(self, now_ns, context):
        return TeleopInput(now_ns, False)

    def describe(self):
        return "a pedal"

class OfRobot(Pedal):
    def __init__(self, profile):
        self.profile = profile

class OfPort(Pedal):
    def __init__(self, port="/dev/ttyUSB0", profile=None):
        self.given = port, profile

class OfEither(Pedal):
    def __init__(self, profile=None):
        self.profile = profile

class Untold(Pedal):
    __init__ = print

class OfTwo(Pedal):
    def __init__(self, profile, port): ...

class Broken(Pedal):
    def __init__(self):
        raise OSError("no such port")

class Half(TeleopDevice):
    def open(self): ...

    def poll(self, now_ns, context): ...

class Stranger:
    def poll(self, now_ns, context): ...
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the command is given; it is not in `sys.path`."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "own_devices.py").write_text(MODULE)
    (tmp_path / "broken_devices.py").write_text("import no_such_library")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "own_devices", raising=False)
    return tmp_path


def test_the_class_is_made_with_the_robot_if_it_takes_it(profile: RobotProfile) -> None:
    pedal = make_device("own_devices:Pedal", profile)
    assert pedal.describe() == "a pedal"
    assert not pedal.poll(5, TeleopContext()).engaged
    assert vars(make_device("own_devices:OfRobot", profile))["profile"] is profile


def test_an_optional_argument_of_another_name_is_not_the_robot(profile: RobotProfile) -> None:
    given = vars(make_device("own_devices:OfPort", profile))["given"]
    assert given == ("/dev/ttyUSB0", None)
    assert vars(make_device("own_devices:OfEither", profile))["profile"] is profile


def test_a_constructor_that_does_not_tell_its_arguments_is_given_none(
    profile: RobotProfile,
) -> None:
    assert make_device("own_devices:Untold", profile).describe() == "a pedal"


def test_a_panel_carries_the_keys_that_it_lacks(profile: RobotProfile) -> None:
    assert isinstance(make_device("own_devices:Pedal", profile, panel="keyboard"), DevicePair)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("own_devices:Pedl", "device 'own_devices:Pedl': 'own_devices' has no 'Pedl'"),
        ("own_devices:", "expected module:Class"),
        ("no_such_devices:Pedal", "cannot be imported: No module named 'no_such_devices'"),
        ("broken_devices:Pedal", "cannot be imported: No module named 'no_such_library'"),
        ("own_devices:Stranger", "no subclass of robot_learning.teleop.device.TeleopDevice"),
        ("own_devices:number", "no subclass of"),
        ("own_devices:Half", "device 'own_devices:Half': lacks close, describe"),
        ("own_devices:OfTwo", r"its constructor takes \(profile, port\); expected \(profile\)"),
        ("joystick", r"valid: gamepad, .*, spacemouse; or a module:Class of your own"),
    ],
)
def test_what_is_no_device_is_refused(name: str, text: str) -> None:
    with pytest.raises(ConfigurationError, match=text) as error:
        check_device(name)
    assert "\n" not in str(error.value)


def test_a_map_belongs_to_what_ships() -> None:
    with pytest.raises(ConfigurationError, match="map: maps are for the devices that ship"):
        check_device("own_devices:Pedal", "xbox")


def test_a_constructor_that_fails_is_named(profile: RobotProfile) -> None:
    check_device("own_devices:Broken")
    with pytest.raises(ConfigurationError, match=r"cannot be made: OSError\('no such port'\)"):
        make_device("own_devices:Broken", profile)
