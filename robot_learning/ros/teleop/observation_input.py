"""Subscribes to a robot node's messages and calls back with its observations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from sensor_msgs.msg import JointState

from robot_learning.core.clocks import Clock, SteadyClock
from robot_learning.core.errors import CommandError
from robot_learning.core.turns import TurnCounter
from robot_learning.core.types import Observation
from robot_learning.messages.observations import ObservationJoin
from robot_learning.ros.common import qos


class ObservationInput:
    """Calls back with each observation whose joints and named poses have all arrived.

    A joint whose velocity is not measured counts as resting.
    """

    def __init__(
        self,
        node: Node,
        turns: TurnCounter,
        pose_names: Sequence[str],
        on_observation: Callable[[Observation], None],
        clock: Clock | None = None,
    ) -> None:
        """Subscribe; receipts are on `clock`, by default the machine's steady clock."""
        self._node, self._clock = node, clock or SteadyClock()
        self._on_observation = on_observation
        self._join = ObservationJoin(turns.rules.names, pose_names, self._deliver, turns=turns)
        profile = qos.joints_beside(len(pose_names))
        node.create_subscription(JointState, "joint_states", self._on_joints, profile)
        for name in pose_names:
            node.create_subscription(
                PoseStamped, f"poses/{name}", partial(self._on_pose, name), qos.STREAM_IN
            )

    @property
    def heard_ns(self) -> int:
        """When the joint that was not heard for the longest time was heard."""
        return self._join.collector.oldest_receive_ns

    def _on_joints(self, message: JointState) -> None:
        try:
            self._join.take_joints(message, self._clock.now_ns())
        except CommandError as error:
            self._node.get_logger().error(str(error), throttle_duration_sec=1.0)

    def _on_pose(self, name: str, message: PoseStamped) -> None:
        self._join.take_pose(name, message, self._clock.now_ns())

    def _deliver(self, observation: Observation, _receive_ns: int) -> None:
        velocity = np.nan_to_num(observation.joint_velocity)
        self._on_observation(replace(observation, joint_velocity=velocity))
