import os
import signal

import numpy as np
import psutil
import pytest
import simplejpeg
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import DescribeParameters, SetParameters
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, JointState
from std_msgs.msg import Bool
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from robot_learning.core.profile_loader import load_profile
from robot_learning.episodes.message_streams import image_pixels
from robot_learning.ros import conversions, qos

PROFILE = load_profile("desk_arm")
NAMES, HOME = PROFILE.joint_names, PROFILE.home


@pytest.fixture
def robot(start_node, peer):
    node = start_node("robot_node", cameras="none", diagnostics_rate_hz=10.0)
    peer.subscribe(JointState, "joint_states", qos.STREAM_IN)
    peer.subscribe(DiagnosticArray, "diagnostics", qos.DIAGNOSTICS)
    peer.next("joint_states")
    return node


@pytest.fixture
def send(robot, peer):
    publisher = peer.node.create_publisher(JointTrajectory, "joint_command", qos.COMMAND)
    peer.spin_until(publisher.get_subscription_count)

    def one(positions, times_s=(0.0,)):
        publisher.publish(conversions.trajectory_message(NAMES, np.array(positions), times_s))

    one.publisher = publisher
    return one


def positions(peer):
    return conversions.joint_positions(peer.next("joint_states"), NAMES)


def figures(peer, part):
    def told():
        named = [one for message in messages for one in message.status if one.name == name]
        return named[-1:]

    messages, name = peer.received["diagnostics"], f"robot_node: {part}"
    messages.clear()
    (status,) = peer.spin_until(told)
    return {value.key: value.value for value in status.values}


def test_it_publishes_joints_and_its_figures(robot, peer):
    message = peer.next("joint_states")
    assert tuple(message.name) == NAMES
    np.testing.assert_allclose(message.position, HOME, atol=0.01)
    assert message.header.stamp.sec > 1_000_000_000
    # The first report may come before the loop has run long enough to have a rate.
    peer.spin_until(lambda: float(figures(peer, "control loop")["rate_hz"]) > 0)
    values = figures(peer, "control loop")
    assert {"jitter_p99_ms", "missed_ticks", "speed_factor"} <= set(values)


def test_it_moves_where_it_is_told(send, peer):
    target = HOME.copy()
    target[0] = 0.4
    send(target)
    peer.spin_until(lambda: abs(positions(peer)[0] - 0.4) < 0.01)


def test_it_passes_the_points_of_a_trajectory_one_after_the_other(send, peer):
    there, back = HOME.copy(), HOME.copy()
    there[0] = 0.3
    send([there, back], (0.5, 1.0))
    seen = []
    peer.spin_until(
        lambda: seen.append(positions(peer)[0]) or (max(seen) > 0.2 and abs(seen[-1]) < 0.02)
    )
    assert max(seen) < 0.32
    assert np.abs(np.diff(seen)).max() < 0.3


BAD_COMMANDS = [
    (np.full(len(NAMES), np.nan), NAMES, "not finite"),
    (HOME[:-1], NAMES, "wrong size"),
    (HOME, ("elbow", *NAMES[1:]), "unknown joint 'elbow'"),
    (HOME[1:], NAMES[1:], "missing joint"),
    (HOME, (NAMES[1], *NAMES[1:]), "repeated joint"),
]


def test_it_refuses_bad_commands_says_so_and_holds(send, peer, robot):
    for count, (values, names, reason) in enumerate(BAD_COMMANDS, start=1):
        message = conversions.trajectory_message(names[: len(values)], values)
        message.joint_names = list(names)
        send.publisher.publish(message)
        counts = peer.spin_until(
            lambda count=str(count): (
                (found := figures(peer, "commands"))["refused"] == count and found
            )
        )
        assert reason in counts["last_refusal"]
        assert counts["accepted"] == "0"
    np.testing.assert_allclose(positions(peer), HOME, atol=0.01)
    robot.await_output("command refused")


def set_parameter(peer, name, **value):
    request = SetParameters.Request(
        parameters=[Parameter(name=name, value=ParameterValue(**value))]
    )
    (result,) = peer.call(SetParameters, "robot_node/set_parameters", request).results
    return result


def test_reset_takes_seed_and_placement_from_parameters(robot, peer):
    peer.subscribe(PoseStamped, "poses/cube", qos.STREAM_IN)
    integer, text = ParameterType.PARAMETER_INTEGER, ParameterType.PARAMETER_STRING
    assert set_parameter(peer, "reset.seed", type=integer, integer_value=7).successful
    assert peer.call(Trigger, "robot_node/reset").message == "seed 7"
    first = conversions.pose_array(peer.next("poses/cube"))
    assert peer.call(Trigger, "robot_node/reset").success
    again = conversions.pose_array(peer.next("poses/cube"))
    np.testing.assert_allclose(first, again, atol=2e-3)
    placement = "{cube: [0.2, 0.1, 0.02]}"
    assert set_parameter(peer, "reset.placement", type=text, string_value=placement).successful
    assert peer.call(Trigger, "robot_node/reset").success
    placed = conversions.pose_array(peer.next("poses/cube"))
    np.testing.assert_allclose(placed[:2], [0.2, 0.1], atol=2e-3)
    set_parameter(peer, "reset.placement", type=text, string_value="{cub: [0, 0, 0]}")
    answer = peer.call(Trigger, "robot_node/reset")
    assert not answer.success
    assert "did you mean 'cube'" in answer.message


def test_a_reset_drops_the_command_that_was_being_followed(send, peer):
    target = HOME.copy()
    target[0] = 1.0
    send(target, (5.0,))
    peer.spin_until(lambda: positions(peer)[0] > 0.05)
    assert peer.call(Trigger, "robot_node/reset").success
    for _ in range(20):
        assert abs(positions(peer)[0]) < 0.02


def test_parameters_are_described_and_the_fixed_ones_cannot_be_changed(robot, peer):
    request = DescribeParameters.Request(names=["sim_speed", "jpeg_quality"])
    answer = peer.call(DescribeParameters, "robot_node/describe_parameters", request)
    speed, quality = answer.descriptors
    assert speed.read_only
    assert "Simulated seconds" in speed.description
    assert quality.integer_range[0].to_value == 100
    refused = set_parameter(
        peer, "sim_speed", type=ParameterType.PARAMETER_DOUBLE, double_value=2.0
    )
    assert not refused.successful


def test_the_lifecycle_can_be_driven_from_outside(start_node, peer):
    start_node("robot_node", cameras="none", autostart="false")
    messages = peer.subscribe(JointState, "joint_states", qos.STREAM_IN)

    def change(transition):
        request = ChangeState.Request(transition=Transition(id=transition))
        assert peer.call(ChangeState, "robot_node/change_state", request).success

    def state():
        return peer.call(GetState, "robot_node/get_state").current_state.id

    assert state() == State.PRIMARY_STATE_UNCONFIGURED
    change(Transition.TRANSITION_CONFIGURE)
    assert not messages
    change(Transition.TRANSITION_ACTIVATE)
    peer.next("joint_states")
    change(Transition.TRANSITION_DEACTIVATE)
    stamp = conversions.time_ns(messages[-1].header.stamp)
    answer = peer.call(GetState, "robot_node/get_state")
    assert answer.current_state.id == State.PRIMARY_STATE_INACTIVE
    change(Transition.TRANSITION_ACTIVATE)
    assert conversions.time_ns(peer.next("joint_states").header.stamp) > stamp
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
    stamps = [conversions.time_ns(message.clock) for message in clocks]
    assert stamps == sorted(set(stamps))


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
    info = peer.next("front/camera_info")
    assert (info.width, info.height) == (640, 480)


def test_success_is_latched_for_whoever_comes_late(robot, peer):
    peer.subscribe(Bool, "task/success", qos.LATCHED)
    assert peer.next("task/success").data is False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(start_node, peer, number):
    node = start_node("robot_node", cameras="front")
    node.await_output("is active")
    node.process.send_signal(number)
    assert node.wait() == 0
    assert "Traceback" not in node.output


def test_a_signal_while_it_starts_ends_it_cleanly(start_node):
    node = start_node("robot_node", cameras="front")
    children = []
    while not children and node.process.poll() is None:
        children = psutil.Process(node.process.pid).children()
    assert node.interrupt() == 0
    assert "Traceback" not in node.output


def test_killing_it_takes_its_render_process_along(start_node):
    node = start_node("robot_node", cameras="front")
    node.await_output("is active")
    assert psutil.Process(node.process.pid).children()
    os.kill(node.process.pid, signal.SIGKILL)
    node.wait()
    # That nothing is left is checked after every test.


def test_the_death_of_its_render_process_ends_it_with_one_clear_line(start_node):
    node = start_node("robot_node", cameras="front")
    node.await_output("is active")
    (child,) = psutil.Process(node.process.pid).children()
    child.kill()
    assert node.wait() == 1
    assert "error: the render process died" in node.output
    assert "Traceback" not in node.output


@pytest.mark.parametrize(
    ("parameters", "environment", "code", "text"),
    [
        ({"robot": "desk_arn"}, {}, 2, "unknown robot 'desk_arn'; did you mean 'desk_arm'?"),
        ({"task": "lft"}, {}, 2, "unknown task 'lft'; did you mean 'lift'?"),
        ({"cameras": "frnt"}, {}, 2, "unknown camera 'frnt'; did you mean 'front'?"),
        ({"sim_speed": 0}, {}, 2, "publish_clock"),
        ({"sim_speed": "fast"}, {}, 2, "parameter 'sim_speed': expected a number"),
        ({}, {"ROS_DOMAIN_ID": "233"}, 2, "ROS_DOMAIN_ID is '233'"),
        ({"cameras": "front"}, {"MUJOCO_GL": "nonsense"}, 2, "MUJOCO_GL"),
        ({"cameras": "front"}, {"MUJOCO_GL": "disable"}, 1, "turns rendering off"),
        (
            {"cameras": "front"},
            {"MUJOCO_GL": "egl", "__EGL_VENDOR_LIBRARY_DIRS": "/nowhere"},
            1,
            "apt-get install libegl1",
        ),
    ],
)
def test_what_is_wrong_is_one_clear_line(start_node, parameters, environment, code, text):
    parameters = {"cameras": "none", **parameters}
    node = start_node("robot_node", environment, **parameters)
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


def test_a_transition_from_the_wrong_state_is_refused_and_the_node_goes_on(robot, peer):
    def change(transition):
        request = ChangeState.Request(transition=Transition(id=transition))
        return peer.call(ChangeState, "robot_node/change_state", request).success

    assert not change(Transition.TRANSITION_ACTIVATE)
    assert not change(Transition.TRANSITION_CONFIGURE)
    peer.next("joint_states")
    assert change(Transition.TRANSITION_DEACTIVATE)
    assert robot.interrupt() == 0
