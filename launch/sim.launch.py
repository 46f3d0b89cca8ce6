"""A simulated robot in the scene of a task: `ros2 launch robot_learning sim.launch.py`."""

from launch import LaunchDescription
from robot_learning.bringup.sim import SIM
from robot_learning.ros.launch_actions import launch_description


def generate_launch_description() -> LaunchDescription:
    return launch_description(SIM)
