"""A pick by the scripted expert, on video: `ros2 launch robot_learning demo.launch.py`."""

from launch import LaunchDescription
from robot_learning.bringup.demo import DEMO
from robot_learning.ros.launch_actions import launch_description


def generate_launch_description() -> LaunchDescription:
    return launch_description(DEMO)
