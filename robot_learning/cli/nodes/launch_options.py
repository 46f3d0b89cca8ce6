"""The arguments of a group of nodes as options of a command, and what was given of them."""

from __future__ import annotations

import argparse
from collections.abc import Collection
from typing import Any

from robot_learning.bringup.plan import LaunchArgument, LaunchGroup
from robot_learning.cli.common.command_parser import LONGEST_CHOICES
from robot_learning.core.errors import ConfigurationError


def add_launch_options(
    parser: argparse._ActionsContainer, group: LaunchGroup[Any], without: Collection[str] = ()
) -> None:
    """Add the launch arguments of a group, but those of `without`, as `--options`.

    All of them may be given as `name:=value` too.

    Args:
        parser: parser of the command, or a group of its options.
        group: group of nodes.
        without: names of launch arguments that get no option here.
    """
    for argument in group.arguments:
        if argument.name in without:
            continue
        parser.add_argument(
            f"--{argument.name.replace('_', '-')}",
            dest=f"launch_{argument.name}",
            metavar=_metavar(argument),
            help=argument_help(argument),
            default=argparse.SUPPRESS,
        )
    # Without a default it would be called required where another argument is missing.
    parser.add_argument(
        "assignments", nargs="*", default=[], metavar="name:=value", help=argparse.SUPPRESS
    )


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
