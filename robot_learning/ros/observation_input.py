"""Puts a robot node's messages together again: one observation from equal stamps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from sensor_msgs.msg import JointState

from robot_learning.core.errors import CommandError
from robot_learning.core.turns import TurnCounter
from robot_learning.core.types import FloatArray, Observation
from robot_learning.ros import conversions, qos


class ObservationInput:
    """Calls back with each observation whose joints and named poses have all arrived.

    A robot stamps what it measured together with one stamp; a set that lost a message on its
    way is left out, the next one comes a control period later.
    """

    def __init__(
        self,
        node: Node,
        turns: TurnCounter,
        pose_names: Sequence[str],
        on_observation: Callable[[Observation], None],
    ) -> None:
        self._node = node
        self._turns = turns
        self._on_observation = on_observation
        self._joints: JointState | None = None
        self._joints_ns = -1
        self._delivered_ns = -1
        self._poses: dict[str, tuple[int, FloatArray]] = {
            name: (-1, np.zeros(7)) for name in pose_names
        }
        node.create_subscription(JointState, "joint_states", self._on_joints, qos.STREAM_IN)
        for name in pose_names:
            node.create_subscription(
                PoseStamped, f"poses/{name}", partial(self._on_pose, name), qos.STREAM_IN
            )

    def _on_joints(self, message: JointState) -> None:
        self._joints, self._joints_ns = message, conversions.time_ns(message.header.stamp)
        self._deliver()

    def _on_pose(self, name: str, message: PoseStamped) -> None:
        stamp_ns = conversions.time_ns(message.header.stamp)
        self._poses[name] = (stamp_ns, conversions.pose_array(message))
        self._deliver()

    def _deliver(self) -> None:
        stamp_ns = self._joints_ns
        complete = all(pose_ns == stamp_ns for pose_ns, _ in self._poses.values())
        if self._joints is None or not complete or stamp_ns == self._delivered_ns:
            return
        self._delivered_ns = stamp_ns
        try:
            observation = self._observation(self._joints, stamp_ns)
        except CommandError as error:
            self._node.get_logger().error(str(error), throttle_duration_sec=1.0)
            return
        self._on_observation(observation)

    def _observation(self, joints: JointState, stamp_ns: int) -> Observation:
        names = self._turns.rules.names
        return Observation(
            stamp_ns=stamp_ns,
            joint_position=self._turns.take(conversions.joint_positions(joints, names)),
            joint_velocity=conversions.joint_velocities(joints, names),
            joint_effort=np.full(len(names), np.nan),
            poses={name: pose for name, (_, pose) in self._poses.items()},
        )
