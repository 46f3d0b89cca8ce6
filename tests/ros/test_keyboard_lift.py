"""The whole chain as a user runs it: keys in X, teleop_node, arbiter_node, robot_node."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from functools import partial

import pytest
from geometry_msgs.msg import PoseStamped
from keyboard_pilot import KeyboardPilot, Typist
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool
from std_srvs.srv import Trigger

from robot_learning.core.profile_loader import load_profile
from robot_learning.ros import conversions, qos

PATIENCE_S = 120.0


@pytest.fixture
def display() -> Iterator[str]:
    if not shutil.which("Xvfb") or not shutil.which("xdotool"):
        pytest.skip("needs Xvfb and xdotool (Debian: apt install xvfb xdotool)")
    read_fd, write_fd = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write_fd), "-nolisten", "tcp", "-noreset"],
        pass_fds=[write_fd],
        stderr=subprocess.DEVNULL,
    )
    os.close(write_fd)
    with os.fdopen(read_fd) as reply:
        yield f":{reply.readline().strip()}"
    server.kill()
    server.wait()


def test_the_keyboard_lifts_the_cube_through_the_arbiter(peer, start_node, display) -> None:
    profile = load_profile("desk_arm")
    robot = start_node("robot_node", cameras="none", seed=1)
    arbiter = start_node("arbiter_node", autostart=True)
    teleop = start_node("teleop_node", environment={"DISPLAY": display}, device="keyboard")
    poses, joints, successes = {}, [], []

    def keep(name: str, message: PoseStamped) -> None:
        poses[name] = conversions.pose_array(message)

    for name in (profile.arms[0].end_effector_name, "cube"):
        peer.node.create_subscription(
            PoseStamped, f"poses/{name}", partial(keep, name), qos.STREAM_IN
        )
    peer.node.create_subscription(JointState, "joint_states", joints.append, qos.STREAM_IN)
    peer.node.create_subscription(
        Bool, "task/success", lambda message: successes.append(message.data), qos.LATCHED
    )
    human = peer.subscribe(JointState, "arbiter/human", qos.STREAM_IN)
    teleop.await_output("keyboard")
    peer.spin_until(lambda: len(poses) == 2 and joints and human)
    pilot, typist = KeyboardPilot(profile), Typist(display)
    give_up_s = time.monotonic() + PATIENCE_S
    try:
        while not (successes and successes[-1]):
            assert time.monotonic() < give_up_s, f"never lifted: {arbiter.output}{teleop.output}"
            position = conversions.joint_positions(joints[-1], profile.joint_names)
            drives = not any(value != value for value in human[-1].position)
            typist.hold(pilot.keys(poses, position), obeyed=drives)
            del joints[:-1], human[:-1]
            end_s = time.monotonic() + 0.02
            while (left_s := end_s - time.monotonic()) > 0.0:
                peer.executor.spin_once(timeout_sec=left_s)
    finally:
        typist.close()
    assert peer.call(Trigger, "arbiter_node/hold").success
    assert [node.interrupt() for node in (teleop, arbiter, robot)] == [0, 0, 0]
