"""`robot-learning dart`: demonstrations with the noise that the trained policy will make.

Of the scripted expert in lockstep, of a person or the scripted operator over ROS nodes, or with
`--env` of any expert in any gymnasium environment. `--estimate` is the single step.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from robot_learning.cli.common.command_parser import Subparsers
from robot_learning.cli.interactive import imitation_options
from robot_learning.cli.interactive.dart_options import OWN, SHARED
from robot_learning.core.errors import ConfigurationError

_ONLY_WITH_ENV = ("expert", "gate", "noise", "budget", "episodes_per_round")


def add_parser(subparsers: Subparsers) -> None:
    """Add `dart`."""
    parser = subparsers.add_parser(
        "dart",
        trains=True,
        description="Demonstrate, train, estimate the covariance of the policy's error on "
        "demonstrations that it has not seen, and demonstrate again with noise of that covariance. "
        "The noise moves the arm; the label remains what the demonstrator intended. --resume "
        "continues a run that was interrupted.",
        epilog="With an operator's device, further options of `robot-learning record` may be given "
        "as name:=value.",
    )
    imitation_options.add_each(parser, {**SHARED, **OWN})
    parser.add_argument(
        "--estimate",
        nargs=2,
        type=Path,
        metavar=("CHECKPOINT", "DATASET"),
        help="only estimate the noise, from episodes of a dataset that the checkpoint was not "
        "trained on, and write it for `robot-learning record --dart-covariance`",
    )
    imitation_options.add_options(parser, without=(*SHARED, "--rounds"))
    parser.add_argument("assignments", nargs="*", metavar="name:=value", help=argparse.SUPPRESS)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the rounds, or the one step, or another environment."""
    if arguments.env:
        for option in OWN:
            if getattr(arguments, _name(option)) is not None:
                raise ConfigurationError(
                    f"{option} is for this package's robots; --env has --rounds, "
                    "--episodes-per-round and --set, with noise.alpha and noise.trace_cap"
                )
        return imitation_options.run(arguments, "dart")
    for name in _ONLY_WITH_ENV:
        if getattr(arguments, name):
            raise ConfigurationError(f"--{name.replace('_', '-')} goes with --env")
    from robot_learning.cli.interactive.dart_rounds import estimate_noise, run_dart

    return estimate_noise(arguments) if arguments.estimate else run_dart(arguments)


def _name(option: str) -> str:
    return option.removeprefix("--").replace("-", "_")
