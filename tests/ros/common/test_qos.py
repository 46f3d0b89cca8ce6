import pytest
from rclpy.qos import QoSCompatibility, QoSProfile, ReliabilityPolicy, qos_check_compatible

from robot_learning.ros.common import qos


@pytest.mark.parametrize(
    ("publisher", "subscription"),
    [
        (qos.STREAM_OUT, qos.STREAM_IN),
        (qos.STREAM_OUT, qos.JOINTS_IN),
        (qos.IMAGE_OUT, qos.STREAM_IN),
        (qos.COMMAND, qos.COMMAND),
        (qos.COMMAND, qos.STREAM_IN),
        (qos.LATCHED, qos.LATCHED),
        (qos.DIAGNOSTICS, qos.DIAGNOSTICS),
        # What tools such as `ros2 topic echo` and `ros2 topic pub` use.
        (qos.STREAM_OUT, QoSProfile(depth=10)),
        (qos.IMAGE_OUT, QoSProfile(depth=10)),
        (QoSProfile(depth=10), qos.COMMAND),
    ],
)
def test_the_two_ends_of_a_topic_fit(publisher, subscription):
    compatibility, reason = qos_check_compatible(publisher, subscription)
    assert compatibility != QoSCompatibility.ERROR, reason


def test_commands_are_reliable_and_only_the_newest_counts():
    assert qos.COMMAND.reliability == ReliabilityPolicy.RELIABLE
    assert qos.COMMAND.depth == 1


def test_the_check_above_can_fail():
    best_effort = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    compatibility, _ = qos_check_compatible(best_effort, qos.COMMAND)
    assert compatibility == QoSCompatibility.ERROR


def test_arm_and_gripper_have_room_in_one_queue():
    assert qos.JOINTS_IN.depth >= 2
