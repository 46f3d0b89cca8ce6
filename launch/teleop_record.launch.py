"""Teleoperation, recorded: `ros2 launch robot_learning teleop_record.launch.py`."""

from launch import LaunchDescription
from robot_learning.bringup.teleop_record import TELEOP_RECORD
from robot_learning.ros.launch_actions import launch_description


def generate_launch_description() -> LaunchDescription:
    return launch_description(TELEOP_RECORD)
