"""`robot-learning demo`: the simulated arm does its task over ROS topics, filmed and measured."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from robot_learning.bringup.demo import DEMO
from robot_learning.cli.up_command import add_launch_options, launch_arguments

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_parser(subparsers: Subparsers) -> None:
    """Add `demo`."""
    parser = subparsers.add_parser(
        "demo",
        help="let the simulated arm lift a cube over ROS 2, and film it",
        description="Start the simulated robot, its scripted expert and a monitor as ROS nodes. "
        "The exit code is 0 only when the task was done.",
    )
    add_launch_options(parser, DEMO.name)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the demonstration; 0 when the task was done."""
    from robot_learning.cli.supervisor import Supervisor

    return Supervisor(DEMO.resolve(launch_arguments(arguments))).run()
