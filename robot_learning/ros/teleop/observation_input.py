"""Puts a robot node's messages together again: one observation from equal stamps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from sensor_msgs.msg import JointState

from robot_learning.core.errors import CommandError
from robot_learning.core.joint_collector import JointCollector, JointSample
from robot_learning.core.turns import TurnCounter
from robot_learning.core.types import FloatArray, Observation
from robot_learning.ros.common import conversions, qos


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
        self._collector = JointCollector(turns.rules.names)
        self._joints: JointSample | None = None
        self._delivered_ns = -1
        self._poses: dict[str, tuple[int, FloatArray]] = {
            name: (-1, np.zeros(7)) for name in pose_names
        }
        profile = qos.joints_beside(len(self._poses))
        node.create_subscription(JointState, "joint_states", self._on_joints, profile)
        for name in pose_names:
            node.create_subscription(
                PoseStamped, f"poses/{name}", partial(self._on_pose, name), qos.STREAM_IN
            )

    def _on_joints(self, message: JointState) -> None:
        try:
            sample = conversions.collect(self._collector, message, 0)
        except CommandError as error:
            self._node.get_logger().error(str(error), throttle_duration_sec=1.0)
            return
        if sample is not None:
            self._joints = sample
            self._deliver()

    def _on_pose(self, name: str, message: PoseStamped) -> None:
        stamp_ns = conversions.time_ns(message.header.stamp)
        self._poses[name] = (stamp_ns, conversions.pose_array(message))
        self._deliver()

    def _deliver(self) -> None:
        joints = self._joints
        if joints is None or joints.stamp_ns == self._delivered_ns:
            return
        if any(pose_ns != joints.stamp_ns for pose_ns, _ in self._poses.values()):
            return
        self._delivered_ns = joints.stamp_ns
        self._on_observation(
            Observation(
                stamp_ns=joints.stamp_ns,
                joint_position=self._turns.take(joints.position),
                joint_velocity=np.nan_to_num(joints.velocity),
                joint_effort=np.full(len(joints.position), np.nan),
                poses={name: pose for name, (_, pose) in self._poses.items()},
            )
        )
