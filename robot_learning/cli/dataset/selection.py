"""Which episodes of a dataset a verb works on: by name, and by what they are."""

from __future__ import annotations

import argparse

from robot_learning.core.vocabulary import OUTCOMES

SOURCES = ("human", "policy", "none", "corrective")
VERDICTS = ("good", "bad")
ALL_ROWS = ":"
"""The slice of all rows of an episode."""


def add_episode(parser: argparse.ArgumentParser) -> None:
    """Add the argument for one episode."""
    parser.add_argument("episode", help="number or file name of the episode, or 'last'")


def add_episodes(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Add the argument for some episodes."""
    parser.add_argument(
        "episodes",
        nargs="+" if required else "*",
        metavar="episode",
        help="numbers, ranges such as 3-7, file names, or 'last'",
    )


def add_filters(parser: argparse.ArgumentParser) -> None:
    """Add the options by which episodes are chosen."""
    group = parser.add_argument_group("choose episodes (each option but --split may be repeated)")
    group.add_argument("--outcome", action="append", choices=OUTCOMES, help="how the episode ended")
    group.add_argument("--operator", action="append", help="who demonstrated")
    group.add_argument("--round", action="append", type=int, help="round of DAgger")
    group.add_argument(
        "--source",
        action="append",
        choices=SOURCES,
        help="who was in control in at least one row; human: the operator, a script too",
    )
    group.add_argument(
        "--verdict", action="append", choices=VERDICTS, help="verdict of the quality report"
    )
    group.add_argument("--split", help="name of a stored split (see `dataset split`)")
