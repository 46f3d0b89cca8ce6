"""ROS messages made of the values of `robot_learning.core`. Times are nanoseconds.

What messages mean that were received is in `robot_learning.messages`.
"""

from __future__ import annotations

import array
from collections.abc import Sequence

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import PoseStamped, TransformStamped
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, CompressedImage
from sensor_msgs.msg import Image as ImageMessage
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from robot_learning.core.clocks import NS_PER_S
from robot_learning.core.frames import WORLD_FRAME
from robot_learning.core.types import FloatArray, Image


def time_message(stamp_ns: int) -> Time:
    """Nanoseconds as a Time message."""
    sec, nanosec = divmod(stamp_ns, NS_PER_S)
    return Time(sec=sec, nanosec=nanosec)


def clock_message(stamp_ns: int) -> Clock:
    """Simulated time for `/clock`."""
    return Clock(clock=time_message(stamp_ns))


def trajectory_message(
    joint_names: Sequence[str],
    positions: FloatArray,
    times_from_start_s: Sequence[float] = (0.0,),
    stamp_ns: int = 0,
) -> JointTrajectory:
    """A JointTrajectory with one point for each row of `positions`.

    Args:
        joint_names: (n,) names of the columns.
        positions: (k, n) or (n,) rad or m.
        times_from_start_s: (k,) time of each point; a single point is meant at once by default.
        stamp_ns: stamp of the header; 0 leaves it unset.
    """
    message = JointTrajectory(joint_names=list(joint_names))
    message.header.stamp = time_message(stamp_ns)
    rows = np.atleast_2d(np.asarray(positions, float))
    for row, time_s in zip(rows, times_from_start_s, strict=True):
        point = JointTrajectoryPoint(positions=row.tolist())
        offset = point.time_from_start
        offset.sec, offset.nanosec = divmod(round(time_s * NS_PER_S), NS_PER_S)
        message.points.append(point)
    return message


def pose_message(pose: FloatArray, stamp_ns: int) -> PoseStamped:
    """A pose (7,) x y z qw qx qy qz in the world frame."""
    message = PoseStamped()
    message.header.stamp = time_message(stamp_ns)
    message.header.frame_id = WORLD_FRAME
    position, orientation = message.pose.position, message.pose.orientation
    position.x, position.y, position.z = pose[:3].tolist()
    orientation.w, orientation.x, orientation.y, orientation.z = pose[3:].tolist()
    return message


def transform_message(parent: str, child: str) -> TransformStamped:
    """A transform between two frames, to be filled."""
    message = TransformStamped(child_frame_id=child)
    message.header.frame_id = parent
    return message


def fill_transform(
    message: TransformStamped, position: FloatArray, quaternion: FloatArray, stamp_ns: int
) -> None:
    """Write the pose of a child frame in its parent into a message.

    Args:
        message: the message to write into.
        position: (3,) metres.
        quaternion: (4,) w x y z.
        stamp_ns: stamp of the header.
    """
    message.header.stamp = time_message(stamp_ns)
    translation, rotation = message.transform.translation, message.transform.rotation
    translation.x, translation.y, translation.z = position.tolist()
    rotation.w, rotation.x, rotation.y, rotation.z = quaternion.tolist()


def image_message(image: Image, frame_id: str, stamp_ns: int) -> ImageMessage:
    """An uncompressed rgb8 image.

    Args:
        image: the image; its pixels are (height, width, 3) uint8 RGB.
        frame_id: frame of the camera.
        stamp_ns: stamp of the header.
    """
    height, width, _ = image.pixels.shape
    message = ImageMessage(height=height, width=width, encoding="rgb8", step=3 * width)
    message.header.stamp = time_message(stamp_ns)
    message.header.frame_id = frame_id
    # Assigning an array.array of bytes is a copy; an ndarray or list is checked item by item.
    message.data = array.array("B", image.pixels.tobytes())
    return message


def compressed_image_message(jpeg: bytes, frame_id: str, stamp_ns: int) -> CompressedImage:
    """A JPEG of an RGB image, as image_transport publishes it.

    Args:
        jpeg: bytes of the JPEG.
        frame_id: frame of the camera.
        stamp_ns: stamp of the header.
    """
    message = CompressedImage(format="rgb8; jpeg compressed bgr8")
    message.header.stamp = time_message(stamp_ns)
    message.header.frame_id = frame_id
    message.data = array.array("B", jpeg)
    return message


def camera_info_message(
    height_px: int, width_px: int, fovy_rad: float, frame_id: str, stamp_ns: int
) -> CameraInfo:
    """The intrinsics of an ideal pinhole camera with square pixels and no distortion.

    Whole numbers are the centres of pixels, as OpenCV and image_geometry count: the image reaches
    from -0.5 to width - 0.5, and the optical axis of MuJoCo's cameras meets its middle.

    Args:
        height_px: number of rows.
        width_px: number of columns.
        fovy_rad: vertical field of view.
        frame_id: frame of the camera.
        stamp_ns: stamp of the header.
    """
    focal_px = 0.5 * height_px / np.tan(0.5 * fovy_rad)
    center_x, center_y = 0.5 * (width_px - 1), 0.5 * (height_px - 1)
    message = CameraInfo(height=height_px, width=width_px, distortion_model="plumb_bob")
    message.header.stamp = time_message(stamp_ns)
    message.header.frame_id = frame_id
    message.d = [0.0] * 5
    message.k = [focal_px, 0.0, center_x, 0.0, focal_px, center_y, 0.0, 0.0, 1.0]
    message.r = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    message.p = [focal_px, 0.0, center_x, 0.0, 0.0, focal_px, center_y, 0.0, 0.0, 0.0, 1.0, 0.0]
    return message
