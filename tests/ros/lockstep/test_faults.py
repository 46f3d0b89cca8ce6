"""What goes wrong in lockstep: nodes that raise, ends from outside, and what cannot be run so."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time

import pytest
import yaml
from rcl_interfaces.srv import GetParameters
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from stepped_graph import hosted, node_spec

from robot_learning.bringup.plan import specs_to_json
from robot_learning.core.resources import find_robot
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.recovery import verify_dataset
from robot_learning.ros.common import qos

CLI = "robot_learning.cli.main"
END_S = 2.0
RAISING = """
import sys
from robot_learning.ros import arbiter_node, lockstep
step = arbiter_node.ArbiterNode.step
def fails_in_the_second_episode(self):
    running = self._demonstrations.running
    if running is not None and running.episode == 1 and self._steady.now_ns() % 10**9 == 0:
        1 / 0
    step(self)
arbiter_node.ArbiterNode.step = fails_in_the_second_episode
sys.exit(lockstep.main())
"""


def test_a_node_that_raises_ends_the_run_by_its_name_and_what_is_saved_is_sound(
    recording, tmp_path
):
    graph = specs_to_json(hosted("teleop_record", **recording(episodes=3)))
    command = [sys.executable, "-c", RAISING, "--graph", graph]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 1
    (line,) = [text for text in ended.stderr.splitlines() if text.startswith("error: ")]
    pattern = r"error: arbiter_node failed at \d+\.00 s of simulated time: ZeroDivisionError: "
    assert re.match(pattern, line), line
    assert "in fails_in_the_second_episode" in ended.stderr, "whoever mends it sees where"
    assert verify_dataset(DatasetFolder(tmp_path / "set")) == []
    # The running episode, too, up to where it was cut off.
    outcomes = [summary.outcome for summary in Dataset(tmp_path / "set").episodes]
    assert outcomes == ["success", "unknown"]


def test_what_another_graph_publishes_ends_the_run_instead_of_being_recorded(record, peer):
    graph = record(episodes=3)
    peer.node.create_publisher(JointState, "joint_states", qos.STREAM_OUT)
    assert graph.run() == 1
    says = "lockstep: /joint_states is published by another graph, too (peer); end that one, or"
    assert graph.error.startswith(says), graph.error
    assert "ROS_DOMAIN_ID=7" in graph.error


def test_ctrl_c_ends_it_at_once_and_keeps_the_running_episode_while_others_listen_and_call(
    start, recording, peer, tmp_path
):
    values = recording(episodes=1000)
    status, joints = {}, peer.subscribe(JointState, "joint_states", qos.STREAM_IN)
    peer.node.create_subscription(
        String, "recorder/status", lambda m: status.update(json.loads(m.data)), qos.LATCHED
    )
    took_s = []
    # A machine that is busy may be slow to end anything; once in three it is not.
    while not took_s or (took_s[-1] > END_S and len(took_s) < 3):
        status.clear()
        one = start(CLI, "record", *(f"{name}:={value}" for name, value in values.items()))
        peer.spin_until(lambda: status.get("recording") and status["flushed_rows"] > 3)
        request = GetParameters.Request(names=["use_sim_time"])
        answer = peer.call(GetParameters, "arbiter_node/get_parameters", request)
        assert answer.values[0].bool_value, "every node lives in simulated time"
        peer.spin_until(lambda: joints)
        assert len(joints[-1].name) == 7
        # Simulated time, which began with 0.
        assert joints[-1].header.stamp.sec < 3600
        peer.spin_until(lambda: status["recording"] and status["flushed_rows"] > 3)
        saved, flushed = status["saved"], status["flushed_rows"]
        begun_s = time.monotonic()
        assert one.interrupt() == 0
        took_s.append(time.monotonic() - begun_s)
        assert "Traceback" not in one.output
        assert verify_dataset(DatasetFolder(tmp_path / "set")) == []
        episodes = Dataset(tmp_path / "set").episodes
        assert len(episodes) > saved
        assert episodes[saved].rows >= flushed
        values["resume"] = "true"
    assert took_s[-1] < END_S, took_s


@pytest.mark.parametrize(
    ("group", "given", "text"),
    [
        ("sim", {"sim_speed": "2"}, "sim_speed:=2 does not go with it"),
        ("teleop_record", {"device": "keyboard"}, "device:=keyboard, which a person drives"),
        ("dagger", {"device": "gamepad"}, "device:=gamepad, which a person drives"),
        ("dagger", {"sim": "false", "robot": ""}, "needs a simulated robot, and sim is false"),
    ],
)
def test_what_cannot_be_run_in_lockstep_is_one_line(start, group, given, text, tmp_path):
    if "robot" in given:
        given = given | {"robot": real_robot(tmp_path)}
    words = (f"{name}:={value}" for name, value in ({"lockstep": "true"} | given).items())
    one = start(CLI, "up", group, *words)
    assert one.wait() == 2
    (line,) = one.output.strip().splitlines()
    assert "lockstep:=true" in line
    assert text in line


def real_robot(folder):
    """The desk arm's profile with a controller of ros2_control behind it."""
    source = find_robot("desk_arm")
    profile = yaml.safe_load(source.read_text())
    profile["interfaces"]["sim"]["mjcf"] = str(source.parent / "desk_arm.xml")
    profile["interfaces"]["real"] = {
        "kind": "ros2_control",
        "command_topic": "position_controller/commands",
        "command_type": "position_array",
    }
    path = folder / "robot.yaml"
    path.write_text(yaml.safe_dump(profile))
    return path


@pytest.mark.parametrize(
    ("specs", "text"),
    [
        ([node_spec("arbiter_node", {})], "lockstep needs a simulated robot, which lets time pass"),
        ([node_spec("replay_node", {})], "lockstep: 'replay_node' cannot be stepped"),
        (
            [node_spec("robot_node", {}), node_spec("teleop_node", {"device": "keyboard"})],
            "a person's device lives in real time; in lockstep only 'scripted' can drive",
        ),
    ],
    ids=["no robot", "no role", "a device"],
)
def test_a_graph_that_cannot_be_stepped_is_one_line(specs, text):
    command = [sys.executable, "-m", "robot_learning.ros.lockstep", "--graph", specs_to_json(specs)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    (line,) = ended.stderr.strip().splitlines()
    assert line.startswith("error: ")
    assert text in line


def test_a_graph_that_is_none_is_one_line():
    command = [sys.executable, "-m", "robot_learning.ros.lockstep", "--graph", "[1]"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    (line,) = ended.stderr.strip().splitlines()
    assert line.startswith("error: --graph: expected a list of node specs")
