"""`robot-learning record`: a recording session, with the nodes of `teleop_record.launch.py`."""

from __future__ import annotations

import argparse

from robot_learning.bringup.teleop_record import TELEOP_RECORD
from robot_learning.cli.common.command_parser import Subparsers
from robot_learning.cli.common.late import late
from robot_learning.cli.common.resume_option import add_resume
from robot_learning.cli.nodes.launch_options import add_launch_options


def add_parser(subparsers: Subparsers) -> None:
    """Add `record`; its options are the launch arguments, two of them as flags."""
    parser = subparsers.add_parser(
        "record",
        description="Record episodes into a dataset, with a reset between them. Starts the robot, "
        "the arbiter, the device and the recorder as ROS nodes.",
        epilog="Arguments may also be given as name:=value, as for ros2 launch.",
    )
    add_resume(parser, "launch_resume", ("true", "false"), argparse.SUPPRESS)
    parser.add_argument(
        "--dart",
        dest="launch_dart",
        action="store_const",
        const="true",
        default=argparse.SUPPRESS,
        help="add DART noise to the operator's command",
    )
    add_launch_options(parser, TELEOP_RECORD, without=("resume", "dart"))
    parser.set_defaults(run=late("robot_learning.cli.nodes.recording", "run"))
