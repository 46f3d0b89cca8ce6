"""`robot-learning serve`: a trained policy drives a robot, with the nodes of `serve.launch.py`."""

from __future__ import annotations

import argparse

from robot_learning.bringup.serve import SERVE
from robot_learning.cli.common.command_parser import Subparsers
from robot_learning.cli.nodes.launch_options import add_launch_options, launch_arguments


def add_parser(subparsers: Subparsers) -> None:
    """Add `serve`; its options are the launch arguments, one of them as a plain flag."""
    parser = subparsers.add_parser(
        "serve",
        description="Start the robot, the arbiter and the policy as ROS nodes. Ctrl-C stops them "
        "all. The policy drives once arbiter_node/hand_back is called, or at once with --drive.",
        epilog="Arguments may also be given as name:=value, as for ros2 launch.",
    )
    parser.add_argument("checkpoint", help="folder of a checkpoint or of a training run")
    parser.add_argument(
        "--drive",
        dest="launch_drive",
        action="store_const",
        const="true",
        default=argparse.SUPPRESS,
        help="let the policy drive at once",
    )
    add_launch_options(parser, SERVE, without=("checkpoint", "drive"))
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until told to stop; the exit code tells whether that was well."""
    from robot_learning.cli.nodes.supervisor import Supervisor

    given = {**launch_arguments(arguments), "checkpoint": arguments.checkpoint}
    return Supervisor(SERVE.resolve(given)).run()
