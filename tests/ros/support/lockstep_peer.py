"""A robot, a clock and two sources in one loop, so that ROS time can misbehave."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

import numpy as np
from arbiter_graph import PERIOD_S, Graph
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from robot_learning.ros.common import conversions, qos


class LockstepPeer:
    """Beats /clock, the arm and both sources in this process, so that time can misbehave."""

    def __init__(self, graph: Graph) -> None:
        self.graph, self.now_ns, self.arm = graph, 5_000_000_000, graph.profile.home.copy()
        node = graph.node
        self.clock = node.create_publisher(Clock, "/clock", qos.CLOCK)
        self.joints = node.create_publisher(JointState, "joint_states", qos.STREAM_OUT)
        self.commands = {
            topic: node.create_publisher(JointTrajectory, f"{topic}/command", qos.COMMAND)
            for topic in ("teleop", "policy")
        }
        self.topics: set[str] = set()
        self.step_ns = 10_000_000

    def granted(self, request: str) -> None:
        """Ask until it is granted: a busy machine may have lost a source for a moment."""
        answer = None
        while answer is None or not answer.success:
            future = self.graph.clients[request].call_async(Trigger.Request())
            self.beat(until=future.done)
            answer = future.result()

    def until_held_because(self, reason: str, step_ns: int = 10_000_000, jump_ns: int = 0) -> None:
        """Let time misbehave until that is why the arbiter holds.

        A busy machine may give it another reason first; then the policy is put in control again.
        """
        while True:
            self.step_ns = step_ns
            self.now_ns += jump_ns
            self.beat(until=lambda: self.graph.mode() == "HOLD")
            if reason in self.graph.states[-1]["reasons"][0]:
                return
            self.step_ns = 10_000_000
            self.hand_back()

    def hand_back(self) -> None:
        """Put the policy in control; again where a stall of the machine has taken it away."""
        while self.graph.mode() != "POLICY":
            self.granted("hand_back")
            give_up_s = time.monotonic() + 1.0
            self.beat(
                until=lambda give_up_s=give_up_s: (
                    self.graph.mode() == "POLICY" or time.monotonic() > give_up_s
                )
            )

    def beat(self, count: int = 1, until: Callable[[], bool] | None = None) -> None:
        """Periods of real time, until a condition or for a number of them."""
        names = self.graph.profile.joint_names
        for _ in itertools.count() if until else range(count):
            if until and until():
                return
            self.now_ns += self.step_ns
            self.clock.publish(conversions.clock_message(self.now_ns))
            if self.graph.sent:
                self.arm = self.graph.sent[-1]
            message = JointState(name=list(names), position=self.arm.tolist())
            message.header.stamp = conversions.time_message(self.now_ns)
            self.joints.publish(message)
            for topic in self.topics:
                target = self.graph.profile.home.copy()
                target[0] += 0.3 * np.sin(time.monotonic())
                rows, times_s = np.tile(target, (2, 1)), (0.0, 1.0)
                if topic == "teleop":
                    rows, times_s = target, (0.0,)
                command = conversions.trajectory_message(names, rows, times_s, self.now_ns)
                self.commands[topic].publish(command)
            end_s = time.monotonic() + PERIOD_S
            while (left_s := end_s - time.monotonic()) > 0.0:
                self.graph.executor.spin_once(timeout_sec=left_s)
