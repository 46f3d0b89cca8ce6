"""`robot_node` over real DDS: one process for all that is asked of it here."""

from xml.etree import ElementTree

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import DescribeParameters, SetParameters
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool, String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from robot_learning.core.profile_loader import load_profile
from robot_learning.messages.joint_order import JointOrder
from robot_learning.messages.poses import pose_array
from robot_learning.ros.common import conversions, qos

PROFILE = load_profile("desk_arm")
NAMES, HOME = PROFILE.joint_names, PROFILE.home


@pytest.fixture(scope="module")
def shared_robot(shared_start_node):
    return shared_start_node("robot_node", cameras="none", diagnostics_rate_hz=10.0)


@pytest.fixture
def robot(shared_robot, peer):
    """As if just started: at home, holding, and with nothing counted."""
    peer.subscribe(JointState, "joint_states", qos.STREAM_IN)
    peer.subscribe(DiagnosticArray, "diagnostics", qos.DIAGNOSTICS)
    set_parameter(peer, "reset.placement", type=ParameterType.PARAMETER_STRING)
    assert peer.call(Trigger, "robot_node/reset").success
    for transition in (Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_ACTIVATE):
        assert peer.transition("robot_node", transition)
    peer.next("joint_states")
    return shared_robot


@pytest.fixture
def send(robot, peer):
    publisher = peer.node.create_publisher(JointTrajectory, "joint_command", qos.COMMAND)
    peer.spin_until(publisher.get_subscription_count)

    def one(positions, times_s=(0.0,)):
        publisher.publish(conversions.trajectory_message(NAMES, np.array(positions), times_s))

    one.publisher = publisher
    return one


def positions(peer):
    return JointOrder(NAMES).positions(peer.next("joint_states"))


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


def change(peer, transition):
    request = ChangeState.Request(transition=Transition(id=transition))
    return peer.call(ChangeState, "robot_node/change_state", request).success


def test_reset_takes_seed_and_placement_from_parameters(robot, peer):
    peer.subscribe(PoseStamped, "poses/cube", qos.STREAM_IN)
    integer, text = ParameterType.PARAMETER_INTEGER, ParameterType.PARAMETER_STRING
    assert set_parameter(peer, "reset.seed", type=integer, integer_value=7).successful
    assert peer.call(Trigger, "robot_node/reset").message == "seed 7"
    first = pose_array(peer.next("poses/cube"))
    assert peer.call(Trigger, "robot_node/reset").success
    again = pose_array(peer.next("poses/cube"))
    np.testing.assert_allclose(first, again, atol=2e-3)
    placement = "{cube: [0.2, 0.1, 0.02]}"
    assert set_parameter(peer, "reset.placement", type=text, string_value=placement).successful
    assert peer.call(Trigger, "robot_node/reset").success
    placed = pose_array(peer.next("poses/cube"))
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


def test_success_is_latched_for_whoever_comes_late(robot, peer):
    peer.subscribe(Bool, "task/success", qos.LATCHED)
    assert peer.next("task/success").data is False


def test_its_urdf_is_latched_and_has_the_joints_of_joint_states(robot, peer):
    peer.subscribe(String, "robot_description", qos.LATCHED)
    description = ElementTree.fromstring(peer.next("robot_description").data)
    movable = [
        joint.attrib["name"]
        for joint in description.findall("joint")
        if joint.attrib["type"] != "fixed" and joint.find("mimic") is None
    ]
    assert movable == peer.next("joint_states").name


def test_a_transition_from_the_wrong_state_is_refused_and_the_node_goes_on(robot, peer):
    """Last of those that share a robot: it ends."""
    assert not change(peer, Transition.TRANSITION_ACTIVATE)
    assert not change(peer, Transition.TRANSITION_CONFIGURE)
    peer.next("joint_states")
    assert peer.transition("robot_node", Transition.TRANSITION_DEACTIVATE)
    assert robot.interrupt() == 0
