"""What a robot node publishes: joints, poses, task, clock and images."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import simplejpeg
from geometry_msgs.msg import PoseStamped
from rclpy.lifecycle import LifecycleNode
from rclpy.publisher import Publisher
from rosgraph_msgs.msg import Clock as ClockMessage
from sensor_msgs.msg import CameraInfo as CameraInfoMessage
from sensor_msgs.msg import CompressedImage, JointState
from sensor_msgs.msg import Image as ImageMessage
from std_msgs.msg import Bool, Float64

from robot_learning.core.clocks import Clock
from robot_learning.core.frames import optical_frame
from robot_learning.core.pacing import RateMeter, give_way
from robot_learning.core.types import Image, Observation
from robot_learning.ros.common import conversions, qos
from robot_learning.ros.common.serialized import JointStates, Poses

if TYPE_CHECKING:
    from robot_learning.robots.cameras import CameraInfo
    from robot_learning.robots.mujoco_robot import MujocoRobot

WAITING_FRAMES = 4


class StateOutput:
    """Publishes joints, named poses, the task's success and reward, and simulated time."""

    def __init__(self, node: LifecycleNode, robot: MujocoRobot, publish_clock: bool) -> None:
        self._robot = robot
        self._success: bool | None = None
        self._joints = node.create_publisher(JointState, "joint_states", qos.STREAM_OUT)
        self._poses = {
            name: node.create_publisher(PoseStamped, f"poses/{name}", qos.STREAM_OUT)
            for name in robot.pose_names
        }
        self._task_success = node.create_publisher(Bool, "task/success", qos.LATCHED)
        self._task_reward = node.create_publisher(Float64, "task/reward", qos.STREAM_OUT)
        self._clock = (
            node.create_publisher(ClockMessage, "/clock", qos.CLOCK) if publish_clock else None
        )
        self._states, self._stamped_poses = JointStates(robot.profile.joint_names), Poses()
        self._reward = Float64()
        self._node = node

    def publish(self, observation: Observation, stamp_ns: int) -> None:
        """Publish an observation, stamped `stamp_ns`; /clock first, so that nothing is early."""
        if self._clock is not None and self._clock.get_subscription_count():
            self._clock.publish(conversions.clock_message(stamp_ns))
        self._joints.publish(self._joint_state(observation, stamp_ns))
        for name, publisher in self._poses.items():
            # Asked first, as a message takes more time than the question.
            if publisher.get_subscription_count():
                pose = self._stamped_poses.filled(stamp_ns, observation.poses[name])
                publisher.publish(pose)
        reward, success = self._robot.judge()
        self._reward.data = reward
        self._task_reward.publish(self._reward)
        if success is not self._success:
            self._task_success.publish(Bool(data=success))
            self._success = success

    def _joint_state(self, observation: Observation, stamp_ns: int) -> bytes:
        """`effort` stays empty where nothing was measured."""
        motion = (observation.joint_position, observation.joint_velocity)
        effort = observation.joint_effort
        measured = None if np.isnan(effort).any() else effort
        return self._states.filled(stamp_ns, *motion, measured)

    def close(self) -> None:
        """Destroy the publishers."""
        publishers = [self._joints, self._task_success, self._task_reward, *self._poses.values()]
        for publisher in [*publishers, *([self._clock] if self._clock else [])]:
            self._node.destroy_publisher(publisher)


class ImageOutput:
    """Encodes and publishes images, in a thread of its own or at once.

    Encoding releases the interpreter lock, so the control loop goes on meanwhile; the thread gives
    way to it where both want the same core. In lockstep (`inline`) the loop does it itself.
    """

    def __init__(
        self,
        node: LifecycleNode,
        cameras: Sequence[CameraInfo],
        transport: str,
        quality_percent: Callable[[], int],
        *,
        clock: Clock,
        inline: bool,
    ) -> None:
        self._clock = clock
        self.meters = {camera.name: RateMeter(camera.rate_hz) for camera in cameras}
        self.dropped = 0
        self._node = node
        self._cameras = {camera.name: camera for camera in cameras}
        self._quality_percent = quality_percent
        compressed, raw = transport in ("compressed", "both"), transport in ("raw", "both")
        self._compressed = self._publishers(
            CompressedImage, "image_raw/compressed", cameras if compressed else ()
        )
        self._raw = self._publishers(ImageMessage, "image_raw", cameras if raw else ())
        self._info = self._publishers(CameraInfoMessage, "camera_info", cameras)
        self._published_ns: dict[str, int] = {}
        self._waiting: queue.Queue[tuple[str, Image, int] | None] = queue.Queue(
            WAITING_FRAMES * max(1, len(cameras))
        )
        self._thread: threading.Thread | None = None
        if not inline:
            self._thread = threading.Thread(target=self._work, name="images", daemon=True)
            self._thread.start()

    def publish(self, observation: Observation, offset_ns: int, wait: bool) -> None:
        """Pass on the images that are new.

        Args:
            observation: the newest observation.
            offset_ns: what is added to the images' stamps to have them on the ROS clock.
            wait: whether to wait for the thread when it does not keep up; otherwise images are
                dropped and counted.
        """
        for name, image in observation.images.items():
            if self._published_ns.get(name) == image.stamp_ns:
                continue
            self._published_ns[name] = image.stamp_ns
            if self._thread is None:
                self._publish(name, image, image.stamp_ns + offset_ns)
                continue
            try:
                self._waiting.put((name, image, image.stamp_ns + offset_ns), block=wait)
            except queue.Full:
                self.dropped += 1

    def close(self) -> None:
        """Forget what is waiting, end the thread, destroy the publishers."""
        if self._thread is not None:
            with contextlib.suppress(queue.Empty):
                while True:
                    self._waiting.get_nowait()
            self._waiting.put(None)
            self._thread.join()
        for publishers in (self._compressed, self._raw, self._info):
            for publisher in publishers.values():
                self._node.destroy_publisher(publisher)

    def _publishers(
        self, kind: type, topic: str, cameras: Sequence[CameraInfo]
    ) -> dict[str, Publisher]:
        return {
            camera.name: self._node.create_publisher(kind, f"{camera.name}/{topic}", qos.IMAGE_OUT)
            for camera in cameras
        }

    def _work(self) -> None:
        give_way()
        while (item := self._waiting.get()) is not None:
            self._publish(*item)

    def _publish(self, name: str, image: Image, stamp_ns: int) -> None:
        camera = self._cameras[name]
        frame_id = optical_frame(name)
        if name in self._compressed:
            jpeg = simplejpeg.encode_jpeg(image.pixels, quality=self._quality_percent())
            message = conversions.compressed_image_message(jpeg, frame_id, stamp_ns)
            self._compressed[name].publish(message)
        if name in self._raw:
            self._raw[name].publish(conversions.image_message(image, frame_id, stamp_ns))
        if self._info[name].get_subscription_count():
            self._info[name].publish(
                conversions.camera_info_message(
                    camera.height_px, camera.width_px, camera.fovy_rad, frame_id, stamp_ns
                )
            )
        self.meters[name].tick(self._clock.now_ns())
