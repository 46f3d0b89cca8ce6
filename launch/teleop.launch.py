"""A person drives a robot through the arbiter: `ros2 launch robot_learning teleop.launch.py`."""

from launch import LaunchDescription
from robot_learning.bringup.teleop import TELEOP
from robot_learning.ros.launch_actions import launch_description


def generate_launch_description() -> LaunchDescription:
    return launch_description(TELEOP)
