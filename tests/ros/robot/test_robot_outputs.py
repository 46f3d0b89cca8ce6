"""What a robot node publishes, as seen by its publishers: the cases that need no middleware."""

from dataclasses import dataclass, field
from typing import Any

import mujoco
import numpy as np
import pytest
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import JointState

from robot_learning.core.clocks import ManualClock
from robot_learning.core.profile_loader import load_profile
from robot_learning.core.types import Image, Observation
from robot_learning.messages.stamps import time_ns
from robot_learning.robots.cameras import CameraInfo
from robot_learning.ros.common import qos
from robot_learning.ros.robot.description import DescriptionOutput
from robot_learning.ros.robot.outputs import ImageOutput, StateOutput
from robot_learning.sim.description.urdf import robot_urdf
from robot_learning.sim.model import compile_robot
from robot_learning.sim.tasks import make_task


@dataclass
class RecordedPublisher:
    """Notes what is published."""

    profile: Any
    listeners: int = 0
    messages: list[Any] = field(default_factory=list)

    def get_subscription_count(self) -> int:
        return self.listeners

    def publish(self, message: Any) -> None:
        self.messages.append(message)


class PublishingNode:
    """A node of which only the publishers count."""

    def __init__(self) -> None:
        self.publishers: dict[str, RecordedPublisher] = {}

    def create_publisher(self, _kind: type, topic: str, profile: Any) -> RecordedPublisher:
        self.publishers[topic] = RecordedPublisher(profile)
        return self.publishers[topic]

    def destroy_publisher(self, publisher: RecordedPublisher) -> None:
        (topic,) = [name for name, one in self.publishers.items() if one is publisher]
        del self.publishers[topic]


@dataclass
class Transforms:
    """In the place of tf2_msgs, of which there is no wheel."""

    transforms: list[Any]


@pytest.fixture
def node() -> PublishingNode:
    return PublishingNode()


class StillRobot:
    """A robot of whose joints and task the state is told."""

    profile = load_profile("desk_arm")
    pose_names = ()

    def judge(self) -> tuple[float, bool]:
        return 0.5, False


def test_effort_that_is_not_measured_is_left_out(node: PublishingNode) -> None:
    joints = len(StillRobot.profile.joints)
    output = StateOutput(node, StillRobot(), publish_clock=False)
    effort = np.arange(joints, dtype=float)
    for measured in (effort, np.full(joints, np.nan)):
        observation = Observation(5, StillRobot.profile.home, np.zeros(joints), measured)
        output.publish(observation, 7)
    messages = [
        deserialize_message(data, JointState) for data in node.publishers["joint_states"].messages
    ]
    assert [list(message.effort) for message in messages] == [effort.tolist(), []]
    for message in messages:
        assert tuple(message.name) == StillRobot.profile.joint_names
        assert message.position.tolist() == StillRobot.profile.home.tolist()
        assert time_ns(message.header.stamp) == 7


def test_camera_info_is_published_only_while_somebody_listens(node: PublishingNode) -> None:
    camera = CameraInfo("eye", 4, 6, 30.0, 1.0)
    images = ImageOutput(node, [camera], "raw", lambda: 90, clock=ManualClock(), inline=True)
    zeros = np.zeros(1)
    for stamp_ns, listeners in ((1, 0), (2, 1)):
        node.publishers["eye/camera_info"].listeners = listeners
        image = Image(stamp_ns, np.zeros((4, 6, 3), np.uint8))
        observation = Observation(stamp_ns, zeros, zeros, zeros, images={"eye": image})
        images.publish(observation, 5, wait=True)
    (info,) = node.publishers["eye/camera_info"].messages
    shown = node.publishers["eye/image_raw"].messages[-1]
    assert time_ns(info.header.stamp) == time_ns(shown.header.stamp) == 7
    assert info.header.frame_id == shown.header.frame_id


def world_pose(transforms: list[Any], frame: str) -> tuple[np.ndarray, np.ndarray]:
    """What a listener of tf2 computes: position and quaternion w x y z in the world frame."""
    position, quaternion = np.zeros(3), np.array([1.0, 0, 0, 0])
    parents = {one.child_frame_id: one for one in transforms}
    while frame != "world":
        one = parents[frame]
        step, turn = one.transform.translation, one.transform.rotation
        result, product = np.empty(3), np.empty(4)
        outer = np.array([turn.w, turn.x, turn.y, turn.z])
        mujoco.mju_rotVecQuat(result, position, outer)
        mujoco.mju_mulQuat(product, outer, quaternion)
        position, quaternion = result + np.array([step.x, step.y, step.z]), product
        frame = one.header.frame_id
    return position, quaternion


def test_transforms_put_the_hand_where_the_simulation_has_it(node: PublishingNode) -> None:
    simulation = compile_robot(load_profile("bench_arm"))
    output = DescriptionOutput(node, simulation, Transforms)
    still, moving = node.publishers["/tf_static"], node.publishers["/tf"]
    assert (still.profile, moving.profile) == (qos.LATCHED, qos.TRANSFORMS)
    profile = simulation.profile
    position = profile.home + 0.02
    output.publish(profile.home, 1)
    assert not moving.messages
    moving.listeners = 1
    output.publish(position, 2)
    (fixed,), (moved,) = still.messages, moving.messages
    assert {time_ns(one.header.stamp) for one in moved.transforms} == {2}
    data = mujoco.MjData(simulation.mj_model)
    simulation.actuation.place_joints(data.qpos, position)
    mujoco.mj_kinematics(simulation.mj_model, data)
    site = simulation.mj_model.site("arm_end_effector").id
    found, quaternion = world_pose([*fixed.transforms, *moved.transforms], "arm_end_effector")
    np.testing.assert_allclose(found, data.site_xpos[site], atol=1e-9)
    rotation = np.empty(9)
    mujoco.mju_quat2Mat(rotation, quaternion)
    np.testing.assert_allclose(rotation, data.site_xmat[site], atol=1e-9)


def test_cameras_have_the_frames_of_their_images(node: PublishingNode) -> None:
    profile = load_profile("desk_duo")
    output = DescriptionOutput(node, compile_robot(profile), Transforms)
    output.publish(profile.home, 1)
    (fixed,) = node.publishers["/tf_static"].messages
    frames = {one.child_frame_id for one in fixed.transforms}
    assert {f"{camera.name}_optical_frame" for camera in profile.cameras} <= frames


def test_the_description_is_that_of_the_robot_without_the_scene(node: PublishingNode) -> None:
    profile = load_profile("desk_arm")
    output = DescriptionOutput(node, make_task("lift").compose(profile), None)
    output.publish(profile.home, 1)
    (message,) = node.publishers["robot_description"].messages
    assert message.data == robot_urdf(profile)


def test_without_tf2_msgs_the_description_alone_is_published(node: PublishingNode) -> None:
    profile = load_profile("desk_arm")
    output = DescriptionOutput(node, compile_robot(profile), None)
    for stamp_ns in (1, 2):
        output.publish(profile.home, stamp_ns)
    assert set(node.publishers) == {"robot_description"}
    (message,) = node.publishers["robot_description"].messages
    assert message.data.startswith("<?xml")
    output.close()
    assert not node.publishers
