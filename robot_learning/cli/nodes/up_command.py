"""`robot-learning up <group>`: start a group of nodes, as `ros2 launch` does with launch files."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from robot_learning.bringup.groups import GROUPS
from robot_learning.cli.common.command_parser import CommandParser, Subparsers
from robot_learning.cli.nodes.launch_options import add_launch_options, launch_arguments


class _GroupParser(CommandParser):
    """Takes `name:=value` before, between and after options, which argparse alone does not."""

    def parse_known_args(  # type: ignore[override]
        self,
        args: Sequence[str] | None = None,
        namespace: argparse.Namespace | None = None,
    ) -> tuple[argparse.Namespace, list[str]]:
        given = list(args or ())
        options = [text for text in given if ":=" not in text]
        assignments = [text for text in given if ":=" in text]
        return super().parse_known_args([*options, *assignments], namespace)


def add_parser(subparsers: Subparsers) -> None:
    """Add `up` with one subcommand a group; each launch argument is an option too."""
    parser = subparsers.add_parser(
        "up",
        description="Start a group of ROS nodes as processes. Ctrl-C stops them all.",
    )
    groups = parser.add_subparsers(
        dest="group", metavar="group", required=True, parser_class=_GroupParser
    )
    for group in GROUPS.values():
        one = groups.add_parser(
            group.name,
            help=group.description,
            description=f"Start {group.description}.",
            epilog="Arguments may also be given as name:=value, as for ros2 launch.",
        )
        add_launch_options(one, group)
        one.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Start the group and stay until it ends; the exit code tells whether that was well."""
    from robot_learning.cli.nodes.supervisor import Supervisor

    plan = GROUPS[arguments.group].resolve(launch_arguments(arguments))
    return Supervisor(plan).run()
