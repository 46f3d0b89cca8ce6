"""A policy of two members over nodes: when they disagree it asks for help and the arm holds."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from sensor_msgs.msg import JointState
from steering_policy import save_steering
from stepped_graph import node_spec
from trajectory_msgs.msg import JointTrajectory

from robot_learning.core.profile_loader import load_profile
from robot_learning.policies.checkpoint import CheckpointDetails
from robot_learning.policies.gate import Thresholds
from robot_learning.policies.gate_folder import InterventionGate, save_gate
from robot_learning.ros.common import conversions, qos

PROFILE = load_profile("desk_arm")


class Asking:
    """Robot, arbiter and policy; what they have told, and a person's hand."""

    def __init__(self, graph):
        self.graph = graph
        self.states = graph.listen_json("arbiter/state")
        self.told = graph.listen_json("policy/doubt")
        self.teleop = graph.node.create_publisher(JointTrajectory, "teleop/command", qos.COMMAND)

    @property
    def mode(self):
        return self.states[-1]["mode"] if self.states else ""

    def until_mode(self, mode):
        self.graph.wait(lambda: self.mode == mode)

    def until_told(self, count):
        heard = len(self.told)
        self.graph.wait(lambda: len(self.told) > heard + count)

    def drive_until(self, condition, position):
        """A person's hand."""
        while not condition():
            stamp_ns = self.graph.now_ns
            names = PROFILE.joint_names
            message = conversions.trajectory_message(names, position, stamp_ns=stamp_ns)
            self.teleop.publish(message)
            self.graph.turns()

    def change(self, **parameters):
        """Of the policy, which takes them up."""
        given = [Parameter(name, value=value) for name, value in parameters.items()]
        request = SetParameters.Request(parameters=[one.to_parameter_msg() for one in given])
        answer = self.graph.call(SetParameters, "policy_node/set_parameters", request)
        assert answer.results[0].successful
        reload = self.graph.ask("policy_node/reload")
        assert reload.success, reload.message


@pytest.fixture
def asking(stepped):
    def started(checkpoint, member, **more):
        served = {"checkpoint": str(checkpoint), "members": str(member), "device": "cpu"}
        served |= {"backend": "eager", "inference_ticks": 2, **more}
        return Asking(
            stepped(
                [
                    node_spec("robot_node", {"cameras": ["none"]}),
                    node_spec("arbiter_node", {"autostart": True, "tracking_rad": 3.0}),
                    node_spec("policy_node", served),
                ]
            )
        )

    return started


def test_an_uncertain_policy_holds_the_arm_until_somebody_answers(asking, tmp_path, capfd):
    target = PROFILE.home + np.array([0.4, 0.1, -0.1, 0.2, 0.0, 0.3, -0.02])
    long = {"action_steps": 60, "executed_steps": 20}
    folders = [
        save_steering(tmp_path / name, PROFILE, target + shift, 0.01, **long)
        for name, shift in (("first", 0.0), ("second", -0.2))
    ]
    one = asking(*folders)
    graph, states, told, until_mode = one.graph, one.states, one.told, one.until_mode

    def ask_above(value):
        one.change(ask_above=value)

    def hand_back():
        """As soon as it proposes again, which it does once the arm holds."""
        graph.wait(lambda: told)
        while not graph.ask("arbiter_node/hand_back").success:
            graph.turns()

    until_mode("HOLD")
    graph.wait(lambda: told)
    disagreement = told[-1]["doubt"]
    assert disagreement > 0.0
    assert (told[-1]["ask_above"], told[-1]["asks"]) == (None, False)
    hand_back()
    until_mode("POLICY")
    one.until_told(3)
    assert one.mode == "POLICY"
    # Its disagreement is the same wherever the arm stands.
    ask_above(0.5 * disagreement)
    until_mode("HOLD")
    assert told[-1]["asks"]
    assert "it asks for help: disagreement" in capfd.readouterr().err
    seen = len(states)
    one.until_told(3)
    assert {state["mode"] for state in states[seen:]} == {"HOLD"}, "nobody has answered yet"
    assert told[-1]["asks"]
    one.drive_until(lambda: one.mode == "HUMAN", PROFILE.home)
    graph.wait(lambda: not told[-1]["asks"])
    until_mode("HOLD")
    # Back where it was it asks again.
    hand_back()
    graph.wait(lambda: told[-1]["asks"])
    until_mode("HOLD")
    ask_above(2.0 * disagreement)
    hand_back()
    graph.wait(lambda: not told[-1]["asks"])
    one.until_told(3)
    assert one.mode == "POLICY"
    asks = [document["asks"] for document in told]
    assert sum(now and not before for before, now in pairwise(asks)) == 2


def test_a_person_is_told_when_the_policy_would_go_on(asking, tmp_path):
    folders = [save_steering(tmp_path / name, PROFILE, PROFILE.home) for name in ("one", "two")]
    # Whatever the person does, and only what the policy would do to the last bit.
    for name, discrepancy in (("easy", 1e9), ("strict", 0.0)):
        gate = InterventionGate(Thresholds(disagreement=9.0, discrepancy=discrepancy))
        save_gate(tmp_path / name, gate, CheckpointDetails())
    one = asking(*folders, gate=str(tmp_path / "easy"))
    graph, told = one.graph, one.told

    def drive_until(condition):
        one.drive_until(condition, PROFILE.home + 0.05)

    graph.wait(lambda: told and one.mode == "HOLD")
    assert (told[-1]["ready"], told[-1]["risk"]) == (False, None), "nobody drives"
    drive_until(lambda: told[-1]["ready"])
    assert one.mode == "HUMAN"
    # The arbiter of another robot, say: nothing to compare with.
    stray = graph.publisher(JointState, "arbiter/human", qos.STREAM_OUT)
    heard = len(told)

    def strayed():
        stray.publish(JointState(position=[0.0, 0.0]))
        return len(told) > heard + 5

    drive_until(strayed)
    one.change(gate=str(tmp_path / "strict"))
    heard = len(told)
    drive_until(lambda: len(told) > heard + 5 and one.mode == "HUMAN")
    assert not any(document["ready"] for document in told[heard + 2 :])
