"""The group `teleop`: what is started for which arguments, and what is refused beforehand."""

import sys
from typing import get_args

import pytest
import yaml

from robot_learning.bringup.plan import OnExit
from robot_learning.bringup.teleop import SCRIPTED, TELEOP
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.resources import find_robot
from robot_learning.core.vocabulary import OperatorDevice, OperatorPanel
from robot_learning.teleop import devices

REAL = {
    "kind": "ros2_control",
    "command_topic": "position_controller/commands",
    "command_type": "position_array",
}
OWN_DEVICE = """
from robot_learning.teleop.device import TeleopDevice

class Pedal(TeleopDevice):
    open = close = poll = describe = None
"""


def nodes(**given):
    return {node.executable: node for node in TELEOP.resolve(given).specs.values()}


def values(node):
    return {k: v for entry in node.parameters if isinstance(entry, dict) for k, v in entry.items()}


@pytest.fixture
def real_robot(tmp_path):
    source = find_robot("desk_arm")
    profile = yaml.safe_load(source.read_text(encoding="utf-8"))
    profile["interfaces"]["sim"]["mjcf"] = str(source.parent / "desk_arm.xml")
    profile["interfaces"]["real"] = REAL
    path = tmp_path / "robot.yaml"
    path.write_text(yaml.safe_dump(profile), encoding="utf-8")
    return str(path)


def test_the_devices_are_those_that_teleop_node_has():
    assert set(get_args(OperatorDevice)) == {*devices.DEVICES, SCRIPTED}
    assert get_args(OperatorPanel) == devices.PANELS


def test_a_simulated_robot_is_enabled_at_start_and_a_real_one_is_not(real_robot):
    simulated = nodes()
    assert list(simulated) == ["robot_node", "arbiter_node", "teleop_node"]
    assert values(simulated["arbiter_node"])["autostart"] is True
    real = nodes(robot=real_robot, sim="false")
    assert list(real) == ["arbiter_node", "teleop_node"]
    assert values(real["arbiter_node"])["autostart"] is False


def test_a_real_robot_is_commanded_where_and_how_its_controller_listens(real_robot):
    arbiter = nodes(robot=real_robot, sim="false")["arbiter_node"]
    assert arbiter.remappings == {"joint_command": "position_controller/commands"}
    assert values(arbiter)["output"] == "profile"


def test_noise_is_off_unless_asked_for():
    assert not any(name.startswith("noise") for name in values(nodes()["arbiter_node"]))
    asked = values(nodes(dart="true", dart_trace="0.3", dart_seed="5")["arbiter_node"])
    assert (asked["demonstrating"], asked["demonstrations_follow"]) == (False, "operator")
    assert (asked["noise.sigma"], asked["noise.trace"], asked["noise.seed"]) == (0.02, 0.3, 5)


def test_a_scripted_session_is_one_demonstration():
    asked = values(nodes(dart="true", device="scripted")["arbiter_node"])
    assert (asked["demonstrating"], asked["demonstrations_follow"]) == (True, "parameter")


def test_a_covariance_file_replaces_the_scalar():
    asked = values(nodes(dart="true", dart_covariance="some.npy")["arbiter_node"])
    assert (asked["noise.covariance"], asked["noise.sigma"]) == ("some.npy", 0.0)


def test_the_operator_has_the_terminal_and_every_node_is_required():
    found = nodes(namespace="left")
    assert [node.owns_terminal for node in found.values()] == [False, False, True]
    assert {node.on_exit for node in found.values()} == {OnExit.FAIL}
    assert {node.namespace for node in found.values()} == {"left"}


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"device": "joystick"}, "valid: gamepad"),
        ({"device": "no_such_devices:Pedal"}, "No module named 'no_such_devices'"),
        ({"device": "robot_learning.teleop.keyboard:Keys"}, "has no 'Keys'"),
        ({"device": "robot_learning.teleop.device:Health"}, "no subclass of"),
        ({"sim": "false"}, "has no ros2_control interface"),
        ({"dart_covariance": "x.npy"}, "add dart:=true"),
        ({"dart": "true", "dart_sigma": "some"}, "dart_sigma: expected a number"),
        ({"robot": "desk"}, "unknown robot"),
    ],
)
def test_a_wrong_argument_says_what_is_valid(given, text):
    with pytest.raises(ConfigurationError, match=text):
        TELEOP.resolve(given)


def test_a_device_of_ones_own_is_not_imported_by_what_launches(tmp_path, monkeypatch):
    (tmp_path / "launched_devices.py").write_text(OWN_DEVICE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert values(nodes(device="launched_devices:Pedal")["teleop_node"])["device"]
    assert "launched_devices" not in sys.modules


@pytest.mark.parametrize(
    ("display", "given", "headless"),
    [
        (":0", {}, False),
        ("", {}, True),
        (":0", {"device": "scripted"}, True),
        (":0", {"headless": "true"}, True),
        ("", {"headless": "false"}, False),
    ],
)
def test_a_person_sees_the_robot_where_there_is_a_screen(display, given, headless, monkeypatch):
    monkeypatch.setenv("DISPLAY", display)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    robot = TELEOP.resolve(given).specs["robot_node"]
    values = [entry for entry in robot.parameters if isinstance(entry, dict)]
    assert values[-1]["headless"] is headless
