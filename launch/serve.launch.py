"""A trained policy drives a robot: `ros2 launch robot_learning serve.launch.py checkpoint:=…`."""

from launch import LaunchDescription
from robot_learning.bringup.serve import SERVE
from robot_learning.ros.launch_actions import launch_description


def generate_launch_description() -> LaunchDescription:
    return launch_description(SERVE)
