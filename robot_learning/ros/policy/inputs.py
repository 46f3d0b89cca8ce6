"""From a graph's messages to the observations of one arm's policy.

Joints and poses of one control period are put together by their stamp. Images are decoded in a
thread of their own, so that neither the control loop nor the executor waits for a JPEG.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import simplejpeg
from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, JointState

from robot_learning.core.amounts import amount
from robot_learning.core.errors import CommandError
from robot_learning.core.profile import RobotProfile
from robot_learning.core.turns import TurnCounter, TurnRules
from robot_learning.core.types import FloatArray, Observation, UInt8Array
from robot_learning.messages.arbiter_state import COLUMNS, ArbiterStateMessage
from robot_learning.messages.arbiter_state import TOPIC as ARBITER_TOPIC
from robot_learning.messages.joint_order import JointOrder
from robot_learning.messages.observations import ObservationJoin
from robot_learning.messages.stamps import header_stamp_ns
from robot_learning.ros.common import qos
from robot_learning.ros.common.arbiter_input import listen_to_arbiter
from robot_learning.serving.compatibility import HELD_KEY, Sources
from robot_learning.serving.increments import held_command

JOINTS = "joint_states"
ARBITER_SILENCE_NS = 200_000_000
"""Age beyond which what the arbiter has told of the held command is not used."""

OnSample = Callable[[str, int, Any], object]
"""(key, stamp in nanoseconds, value)"""


class ArmInputs:
    """Subscribes to what one policy sees of one arm.

    `on_sample` is called for each value, then `on_complete` with the stamp once the joints and
    all poses of that stamp are there.
    """

    def __init__(
        self,
        node: Node,
        prefix: str,
        profile: RobotProfile,
        sources: Sources,
        *,
        on_sample: OnSample,
        on_complete: Callable[[int], None],
        on_image: Callable[[], None],
        inline: bool = False,
        asked: Callable[[], FloatArray | None] = lambda: None,
    ) -> None:
        """Subscribe; with `inline`, in lockstep, images are decoded as they come.

        `asked` tells the joint targets that the policy asks for while it drives, else None.
        """
        self.heard: set[str] = set()
        self._node, self._sources = node, sources
        self._on_sample, self._on_complete, self._asked = on_sample, on_complete, asked
        self._turns = TurnCounter(TurnRules.of(profile))
        self._refused, self._refusal = 0, ""
        self._topics = [f"{prefix}{JOINTS}"]
        self._camera_topics: dict[str, str] = {}
        self._sensed = False
        self._join = ObservationJoin(
            profile.joint_names, [*sources.poses.values()], self._on_sensed, turns=self._turns
        )
        subscribe = partial(node.create_subscription, qos_profile=qos.STREAM_IN)
        joints, profile_in = f"{prefix}{JOINTS}", qos.joints_beside(len(sources.poses))
        self._subscriptions = [
            node.create_subscription(JointState, joints, self._on_joints, profile_in)
        ]
        for name in sources.poses.values():
            topic = f"{prefix}poses/{name}"
            self._topics.append(topic)
            self._subscriptions.append(
                subscribe(PoseStamped, topic, callback=partial(self._on_pose, name))
            )
        self._joint_order = JointOrder(profile.joint_names)
        self._held: tuple[int, FloatArray, FloatArray] | None = None
        if sources.increments is not None:
            self._topics.append(f"{prefix}{ARBITER_TOPIC}")
            self._subscriptions.append(listen_to_arbiter(node, self._on_arbiter, prefix))
        self._decoder = ImageDecoder(on_image, inline=inline) if sources.cameras else None
        cameras = {camera.name: camera for camera in profile.cameras}
        for key, name in sources.cameras.items():
            topic = cameras[name].topic or f"{prefix}{name}/image_raw"
            topic = topic if topic.endswith("/compressed") else f"{topic}/compressed"
            self._topics.append(topic)
            self._camera_topics[key] = topic
            self._subscriptions.append(
                subscribe(CompressedImage, topic, callback=partial(self._on_jpeg, key))
            )

    @property
    def unheard(self) -> tuple[str, ...]:
        """Topics of which nothing usable has arrived yet, or which never had equal stamps."""
        silent = tuple(
            f"{topic}{self._told(topic)}" for topic in self._topics if not self._is_heard(topic)
        )
        if silent or self._sensed:
            return silent
        topics = [topic for topic in self._topics if topic not in self._camera_topics.values()]
        return (f"equal stamps of {' and '.join(topics)}",)

    @property
    def undecodable(self) -> dict[str, int]:
        """How many frames were no JPEG, by key; those without any are left out."""
        return self._decoder.undecodable() if self._decoder is not None else {}

    def redirect(self, on_sample: OnSample, on_complete: Callable[[int], None]) -> None:
        """From now on somebody else is called."""
        self._on_sample, self._on_complete = on_sample, on_complete

    def take_images(self) -> None:
        """Pass on the images that were decoded meanwhile."""
        if self._decoder is None:
            return
        for key, stamp_ns, pixels in self._decoder.take():
            self.heard.add(self._camera_topics[key])
            self._on_sample(key, stamp_ns, pixels)

    def restart(self) -> None:
        """The policy forgets what was before: continuous joints count from their home again."""
        self._turns.recount()
        self._held = None

    def close(self) -> None:
        """Unsubscribe."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions = []
        if self._decoder is not None:
            self._decoder.close()

    def _told(self, topic: str) -> str:
        if not self._refused or not topic.endswith(JOINTS):
            return ""
        return f" ({amount(self._refused, 'message')} refused, the last: {self._refusal})"

    def _is_heard(self, topic: str) -> bool:
        return any(topic.endswith(part) for part in self.heard)

    def _on_joints(self, message: JointState) -> None:
        joints = self._join.collector
        try:
            sample = self._join.take_joints(message, 0)
            if sample is None and joints.is_stuck:
                raise CommandError(joints.lacking(message.name))
        except CommandError as error:
            self._refused += 1
            self._refusal = str(error)
            self._node.get_logger().error(str(error), throttle_duration_sec=1.0)
            return
        if sample is not None:
            self.heard.add(JOINTS)

    def _on_pose(self, name: str, message: PoseStamped) -> None:
        self.heard.add(f"poses/{name}")
        self._join.take_pose(name, message, 0)

    def _on_arbiter(self, state: ArbiterStateMessage) -> None:
        if state.columns is None:
            return
        try:
            order = self._joint_order.columns(state.joints)
        except CommandError as error:
            self._node.get_logger().error(str(error), throttle_duration_sec=1.0)
            return
        columns = state.columns if order is None else state.columns[:, order]
        requested, applied = (columns[COLUMNS.index(name)] for name in ("requested", "applied"))
        # Nothing is held before the arm is enabled.
        if np.isfinite(applied).all():
            self.heard.add(ARBITER_TOPIC)
            self._held = state.stamp_ns, requested, applied

    def _tell_held(self, stamp_ns: int) -> None:
        """What is held, as of an observation; nothing where the arbiter has fallen silent."""
        increments = self._sources.increments
        if increments is None or self._held is None:
            return
        told_ns, requested, applied = self._held
        if stamp_ns - told_ns <= ARBITER_SILENCE_NS:
            # The policy knows what it asks for before the arbiter tells of it.
            asked = self._asked()
            asked = requested if asked is None else asked
            self._on_sample(HELD_KEY, stamp_ns, held_command(asked, applied, increments))

    def _on_sensed(self, observation: Observation, _receive_ns: int) -> None:
        self._sensed = True
        for key, name in self._sources.joints.items():
            self._on_sample(key, observation.stamp_ns, getattr(observation, name))
        for key, name in self._sources.poses.items():
            self._on_sample(key, observation.stamp_ns, observation.poses[name])
        self._tell_held(observation.stamp_ns)
        self._on_complete(observation.stamp_ns)

    def _on_jpeg(self, key: str, message: CompressedImage) -> None:
        assert self._decoder is not None  # noqa: S101 (made where a camera is subscribed to)
        self._decoder.put(key, header_stamp_ns(message), message.data.tobytes())


class ImageDecoder:
    """Decodes the newest JPEG of each camera; older ones that still wait are passed over.

    In a thread of its own, or at once (`inline`).
    """

    def __init__(self, on_image: Callable[[], None], *, inline: bool = False) -> None:
        self._on_image = on_image
        self._changed = threading.Condition()
        self._waiting: dict[str, tuple[int, bytes]] = {}
        self._decoded: list[tuple[str, int, UInt8Array]] = []
        self._undecodable: dict[str, int] = {}
        self._closing = False
        self._thread: threading.Thread | None = None
        if not inline:
            self._thread = threading.Thread(target=self._work, name="images", daemon=True)
            self._thread.start()

    def put(self, key: str, stamp_ns: int, jpeg: bytes) -> None:
        """Have a frame decoded.

        Args:
            key: observation key of the camera.
            stamp_ns: stamp of the frame.
            jpeg: bytes of the JPEG.
        """
        if self._thread is None:
            self._decode(key, stamp_ns, jpeg)
            return
        with self._changed:
            self._waiting[key] = (stamp_ns, jpeg)
            self._changed.notify()

    def take(self) -> list[tuple[str, int, UInt8Array]]:
        """(key, stamp, pixels) of what was decoded since the last call."""
        with self._changed:
            decoded, self._decoded = self._decoded, []
        return decoded

    def undecodable(self) -> dict[str, int]:
        """How many frames were no JPEG, by key; those without any are left out."""
        with self._changed:
            return dict(self._undecodable)

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing)
                if self._closing:
                    return
                waiting, self._waiting = self._waiting, {}
            for key, (stamp_ns, jpeg) in waiting.items():
                self._decode(key, stamp_ns, jpeg)
            self._on_image()

    def _decode(self, key: str, stamp_ns: int, jpeg: bytes) -> None:
        pixels = _decoded(jpeg)
        with self._changed:
            if pixels is None:
                self._undecodable[key] = self._undecodable.get(key, 0) + 1
            else:
                self._decoded.append((key, stamp_ns, pixels))


def _decoded(jpeg: bytes) -> UInt8Array | None:
    """(height, width, 3) RGB; None when it is no JPEG."""
    try:
        return np.asarray(simplejpeg.decode_jpeg(jpeg))
    except ValueError:
        return None
