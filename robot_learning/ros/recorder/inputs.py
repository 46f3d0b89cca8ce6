"""Subscribes to what a dataset records; what the messages mean is in `episodes`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.subscription import Subscription
from sensor_msgs.msg import CompressedImage, JointState
from sensor_msgs.msg import Image as ImageMessage
from std_msgs.msg import Bool, Float64, String

from robot_learning.core.profile import Camera
from robot_learning.core.turns import TurnRules
from robot_learning.episodes.recording.message_streams import MessageStreams
from robot_learning.episodes.recording.recorder import Recorder
from robot_learning.ros.common import qos
from robot_learning.ros.common.polling import OwnQueues, Queue

_KINDS: dict[str, type] = {
    "joint_states": JointState,
    "arbiter/state": String,
    "task/reward": Float64,
    "task/success": Bool,
}


class RecorderInputs:
    """Subscribes to what the dataset records and pushes it into the recorder."""

    def __init__(
        self,
        node: Node,
        recorder: Recorder,
        cameras: Sequence[Camera],
        transport: str,
        turns: TurnRules,
    ) -> None:
        self._node = node
        self._sim_time = bool(node.get_parameter("use_sim_time").value)
        self._subscriptions: list[Subscription] = []
        self._queues: list[Queue] = []
        self._group = OwnQueues()
        topics = {camera.name: camera_topic(camera, transport) for camera in cameras}
        self._streams = MessageStreams(recorder, topics, turns=turns)
        for topic, handler in self._streams.handlers.items():
            # What is latched, a recorder that comes late gets only if it asks for it.
            profile = qos.LATCHED if topic == "task/success" else qos.RECORD_IN
            is_image = topic in topics.values()
            kind = _image_kind(topic) if is_image else _state_kind(topic)
            self._subscribe(kind, topic, profile, handler)

    def poll(self) -> None:
        """Push everything that has arrived by now."""
        for queue in self._queues:
            queue.take()

    def close(self) -> None:
        """Unsubscribe."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions, self._queues = [], []

    def restart(self) -> None:
        """An episode is over: a policy that drove in it is no part of the next one."""
        self._streams.restart()

    def _subscribe(
        self, kind: type, topic: str, profile: QoSProfile, handler: Callable[[Any, int], None]
    ) -> None:
        """`profile` needs room for what arrives between two polls."""

        def on_message(message: Any, information: Any) -> None:
            handler(message, self._receipt_ns(information))

        subscription = self._node.create_subscription(
            kind, topic, on_message, profile, callback_group=self._group
        )
        self._subscriptions.append(subscription)
        self._queues.append(Queue(subscription))

    def _receipt_ns(self, information: Any) -> int:
        """When the middleware had it, which is more exact than the poll; or now, in sim time."""
        received_ns = 0 if self._sim_time else int(information["received_timestamp"])
        return received_ns if received_ns > 0 else int(self._node.get_clock().now().nanoseconds)


def camera_topic(camera: Camera, transport: str) -> str:
    """Where a camera's images come from."""
    topic = camera.topic or f"{camera.name}/image_raw"
    if transport == "raw" or topic.endswith("/compressed"):
        return topic
    return f"{topic}/compressed"


def _image_kind(topic: str) -> type:
    kind: type = CompressedImage if topic.endswith("/compressed") else ImageMessage
    return kind


def _state_kind(topic: str) -> type:
    if topic in _KINDS:
        return _KINDS[topic]
    kind: type = PoseStamped if topic.startswith("poses/") else JointState
    return kind
