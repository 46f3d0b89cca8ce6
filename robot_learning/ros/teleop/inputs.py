"""What `teleop_node` hears: the robot, the arbiter, gamepads and leader arms, with their ages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import JointState, Joy

from robot_learning.core.clocks import NS_PER_S, Clock
from robot_learning.core.errors import CommandError
from robot_learning.core.profile import RobotProfile
from robot_learning.core.turns import TurnCounter, TurnRules
from robot_learning.core.types import FloatArray, Observation
from robot_learning.messages.joint_collector import JointCollector
from robot_learning.messages.joint_order import JointOrder
from robot_learning.ros.common import qos
from robot_learning.ros.teleop.observation_input import ObservationInput
from robot_learning.teleop.device import TeleopContext, TeleopDevice
from robot_learning.teleop.device_pair import DevicePair
from robot_learning.teleop.gamepad import Gamepad, JoySample
from robot_learning.teleop.leader_arm import LeaderArm

ROBOT_TIMEOUT_S = 0.25
"""A robot that was silent for longer is not commanded: nobody knows where it stands."""


class TeleopInputs:
    """Keeps the newest message of each source. Ages are by receipt, on the steady clock."""

    def __init__(
        self,
        node: Node,
        profile: RobotProfile,
        device: TeleopDevice,
        clock: Clock,
        poses: Sequence[str] = (),
    ) -> None:
        self._node, self._clock = node, clock
        self._turns = TurnCounter(TurnRules.of(profile))
        self._leaders: dict[str, JointCollector] = {}
        self._observation: Observation | None = None
        self._arrays: dict[str, FloatArray] = {}
        self._heard_ns: dict[str, int] = {}
        self._robot = ObservationInput(node, self._turns, poses, self._on_observation, clock)
        self._orders = {name: JointOrder(profile.joint_names) for name in ("applied", "policy")}
        for name in self._orders:
            node.create_subscription(
                JointState, f"arbiter/{name}", partial(self._on_array, name), qos.STREAM_IN
            )
        motion = device.motion if isinstance(device, DevicePair) else device
        if isinstance(motion, Gamepad) and motion.is_fed:
            node.create_subscription(Joy, "joy", partial(self._on_joy, motion), qos.JOY_IN)
        if isinstance(motion, LeaderArm):
            for leader in motion.leaders:
                node.create_subscription(
                    JointState,
                    leader.topic,
                    partial(self._on_leader, motion, leader.arm),
                    qos.JOINTS_IN,
                )

    def context(self, now_ns: int) -> TeleopContext:
        """What the device and the controller are shown; without what is too old."""
        fresh = {name: self.age_s(name, now_ns) <= ROBOT_TIMEOUT_S for name in self._heard_ns}
        return TeleopContext(
            observation=self._observation if fresh.get("robot") else None,
            applied=self._arrays.get("applied") if fresh.get("applied") else None,
            policy=self._arrays.get("policy") if fresh.get("policy") else None,
            silence_s=self.age_s("robot", now_ns) if "robot" in self._heard_ns else None,
        )

    def heard(self, name: str) -> None:
        """Note that a source was heard."""
        self._heard_ns[name] = self._clock.now_ns()

    def age_s(self, name: str, now_ns: int) -> float:
        """Seconds since a source was heard; NaN for never."""
        heard_ns = self._heard_ns.get(name)
        return math.nan if heard_ns is None else (now_ns - heard_ns) / NS_PER_S

    def _on_observation(self, observation: Observation) -> None:
        self._heard_ns["robot"] = self._robot.heard_ns
        self._observation = observation

    def _on_array(self, name: str, message: JointState) -> None:
        try:
            values = self._orders[name].positions(message)
        except CommandError as error:
            self._node.get_logger().error(f"arbiter/{name}: {error}", throttle_duration_sec=1.0)
            return
        if np.isnan(values).any():
            return  # the source had no action in that tick
        if self._turns.position is not None:
            values = self._turns.rules.beside(values, self._turns.position)
        self._arrays[name] = values
        self.heard(name)

    def _on_joy(self, gamepad: Gamepad, message: Joy) -> None:
        self.heard("joy")
        gamepad.feed(JoySample(self._clock.now_ns(), tuple(message.axes), tuple(message.buttons)))

    def _on_leader(self, device: LeaderArm, arm: str, message: JointState) -> None:
        self.heard("leader")
        now_ns = self._clock.now_ns()
        leader = next(each for each in device.leaders if each.arm == arm)
        names = [joint.leader for joint in leader.joints]
        names += [leader.gripper.leader] if leader.gripper else []
        collector = self._leaders.setdefault(arm, JointCollector(names))
        try:
            sample = collector.collect(message, now_ns)
        except CommandError as error:
            self._node.get_logger().error(f"{leader.topic}: {error}", throttle_duration_sec=1.0)
            return
        if sample is not None:
            device.feed(arm, sample.oldest_receive_ns, names, sample.position.tolist())
        elif collector.is_stuck:
            device.feed(arm, now_ns, message.name, message.position)  # it says what is lacking
