"""`robot_node` as a process: how it starts and ends, and what it needs."""

import contextlib
import os
import signal

import numpy as np
import psutil
import pytest
import simplejpeg
from failed_start import failed_start
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, JointState

from robot_learning.core.profile_loader import load_profile
from robot_learning.episodes.format.image_encodings import image_pixels
from robot_learning.messages.stamps import header_stamp_ns, time_ns
from robot_learning.ros.common import qos

PROFILE = load_profile("desk_arm")


def test_the_lifecycle_can_be_driven_from_outside(start_node, peer):
    start_node("robot_node", cameras="none", autostart="false")
    messages = peer.subscribe(JointState, "joint_states", qos.STREAM_IN)

    def change(transition):
        assert peer.transition("robot_node", transition)

    def state():
        return peer.call(GetState, "robot_node/get_state").current_state.id

    assert state() == State.PRIMARY_STATE_UNCONFIGURED
    change(Transition.TRANSITION_CONFIGURE)
    assert not messages
    change(Transition.TRANSITION_ACTIVATE)
    peer.next("joint_states")
    change(Transition.TRANSITION_DEACTIVATE)
    stamp = header_stamp_ns(messages[-1])
    answer = peer.call(GetState, "robot_node/get_state")
    assert answer.current_state.id == State.PRIMARY_STATE_INACTIVE
    change(Transition.TRANSITION_ACTIVATE)
    assert time_ns(peer.next("joint_states").header.stamp) > stamp
    change(Transition.TRANSITION_DEACTIVATE)
    change(Transition.TRANSITION_CLEANUP)
    assert state() == State.PRIMARY_STATE_UNCONFIGURED
    change(Transition.TRANSITION_CONFIGURE)
    assert state() == State.PRIMARY_STATE_INACTIVE


def test_simulated_time_runs_ahead_of_real_time_and_stamps_everything(start_node, peer):
    start_node("robot_node", cameras="none", sim_speed=0, publish_clock="true")
    clocks = peer.subscribe(Clock, "/clock", qos.CLOCK)
    peer.subscribe(JointState, "joint_states", qos.STREAM_IN)
    first = peer.next("joint_states").header.stamp
    assert first.sec < 1_000_000
    clocks.clear()
    peer.spin_until(lambda: len(clocks) > 20)
    stamps = [time_ns(message.clock) for message in clocks]
    assert stamps == sorted(set(stamps))


def of_one_moment(images, infos):
    """The first image heard with its camera_info; a busy listener may miss either."""
    by_stamp = {time_ns(info.header.stamp): info for info in infos}
    for image in images:
        info = by_stamp.get(time_ns(image.header.stamp))
        if info is not None:
            return image, info
    return None


def test_images_come_compressed_and_raw_and_show_the_same(start_node, peer):
    start_node("robot_node", cameras="front", image_transport="both")
    peer.subscribe(CompressedImage, "front/image_raw/compressed", qos.STREAM_IN)
    peer.subscribe(Image, "front/image_raw", qos.STREAM_IN)
    peer.subscribe(CameraInfo, "front/camera_info", qos.STREAM_IN)
    jpeg = peer.next("front/image_raw/compressed")
    raw = image_pixels(peer.next("front/image_raw"))
    assert "jpeg" in jpeg.format
    shown = simplejpeg.decode_jpeg(np.frombuffer(jpeg.data, np.uint8))
    assert shown.shape == raw.shape == (480, 640, 3)
    # The robot is at rest, so that the two frames show the same; JPEG loses a little.
    assert np.abs(shown.astype(int) - raw).mean() < 5
    assert raw.std() > 10
    images = peer.received["front/image_raw/compressed"]
    infos = peer.received["front/camera_info"]
    image, info = peer.spin_until(lambda: of_one_moment(images, infos))
    assert (info.width, info.height) == (640, 480)
    assert info.header.frame_id == image.header.frame_id == "front_optical_frame"
    (fovy_rad,) = [one.pose.fovy_rad for one in PROFILE.cameras if one.name == "front"]
    assert info.k[4] == pytest.approx(240 / np.tan(fovy_rad / 2))
    assert not any(info.d)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(start_node, peer, number):
    node = start_node("robot_node", cameras="front")
    node.await_output("is active")
    node.process.send_signal(number)
    assert node.wait() == 0
    assert "Traceback" not in node.output


def rendering(node):
    """Its render processes."""
    with contextlib.suppress(psutil.NoSuchProcess):
        children = psutil.Process(node.process.pid).children()
        return [
            child for child in children if "robot_learning.robots.camera_process" in child.cmdline()
        ]
    return []


def test_a_signal_while_it_starts_ends_it_cleanly(start_node):
    node = start_node("robot_node", cameras="front")
    while not rendering(node) and node.process.poll() is None:
        pass
    assert node.interrupt() == 0
    assert "Traceback" not in node.output


def test_killing_it_takes_its_render_process_along(start_node):
    node = start_node("robot_node", cameras="front")
    node.await_output("is active")
    assert rendering(node)
    os.kill(node.process.pid, signal.SIGKILL)
    node.wait()
    # That nothing is left is checked after every test.


def test_the_death_of_its_render_process_ends_it_with_one_clear_line(start_node):
    node = start_node("robot_node", cameras="front")
    node.await_output("is active")
    (child,) = rendering(node)
    child.kill()
    assert node.wait() == 1
    assert "error: the render process died" in node.output
    assert "Traceback" not in node.output


@pytest.mark.parametrize(
    ("parameters", "environment", "text"),
    [
        ({"robot": "desk_arn"}, {}, "unknown robot 'desk_arn'; did you mean 'desk_arm'?"),
        ({"task": "lft"}, {}, "unknown task 'lft'; did you mean 'lift'?"),
        ({"cameras": "frnt"}, {}, "unknown camera 'frnt'; did you mean 'front'?"),
        ({"sim_speed": 0}, {}, "publish_clock"),
        ({"sim_speed": "fast"}, {}, "parameter 'sim_speed': expected a number"),
        ({}, {"ROS_DOMAIN_ID": "233"}, "ROS_DOMAIN_ID is '233'"),
    ],
)
def test_what_is_wrong_is_one_clear_line(capfd, monkeypatch, parameters, environment, text):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    code, (line,) = failed_start("robot_node", capfd, **{"cameras": "none", **parameters})
    assert code == 2
    assert line.startswith("error: ")
    assert text in line


@pytest.mark.parametrize(
    ("environment", "code", "text"),
    [
        ({"MUJOCO_GL": "nonsense"}, 2, "MUJOCO_GL"),
        ({"MUJOCO_GL": "disable"}, 1, "turns rendering off"),
        (
            {"MUJOCO_GL": "egl", "__EGL_VENDOR_LIBRARY_DIRS": "/nowhere"},
            1,
            "apt-get install libegl1",
        ),
    ],
)
def test_that_nothing_can_be_rendered_is_one_clear_line(start_node, environment, code, text):
    node = start_node("robot_node", environment, cameras="front")
    assert node.wait() == code
    (line,) = node.output.strip().splitlines()
    assert line.startswith("error: ")
    assert text in line


def test_a_configuration_that_fails_leaves_the_node_to_be_configured_again(start_node, peer):
    node = start_node("robot_node", cameras="none", autostart="false", task="lft")
    request = ChangeState.Request(transition=Transition(id=Transition.TRANSITION_CONFIGURE))
    assert not peer.call(ChangeState, "robot_node/change_state", request).success
    node.await_output("unknown task 'lft'")
    answer = peer.call(GetState, "robot_node/get_state")
    assert answer.current_state.id == State.PRIMARY_STATE_UNCONFIGURED
    assert node.interrupt() == 0
