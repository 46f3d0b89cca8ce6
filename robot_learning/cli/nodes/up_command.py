"""`robot-learning up <group>`: start a group of nodes, as `ros2 launch` does with launch files."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Sequence

from robot_learning.bringup.groups import GROUPS
from robot_learning.bringup.plan import LaunchArgument
from robot_learning.cli.common.command_parser import LONGEST_CHOICES, CommandParser, Subparsers
from robot_learning.core.errors import ConfigurationError


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
        add_launch_options(one, group.name)
        one.set_defaults(run=run)


def add_launch_options(
    parser: argparse._ActionsContainer, group: str, without: Collection[str] = ()
) -> None:
    """Add the launch arguments of a group, but those of `without`, as `--options`.

    All of them may be given as `name:=value` too.
    """
    for argument in GROUPS[group].arguments:
        if argument.name in without:
            continue
        parser.add_argument(
            f"--{argument.name.replace('_', '-')}",
            dest=f"launch_{argument.name}",
            metavar=_metavar(argument),
            help=argument_help(argument),
            default=argparse.SUPPRESS,
        )
    parser.add_argument("assignments", nargs="*", metavar="name:=value", help=argparse.SUPPRESS)


def argument_help(argument: LaunchArgument) -> str:
    """What the help of an option says of a launch argument."""
    text = argument.description
    # In the style of the other options; "YAML file" keeps its capitals.
    text = text if text[1:2].isupper() else text[:1].lower() + text[1:]
    if _has_long_choices(argument):
        text = f"{text}; one of {', '.join(argument.choices)}"
    meaning, _, default = text.partition("; not given: ")
    return f"{meaning} (default: {default or argument.default or 'none'})"


def _metavar(argument: LaunchArgument) -> str:
    beside = argument.choices and not _has_long_choices(argument)
    return "|".join(argument.choices) if beside else argument.name.upper()


def _has_long_choices(argument: LaunchArgument) -> bool:
    return len("|".join(argument.choices)) > LONGEST_CHOICES


def launch_arguments(arguments: argparse.Namespace) -> dict[str, str]:
    """The launch arguments that were given, in either form.

    Raises:
        ConfigurationError: an assignment that is none, or an argument given twice.
    """
    prefix = "launch_"
    given = {
        name.removeprefix(prefix): str(value)
        for name, value in vars(arguments).items()
        if name.startswith(prefix)
    }
    for assignment in arguments.assignments:
        name, separator, value = assignment.partition(":=")
        if not separator:
            raise ConfigurationError(f"'{assignment}': expected name:=value or --name value")
        if name in given:
            raise ConfigurationError(f"the argument '{name}' is given twice")
        given[name] = value
    return given


def run(arguments: argparse.Namespace) -> int:
    """Start the group and stay until it ends; the exit code tells whether that was well."""
    from robot_learning.cli.nodes.supervisor import Supervisor

    plan = GROUPS[arguments.group].resolve(launch_arguments(arguments))
    return Supervisor(plan).run()
