"""`robot-learning record`: a recording session, with the nodes of `teleop_record.launch.py`."""

from __future__ import annotations

import argparse

from robot_learning.bringup.teleop_record import TELEOP_RECORD
from robot_learning.cli.common.command_parser import Subparsers
from robot_learning.cli.common.late import late
from robot_learning.cli.nodes.launch_options import add_launch_options

FLAGS = {
    "resume": "continue a dataset that already has episodes",
    "dart": "add DART noise to the operator's command",
}


def add_parser(subparsers: Subparsers) -> None:
    """Add `record`; its options are the launch arguments, two of them as plain flags."""
    parser = subparsers.add_parser(
        "record",
        description="Record episodes into a dataset, with a reset between them. Starts the robot, "
        "the arbiter, the device and the recorder as ROS nodes.",
        epilog="Arguments may also be given as name:=value, as for ros2 launch.",
    )
    for name, text in FLAGS.items():
        parser.add_argument(
            f"--{name}",
            dest=f"launch_{name}",
            action="store_const",
            const="true",
            default=argparse.SUPPRESS,
            help=text,
        )
    add_launch_options(parser, TELEOP_RECORD, without=FLAGS)
    parser.set_defaults(run=late("robot_learning.cli.nodes.recording", "run"))
