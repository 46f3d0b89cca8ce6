"""`robot-learning ccil`: corrective labels near demonstrations, without asking anybody.

For a recorded dataset, or with `--env` for any expert in any gymnasium environment.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from robot_learning.cli.common.command_parser import Subparsers
from robot_learning.cli.interactive import imitation_options
from robot_learning.core.errors import ConfigurationError

_WITHOUT = ("--gate", "--target-rate", "--set", "--seed")
_DATASET_ONLY = ("dataset", "into", "state")
# What means nothing for a dataset, where it says how demonstrations are made and trained on.
_ENV_ONLY: dict[str, Any] = {
    **{"expert": None, "env_set": [], "policy": None, "noise": None, "budget": []},
    **{"rounds": None, "episodes_per_round": None, "initial_episodes": None},
    **{"rows_per_episode": None, "evaluate_episodes": None, "success_return": None},
    **{"seeds": 1, "jobs": 0, "out": None, "resume": False},
}


def add_parser(subparsers: Subparsers) -> None:
    """Add `ccil`."""
    parser = subparsers.add_parser(
        "ccil",
        description="Learn from demonstrations how actions move the state, and find states near "
        "them with an action that leads back (CCIL, Ke et al. 2024). A label is kept where the "
        "bound of its error is small enough (corrective.largest_error). The labels are added to a "
        "copy of the dataset, which is then trained on as usual. With --env an expert demonstrates "
        "in a gymnasium environment, and the policy is trained on demonstrations and labels.",
    )
    parser.add_argument("dataset", type=Path, nargs="?", help="folder of the demonstrations")
    parser.add_argument("--into", type=Path, metavar="FOLDER", help="folder of the new dataset")
    parser.add_argument(
        "--state",
        nargs="+",
        default=[],
        metavar="COLUMN",
        help="observations that make up the state (default: all numbers but efforts); others are "
        "unknown in the labels, and a policy cannot be trained with them",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting of the labels, such as corrective.disturbance=0.5 or "
        "corrective.largest_error=0.3; with --env, any setting of the run; may be repeated",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        help="seed of networks and disturbances; with --env, of the first run",
    )
    imitation_options.add_options(parser, without=_WITHOUT)
    parser.set_defaults(run=run, gate=None, target_rate=None)


def run(arguments: argparse.Namespace) -> int:
    """Make labels for the dataset, or run the environment."""
    if arguments.env:
        for name in _DATASET_ONLY:
            if getattr(arguments, name):
                raise ConfigurationError(f"{_option(name)} and --env exclude each other")
        return imitation_options.run(arguments, "ccil")
    for name, default in _ENV_ONLY.items():
        if getattr(arguments, name) != default:
            raise ConfigurationError(f"{_option(name)} goes with --env")
    if arguments.dataset is None:
        raise ConfigurationError("name the folder of a dataset, or an environment with --env")
    if arguments.into is None:
        raise ConfigurationError("--into: name a folder for the dataset with the labels")
    from robot_learning.cli.interactive.ccil_dataset import add_labels

    return add_labels(arguments)


def _option(name: str) -> str:
    return "a dataset" if name == "dataset" else f"--{name.replace('_', '-')}"
