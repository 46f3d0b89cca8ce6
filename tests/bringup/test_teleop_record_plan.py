"""The group `teleop_record`: what is started for which arguments."""

import pytest

from robot_learning.bringup.plan import OnExit
from robot_learning.bringup.teleop import TELEOP
from robot_learning.bringup.teleop_record import TELEOP_RECORD
from robot_learning.core.errors import ConfigurationError


def nodes(**given):
    return {node.executable: node for node in TELEOP_RECORD.resolve(given).specs.values()}


def values(node):
    return {k: v for entry in node.parameters if isinstance(entry, dict) for k, v in entry.items()}


def test_it_is_teleoperation_with_a_recorder_and_a_session_that_ends_it():
    found = nodes()
    teleop = [node.executable for node in TELEOP.resolve({}).nodes]
    assert list(found) == [*teleop, "recorder_node", "session_node"]
    assert found["session_node"].on_exit is OnExit.FINISH
    assert values(found["recorder_node"])["dataset"] == "data/desk_arm_lift"
    assert values(found["recorder_node"])["instruction"] == "lift"


def test_only_the_scripted_operator_is_left_alone():
    assert values(nodes(device="scripted")["session_node"])["unattended"] is True
    assert values(nodes(device="gamepad")["session_node"])["unattended"] is False


@pytest.mark.parametrize("device", ["scripted", "gamepad"])
def test_the_recorder_knows_what_the_operator_drives_with(device):
    assert values(nodes(device=device)["recorder_node"])["operator_device"] == device


def test_each_episode_is_a_demonstration_and_its_noise_is_described():
    found = nodes(dart="true", dart_sigma="0.01", dart_trace="0.2")
    arbiter, recorder = values(found["arbiter_node"]), values(found["recorder_node"])
    assert arbiter["demonstrating"] is False
    for name in ("noise.sigma", "noise.trace"):
        assert recorder[name] == arbiter[name]
    assert recorder["noise.sigma"] == 0.01
    assert "noise.covariance" not in recorder
    assert "noise.sigma" not in values(nodes()["recorder_node"])


def test_what_the_robot_publishes_is_what_is_recorded():
    found = nodes(cameras="wrist", image_transport="raw", image_storage="lossless")
    robot, recorder = values(found["robot_node"]), values(found["recorder_node"])
    assert robot["cameras"] == recorder["cameras"] == ["wrist"]
    assert robot["image_transport"] == recorder["image_transport"] == "raw"
    assert recorder["image_storage"] == "lossless"


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"episodes": "many"}, "episodes: expected a whole number"),
        ({"resume": "maybe"}, "valid: false, true"),
        ({"image_storage": "png"}, "valid: jpeg, lossless"),
    ],
)
def test_a_wrong_argument_says_what_is_valid(given, text):
    with pytest.raises(ConfigurationError, match=text):
        TELEOP_RECORD.resolve(given)


def test_the_command_that_goes_on_repeats_what_was_given_but_for_the_episodes():
    found = nodes(episodes="7", resume="true", dart="true", operator="ada l", dataset="data/a")
    command = values(found["session_node"])["resume_command"]
    start = "robot-learning record --resume "
    assert command.startswith(start)
    assert set(command.removeprefix(start).split(" ", 2)) == {
        *("dart:=true", "dataset:=data/a", "'operator:=ada l'"),
    }
    assert values(nodes()["session_node"])["resume_command"] == start.strip()
