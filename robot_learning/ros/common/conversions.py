"""Between ROS messages and the values of `robot_learning.core`, without losing a check.

Times are nanoseconds. A JointTrajectory that is wrong in any way is refused whole.
"""

from __future__ import annotations

import array
from collections.abc import Sequence

import numpy as np
from builtin_interfaces.msg import Duration, Time
from geometry_msgs.msg import PoseStamped, TransformStamped
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, CompressedImage, JointState
from sensor_msgs.msg import Image as ImageMessage
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from robot_learning.core.amounts import amount
from robot_learning.core.clocks import NS_PER_S
from robot_learning.core.errors import CommandError, unknown_choice
from robot_learning.core.frames import WORLD_FRAME
from robot_learning.core.joint_collector import JointCollector, JointSample
from robot_learning.core.types import FloatArray, Image


def time_message(stamp_ns: int) -> Time:
    """Nanoseconds as a Time message."""
    sec, nanosec = divmod(stamp_ns, NS_PER_S)
    return Time(sec=sec, nanosec=nanosec)


def time_ns(message: Time | Duration) -> int:
    """A Time or Duration message as nanoseconds."""
    return int(message.sec) * NS_PER_S + int(message.nanosec)


def clock_message(stamp_ns: int) -> Clock:
    """Simulated time for `/clock`."""
    return Clock(clock=time_message(stamp_ns))


def collect(collector: JointCollector, message: JointState, receive_ns: int) -> JointSample | None:
    """Hand a message to the collector of its topic; see `JointCollector.take`."""
    values = (message.position, message.velocity, message.effort)
    return collector.take(message.name, values, time_ns(message.header.stamp), receive_ns)


def joint_positions(message: JointState, joint_names: Sequence[str]) -> FloatArray:
    """(n,) positions in the order of `joint_names`, whatever the order of the message.

    Raises:
        CommandError: a joint is missing or the message is ragged.
    """
    return _ordered(message.name, np.asarray(message.position, float), joint_names)


def _ordered(names: Sequence[str], values: FloatArray, wanted: Sequence[str]) -> FloatArray:
    if len(names) != len(values):
        raise CommandError(
            f"joint state has {amount(len(names), 'name')} and {amount(len(values), 'value')}"
        )
    if list(names) == list(wanted):
        return values
    by_name = dict(zip(names, values.tolist(), strict=True))
    missing = [name for name in wanted if name not in by_name]
    if missing:
        raise CommandError(f"joint state lacks {', '.join(missing)}; it has {', '.join(names)}")
    return np.array([by_name[name] for name in wanted])


def trajectory_message(
    joint_names: Sequence[str],
    positions: FloatArray,
    times_from_start_s: Sequence[float] = (0.0,),
    stamp_ns: int = 0,
) -> JointTrajectory:
    """A JointTrajectory of `positions` (k, n) or (n,), one time from start for each point."""
    message = JointTrajectory(joint_names=list(joint_names))
    message.header.stamp = time_message(stamp_ns)
    rows = np.atleast_2d(np.asarray(positions, float))
    for row, time_s in zip(rows, times_from_start_s, strict=True):
        point = JointTrajectoryPoint(positions=row.tolist())
        offset = point.time_from_start
        offset.sec, offset.nanosec = divmod(round(time_s * NS_PER_S), NS_PER_S)
        message.points.append(point)
    return message


def parse_trajectory(
    message: JointTrajectory, joint_names: Sequence[str]
) -> tuple[FloatArray, FloatArray]:
    """Times from start (k,) in seconds and positions (k, n) in the order of `joint_names`.

    Raises:
        CommandError: unknown, missing or repeated joints, no points, wrong size, NaN or
            infinity, or times that do not increase. The text says which.
    """
    order = _joint_order(message.joint_names, joint_names)
    if not message.points:
        raise CommandError("empty: the trajectory has no points")
    times_s = np.array([time_ns(point.time_from_start) / NS_PER_S for point in message.points])
    if times_s[0] < 0.0 or (len(times_s) > 1 and (np.diff(times_s) <= 0.0).any()):
        raise CommandError(f"times from start do not increase: {_numbers(times_s)} s")
    positions = np.empty((len(message.points), len(joint_names)))
    for index, point in enumerate(message.points):
        if len(point.positions) != len(joint_names):
            text = f"point {index} has {amount(len(point.positions), 'position')}"
            text += f" for {amount(len(joint_names), 'joint')}"
            raise CommandError(f"wrong size: {text}")
        positions[index] = point.positions
    if not np.isfinite(positions).all():
        index, column = np.argwhere(~np.isfinite(positions))[0]
        name, value = message.joint_names[column], positions[index, column]
        raise CommandError(f"not finite: point {index} asks {value} of joint '{name}'")
    return times_s, positions if order is None else positions[:, order]


def _joint_order(given: Sequence[str], wanted: Sequence[str]) -> list[int] | None:
    """Where each joint stands; None where they are in the order that is wanted."""
    if list(given) == list(wanted):
        return None
    for name in given:
        if name not in wanted:
            raise CommandError(unknown_choice("joint", name, wanted))
        if list(given).count(name) > 1:
            raise CommandError(f"repeated joint '{name}'")
    missing = [name for name in wanted if name not in given]
    if missing:
        raise CommandError(f"missing joint {', '.join(repr(name) for name in missing)}")
    return [list(given).index(name) for name in wanted]


def _numbers(values: FloatArray) -> str:
    return ", ".join(f"{value:g}" for value in values[:10])


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
    """The pose of the child frame in its parent: (3,) metres, (4,) quaternion w x y z."""
    message.header.stamp = time_message(stamp_ns)
    translation, rotation = message.transform.translation, message.transform.rotation
    translation.x, translation.y, translation.z = position.tolist()
    rotation.w, rotation.x, rotation.y, rotation.z = quaternion.tolist()


def pose_array(message: PoseStamped) -> FloatArray:
    """(7,) x y z qw qx qy qz."""
    position, orientation = message.pose.position, message.pose.orientation
    return np.array(
        [
            *(position.x, position.y, position.z),
            *(orientation.w, orientation.x, orientation.y, orientation.z),
        ]
    )


def image_message(image: Image, frame_id: str, stamp_ns: int) -> ImageMessage:
    """An uncompressed rgb8 image."""
    height, width, _ = image.pixels.shape
    message = ImageMessage(height=height, width=width, encoding="rgb8", step=3 * width)
    message.header.stamp = time_message(stamp_ns)
    message.header.frame_id = frame_id
    # Assigning an array.array of bytes is a copy; an ndarray or list is checked item by item.
    message.data = array.array("B", image.pixels.tobytes())
    return message


def compressed_image_message(jpeg: bytes, frame_id: str, stamp_ns: int) -> CompressedImage:
    """A JPEG of an RGB image, as image_transport publishes it."""
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
