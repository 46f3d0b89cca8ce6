"""Messages read and written in their serialised form, held against rclpy's own way."""

from __future__ import annotations

import array

import numpy as np
import pytest
from geometry_msgs.msg import PoseStamped
from hypothesis import given
from hypothesis import strategies as st
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from robot_learning.messages.poses import pose_array
from robot_learning.messages.stamps import time_ns
from robot_learning.ros.common import conversions, serialized

NAMES = ("shoulder", "elbow_joint", "w", "gripper")
numbers = st.lists(st.floats(allow_nan=False), max_size=5)
names = st.lists(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=9), max_size=5
)
stamps = st.tuples(st.integers(-(2**31), 2**31 - 1), st.integers(0, 10**9 - 1))


def stamped(message, stamp, frame_id=""):
    message.header.frame_id = frame_id
    message.header.stamp.sec, message.header.stamp.nanosec = stamp
    return message


@given(st.lists(st.tuples(names, numbers, numbers, numbers, stamps, names), min_size=1, max_size=3))
def test_joint_states_are_read_as_rclpy_reads_them(cases):
    read = serialized.reader_of(JointState)
    for name, position, velocity, effort, stamp, frame in cases:
        values = {"position": position, "velocity": velocity, "effort": effort}
        message = stamped(JointState(name=name, **values), stamp, "".join(frame))
        found = read(serialize_message(message))
        assert type(found) is not JointState, "read by rclpy"
        assert found.name == message.name
        assert [found.position, found.velocity, found.effort] == [
            array.array("d", each) for each in values.values()
        ]
        assert time_ns(found.header.stamp) == time_ns(message.header.stamp)
        assert found.header.frame_id == message.header.frame_id


@given(names, st.lists(st.tuples(numbers, numbers, stamps), max_size=3), stamps)
def test_trajectories_are_read_as_rclpy_reads_them(joint_names, points, stamp):
    message = stamped(JointTrajectory(joint_names=joint_names), stamp, "base")
    for positions, effort, (sec, nanosec) in points:
        point = JointTrajectoryPoint(positions=positions, effort=effort, velocities=effort[:1])
        point.time_from_start.sec, point.time_from_start.nanosec = sec, nanosec
        message.points.append(point)
    found = serialized.reader_of(JointTrajectory)(serialize_message(message))
    assert type(found) is not JointTrajectory, "read by rclpy"
    assert found.joint_names == message.joint_names
    assert len(found.points) == len(message.points)
    for one, other in zip(found.points, message.points, strict=True):
        for field in ("positions", "velocities", "accelerations", "effort"):
            assert getattr(one, field) == getattr(other, field)
        assert time_ns(one.time_from_start) == time_ns(other.time_from_start)


@given(st.lists(st.floats(allow_nan=False), min_size=7, max_size=7), stamps, names)
def test_poses_are_read_as_rclpy_reads_them(values, stamp, frame):
    message = stamped(conversions.pose_message(np.array(values), 0), stamp, "".join(frame))
    found = serialized.reader_of(PoseStamped)(serialize_message(message))
    assert type(found) is not PoseStamped, "read by rclpy"
    np.testing.assert_array_equal(pose_array(found), values)
    assert time_ns(found.header.stamp) == time_ns(message.header.stamp)


def test_other_kinds_are_left_to_rclpy():
    assert serialized.reader_of(String) is None


def test_a_message_that_is_cut_off_is_none():
    data = serialize_message(JointState(name=["a"], position=[1.0]))
    with pytest.raises(RuntimeError):
        serialized.reader_of(JointState)(data[:30])


@pytest.mark.parametrize(("velocity", "effort"), [(False, False), (True, False), (True, True)])
def test_joint_states_are_written_as_rclpy_writes_them(velocity, effort):
    messages = serialized.JointStates(NAMES)
    for stamp_ns in (0, 1_700_000_000_123_456_789):
        random, empty = np.random.default_rng(stamp_ns), np.array([])
        position, moving, loaded = random.normal(size=(3, 4))
        given = (moving if velocity else None, loaded if effort else None)
        message = deserialize_message(messages.filled(stamp_ns, position, *given), JointState)
        assert tuple(message.name) == NAMES
        assert time_ns(message.header.stamp) == stamp_ns
        assert message.position.tolist() == position.tolist()
        assert message.velocity.tolist() == (moving if velocity else empty).tolist()
        assert message.effort.tolist() == (loaded if effort else empty).tolist()


def test_trajectories_are_written_as_rclpy_writes_them():
    messages, random = serialized.Trajectories(NAMES), np.random.default_rng(0)
    for count in (1, 3, 16, 3):
        positions = random.normal(size=(count, 4))
        times_s = 0.02 * np.arange(count) + 0.1234
        expected = conversions.trajectory_message(NAMES, positions, times_s, 7)
        data = messages.filled(7, positions, times_s)
        assert deserialize_message(data, JointTrajectory) == expected
    # What a network gives is narrower, and a list is no array.
    for others in (positions.astype(np.float32), positions.tolist()):
        expected = conversions.trajectory_message(NAMES, np.asarray(others), times_s, 7)
        data = messages.filled(7, others, times_s)
        assert deserialize_message(data, JointTrajectory) == expected
    with pytest.raises(ValueError, match="broadcast"):
        messages.filled(7, positions[:, :2], times_s)
    data = messages.filled(8, positions[0])
    expected = conversions.trajectory_message(NAMES, positions[0], stamp_ns=8)
    assert deserialize_message(data, JointTrajectory) == expected


def test_poses_are_written_as_rclpy_writes_them():
    pose = np.array([1.0, 2.0, 3.0, 0.5, 0.1, 0.2, 0.3])
    data = serialized.Poses().filled(8, pose)
    assert deserialize_message(data, PoseStamped) == conversions.pose_message(pose, 8)
