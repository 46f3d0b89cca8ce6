"""`robot-learning dagger`: rounds of DAgger, over ROS nodes or in any gymnasium environment.

Over ROS they are the nodes of `dagger.launch.py`, with a person or the scripted operator; with
`--env` there are no nodes, and any expert that can be called.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from robot_learning.bringup.dagger import DAGGER
from robot_learning.cli.common.command_parser import Subparsers
from robot_learning.cli.interactive import imitation_options
from robot_learning.cli.nodes.launch_options import add_launch_options, launch_arguments
from robot_learning.core.errors import ConfigurationError

# Options that mean the same both ways; each is a launch argument, too.
_SHARED: dict[str, dict[str, Any]] = {
    "--out": {"type": Path, "help": "output folder (default: runs/TASK-dagger)"},
    **imitation_options.SHARED,
    "--gate": {
        "metavar": "KIND",
        "help": "who decides when to take over: human (HG-DAgger), or ensemble or thrifty, where "
        "the policy asks for help (EnsembleDAgger, ThriftyDAgger); with --env also none, where the "
        "expert labels everything (default: human; with --env: none)",
    },
    "--target-rate": imitation_options.TARGET_RATE_OPTION,
    "--rounds": {
        "type": int,
        "help": "rounds to run (default: 2; with --env: until the budget is spent)",
    },
    "--episodes-per-round": {
        "type": int,
        "metavar": "N",
        "help": "episodes in each round (default: 5)",
    },
    "--seed": {
        "type": int,
        "help": "seed of the first scene; with --env: of the first run (default: 0)",
    },
}
# The launch argument that `--set` becomes.
_SETTINGS = "settings"
_ONLY_WITH_ENV = ("expert", "noise", "budget")


def add_parser(subparsers: Subparsers) -> None:
    """Add `dagger`; its options are the launch arguments, and those for `--env`."""
    parser = subparsers.add_parser(
        "dagger",
        trains=True,
        description="Run rounds of DAgger in one of two ways. Over ROS nodes, a person or the "
        "scripted operator corrects a policy that drives a real or simulated robot. With --env, an "
        "expert corrects a policy in any gymnasium environment, without ROS. --resume continues a "
        "run that was interrupted at any point; over ROS nodes it keeps its settings, except those "
        "that are given again.",
        epilog="The options of rounds over ROS nodes may also be given as name:=value, as for ros2 "
        "launch.",
    )
    both = parser.add_argument_group("both ways")
    imitation_options.add_each(both, _SHARED)
    nodes = parser.add_argument_group("rounds over ROS nodes (without --env)")
    add_launch_options(nodes, DAGGER, without=[*map(_destination, _SHARED), _SETTINGS])
    imitation_options.add_options(parser, without=_SHARED)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the rounds, with a table of them; the exit code is that of the rounds."""
    given = launch_arguments(arguments)
    if arguments.env:
        if given:
            raise ConfigurationError(f"--env: '{min(given)}' belongs to rounds over ROS nodes")
        arguments.seed = arguments.seed or 0
        return imitation_options.run(arguments, "dagger")
    for name in _ONLY_WITH_ENV:
        if getattr(arguments, name):
            raise ConfigurationError(f"--{name} belongs to --env, rounds without ROS nodes")
    from robot_learning.cli.interactive.dagger_rounds import run_rounds

    shared = {name: getattr(arguments, name) for name in map(_destination, _SHARED)}
    return run_rounds(shared, given)


def _destination(option: str) -> str:
    return option.removeprefix("--").replace("-", "_")
