"""`robot-learning bc`: behaviour cloning of any expert in any gymnasium environment."""

from __future__ import annotations

import argparse

from robot_learning.cli.common.command_parser import Subparsers
from robot_learning.cli.interactive import imitation_options


def add_parser(subparsers: Subparsers) -> None:
    """Add `bc`."""
    parser = subparsers.add_parser(
        "bc",
        trains=True,
        description="Let an expert demonstrate, with or without --noise, and fit a policy to its "
        "actions, round after round. To learn from a recorded dataset, use `robot-learning train`.",
    )
    imitation_options.add_options(parser, without=("--gate",))
    parser.set_defaults(run=run, gate=None)


def run(arguments: argparse.Namespace) -> int:
    """Run it."""
    return imitation_options.run(arguments, "bc")
