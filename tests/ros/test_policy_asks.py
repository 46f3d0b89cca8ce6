"""A policy of two members over real nodes: in doubt it asks for help, and the arm holds."""

from __future__ import annotations

import json

import numpy as np
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger
from steering_policy import save_steering
from trajectory_msgs.msg import JointTrajectory

from robot_learning.core.profile_loader import load_profile
from robot_learning.policies.checkpoint import CheckpointDetails
from robot_learning.policies.gate import Thresholds
from robot_learning.policies.gate_folder import Gate, save_gate
from robot_learning.ros import conversions, qos

# A busy machine must not be taken for a dead source.
PATIENT = {"policy_timeout_s": 0.6, "measured_timeout_s": 1.5, "measured_fault_s": 9.0}
PATIENT |= {"human_timeout_s": 0.5, "tracking_rad": 3.0, "autostart": True}


def started(peer, start_node):
    """Robot and arbiter; what arbiter and policy will have told, and a person's hand."""
    states, told = [], []
    listen = peer.node.create_subscription
    listen(String, "arbiter/state", lambda m: states.append(json.loads(m.data)), qos.LATCHED)
    listen(String, "policy/doubt", lambda m: told.append(json.loads(m.data)), qos.LATCHED)
    start_node("robot_node", cameras="[none]")
    start_node("arbiter_node", **PATIENT)
    return states, told, peer.node.create_publisher(JointTrajectory, "teleop/command", qos.COMMAND)


def test_a_doubtful_policy_holds_the_arm_until_somebody_answers(peer, start_node, tmp_path):
    profile = load_profile("desk_arm")
    target = profile.home + np.array([0.4, 0.1, -0.1, 0.2, 0.0, 0.3, -0.02])
    long = {"action_steps": 60, "executed_steps": 20}
    folders = [
        save_steering(tmp_path / name, profile, target + shift, 0.01, **long)
        for name, shift in (("first", 0.0), ("second", -0.2))
    ]
    states, told, teleop = started(peer, start_node)
    policy = start_node(
        "policy_node", checkpoint=folders[0], members=folders[1], device="cpu", backend="eager"
    )

    def until_mode(mode):
        peer.spin_until(lambda: states and states[-1]["mode"] == mode)

    def ask_above(value):
        request = SetParameters.Request(
            parameters=[Parameter("ask_above", value=value).to_parameter_msg()]
        )
        assert peer.call(SetParameters, "policy_node/set_parameters", request).results[0].successful
        answer = peer.call(Trigger, "policy_node/reload")
        assert answer.success, answer.message

    def hand_back():
        """As soon as it proposes again, which it does once the arm holds."""
        peer.spin_until(lambda: peer.call(Trigger, "arbiter_node/hand_back").success)

    def drive():
        """A person's hand, until the arbiter says so."""
        names, held = profile.joint_names, profile.home
        while states[-1]["mode"] != "HUMAN":
            stamp_ns = peer.node.get_clock().now().nanoseconds
            teleop.publish(conversions.trajectory_message(names, held, stamp_ns=stamp_ns))
            peer.executor.spin_once(timeout_sec=0.02)

    until_mode("HOLD")
    peer.spin_until(lambda: told)
    doubt = told[-1]["doubt"]
    assert doubt > 0.0
    assert (told[-1]["ask_above"], told[-1]["asks"]) == (None, False)
    hand_back()
    until_mode("POLICY")
    heard = len(told)
    peer.spin_until(lambda: len(told) > heard + 3)
    assert states[-1]["mode"] == "POLICY"
    # Its doubt is the same wherever the arm stands.
    ask_above(0.5 * doubt)
    until_mode("HOLD")
    assert told[-1]["asks"]
    assert "it asks for help: doubt" in policy.output
    heard, seen = len(told), len(states)
    peer.spin_until(lambda: len(told) > heard + 3)
    assert {state["mode"] for state in states[seen:]} == {"HOLD"}, "nobody has answered yet"
    assert told[-1]["asks"]
    drive()
    peer.spin_until(lambda: not told[-1]["asks"])
    until_mode("HOLD")
    # Back where it was it asks again.
    hand_back()
    peer.spin_until(lambda: told[-1]["asks"])
    until_mode("HOLD")
    ask_above(2.0 * doubt)
    hand_back()
    peer.spin_until(lambda: not told[-1]["asks"])
    heard = len(told)
    peer.spin_until(lambda: len(told) > heard + 3)
    assert states[-1]["mode"] == "POLICY"
    assert policy.output.count("asks for help") == 2


def test_a_person_is_told_when_the_policy_would_go_on(peer, start_node, tmp_path):
    profile = load_profile("desk_arm")
    folders = [save_steering(tmp_path / name, profile, profile.home) for name in ("one", "two")]
    # Whatever the person does, and only what the policy would do to the last bit.
    for name, discrepancy in (("easy", 1e9), ("strict", 0.0)):
        gate = Gate(Thresholds(doubt=9.0, discrepancy=discrepancy))
        save_gate(tmp_path / name, gate, CheckpointDetails())
    states, told, teleop = started(peer, start_node)
    served = {"checkpoint": folders[0], "members": folders[1], "gate": tmp_path / "easy"}
    policy = start_node("policy_node", device="cpu", backend="eager", **served)

    def drive_until(condition):
        beside = profile.home + 0.05
        while not condition():
            stamp_ns = peer.node.get_clock().now().nanoseconds
            names = profile.joint_names
            teleop.publish(conversions.trajectory_message(names, beside, stamp_ns=stamp_ns))
            peer.executor.spin_once(timeout_sec=0.02)

    peer.spin_until(lambda: told and states and states[-1]["mode"] == "HOLD")
    assert (told[-1]["ready"], told[-1]["risk"]) == (False, None), "nobody drives"
    drive_until(lambda: told[-1]["ready"])
    assert states[-1]["mode"] == "HUMAN"
    # The arbiter of another robot, say: nothing to compare with.
    stray = peer.node.create_publisher(JointState, "arbiter/human", qos.STREAM_OUT)
    peer.spin_until(stray.get_subscription_count)
    heard = len(told)

    def strayed():
        stray.publish(JointState(position=[0.0, 0.0]))
        return len(told) > heard + 5 or policy.process.poll() is not None

    drive_until(strayed)
    assert policy.process.poll() is None, policy.output
    strict = Parameter("gate", value=str(tmp_path / "strict")).to_parameter_msg()
    request = SetParameters.Request(parameters=[strict])
    assert peer.call(SetParameters, "policy_node/set_parameters", request).results[0].successful
    answer = peer.call(Trigger, "policy_node/reload")
    assert answer.success, answer.message
    heard = len(told)
    drive_until(lambda: len(told) > heard + 5 and states[-1]["mode"] == "HUMAN")
    assert not any(document["ready"] for document in told[heard + 2 :])
