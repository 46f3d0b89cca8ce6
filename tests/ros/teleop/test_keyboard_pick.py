"""A person's session, end to end: the keyboard picks up the cube, through every process there is.

`robot-learning up teleop` runs the simulated robot, the arbiter and the keyboard; a script that
sees what a person would see (poses and joints) presses the keys of a real X server.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from geometry_msgs.msg import PoseStamped
from keyboard_pilot import KeyboardPilot
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool, String
from trajectory_msgs.msg import JointTrajectory

from robot_learning.bringup.groups import GROUPS
from robot_learning.core.profile import RobotProfile
from robot_learning.core.profile_loader import load_profile
from robot_learning.messages.joint_order import JointOrder
from robot_learning.messages.poses import pose_array
from robot_learning.messages.trajectories import read_trajectory
from robot_learning.ros.common import qos

CLI = "robot_learning.cli.main"
GIVE_UP_S = 240.0
"""Ends a test that has failed; a session takes about half a minute of the arm's own time."""

REMEDIES = {"FAULT": "c", "DISABLED": "n"}
"""Keys with which an operator goes on after a machine that stalled: clear the fault, enable."""


class Eyes:
    """What an operator sees of the arm, and of the line that says who drives."""

    def __init__(self, peer: Any, profile: RobotProfile) -> None:
        self._profile = profile
        self.poses: dict[str, np.ndarray] = {}
        self.joints: np.ndarray | None = None
        self.state: dict[str, Any] = {}
        self.modes: set[str] = set()
        self.lifted = False
        self.commands: list[np.ndarray] = []
        node = peer.node
        for name in (profile.arms[0].end_effector_name, "cube"):
            node.create_subscription(
                PoseStamped,
                f"poses/{name}",
                partial(self._on_pose, name),
                qos.STREAM_IN,
            )
        node.create_subscription(JointState, "joint_states", self._on_joints, qos.STREAM_IN)
        node.create_subscription(String, "arbiter/state", self._on_state, qos.LATCHED)
        node.create_subscription(Bool, "task/success", self._on_success, qos.LATCHED)
        node.create_subscription(JointTrajectory, "joint_command", self._on_command, qos.COMMAND)

    def ready(self) -> bool:
        return self.joints is not None and len(self.poses) == 2 and bool(self.state)

    def _on_pose(self, name: str, message: PoseStamped) -> None:
        self.poses[name] = pose_array(message)

    def _on_joints(self, message: JointState) -> None:
        self.joints = JointOrder(self._profile.joint_names).positions(message)

    def _on_state(self, message: String) -> None:
        self.state = json.loads(message.data)
        self.modes.add(self.state["mode"])

    def _on_success(self, message: Bool) -> None:
        self.lifted = message.data

    def _on_command(self, message: JointTrajectory) -> None:
        positions = read_trajectory(message, self._profile.joint_names).positions
        self.commands.append(positions[-1])


@pytest.fixture
def profile() -> RobotProfile:
    return load_profile("desk_arm")


def drive(peer: Any, eyes: Eyes, act: Callable[[], None], up: Any) -> float:
    """Act on what is seen until the cube is lifted; returns how long that took."""
    start_s = time.monotonic()
    while not eyes.lifted:
        assert time.monotonic() < start_s + GIVE_UP_S, (eyes.state, up.output)
        assert up.process.poll() is None, up.output
        act()
        end_s = time.monotonic() + 0.02
        while (left_s := end_s - time.monotonic()) > 0.0:
            peer.executor.spin_once(timeout_sec=left_s)
    return time.monotonic() - start_s


def test_the_keyboard_picks_up_the_cube(start, peer, profile, display, typist, record_property):
    up = start(
        CLI, "up", "teleop", "device:=keyboard", "cameras:=none", "headless:=true", DISPLAY=display
    )
    eyes, pilot = Eyes(peer, profile), KeyboardPilot(profile)
    up.await_output("take over the robot")
    peer.spin_until(eyes.ready)
    peer.spin_until(lambda: eyes.state["mode"] == "HOLD")

    def press() -> None:
        mode = eyes.state["mode"]
        if mode in REMEDIES:
            typist.hold({REMEDIES[mode]} - typist.held)
        else:
            typist.hold(pilot.keys(eyes.poses, eyes.joints), obeyed=mode == "HUMAN")

    record_property("seconds", round(drive(peer, eyes, press, up), 1))
    typist.hold(set())
    assert "POLICY" not in eyes.modes
    names = [info.node_name for info in peer.node.get_publishers_info_by_topic("joint_command")]
    assert names == ["arbiter_node"], "only the arbiter commands the robot"
    assert np.isfinite(eyes.commands).all()
    assert (eyes.commands >= profile.position_min - 1e-9).all()
    assert (eyes.commands <= profile.position_max + 1e-9).all()
    # let go with one key: the arm stands where it is
    subprocess.run(["xdotool", "key", "space"], env={**os.environ, "DISPLAY": display}, check=True)
    peer.spin_until(lambda: eyes.state["mode"] == "HOLD")
    assert up.interrupt() == 0
    assert "Traceback" not in up.output


def test_the_scripted_operator_does_a_whole_session_with_noise(stepped):
    arguments = {"device": "scripted", "dart": "true", "dart_sigma": "0.005", "cameras": "none"}
    graph = stepped(GROUPS["teleop"].resolve(arguments).nodes)
    states = graph.listen_json("arbiter/state")
    solved = graph.listen(Bool, "task/success", lambda message: message.data, latched=True)
    graph.wait(lambda: True in solved)
    modes = [state["mode"] for state in states]
    assert set(modes) == {"DISABLED", "HOLD", "HUMAN"}
    assert any(state["noise"] for state in states)
    graph.end()
    assert (graph.code, graph.error) == (0, "")
