"""Rounds of DAgger: `ros2 launch robot_learning dagger.launch.py`."""

from launch import LaunchDescription
from robot_learning.bringup.dagger import DAGGER
from robot_learning.ros.launch_actions import launch_description


def generate_launch_description() -> LaunchDescription:
    return launch_description(DAGGER)
