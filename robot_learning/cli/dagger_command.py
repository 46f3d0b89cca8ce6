"""`robot-learning dagger`: rounds of DAgger, with the nodes of `dagger.launch.py`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from robot_learning.bringup.dagger import DAGGER
from robot_learning.bringup.plan import LaunchPlan
from robot_learning.cli.up_command import add_launch_options, launch_arguments

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_parser(subparsers: Subparsers) -> None:
    """Add `dagger`; its options are the launch arguments, two of them in another form."""
    parser = subparsers.add_parser(
        "dagger",
        help="rounds in which a policy drives, somebody corrects it, and it is trained anew",
        description="Start robot, arbiter, device, policy and recorder as ROS nodes, and lead "
        "rounds of DAgger. A run that was ended or killed at any point goes on with --resume.",
        epilog="Arguments may also be given as name:=value, as for ros2 launch.",
    )
    parser.add_argument(
        "--resume",
        dest="launch_resume",
        action="store_const",
        const="true",
        default=argparse.SUPPRESS,
        help="go on with the run in the folder --out",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting of the training, as for `robot-learning train`; may be repeated",
    )
    add_launch_options(parser, DAGGER.name, without=("resume", "settings"))
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the rounds, with a table of them; the exit code is that of the rounds."""
    from robot_learning.cli.rounds_view import rounds_view
    from robot_learning.cli.supervisor import Supervisor

    given = launch_arguments(arguments)
    if arguments.set:
        given["settings"] = ";".join(arguments.set)
    plan = DAGGER.resolve(given)
    # A person's status line has the terminal for itself.
    drawn = any(node.owns_terminal for node in plan.nodes)
    with rounds_view(_run_folder(plan), live=not drawn):
        return Supervisor(plan).run()


def _run_folder(plan: LaunchPlan) -> Path:
    node = next(node for node in plan.nodes if node.name == "dagger_node")
    values = [entry["run"] for entry in node.parameters if not isinstance(entry, Path)]
    return Path(str(values[0])).expanduser()
