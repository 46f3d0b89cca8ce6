"""Subscribes to what a dataset records; what the messages mean is in `episodes`."""

from __future__ import annotations

from collections.abc import Sequence

from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import CompressedImage, JointState
from sensor_msgs.msg import Image as ImageMessage
from std_msgs.msg import Bool, Float64, String

from robot_learning.core.profile import Camera
from robot_learning.episodes.message_streams import MessageStreams
from robot_learning.episodes.recorder import Recorder
from robot_learning.ros import qos
from robot_learning.ros.polled_subscriptions import PolledSubscriptions

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
        subscriptions: PolledSubscriptions,
        recorder: Recorder,
        cameras: Sequence[Camera],
        transport: str,
    ) -> None:
        self._subscriptions = subscriptions
        topics = {camera.name: camera_topic(camera, transport) for camera in cameras}
        self._streams = MessageStreams(recorder, topics)
        for topic, handler in self._streams.handlers.items():
            # What is latched, a recorder that comes late gets only if it asks for it.
            profile = qos.LATCHED if topic == "task/success" else qos.RECORD_IN
            is_image = topic in topics.values()
            kind = _image_kind(topic) if is_image else _state_kind(topic)
            subscriptions.add(kind, topic, profile, handler)

    def poll(self, now_ns: int) -> None:
        """Push everything that has arrived by now."""
        self._subscriptions.poll(now_ns)

    def begin_anew(self) -> None:
        """An episode is over: a policy that drove in it is no part of the next one."""
        self._streams.begin_anew()


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
