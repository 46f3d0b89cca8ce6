"""What a robot node publishes about the robot itself: URDF, and where links and cameras are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geometry_msgs.msg import TransformStamped
from rclpy.lifecycle import LifecycleNode
from std_msgs.msg import String

from robot_learning.core.types import FloatArray
from robot_learning.ros.common import conversions, qos

if TYPE_CHECKING:
    from robot_learning.sim.description.tree import LinkJoint
    from robot_learning.sim.model import SimModel


def transform_message_type() -> type | None:
    """The type of `/tf`; None where tf2_msgs is not installed: there are no wheels of it."""
    try:
        from tf2_msgs.msg import TFMessage
    except ImportError:
        return None
    kind: type = TFMessage
    return kind


class DescriptionOutput:
    """Publishes the URDF on `robot_description` and transforms on `/tf_static` and `/tf`.

    The first two are latched and published once, `/tf` only while somebody listens.
    """

    def __init__(self, node: LifecycleNode, simulation: SimModel, transforms: type | None) -> None:
        """Create the publishers.

        Args:
            node: the node that owns them.
            simulation: the robot in its scene, whose cameras have transforms, too.
            transforms: the type of `/tf`; None publishes none.
        """
        # Imported here, so that an OpenGL that MuJoCo cannot load is one line and no traceback.
        from robot_learning.sim.description.tree import kinematic_tree
        from robot_learning.sim.description.urdf import robot_urdf

        self._node, self._tree = node, kinematic_tree(simulation)
        # Of the robot alone: the world link would have the table and the walls of the scene.
        self._urdf: str | None = robot_urdf(simulation.profile)
        self._description = node.create_publisher(String, "robot_description", qos.LATCHED)
        self._transforms = transforms
        self._publishers = [self._description]
        if transforms is not None:
            self._still = node.create_publisher(transforms, "/tf_static", qos.LATCHED)
            self._moving = node.create_publisher(transforms, "/tf", qos.TRANSFORMS)
            self._publishers += [self._still, self._moving]
            self._message = transforms(transforms=_messages(self._tree.moving))

    def publish(self, joint_position: FloatArray, stamp_ns: int) -> None:
        """Publish what is due, for measured joints (n,); the node is active."""
        if self._urdf is not None:
            self._begin(self._urdf, joint_position, stamp_ns)
            self._urdf = None
        if self._transforms is not None and self._moving.get_subscription_count():
            _fill(self._message.transforms, self._tree.moving, joint_position, stamp_ns)
            self._moving.publish(self._message)

    def close(self) -> None:
        """Destroy the publishers."""
        for publisher in self._publishers:
            self._node.destroy_publisher(publisher)

    def _begin(self, urdf: str, joint_position: FloatArray, stamp_ns: int) -> None:
        self._description.publish(String(data=urdf))
        if self._transforms is not None:
            messages = _messages(self._tree.fixed)
            _fill(messages, self._tree.fixed, joint_position, stamp_ns)
            self._still.publish(self._transforms(transforms=messages))


def _messages(joints: tuple[LinkJoint, ...]) -> list[TransformStamped]:
    return [conversions.transform_message(joint.parent, joint.child) for joint in joints]


def _fill(
    messages: list[TransformStamped],
    joints: tuple[LinkJoint, ...],
    joint_position: FloatArray,
    stamp_ns: int,
) -> None:
    for message, joint in zip(messages, joints, strict=True):
        pose = joint.child_pose(joint_position)
        conversions.fill_transform(message, pose.position, pose.quaternion, stamp_ns)
